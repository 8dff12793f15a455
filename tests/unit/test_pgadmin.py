"""How pgAdmin is run: its settings, its image, its login, and what it is connected to."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlflow_compose.errors import SettingsError
from mlflow_compose.paths import templates
from mlflow_compose.render import render
from mlflow_compose.settings.pgadmin import PGADMIN_EMAIL, PgAdminSettings
from mlflow_compose.stack import Stack
from mlflow_compose.stack.components import reader_init
from mlflow_compose.stack.pgadmin_image import SOURCES
from mlflow_compose.targets import COMPOSE
from tests.unit.conftest import User
from tests.unit.samples import (
    ANY_ADDRESS,
    SECRETS,
    built,
    ingredients,
    local_stack,
    settings,
    stack,
)
from tests.unit.test_image import with_changes

START = templates() / "compose" / "pgadmin" / "start_pgadmin.py"
ON = {"PGADMIN": "true"}
BOTH = pytest.mark.parametrize("found", [stack(**ON), local_stack(**ON)], ids=["docker", "local"])


def image(**values: str) -> str:
    return stack(**ON, **values).service("pgadmin").image


# --- settings


def test_a_stack_without_postgres_must_be_refused() -> None:
    with pytest.raises(SettingsError, match="PGADMIN  must be false when BACKEND_STORE is sqlite"):
        settings(**ON, BACKEND_STORE="sqlite")
    assert not settings(BACKEND_STORE="sqlite").pgadmin


@pytest.mark.parametrize("password", ["", "short", "x" * 11])
def test_a_password_that_can_be_guessed_must_be_refused(password: str) -> None:
    with pytest.raises(SettingsError, match="PGADMIN_PASSWORD  must be at least 12") as caught:
        settings(**ON, PGADMIN_PASSWORD=password)
    assert not password or password not in str(caught.value)
    assert not settings(PGADMIN_PASSWORD=password).pgadmin


@pytest.mark.parametrize("address", ["127.0.0.1", ANY_ADDRESS])
def test_a_well_known_password_must_be_refused(address: str) -> None:
    more = {"STACK_BIND_ADDRESS": address, "MLFLOW_AUTH": "basic"}
    with pytest.raises(SettingsError, match="PGADMIN_PASSWORD  must not be a well-known") as caught:
        settings(**ON, **more, PGADMIN_PASSWORD="password1234")
    assert str(caught.value).count("PGADMIN_PASSWORD") == 1


def test_the_port_must_differ_from_the_others_if_it_is_used() -> None:
    assert settings(PGADMIN_PORT="5000").pgadmin_port == 5000
    with pytest.raises(SettingsError, match="PGADMIN_PORT  must differ from MLFLOW_PORT"):
        settings(**ON, PGADMIN_PORT="5000")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("PGADMIN_PORTS", "PGADMIN_PORT"), ("PGADMIN_DEFAULT_PASSWORD", "PGADMIN_PASSWORD")],
)
def test_a_name_of_another_stack_must_be_reported(user: User, name: str, meant: str) -> None:
    user.has_env(f"{name}=5050")
    assert meant in user.types("config").err


def test_every_setting_must_have_a_prefix_of_its_own() -> None:
    assert all(name.startswith("pgadmin") for name in PgAdminSettings.model_fields)


# --- what it runs from


def test_without_the_setting_nothing_must_be_different() -> None:
    off = {"PGADMIN_PORT": "1", "PGADMIN_PASSWORD": "another-one-of-it", "PGADMIN_MEMORY": "1g"}
    changed = {service.name: service for service in stack(**off).services}
    assert changed == {service.name: service for service in stack().services}
    assert not stack().has("pgadmin")
    assert not stack().has(reader_init.NAME)


def test_the_images_name_must_change_with_everything_that_goes_into_it() -> None:
    texts = ingredients(COMPOSE)
    with_other_lock = {**texts, "pgadmin": {"requirements.txt": "pgadmin4==9.17\n"}}
    names = [
        image(),
        image(PYTHON_IMAGE="python:3.12"),
        *(
            built(settings(**ON), COMPOSE, texts=changed).service("pgadmin").image
            for changed in (with_other_lock, *with_changes("compose/pgadmin"))
        ),
    ]
    assert len(set(names)) == len(names) > 8


def test_the_images_name_must_not_depend_on_other_settings() -> None:
    others = {"PGADMIN_PORT": "8000", "PGADMIN_PASSWORD": "another-one-of-it", "MLFLOW_PORT": "1"}
    assert image(**others) == image()


@BOTH
def test_only_packages_without_wheels_must_be_built(found: Stack) -> None:
    build = found.service("pgadmin").build
    assert build is not None
    assert "--require-hashes" in build.install_options
    options = " ".join(build.install_options)
    assert re.findall(r"--no-binary (\S+)", options) == [*SOURCES]
    # What builds them is in the lock, too.
    assert "\nsetuptools==" in build.requirements


# --- what it is connected to


@BOTH
def test_it_must_wait_for_the_role_that_can_only_read(found: Stack) -> None:
    job, server = found.service(reader_init.NAME), found.service("pgadmin")
    assert job.one_shot
    assert job.waits_for_health == ("mlflow",)
    assert server.waits_for_end == (reader_init.NAME,)
    names = [service.name for service in found.services]
    assert names.index("mlflow") < names.index(reader_init.NAME) < names.index("pgadmin")


@BOTH
def test_it_must_only_know_the_role_that_can_only_read(found: Stack) -> None:
    server = found.service("pgadmin")
    assert found.reader is not None
    texts = "\n".join(secret.text for secret in server.secrets)
    assert [secret.name for secret in server.secrets] == ["pgadmin_password", "pg_reader.conf"]
    assert found.reader[1] in texts
    assert SECRETS["PG_PASSWORD"] not in texts


def test_the_certificates_of_an_external_database_must_be_verified(tmp_path: Path) -> None:
    file = str(tmp_path / "ca.pem")
    Path(file).touch()
    tls = {"PG_HOST": "db.example.com", "PG_SSLMODE": "verify-full", "PG_SSLROOTCERT": file}
    for found in (stack(**ON, **tls), local_stack(**ON, **tls)):
        for name in ("pgadmin", reader_init.NAME):
            secrets = {secret.name: secret for secret in found.service(name).secrets}
            path = found.site.certificates(secrets["pg_ca_certs"])
            assert f"sslmode=verify-full\nsslrootcert={path}\n" in secrets["pg_reader.conf"].text


@BOTH
def test_no_variable_or_argument_must_be_secret(found: Stack) -> None:
    for name in ("pgadmin", reader_init.NAME):
        service = found.service(name)
        shown = (*service.command, *service.environment.values())
        assert not any(text in word for text in found.sensitive for word in shown)
    assert found.pgadmin_login == (PGADMIN_EMAIL, SECRETS["PGADMIN_PASSWORD"])
    assert SECRETS["PGADMIN_PASSWORD"] in found.sensitive
    assert SECRETS["PGADMIN_PASSWORD"] not in repr(found)


@BOTH
def test_the_job_must_find_its_modules(found: Stack, tmp_path: Path) -> None:
    """Its folder has all that it imports besides psycopg2."""
    folder = f"{reader_init.NAME}/"
    for path, file in render(found).files.items():
        if path.startswith(folder):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(file.text, encoding="utf-8")
    (tmp_path / folder / "psycopg2.py").touch()
    program = "import reader_init, mlflow_compose.queries.inside.role as role; print(role.__file__)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=tmp_path / folder,
        env={"PYTHONPATH": str(tmp_path / folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


# --- its start


def started(folder: Path, **given: str) -> Mapping[str, Any]:
    """Return arguments and environment of gunicorn, which a module replaces here."""
    (folder / "gunicorn.py").write_text(
        "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))",
        encoding="utf-8",
    )
    service = local_stack(**ON).service("pgadmin")
    done = subprocess.run(
        [sys.executable, START],
        cwd=folder,
        env={**service.environment, **given},
        check=True,
        capture_output=True,
        text=True,
    )
    arguments, environment = json.loads(done.stdout)
    return {"arguments": arguments, **environment}


def test_the_start_must_make_paths_absolute(tmp_path: Path) -> None:
    found = started(tmp_path, KEPT="kept")
    assert found["KEPT"] == "kept"
    assert found["PGADMIN_DATA"] == str(tmp_path / "data/pgadmin_data")
    assert found["PGSERVICEFILE"] == str(tmp_path / "secrets/pg_reader.conf")
    assert found["PGADMIN_PASSWORD_FILE"] == str(tmp_path / "secrets/pgadmin_password")
    assert (tmp_path / "data/pgadmin_data/tmp").stat().st_mode & 0o777 == 0o700


def test_variables_of_a_shell_must_not_turn_the_login_off(tmp_path: Path) -> None:
    """Nor connect pgAdmin to another database."""
    foreign = {"PGADMIN_SERVER_MODE": "OFF", "PGADMIN_INT_KEY": "x", "PGHOST": "elsewhere"}
    found = started(tmp_path, **foreign, GUNICORN_CMD_ARGS="--bind=0.0.0.0:1")
    assert found["PGADMIN_SERVER_MODE"] == "ON"
    assert not {"PGADMIN_INT_KEY", "PGHOST", "GUNICORN_CMD_ARGS"} & set(found)


@pytest.mark.parametrize(
    ("address", "bound"), [("127.0.0.1", "127.0.0.1:5050"), ("::1", "[::1]:5050")]
)
def test_it_must_listen_on_the_address_of_the_stack(
    tmp_path: Path, address: str, bound: str
) -> None:
    assert f"--bind={bound}" in started(tmp_path, PGADMIN_ADDRESS=address)["arguments"]
