"""The systemd unit that starts a stack at boot, and what is said without one."""

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.actions.boot import install_service, remove_service, service_status
from mlflow_compose.boot import Unit, systemd
from mlflow_compose.boot.systemd import manager_of
from mlflow_compose.boot.words import owner_of
from mlflow_compose.errors import BootError
from mlflow_compose.payloads import as_json
from mlflow_compose.targets import COMPOSE, LOCAL, Target
from tests.unit.samples import env_text

UNIT = Unit(
    identity="0123456789abcdef",
    project="lab",
    engine="local",
    env_file=Path("/srv/lab/.env"),
    program=(sys.executable, "-m", "mlflow_compose"),
    wanted_by="default.target",
)
# Stands in for systemd, which does not run where these tests do: it keeps a list of enabled units.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$STATE/calls"
case "$*" in
    *is-enabled*) [ -e "$STATE/enabled" ] ;;
    *enable*) touch "$STATE/enabled" ;;
    *disable*) rm "$STATE/enabled" ;;
esac
"""


@pytest.mark.parametrize("name", ["lab", "a b", "100% $HOME", "\"x\" 'y'", "back\\slash\\", "é漢"])
def test_systemd_must_accept_a_unit_whatever_the_stacks_folder(tmp_path: Path, name: str) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    unit = replace(UNIT, env_file=tmp_path / name / ".env")
    path = tmp_path / unit.name
    path.write_text(unit.text, encoding="utf-8")
    command = [program, "verify", "--man=no", "--recursive-errors=no", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_unit_must_start_and_stop_the_stack_with_its_engine_and_env_file() -> None:
    lines = UNIT.text.splitlines()
    tool = f"{sys.executable} -m mlflow_compose --env-file=/srv/lab/.env"
    assert f"ExecStart={tool} up --engine local --no-verify --quiet" in lines
    assert f"ExecStop={tool} down --quiet" in lines
    assert "WantedBy=default.target" in lines


def test_characters_that_systemd_interprets_must_be_escaped() -> None:
    text = replace(UNIT, env_file=Path('/a b/$X 5% "\\/.env')).text
    assert r'"--env-file=/a b/$$X 5%% \"\\/.env" up' in text


def test_a_unit_must_show_whose_it_is() -> None:
    assert owner_of(UNIT.text) == UNIT.identity
    assert owner_of("[Service]\nExecStart=/bin/true\nStack=0123456789abcdef\n") == ""


def test_root_must_get_a_unit_of_the_system_and_others_one_of_their_own() -> None:
    assert manager_of("root", {}, is_root=True).folder == Path("/etc/systemd/system")
    assert manager_of("root", {}, is_root=True).starts_at_boot
    ada = manager_of("ada", {"HOME": "/home/ada"}, is_root=False)
    assert (ada.folder, ada.flags) == (Path("/home/ada/.config/systemd/user"), ("--user",))
    elsewhere = manager_of("ada", {"XDG_CONFIG_HOME": "/conf"}, is_root=False)
    assert elsewhere.folder == Path("/conf/systemd/user")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install `systemctl`, as a user who is not root and whose manager starts at boot."""
    state = tmp_path / "state"
    state.mkdir()
    program = state / "systemctl"
    program.write_text(SYSTEMCTL, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{state}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STATE", str(state))
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(systemd, "LINGERING", tmp_path)
    (tmp_path / pwd.getpwuid(65534).pw_name).touch()
    return state


def plan(folder: Path, target: Target = LOCAL) -> Plan:
    """Plan a stack whose user has the configuration folder `folder`/config."""
    (folder / "lab").mkdir(exist_ok=True)
    (folder / "lab" / ".env").write_text(env_text(), encoding="utf-8")
    loaded, paths = read_settings(folder / "lab" / ".env", {})
    return load_plan(loaded, paths, {"XDG_CONFIG_HOME": str(folder / "config")}, target)


def units(folder: Path) -> list[Path]:
    return list((folder / "config" / "systemd" / "user").glob("*"))


def test_install_must_enable_a_unit_that_remove_deletes(tmp_path: Path, state: Path) -> None:
    found = plan(tmp_path)
    assert as_json(service_status(found).data)["at_boot"] is False
    installed = as_json(install_service(found).data)
    (path,) = units(tmp_path)
    assert (installed["unit"], installed["at_boot"]) == (str(path), True)
    assert (state / "enabled").exists()
    # A second time, and with the id that the first one stored.
    assert as_json(install_service(plan(tmp_path)).data) == installed
    assert as_json(remove_service(plan(tmp_path)).data)["at_boot"] is False
    assert (units(tmp_path), (state / "enabled").exists()) == ([], False)
    calls = (state / "calls").read_text(encoding="utf-8").splitlines()
    assert all(call.startswith("--user ") for call in calls)
    assert calls[-1] == "--user daemon-reload"


def test_a_unit_that_is_not_ours_must_be_left_alone(tmp_path: Path, state: Path) -> None:
    found = plan(tmp_path)
    install_service(found)
    (path,) = units(tmp_path)
    for content in (b"[Service]\n", b"\xff", path.read_bytes().replace(b"\nStack=", b"\nStack=0")):
        path.write_bytes(content)
        (state / "calls").unlink()
        for action in (install_service, remove_service):
            with pytest.raises(BootError, match="was not written for this stack"):
                action(plan(tmp_path))
        assert path.read_bytes() == content
        (state / "calls").touch()
        assert as_json(service_status(plan(tmp_path)).data)["at_boot"] is False


def test_status_must_say_what_keeps_a_stack_from_starting(tmp_path: Path, state: Path) -> None:
    install_service(plan(tmp_path))
    (path,) = units(tmp_path)
    (state / "enabled").unlink()
    assert "is disabled" in service_status(plan(tmp_path)).lines[0]
    install_service(plan(tmp_path))
    user = pwd.getpwuid(65534).pw_name
    (tmp_path / user).unlink()
    found = service_status(plan(tmp_path))
    assert f"`loginctl enable-linger {user}`" in found.lines[0]
    assert as_json(found.data)["at_boot"] is False
    path.write_text(path.read_text(encoding="utf-8").replace("lab", "old"), encoding="utf-8")
    assert "is outdated" in service_status(plan(tmp_path)).lines[0]


def test_docker_must_start_at_boot_itself(tmp_path: Path, state: Path) -> None:
    found = plan(tmp_path, COMPOSE)
    with pytest.raises(BootError) as caught:
        install_service(found)
    assert caught.value.hint == "sudo systemctl enable docker.service"
    assert as_json(service_status(found).data)["at_boot"] is False
    (state / "enabled").touch()
    assert as_json(install_service(found).data)["at_boot"] is True
    assert as_json(remove_service(found).data)["unit"] is None
    assert units(tmp_path) == []


@pytest.mark.usefixtures("state")
def test_a_machine_without_systemd_must_be_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BootError, match="systemctl was not found"):
        install_service(plan(tmp_path))
    assert units(tmp_path) == []
    assert as_json(install_service(plan(tmp_path, COMPOSE)).data)["at_boot"] is None


def test_a_systemd_that_does_not_run_must_be_reported_before_anything_is_written(
    tmp_path: Path, state: Path
) -> None:
    (state / "systemctl").write_text("#!/bin/sh\necho 'no bus' >&2\nexit 1\n", encoding="utf-8")
    with pytest.raises(BootError, match="--user daemon-reload failed: no bus"):
        install_service(plan(tmp_path))
    assert units(tmp_path) == []
