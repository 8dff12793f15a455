"""The move into a cluster: what the env file gets, what runs meanwhile, and refusals."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.actions.changed import places_of
from mlflow_compose.actions.cluster_copy import Copied, removable
from mlflow_compose.actions.cluster_plan import ClusterMove, plan_cluster_move
from mlflow_compose.engines import Engine, ServiceStatus
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import Migrated
from mlflow_compose.record import read_record, write_record
from mlflow_compose.stack import KUBERNETES
from mlflow_compose.targets import COMPOSE, HELM, Target
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen
from tests.unit.samples import env_text

ANY = "0.0.0.0"  # noqa: S104 - nothing binds to it


def plan_of(folder: Path, target: Target, **values: str) -> Plan:
    (folder / ".env").write_text(env_text(*(f"{n}={v}" for n, v in values.items())))
    loaded, paths = read_settings(folder / ".env", {})
    return load_plan(loaded, paths, {}, target)


def move_of(folder: Path, **values: str) -> ClusterMove:
    old = plan_of(folder, COMPOSE, **values)
    located = load_plan(old.loaded, old.paths, {}, HELM, identity=old.identity)
    return plan_cluster_move(old, located.with_settings({"kube_context": "lab"}), {})


def test_the_env_file_must_name_the_cluster_so_that_another_context_is_never_used(
    tmp_path: Path,
) -> None:
    move = move_of(tmp_path, COMPOSE_PROJECT_NAME="team_a")
    assert move.env.values == {
        "STACK_ENGINE": "kubernetes",
        "KUBE_CONTEXT": "lab",
        "KUBE_NAMESPACE": "team-a",
    }
    move.env.apply()
    loaded, paths = read_settings(tmp_path / ".env", {})
    after = load_plan(loaded, paths, {}, HELM, identity=move.old.identity)
    # What is recorded before the start is what the next command finds.
    assert places_of(after) == places_of(move.new)


def test_only_the_move_must_know_the_servers_while_data_is_copied(tmp_path: Path) -> None:
    move = move_of(
        tmp_path, MLFLOW_AUTH="basic", STACK_BIND_ADDRESS=ANY, PG_PUBLISH="true", MINIO_PORT="9123"
    )
    idle = move.idle().stack
    assert {port.address for _, port in idle.ports} == {"127.0.0.1"}
    assert 9123 not in {port.published for _, port in idle.ports}
    assert not idle.service("postgres").ports


def test_an_external_bucket_must_keep_its_port(tmp_path: Path) -> None:
    external = {"MINIO_HOST": "s3.example.org", "MINIO_PORT": "9443"}
    move = move_of(tmp_path, **external, MINIO_STORAGE_USE_HTTPS="true")
    assert not move.moves_objects
    for plan in (move.new, move.idle()):
        assert plan.stack.site.s3 == "https://s3.example.org:9443"


def test_the_environment_must_not_decide_on_the_engine(tmp_path: Path) -> None:
    old = plan_of(tmp_path, COMPOSE)
    with pytest.raises(UsageError, match="STACK_ENGINE is set in the environment"):
        plan_cluster_move(old, old, {"STACK_ENGINE": "docker"})


def test_a_stack_in_a_cluster_must_not_move(tmp_path: Path) -> None:
    old = plan_of(tmp_path, HELM, STACK_ENGINE="kubernetes", KUBE_CONTEXT="lab")
    with pytest.raises(UsageError, match="in a cluster already"):
        plan_cluster_move(old, old, {})


def engines(move: ClusterMove, here: FakeEngine, there: FakeEngine) -> Callable[[Plan], Engine]:
    return lambda plan: there if plan.target is move.new.target else here


def refused(move: ClusterMove, *, runs: bool) -> str:
    here = FakeEngine(move.old.stack, statuses=ALL_WELL)
    there = FakeEngine(
        move.new.stack,
        statuses=(ServiceStatus("mlflow", "running", "healthy"),) if runs else (),
        name=KUBERNETES,
    )
    with pytest.raises(UsageError) as raised:
        actions.move_to_cluster(move, engines(move, here, there), FakeScreen(), wait_timeout=1)
    # Nothing was started, stopped or scaled, on either side.
    assert {*here.calls, *there.calls} <= {"check", "check_data"}
    return raised.value.message


def test_what_mlflow_stored_in_the_cluster_must_not_be_replaced(tmp_path: Path) -> None:
    move = move_of(tmp_path)
    assert "has run in the cluster already" in refused(move, runs=True)
    before = read_record(move.old.paths).started(KUBERNETES, places_of(move.new), ())
    write_record(before.stopped(KUBERNETES), move.old.paths)
    assert "has run in the cluster already" in refused(move, runs=False)


def test_a_volume_with_data_that_was_not_copied_must_not_count_as_removable(
    tmp_path: Path,
) -> None:
    move = move_of(tmp_path)
    data = Migrated(kept=(), dvc_buckets={}, other_buckets=("dvc",), other_locations={})
    assert removable(move, Copied(data)) == ["postgres_data"]
    data = Migrated(kept=(), dvc_buckets={}, other_buckets=(), other_locations={})
    assert removable(move, Copied(data, ("the table of others",))) == ["minio_data"]
    assert removable(move, Copied(data)) == ["minio_data", "postgres_data"]
