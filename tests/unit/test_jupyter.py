"""How JupyterLab is run: its image, its connections, its folder, and its options."""

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlflow_compose import machine
from mlflow_compose.actions import notebooks
from mlflow_compose.actions.plan import load_plan, read_settings
from mlflow_compose.errors import FilesError, SettingsError
from mlflow_compose.identity import Identity
from mlflow_compose.paths import templates
from mlflow_compose.settings.notebooks import NotebookSettings
from mlflow_compose.settings.validators import requirement_list
from mlflow_compose.stack import Stack, build
from mlflow_compose.stack.notebook_image import ADDED
from mlflow_compose.targets import COMPOSE
from tests.unit.conftest import User
from tests.unit.samples import (
    ANY_ADDRESS,
    IDENTITY,
    MACHINE,
    ROOT,
    built,
    ingredients,
    local_stack,
    settings,
    stack,
)
from tests.unit.test_image import with_changes

START = templates() / "compose" / "jupyter" / "start_jupyter.py"
ON = {"JUPYTER": "true"}


def image(**values: str) -> str:
    return stack(**ON, **values).service("jupyter").image


def owned_by(owner: tuple[int, int] | None) -> Stack:
    """Return a stack whose folder belongs to a user and group."""
    chosen, texts = settings(**ON), ingredients(COMPOSE)
    given = (chosen, texts, "..", lambda: MACHINE)
    return build(
        chosen,
        COMPOSE.site(chosen, lambda: MACHINE),
        COMPOSE.image(*given),
        images=COMPOSE.images(*given),
        identity=Identity(IDENTITY),
        owner=owner,
    )


def load(path: Path) -> Any:  # noqa: ANN401 - a module
    """Import a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- settings


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("", []),
        ("seaborn==0.13.2, xgboost>=3,<4", ["seaborn==0.13.2", "xgboost>=3,<4"]),
        ("pandas >= 3 , < 4 rich~=14.0", ["pandas>=3,<4", "rich~=14.0"]),
        ("dask[array,dataframe]==2026.1,a!=1.0", ["dask[array,dataframe]==2026.1", "a!=1.0"]),
    ],
)
def test_packages_must_be_separated_by_spaces_or_commas(written: str, items: list[str]) -> None:
    assert requirement_list(written) == items
    assert settings(JUPYTER_PACKAGES=written).jupyter_packages == " ".join(items)


@pytest.mark.parametrize(
    "wrong",
    ["seaborn", "-r==1", "--index-url=http://x", "a@http://x", "a==1;b", "./a==1", "a==$(id)"],
)
def test_anything_but_a_package_with_a_version_must_be_refused(wrong: str) -> None:
    """Without a version, two images of the same name could differ; options install anything."""
    with pytest.raises(SettingsError, match="JUPYTER_PACKAGES  must be packages with a version"):
        settings(JUPYTER_PACKAGES=f"rich==14.0 {wrong}")


@pytest.mark.parametrize("token", ["", "short", "x" * 15])
def test_a_token_that_can_be_guessed_must_be_refused(token: str) -> None:
    with pytest.raises(SettingsError, match="JUPYTER_TOKEN  must be at least 16") as caught:
        settings(**ON, JUPYTER_TOKEN=token)
    assert not token or token not in str(caught.value)
    assert not settings(JUPYTER_TOKEN=token).jupyter


def test_the_port_must_differ_from_the_others_if_it_is_used() -> None:
    assert settings(JUPYTER_PORT="5000").jupyter_port == 5000
    with pytest.raises(SettingsError, match="JUPYTER_PORT  must differ from MLFLOW_PORT"):
        settings(**ON, JUPYTER_PORT="5000")


def test_a_misspelled_name_must_be_reported(user: User) -> None:
    user.has_env("JUPYTER_PORTS=8888")
    assert "did you mean JUPYTER_PORT?" in user.types("config").err


# --- what it runs from


def test_without_the_setting_nothing_must_be_different() -> None:
    off = {"JUPYTER_PORT": "1", "JUPYTER_PACKAGES": "rich==14.0", "JUPYTER_MEMORY": "1g"}
    assert stack(**off) == stack()
    assert not stack().has("jupyter")


def test_the_images_name_must_change_with_everything_that_goes_into_it() -> None:
    given: tuple[Mapping[str, str], ...] = (
        {},
        {"PYTHON_IMAGE": "python:3.12"},
        {"JUPYTER_PACKAGES": "rich==14.0"},
    )
    names = [image(**values) for values in given]
    names += [image(MLFLOW_VERSION="3.16.0"), image(JUPYTER_PACKAGES="rich==14.1")]
    texts = ingredients(COMPOSE)
    with_other_lock = {**texts, "jupyter": {"requirements.txt": "jupyterlab==4.6.6\n"}}
    for changed in (with_other_lock, *with_changes("compose/jupyter")):
        names.append(built(settings(**ON), COMPOSE, texts=changed).service("jupyter").image)
    assert len(set(names)) == len(names) > 10


def test_the_images_name_must_not_depend_on_other_settings() -> None:
    others = {"JUPYTER_PORT": "8000", "JUPYTER_TOKEN": "another-token-of-it", "MLFLOW_PORT": "1"}
    assert image(**others) == image()


def test_another_mlflow_must_be_the_clients_too() -> None:
    found = stack(**ON, MLFLOW_VERSION="3.16.0").service("jupyter").build
    assert found is not None
    lines = found.requirements.splitlines()
    assert lines[0] == "mlflow-skinny==3.16.0"
    assert [line.partition("==")[0] for line in lines[1:]] == [*ADDED]
    assert "--require-hashes" not in found.install_options


def test_the_listed_packages_must_be_those_of_the_lock() -> None:
    text = (ROOT / "requirements" / "jupyter.in").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if not line.startswith("#")]
    assert sorted(listed) == sorted([*ADDED, "mlflow-skinny==3.17.2"])


# --- who runs it


def test_the_container_must_run_as_the_owner_of_the_folder() -> None:
    assert owned_by((1000, 1001)).service("jupyter").user == "1000:1001"
    assert owned_by(None).service("jupyter").user == "10001:10001"
    assert owned_by((1000, 1001)).service("mlflow").user == "10001:10001"


def test_the_owner_of_a_folder_must_be_known_before_and_after_it_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    before = machine.owner_of(tmp_path / "notebooks")
    (tmp_path / "notebooks").mkdir()
    assert machine.owner_of(tmp_path / "notebooks") == before
    assert before == (None if os.getuid() == 0 else (os.getuid(), os.getgid()))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.owner_of(tmp_path) is None


def test_notebooks_must_not_be_data_of_the_stack() -> None:
    """No note is written into them, and nothing deletes them."""
    for found in (stack(**ON), local_stack(**ON)):
        assert found.folders == ()
        assert not any("notebooks" in name for name in found.volumes)
        assert not any(name.startswith("jupyter") for name in found.data_volumes)


# --- what it is connected to


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5000"),
        ("192.0.2.7", "http://192.0.2.7:5000"),
        (ANY_ADDRESS, "http://classroom:5000"),
        ("::1", "http://[::1]:5000"),
    ],
)
def test_links_must_lead_to_an_address_that_browsers_can_reach(address: str, url: str) -> None:
    names = ("classroom", "192.0.2.7") if address == ANY_ADDRESS else ()
    chosen = {"STACK_BIND_ADDRESS": address, "MLFLOW_AUTH": "basic", **ON}
    found = stack(lan_names=names, **chosen).service("jupyter").environment
    assert found["MLFLOW_LINKS_URL"] == url
    assert found["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"


def test_a_stack_without_s3_must_give_no_key() -> None:
    found = stack(**ON, ARTIFACT_STORE="local").service("jupyter")
    assert not any(name.startswith(("AWS_", "MLFLOW_S3_")) for name in found.environment)
    assert [secret.name for secret in found.secrets] == ["jupyter_token"]


@pytest.mark.parametrize("found", [stack(**ON), local_stack(**ON)], ids=["docker", "local"])
def test_no_variable_or_argument_must_be_secret(found: Stack) -> None:
    service = found.service("jupyter")
    shown = (*service.command, *service.environment.values())
    assert not any(text in word for text in found.sensitive for word in shown)
    assert found.jupyter_token == "token-of-the-sample"
    assert found.jupyter_token in found.sensitive
    assert "token-of-the-sample" not in repr(found)


@pytest.mark.parametrize(
    ("uri", "start"),
    [("http://mlflow:5000", "http://127.0.0.1:5000"), ("http://other:5000", "original")],
)
def test_only_links_to_the_stack_must_be_changed(
    monkeypatch: pytest.MonkeyPatch, uri: str, start: str
) -> None:
    plugin = load(templates() / "compose/jupyter/plugins/browser_links.py")
    for name, value in stack(**ON).service("jupyter").environment.items():
        monkeypatch.setenv(name, value)
    assert plugin.with_links(lambda: "original", lambda: uri)() == start


# --- its start


def test_the_start_must_turn_paths_and_secrets_into_variables_of_notebooks(tmp_path: Path) -> None:
    """`python -m jupyterlab` prints its environment here."""
    (tmp_path / "secrets").mkdir()
    login = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "§ 'quoted' \" $x"}
    (tmp_path / "secrets/jupyter_login.json").write_text(json.dumps(login), encoding="utf-8")
    (tmp_path / "jupyterlab.py").write_text(
        "import json, os; print(json.dumps(dict(os.environ)))", encoding="utf-8"
    )
    given = {
        "SECRETS_DIR": "secrets",
        "NOTEBOOKS": "notebooks",
        "JUPYTER_HOME": "home",
        "AWS_SHARED_CREDENTIALS_FILE": "secrets/s3_app_key",
        "KEPT": "kept",
    }
    done = subprocess.run(
        [sys.executable, START], cwd=tmp_path, env=given, check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert {name: found[name] for name in login} == login
    assert found["KEPT"] == "kept"
    assert found["AWS_SHARED_CREDENTIALS_FILE"] == str(tmp_path / "secrets/s3_app_key")
    assert found["JUPYTER_TOKEN_FILE"] == str(tmp_path / "secrets/jupyter_token")
    assert found["NOTEBOOKS"] == str(tmp_path / "notebooks")
    assert found["JUPYTER_RUNTIME_DIR"] == str(tmp_path / "home/runtime")
    plugins, packages = found["PYTHONPATH"].split(os.pathsep)
    assert plugins == str(START.parent / "plugins")
    assert Path(packages).is_relative_to(tmp_path / "home/packages")
    assert Path(packages).is_dir()
    assert (tmp_path / "home/runtime").stat().st_mode & 0o777 == 0o700


# --- the folder of notebooks


@pytest.fixture
def folder(user: User) -> Path:
    """Return the folder of notebooks of a stack, not created yet."""
    user.has_env("JUPYTER=true", "STACK_ENGINE=local")
    return user.folder / "notebooks"


def provide(user: User) -> None:
    notebooks.provide_notebooks(load_plan(*read_settings(user.env_file, {}), {}))


def test_an_empty_folder_must_get_a_first_notebook(user: User, folder: Path) -> None:
    provide(user)
    found = json.loads((folder / "first-run.ipynb").read_text(encoding="utf-8"))
    assert found["nbformat"] == 4
    assert not any(cell.get("outputs") for cell in found["cells"])
    (folder / "first-run.ipynb").write_text("changed", encoding="utf-8")
    provide(user)
    assert (folder / "first-run.ipynb").read_text(encoding="utf-8") == "changed"


def test_a_folder_with_files_must_be_left_alone(user: User, folder: Path) -> None:
    folder.mkdir(mode=0o750)
    (folder / ".hidden").touch()
    if os.getuid() == 0:
        os.chown(folder, 4321, 4321)
    before = folder.stat()
    provide(user)
    assert [path.name for path in folder.iterdir()] == [".hidden"]
    assert folder.stat() == before


def test_a_stack_without_jupyter_must_get_no_folder(user: User) -> None:
    user.has_env()
    provide(user)
    assert not (user.folder / "notebooks").exists()


def test_a_file_in_its_place_must_be_reported(user: User, folder: Path) -> None:
    folder.write_text("a file", encoding="utf-8")
    with pytest.raises(FilesError, match="notebooks cannot be used for notebooks: File exists"):
        provide(user)


@pytest.mark.skipif(sys.platform != "linux", reason="Docker's VM maps users elsewhere")
@pytest.mark.skipif(os.getuid() != 0, reason="only root can create files of others")
def test_a_folder_of_root_must_be_reported_with_the_command_that_helps(
    user: User, folder: Path
) -> None:
    """Docker creates missing folders as root; so may a `git clone` of root."""
    folder.mkdir()
    (folder / "mine.ipynb").touch()
    with pytest.raises(FilesError, match="JupyterLab cannot write to it") as caught:
        provide(user)
    assert caught.value.hint == f"sudo chown -R 10001:10001 {folder}"


@pytest.mark.skipif(os.getuid() != 0, reason="only root could give away folders of others")
def test_root_must_not_give_away_a_folder_that_a_link_leads_to(user: User, folder: Path) -> None:
    """The owner of the stack's folder may not be root."""
    elsewhere = user.folder / "elsewhere"
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    user.has_env("JUPYTER=true", "STACK_ENGINE=docker")
    with pytest.raises(FilesError, match="JupyterLab cannot write to it"):
        provide(user)
    assert elsewhere.stat().st_uid == 0
    assert list(elsewhere.iterdir()) == []


def test_every_setting_must_have_a_prefix_of_its_own() -> None:
    assert all(name.startswith("jupyter") for name in NotebookSettings.model_fields)


def cookie_secret(token: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return what JupyterLab signs cookies with, for a token."""
    file.write_text(token, encoding="utf-8")
    names = {"JUPYTER_TOKEN_FILE": str(file), "JUPYTER_ADDRESS": "127.0.0.1"}
    for name, value in {**names, "JUPYTER_PORT": "8888", "NOTEBOOKS": "notebooks"}.items():
        monkeypatch.setenv(name, value)
    apps = ("ServerApp", "PasswordIdentityProvider", "LabApp")
    options = SimpleNamespace(**{app: SimpleNamespace() for app in apps})
    path = START.parent / "config" / "jupyter_server_config.py"
    runpy.run_path(str(path), init_globals={"get_config": lambda: options})
    found: bytes = options.ServerApp.cookie_secret
    return found


def test_another_token_must_log_everyone_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cookies are kept by browsers for weeks, whatever the token is by then."""
    first, again, other = (
        cookie_secret(token, tmp_path / "token", monkeypatch) for token in ("one", "one", "two")
    )
    assert first == again != other
    assert b"one" not in first
