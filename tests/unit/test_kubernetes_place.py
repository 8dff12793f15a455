"""A stack that was started in a cluster must be found there, and nowhere else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import Plan
from mlflow_compose.actions.boot import remove_service, service_status
from mlflow_compose.actions.changed import changed, places_of
from mlflow_compose.boot import Manager, Unit
from mlflow_compose.cli.run import run
from mlflow_compose.errors import UsageError
from mlflow_compose.record import Record, read_record, write_record
from mlflow_compose.stack import DOCKER, KUBERNETES
from mlflow_compose.targets import COMPOSE, HELM, LOCAL, Target
from tests.unit.fakes import FakeEngine, FakeScreen
from tests.unit.samples import env_text

LAB = ("KUBE_CONTEXT=lab", "KUBE_NAMESPACE=team-a")
# kubectl with a current context, which it does not find anything in.
KUBECTL = """#!/bin/sh
echo "$*" >>"$0.calls"
[ "$1 $2" = "config current-context" ] && echo production
"""


def plan(folder: Path, *lines: str, target: Target = HELM) -> Plan:
    (folder / ".env").write_text(env_text(f"STACK_ENGINE={KUBERNETES}", *lines), encoding="utf-8")
    loaded, paths = actions.read_settings(folder / ".env", {})
    return actions.load_plan(loaded, paths, {}, target)


def started(found: Plan) -> Record:
    """Record a start of a stack in its cluster."""
    record = Record().started(KUBERNETES, places_of(found), found.stack.volumes)
    write_record(record, found.paths)
    (found.paths.state / "id").write_text(found.identity.id, encoding="utf-8")
    return record


@pytest.mark.parametrize(
    ("lines", "was", "now", "back"),
    [
        (
            ("KUBE_CONTEXT=lab", "KUBE_NAMESPACE=team-b"),
            "in the namespace team-a of the context lab",
            "KUBE_NAMESPACE is now team-b",
            "set KUBE_NAMESPACE=team-a back",
        ),
        (
            ("KUBE_CONTEXT=other", "KUBE_NAMESPACE=team-a"),
            "in the namespace team-a of the context lab",
            "KUBE_CONTEXT is now other",
            "set KUBE_CONTEXT=lab back",
        ),
        (
            (*LAB, "COMPOSE_PROJECT_NAME=other"),
            "as mlflow",
            "COMPOSE_PROJECT_NAME is now other",
            "set COMPOSE_PROJECT_NAME=mlflow back",
        ),
    ],
)
def test_a_stack_must_not_be_looked_for_where_it_was_not_started(
    tmp_path: Path, lines: tuple[str, ...], was: str, now: str, back: str
) -> None:
    """`down --volumes` would find nothing there, and forget where the data is."""
    record = started(plan(tmp_path, *LAB))
    actions.check_place(plan(tmp_path, *LAB), record)
    with pytest.raises(UsageError, match=f"was started {was}, but {now}") as error:
        actions.check_place(plan(tmp_path, *lines), record)
    assert back in str(error.value.hint)


def test_down_must_keep_the_record_if_the_namespace_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = started(plan(tmp_path, *LAB))
    changed_plan = plan(tmp_path, "KUBE_CONTEXT=lab", "KUBE_NAMESPACE=team-b")
    monkeypatch.chdir(tmp_path)
    for command in (["status"], ["down", "--volumes", "--yes"]):
        assert run([*command, "--json"]) == 2
        (error,) = json.loads(capsys.readouterr().out)["errors"]
        assert "team-a" in error["message"]
    assert read_record(changed_plan.paths) == record


def test_a_stack_must_not_start_a_second_time_in_another_namespace(tmp_path: Path) -> None:
    started(plan(tmp_path, *LAB))
    moved = plan(tmp_path, "KUBE_CONTEXT=lab", "KUBE_NAMESPACE=team-b")
    with pytest.raises(UsageError, match="this stack runs in the namespace team-a"):
        up(moved)


@pytest.mark.parametrize("target", [COMPOSE, LOCAL])
def test_a_stack_in_a_cluster_must_not_start_on_this_machine(
    tmp_path: Path, target: Target
) -> None:
    """Clients would reach one of two live servers, with different data."""
    first = plan(tmp_path, *LAB)
    started(first)
    here = plan(tmp_path, *LAB, target=target)
    with pytest.raises(UsageError, match="runs in the cluster of the context lab") as error:
        up(here)
    assert "mlflow-compose down" in str(error.value.hint)
    actions.down(first, FakeEngine(first.stack), FakeScreen(), volumes=False)
    up(here)


def test_a_copied_folder_must_start_although_the_original_runs_in_a_cluster(tmp_path: Path) -> None:
    first = plan(tmp_path, *LAB)
    record = started(first)
    copy = replace(first, identity=replace(first.identity, id="f" * 16))
    actions.check_place(replace(plan(tmp_path), identity=copy.identity), record)


def up(found: Plan) -> None:
    engine = FakeEngine(found.stack)
    actions.up(found, engine, FakeScreen(), wait_timeout=5, prove=False)


def test_the_place_of_data_that_was_deleted_must_not_be_kept(tmp_path: Path) -> None:
    """Otherwise a stack whose other data is elsewhere could never move to another namespace."""
    more = ("PG_HOST=db.lab", "PG_PASSWORD=secret")
    found = plan(tmp_path, *LAB, *more)
    started(found)
    actions.down(found, FakeEngine(found.stack), FakeScreen(), volumes=True)
    moved = plan(tmp_path, "KUBE_CONTEXT=lab", "KUBE_NAMESPACE=team-b", *more)
    actions.check_place(moved, read_record(moved.paths))
    assert changed(moved, read_record(moved.paths)) is None


def test_the_question_must_name_the_cluster_whose_data_is_lost(tmp_path: Path) -> None:
    question = actions.what_is_lost(FakeEngine(plan(tmp_path, *LAB).stack))
    assert "in the namespace team-a of the context lab?" in question


@pytest.mark.parametrize("command", ["verify", "sql", "user", "workspace"])
def test_no_pod_must_be_created_in_a_cluster_that_was_not_chosen(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan(tmp_path)
    kubectl = program(tmp_path, monkeypatch, "kubectl", KUBECTL)
    monkeypatch.chdir(tmp_path)
    arguments = {"sql": ["select 1"], "user": ["list"], "workspace": ["list"]}.get(command, [])
    assert run([command, *arguments, "--json"]) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert "only kubectl's current context" in error["message"]
    assert "KUBE_CONTEXT=production" in error["hint"]
    calls = Path(f"{kubectl}.calls").read_text(encoding="utf-8")
    assert {*calls.splitlines()} == {"config current-context"}


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Path:
    """Install a program that stands in for another one."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return path


def test_what_another_engine_left_on_this_machine_must_be_removable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Units and timers that the stack had before it moved into a cluster."""
    found = plan(tmp_path, *LAB)
    started(found)
    monkeypatch.chdir(tmp_path)
    for command in (["service", "status"], ["service", "remove"], ["backup", "--every", "never"]):
        assert run([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["ok"]
    for command in (["service", "install"], ["backup", "--every", "1d"], ["backup"]):
        assert run([*command, "--json"]) == 2
        assert "cannot be used" in capsys.readouterr().out


def test_a_unit_of_another_engine_must_be_reported_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plan(tmp_path, *LAB)
    manager = Manager((), tmp_path, "default.target")
    monkeypatch.setattr("mlflow_compose.actions.boot.own_manager", lambda _: manager)
    program(tmp_path, monkeypatch, "systemctl", "#!/bin/sh\n")
    unit = Unit(found.identity.id, "mlflow", DOCKER, found.paths.env_file, ("x",), "default.target")
    path = tmp_path / unit.name
    path.write_text(unit.text, encoding="utf-8")
    assert "service remove" in service_status(found).lines[0]
    remove_service(found)
    assert not path.exists()
