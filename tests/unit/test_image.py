"""The name of the image depends on its build inputs, and on nothing else."""

from collections.abc import Iterator

import pytest

from mlflow_compose.paths import sources
from mlflow_compose.stack import Build
from mlflow_compose.targets import COMPOSE
from mlflow_compose.targets.target import Texts
from tests.unit.samples import SECRETS, built, ingredients, settings, stack


def name(**values: str) -> str:
    return stack(**values).service("mlflow").image


def recipe(**values: str) -> Build:
    found = stack(**values).service("mlflow").build
    assert found is not None
    return found


def with_changes(*folders: str) -> Iterator[Texts]:
    """Yield the texts of an image, each time with a change to another file of some folders."""
    texts = ingredients(COMPOSE)
    for folder in folders:
        for file, text in texts[folder].items():
            yield {**texts, folder: {**texts[folder], file: f"{text}# one more\n"}}


@pytest.mark.parametrize(
    "values", [{"PYTHON_IMAGE": "python:3.12-slim"}, {"MLFLOW_VERSION": "3.16.0"}]
)
def test_the_name_must_change_with_every_setting_of_the_build(values: dict[str, str]) -> None:
    assert name(**values) != name()


def test_the_name_must_change_with_every_file_of_the_build() -> None:
    for changed in with_changes("compose/mlflow", "shared"):
        assert built(settings(), COMPOSE, texts=changed).service("mlflow").image != name()


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
def test_the_name_must_not_depend_on_other_settings(values: dict[str, str]) -> None:
    """Stacks share an image, and a new password does not cause a build."""
    assert name(**values) == name()


def test_every_file_of_the_build_folder_must_be_a_build_input() -> None:
    assert ingredients(COMPOSE).items() >= {"compose/mlflow": sources("compose/mlflow")}.items()


def test_the_pinned_mlflow_must_be_installed_with_hashes() -> None:
    found = recipe()
    assert "--require-hashes --no-deps" in found.install_arguments
    assert "mlflow==3.17.2" in found.requirements
    assert "http://" not in found.requirements
    assert "https://" not in found.requirements


def test_another_mlflow_must_be_installed_with_its_dependencies_and_those_of_the_stack() -> None:
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
        sources("jupyter")["requirements.txt"],
        sources("pgadmin")["requirements.txt"],
        sources("compose/mlflow")["requirements-build.txt"],
    ):
        pinned = text.replace("\\\n", " ").splitlines()
        assert all("==" in line and "--hash=sha256:" in line for line in pinned)


def test_the_package_index_must_be_a_build_secret() -> None:
    assert recipe().secrets == ()
    found = recipe(PIP_INDEX_URL="https://u:hunter2@mirror/simple")
    assert [secret.name for secret in found.secrets] == ["pip_index_url"]
    assert "hunter2" not in repr(found)


def test_the_secrets_of_the_build_must_not_reach_the_server() -> None:
    found = stack(PIP_INDEX_URL="https://u:hunter2@mirror/simple")
    assert "pip_index_url" in {secret.name for secret in found.secrets}
    for service in found.services:
        assert "pip_index_url" not in {secret.name for secret in service.secrets}
