"""Units: what systemd says about them, what is in them, and how they are installed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose import machine
from mlflow_compose.actions import units as actions
from mlflow_compose.boot import words
from mlflow_compose.cli.run import run
from mlflow_compose.engines.local.orphans import end_orphans
from mlflow_compose.engines.local.processes import Owner
from mlflow_compose.errors import BootError, EngineError, UsageError
from mlflow_compose.paths import templates
from mlflow_compose.render import render, write
from mlflow_compose.stack import Host, Machine, Stack, units
from mlflow_compose.stack.postgres_logins import PG_PASSWORD
from mlflow_compose.targets import LOCAL, SYSTEMD
from tests.unit.samples import IDENTITY, MACHINE, SECRETS, built, env_text, settings

HOST = Host("/srv/lab", "student", "/home/student/.local/share/uv/python/cpython-3.13")
ROOTS = replace(MACHINE, database_user="mlflow-compose", host=replace(HOST, user="root"))
ODD = replace(MACHINE, host=replace(HOST, root="/srv/100% é lab's $HOME".replace("'", "")))
TOOL = "/home/student/tool/bin/uv"
SHARED_TOOL = replace(MACHINE, uv=TOOL)
ALL_SECRETS = "/srv/lab/local/secrets"
# Highest exposure that `systemd-analyze security` may report, times ten.
THRESHOLD = 30
CASES: Mapping[str, tuple[Machine, Mapping[str, str]]] = {
    "docker": (MACHINE, {"STACK_ENGINE": "docker"}),
    "docker-odd-path": (ODD, {"STACK_ENGINE": "docker"}),
    "local": (MACHINE, {"STACK_ENGINE": "local"}),
    "root": (ROOTS, {"STACK_ENGINE": "local", "COMPOSE_PROJECT_NAME": "lab"}),
    "odd-path": (ODD, {"STACK_ENGINE": "local", "JUPYTER": "true"}),
    "login": (MACHINE, {"STACK_ENGINE": "local", "MLFLOW_AUTH": "basic", "JUPYTER": "true"}),
    "pgadmin": (ROOTS, {"STACK_ENGINE": "local", "PGADMIN": "true", "PG_MEMORY": "512m"}),
    "tls": (MACHINE, {"STACK_ENGINE": "local", "STACK_TLS": "internal", "JUPYTER": "true"}),
    "models": (SHARED_TOOL, {"STACK_ENGINE": "local", "STACK_MODELS": "wine@best=5001:1g"}),
    "small": (
        MACHINE,
        {"STACK_ENGINE": "local", "BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"},
    ),
    "class": (
        MACHINE,
        {
            "STACK_ENGINE": "local",
            "CLASS_MODE": "seats",
            "CLASS_SEATS": "ada=5101 bob=5102",
            "MLFLOW_AUTH": "basic",
        },
    ),
}


def stack_of(case: str) -> Stack:
    machine, values = CASES[case]
    return built(settings(**values), SYSTEMD, machine)


@pytest.fixture(params=CASES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the folder of a stack's units."""
    write(render(stack_of(request.param)), tmp_path / "systemd")
    return tmp_path / "systemd"


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def units_in(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.glob("mlflow-compose-*"))]


def test_systemd_must_accept_every_unit(folder: Path) -> None:
    done = analyze("verify", "--man=no", *units_in(folder))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_must_find_every_unit_well_confined(folder: Path) -> None:
    services = [path for path in units_in(folder) if path.endswith(".service")]
    assert services
    for path in services:
        done = analyze("security", "--offline=yes", f"--threshold={THRESHOLD}", "--no-pager", path)
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_unit_must_contain_a_secret(folder: Path) -> None:
    assert not (folder / "secrets").exists()
    for path in units_in(folder):
        text = Path(path).read_text(encoding="utf-8")
        assert [value for value in SECRETS.values() if value in text] == []


def lines(stack: Stack, name: str) -> list[str]:
    tree = render(stack).files
    return tree[f"mlflow-compose-{stack.name}.{name}"].text.splitlines()


def values(found: Sequence[str], key: str) -> list[str]:
    return [line.partition("=")[2] for line in found if line.startswith(f"{key}=")]


def test_a_service_must_find_its_own_secrets_in_place_of_all() -> None:
    found = lines(stack_of("login"), "postgres.service")
    assert readable_secrets(found) == [f"{ALL_SECRETS}/{PG_PASSWORD}"]
    assert '"POSTGRES_PASSWORD_FILE=secrets/pg_password"' in values(found, "Environment")


def test_a_seat_must_find_none_but_its_own_secrets() -> None:
    stack = stack_of("class")
    (seat,) = (each for each in stack.seats if each.name.endswith("ada"))
    found = readable_secrets(lines(stack, f"{seat.name}.service"))
    assert found
    assert all(path.startswith(f"{ALL_SECRETS}/{seat.name}/") for path in found)


def test_systemd_must_not_read_secrets_as_root(folder: Path) -> None:
    """Their folder is the user's, who could put a link to any file there."""
    for path in units_in(folder):
        assert "LoadCredential" not in Path(path).read_text(encoding="utf-8")


def readable_secrets(found: Sequence[str]) -> list[str]:
    """Return the secrets that a unit mounts; all others must be hidden."""
    assert f"{ALL_SECRETS}:ro" in values(found, "TemporaryFileSystem")
    mounted = values(found, "BindReadOnlyPaths")
    return [path for path in mounted if "/secrets" in path]


def test_a_service_must_write_to_its_own_data_only() -> None:
    found = lines(stack_of("login"), "s3.service")
    assert values(found, "BindPaths") == ["/srv/lab/local/data/minio_data"]
    assert "-/srv/lab/local/data/postgres_data" in values(found, "InaccessiblePaths")


def test_a_service_must_read_what_is_in_home_folders_if_it_needs_it() -> None:
    stack = stack_of("models")
    (name,) = (each.name for each in stack.services if "UV" in each.environment)
    found = values(lines(stack, f"{name}.service"), "BindReadOnlyPaths")
    assert {TOOL, HOST.python, stack.service(name).image} <= {*found}


def test_services_must_start_in_order_and_stay_up_when_another_crashes() -> None:
    found = lines(stack_of("local"), "mlflow.service")
    before = [f"mlflow-compose-mlflow.{name}.service" for name in ("postgres", "bucket-init")]
    assert values(found, "After") == values(found, "Wants") == ["network-online.target", *before]
    assert values(found, "Requires") == []


def test_only_a_database_that_changes_its_user_must_keep_capabilities() -> None:
    stack = stack_of("root")
    kept = {unit.service.name: unit.capabilities for unit in units(stack, LOCAL.folder).services}
    assert kept.pop("postgres") == "CAP_CHOWN CAP_SETGID CAP_SETUID"
    assert set(kept.values()) == {""}


def test_limits_of_memory_must_be_systemds() -> None:
    assert values(lines(stack_of("pgadmin"), "postgres.service"), "MemoryMax") == ["512M"]
    assert values(lines(stack_of("pgadmin"), "mlflow.service"), "MemoryMax") == []


def test_two_stacks_must_never_have_a_unit_of_the_same_name() -> None:
    names = []
    for project in ("lab", "lab-mlflow", "lab_mlflow"):
        for engine in SYSTEMD.runs:
            chosen = settings(COMPOSE_PROJECT_NAME=project, STACK_ENGINE=engine)
            names += [name for name in render(built(chosen, SYSTEMD)).files if "lab" in name]
    assert len(names) == len(set(names)) > 10


@pytest.mark.parametrize("text", ["%d and 100%", 'a "b" c', "back\\slash", "$HOME", "a\tb\nc", ""])
def test_systemd_must_read_a_variable_as_it_was_set(text: str, tmp_path: Path) -> None:
    unit = tmp_path / "variable.service"
    variable = words.variable(("NAME", text))
    unit.write_text(f"[Service]\nExecStart=/bin/true\nEnvironment={variable}\n", encoding="utf-8")
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")
    # Without escapes, which are those of Python, and without specifiers.
    read = variable[1:-1].replace("%%", "%").encode().decode("unicode_escape")
    assert read == f"NAME={text}"


def test_a_unit_must_refuse_what_it_cannot_contain() -> None:
    with pytest.raises(BootError, match="control characters"):
        words.variable(("NAME", "a\x1bb"))
    stack = built(
        settings(STACK_ENGINE="local"), SYSTEMD, replace(MACHINE, host=replace(HOST, root="/a:b"))
    )
    with pytest.raises(UsageError, match="it contains :"):
        render(stack)


def test_a_path_must_not_be_read_as_two() -> None:
    with pytest.raises(UsageError, match="/mnt/own:/etc: it contains :"):
        render(built(settings(STACK_ENGINE="local", MINIO_VOLUME_PATH="/mnt/own:/etc"), SYSTEMD))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a stack, which is the working directory."""
    (tmp_path / ".env").write_text(env_text("STACK_ENGINE=local"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_render_must_write_what_units_run_and_say_how_they_are_installed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", "--target", "systemd", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)["data"]
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert data["install"] == [
        "mlflow-compose up",
        "mlflow-compose down",
        f"{sudo}install -m 0644 -t /etc/systemd/system {home}/systemd/mlflow-compose-mlflow.*",
        f"{sudo}systemctl daemon-reload",
        f"{sudo}systemctl enable --now mlflow-compose-mlflow.target",
    ]
    assert (home / "local" / "secrets" / PG_PASSWORD).stat().st_mode & 0o777 == 0o600
    assert run(["render", "--target", "systemd", "--check"]) == 0
    assert run(["render", "--target", "local", "--check"]) == 0


def test_units_elsewhere_must_be_the_same(home: Path) -> None:
    assert run(["render", "--target", "systemd"]) == 0
    assert run(["render", "--target", "systemd", "--output", "other/units"]) == 0
    pairs = [
        [path.read_text(encoding="utf-8") for path in sorted((home / name).glob("*"))
         if path.suffix in {".service", ".target"}]
        for name in ("systemd", "other/units")
    ]  # fmt: skip
    assert pairs[0] == pairs[1] != []


def test_units_elsewhere_must_need_the_files_that_they_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", "--target", "systemd", "--output", "other", "--json"]) == 0
    assert not (home / "local").exists()
    assert json.loads(capsys.readouterr().out)["data"]["install"][0] == (
        "mlflow-compose render --target systemd"
    )
    assert run(["render", "--target", "systemd", "--output", "systemd"]) == 0
    assert (home / "local").exists()


def test_units_must_not_replace_those_of_another_stack_or_what_units_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", "--target", "systemd"]) == 0
    assert run(["render", "--target", "systemd", "--output", "local"]) == 1
    assert (home / "local" / "secrets" / PG_PASSWORD).exists()
    path = home / "units" / "mlflow-compose-other.target"
    path.parent.mkdir()
    path.write_text(words.owned_by("f" * 16), encoding="utf-8")
    capsys.readouterr()
    assert run(["render", "--target", "systemd", "--output", "units"]) == 1
    assert f"{path.name} is another stack's" in capsys.readouterr().err
    assert [*path.parent.iterdir()] == [path]


def test_installed_units_of_another_stack_must_not_be_overwritten(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(actions, "SYSTEM_UNITS", str(tmp_path / "installed"))
    assert run(["render", "--target", "systemd"]) == 0
    shutil.copytree(home / "systemd", tmp_path / "installed")
    (tmp_path / "installed" / "mlflow-compose-mlflow.s3.service.d").mkdir()
    assert run(["render", "--target", "systemd"]) == 0
    path = tmp_path / "installed" / "mlflow-compose-mlflow.target"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Stack=", "Stack=f"), encoding="utf-8")
    capsys.readouterr()
    assert run(["render", "--target", "systemd"]) != 0
    assert f"{path} was not written for this stack" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "local", "local/mlflow/entrypoint.sh", "systemd/alone.sh"])
def test_root_must_not_render_units_for_files_that_others_can_change(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", "--target", "systemd"]) == 0
    monkeypatch.setattr(machine, "is_root", lambda: True)
    monkeypatch.setattr(machine, "changeable", lambda path: changeable_in(home, path))
    (home / name).chmod(0o777)
    capsys.readouterr()
    assert run(["render", "--target", "systemd"]) == 2
    assert f"other users can change {home / name}" in capsys.readouterr().err


def test_root_must_not_render_units_for_a_python_of_another_user(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "python").mkdir()
    (home / "python").chmod(0o777)
    monkeypatch.setattr(sys, "base_prefix", str(home / "python"))
    monkeypatch.setattr(machine, "is_root", lambda: True)
    monkeypatch.setattr(machine, "changeable", lambda path: changeable_in(home, path))
    assert run(["render", "--target", "systemd"]) == 2
    assert f"other users can change {home / 'python'}" in capsys.readouterr().err


def changeable_in(home: Path, path: Path) -> Path | None:
    """Return the same as for root, of a folder that may be another user's."""
    parts = [each for each in (path, *path.parents) if each.is_relative_to(home) and each.exists()]
    return next((each for each in parts if each.stat().st_mode & 0o002), None)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_owns_must_be_changeable(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert machine.changeable(file) is None
    os.chown(tmp_path, 1, 1)
    assert machine.changeable(file) == tmp_path


def test_units_must_need_a_definite_engine(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".env").write_text(env_text(), encoding="utf-8")
    assert run(["render", "--target", "systemd"]) == 2
    assert "set STACK_ENGINE in .env to docker or local" in capsys.readouterr().err
    assert not (home / "systemd").exists()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the folder of a stack's files, with the script of its units beside it."""
    (tmp_path / "systemd").mkdir()
    shutil.copy(templates() / "systemd" / "local" / "alone.sh", tmp_path / "systemd")
    (tmp_path / "local" / "run").mkdir(parents=True)
    return tmp_path / "local"


def is_alone(place: Path) -> bool:
    command = ["sh", "../systemd/alone.sh"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == ("mlflow-compose down stops it" in done.stderr)
    return not done.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
def test_a_unit_must_not_start_beside_supervisord(place: Path) -> None:
    file = place / "run" / "supervisord.pid"
    assert is_alone(place)
    command = [sys.executable, "-c", "input()", "supervisor.supervisord"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        file.write_text(f"{process.pid}\n", encoding="ascii")
        assert not is_alone(place)
        # Before the machine was started.
        os.utime(file, (0, 0))
        assert is_alone(place)
        process.communicate(b"\n")
    file.touch()
    assert is_alone(place)
    file.write_text(f"{os.getpid()}\n", encoding="ascii")
    assert is_alone(place)


def test_nothing_must_be_ended_that_a_unit_runs(place: Path) -> None:
    marks = {
        "STACK_SERVICE": f"{IDENTITY}/mlflow",
        "STACK_FOLDER": str(place),
        "STACK_UNIT": "mlflow-compose-lab.mlflow.service",
    }
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=marks) as process:
        with pytest.raises(EngineError, match=f"process {process.pid} is {marks['STACK_UNIT']}"):
            end_orphans(Owner(IDENTITY, place))
        assert process.poll() is None
        process.communicate(b"\n")
