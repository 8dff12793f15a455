"""STACK_PROFILE chooses defaults of other variables, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlflow_compose.settings import declared, load
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.example import new_env_text
from mlflow_compose.settings.names import Kind, kind_of
from mlflow_compose.settings.profiles import DEPENDS_ON_PROFILE, PROFILES
from mlflow_compose.settings.sizes import mebibytes
from mlflow_compose.stack import Stack
from mlflow_compose.stack.components.postgres_options import connections
from tests.unit.conftest import User
from tests.unit.samples import SECRETS, loaded, local_stack, settings, stack

SMALL = {"STACK_PROFILE": "small"}
LONG = "long enough 12"


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_must_equal_its_values_written_by_hand(profile: str) -> None:
    chosen = loaded(STACK_PROFILE=profile).settings
    by_hand = loaded(**PROFILES[profile]).settings
    assert chosen == by_hand.model_copy(update={"stack_profile": profile})


def test_the_file_and_the_environment_must_override_a_profile() -> None:
    found = loaded({"PG_SHARED_BUFFERS": "48m"}, **SMALL, MLFLOW_WORKERS="3")
    assert found.settings.mlflow_workers == 3
    assert found.settings.pg_shared_buffers == "48m"
    assert found.sources["MLFLOW_WORKERS"] == ".env"
    assert found.sources["PG_SHARED_BUFFERS"] == "environment"
    assert found.sources["MINIO_MEMORY_TARGET"] == "STACK_PROFILE"
    assert found.sources["MLFLOW_PORT"] == "default"


def test_the_environment_must_choose_the_profile() -> None:
    found = loaded(SMALL, STACK_PROFILE="fast")
    assert found.settings.mlflow_workers == 1
    assert "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE" not in found.sources


def test_a_variable_of_mlflow_must_be_overridden_too() -> None:
    name = "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"
    for found, value, source in (
        (loaded(STACK_PROFILE="fast"), "10", "STACK_PROFILE"),
        (loaded(STACK_PROFILE="fast", MLFLOW_SQLALCHEMYSTORE_POOL_SIZE="7"), "7", ".env"),
        (loaded({name: "8"}, STACK_PROFILE="fast"), "8", "environment"),
    ):
        assert (found.settings.server_variables[name], found.sources[name]) == (value, source)


def test_config_must_tell_what_the_profile_chose(user: User) -> None:
    user.has_env("STACK_PROFILE=fast", "MLFLOW_WORKERS=3")
    lines = {
        line.split()[0]: line.split() for line in user.types("config").out.splitlines() if line
    }
    assert lines["MLFLOW_WORKERS"] == ["MLFLOW_WORKERS", "3", ".env"]
    assert lines["PG_SHARED_BUFFERS"][1:] == ["256m", "STACK_PROFILE"]
    assert lines["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"][1:] == ["10", "STACK_PROFILE"]


def test_an_unknown_profile_must_be_an_error(user: User) -> None:
    user.has_env("STACK_PROFILE=tiny")
    result = user.types("config")
    assert result.code == 2
    assert "STACK_PROFILE  must be default, small or fast, got tiny" in result.err


def test_a_profile_must_only_set_variables_that_exist_and_hold_no_data() -> None:
    names = dict(declared())
    kinds = {kind_of(name, names) for name in DEPENDS_ON_PROFILE}
    assert kinds == {Kind.SETTING, Kind.SERVER}
    plain, small = stack(), stack(**SMALL)
    assert plain.stores == small.stores
    assert [service.volumes for service in plain.services] == [
        service.volumes for service in small.services
    ]


def test_a_new_file_must_show_the_defaults_of_its_profile() -> None:
    text = new_env_text(SMALL, choice=lambda letters: letters[0])
    assert "\n#MLFLOW_WORKERS=1\n" in text
    assert parse(text).values["STACK_PROFILE"] == "small"


def test_a_profile_must_also_work_beside_a_copy_of_the_example(tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    assert "\nSTACK_PROFILE=default\n" in example
    chosen = example.replace("STACK_PROFILE=default", "STACK_PROFILE=small")
    for name, value in SECRETS.items():
        chosen = chosen.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (tmp_path / ".env").write_text(chosen, encoding="utf-8")
    assert load(tmp_path / ".env", {}).settings.mlflow_workers == 1


@pytest.mark.parametrize(
    ("size", "expected"), [("512m", 512), ("2g", 2048), ("1.5G", 1536), ("64MB", 64), ("10k", 1)]
)
def test_a_size_must_be_converted(size: str, expected: int) -> None:
    assert mebibytes(size) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, 100),
        (SMALL, 100),
        ({"MLFLOW_WORKERS": "7"}, 7 * 2 * 15 + 20),
        ({"STACK_PROFILE": "fast"}, 4 * 2 * 30 + 20),
        ({"MLFLOW_REPLICAS": "3"}, 3 * 2 * 2 * 15 + 20),
        (
            {"MLFLOW_WORKERS": "3", "MLFLOW_AUTH": "basic", "MLFLOW_ADMIN_PASSWORD": LONG},
            3 * 3 * 15 + 20,
        ),
        ({"MLFLOW_JOBS": "true"}, 11 * 3 * 15 + 20),
        ({"MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "1000000"}, 2000),
        ({"MLFLOW_WORKERS": "7", "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "0"}, 7 * 2 * 15 + 20),
    ],
)
def test_postgresql_must_accept_every_connection_of_mlflows_pools(
    values: dict[str, str], expected: int
) -> None:
    assert connections(settings(**values)) == expected


@pytest.mark.parametrize("build", [stack, local_stack])
def test_what_makes_a_commit_durable_must_keep_its_default(build: Callable[..., Stack]) -> None:
    for profile in PROFILES:
        services = build(STACK_PROFILE=profile).services
        (postgres,) = [service for service in services if service.name == "postgres"]
        options = " ".join(postgres.command)
        assert "shared_buffers=" in options
        for name in ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method"):
            assert name not in options


def test_a_worker_must_be_allowed_more_memory_than_it_starts_with(user: User) -> None:
    user.has_env("MLFLOW_WORKER_MEMORY=100m")
    result = user.types("config")
    assert result.code == 2
    assert "MLFLOW_WORKER_MEMORY  must be at least 300m, or empty for no limit" in result.err


@pytest.mark.parametrize("build", [stack, local_stack])
def test_without_shared_buffers_the_images_own_options_must_count(
    build: Callable[..., Stack],
) -> None:
    (postgres,) = [s for s in build(PG_SHARED_BUFFERS="").services if s.name == "postgres"]
    assert not [word for word in postgres.command if word.startswith("--")]


def test_minio_must_have_its_unused_buffers_besides_its_target() -> None:
    def chosen(**values: str) -> tuple[str | None, str | None]:
        found = stack(**values).service("s3").environment
        return found.get("MINIO_MEMLIMIT"), found.get("MINIO_API_REQUESTS_MAX")

    assert chosen() == ("216MiB", "1000")
    assert chosen(MINIO_MEMORY="90m") == ("208MiB", "30")
    assert chosen(MINIO_MEMORY="2g") == ("216MiB", "682")
    assert chosen(STACK_PROFILE="small") == ("208MiB", "1000")
    assert chosen(MINIO_MEMORY_TARGET="") == (None, None)


def test_a_memory_target_must_stay_below_the_limit() -> None:
    def chosen(**values: str) -> str:
        return stack(S3_PROVIDER="rclone", **values).service("s3").environment["GOMEMLIMIT"]

    assert (chosen(), chosen(MINIO_MEMORY="90m")) == ("96MiB", "72MiB")


def test_a_memory_target_must_not_be_too_small_to_work(user: User) -> None:
    user.has_env("MINIO_MEMORY_TARGET=1m")
    result = user.types("config")
    assert result.code == 2
    assert "MINIO_MEMORY_TARGET  must be at least 32m, or empty for no target" in result.err
