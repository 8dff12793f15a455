"""The image's name depends on the image's contents, and on nothing else."""

import pytest

from mlflow_compose.paths import sources
from mlflow_compose.stack import Build
from mlflow_compose.targets import COMPOSE
from tests.unit.samples import SECRETS, built, ingredients, settings, stack


def name(**values: str) -> str:
    return stack(**values).service("mlflow").image


def recipe(**values: str) -> Build:
    found = stack(**values).service("mlflow").build
    assert found is not None
    return found


@pytest.mark.parametrize(
    "values", [{"PYTHON_IMAGE": "python:3.12-slim"}, {"MLFLOW_VERSION": "3.16.0"}]
)
def test_the_name_must_change_with_what_goes_in(values: dict[str, str]) -> None:
    assert name(**values) != name()


def test_the_name_must_change_with_every_file_that_goes_in() -> None:
    texts = ingredients(COMPOSE)
    for folder, files in texts.items():
        for file, text in files.items():
            changed = {**texts, folder: {**files, file: f"{text}# one more\n"}}
            found = built(settings(), COMPOSE, texts=changed)
            assert found.service("mlflow").image != name(), file


@pytest.mark.parametrize(
    "values",
    [
        {"COMPOSE_PROJECT_NAME": "other"},
        {"MLFLOW_PORT": "5001"},
        {"MLFLOW_WORKERS": "9"},
        {"MLFLOW_AUTH": "basic"},
        {"MLFLOW_HTTP_REQUEST_TIMEOUT": "9"},
        {"PIP_INDEX_URL": "https://u:p@mirror/simple"},
        {"POSTGRES_IMAGE": "postgres:17"},
        {key: "another-secret" for key in SECRETS if key != "MINIO_ROOT_USER"},
    ],
)
def test_the_name_must_not_change_with_what_stays_out(values: dict[str, str]) -> None:
    """Two stacks share an image, and a new password causes no build."""
    assert name(**values) == name()


def test_every_file_of_the_build_folder_must_count() -> None:
    assert ingredients(COMPOSE).items() >= {"compose/mlflow": sources("compose/mlflow")}.items()


def test_the_pinned_mlflow_must_be_installed_by_hashes() -> None:
    found = recipe()
    assert "--require-hashes --no-deps" in found.install_arguments
    assert "mlflow==3.17.2" in found.requirements
    assert "http://" not in found.requirements
    assert "https://" not in found.requirements


def test_another_mlflow_must_bring_its_own_dependencies_and_what_the_stack_adds() -> None:
    found = recipe(MLFLOW_VERSION="3.16.0")
    lines = found.requirements.splitlines()
    assert lines[0] == "mlflow==3.16.0"
    names = {line.partition("==")[0].lower() for line in lines[1:]}
    assert names == {"boto3", "flask-wtf", "httptools", "minio", "psycopg2-binary", "uvloop"}
    assert "--no-deps" not in found.install_arguments
    assert "--require-hashes" not in found.install_arguments


def test_no_compiler_must_be_needed() -> None:
    assert "--only-binary :all:" in recipe().install_arguments


def test_every_requirement_must_be_pinned_with_a_hash() -> None:
    for text in (
        sources("shared")["requirements.txt"],
        sources("compose/mlflow")["requirements-build.txt"],
    ):
        pinned = text.replace("\\\n", " ").splitlines()
        assert all("==" in line and "--hash=sha256:" in line for line in pinned)


def test_index_and_certificates_must_be_secrets_of_the_build() -> None:
    assert recipe().secrets == ()
    found = recipe(PIP_INDEX_URL="https://u:hunter2@mirror/simple")
    assert [secret.name for secret in found.secrets] == ["pip_index_url"]
    assert "hunter2" not in repr(found)


def test_the_secrets_of_the_build_must_not_reach_the_server() -> None:
    found = stack(PIP_INDEX_URL="https://u:hunter2@mirror/simple")
    assert "pip_index_url" in {secret.name for secret in found.secrets}
    for service in found.services:
        assert "pip_index_url" not in {secret.name for secret in service.secrets}
