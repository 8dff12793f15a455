"""What is deleted in a cluster, what is kept, and what an interruption leaves."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlflow_compose.engines.kubernetes import watch
from mlflow_compose.engines.kubernetes.engine import KubernetesEngine
from mlflow_compose.errors import EngineError, NotReadyError, SettingsError
from mlflow_compose.paths import StackPaths
from tests.unit.fakes import FakeScreen
from tests.unit.samples import IDENTITY
from tests.unit.test_kubernetes_engine import cluster_stack

# Writes down its command line without context and namespace, and prints what the test says.
PROGRAM = """#!/bin/sh
shift 4
echo "$(basename "$0") $*" >>"$STATE/calls"
case "$(basename "$0") $*" in
{answers}
    helm*history*) echo 'Error: release: not found' >&2; exit 1 ;;
esac
"""
RELEASE = {"chart": "mlflow-compose-1", "status": "deployed", "revision": "1"}
Calls = Callable[[], list[str]]


def install(folder: Path, answers: Mapping[str, str]) -> tuple[KubernetesEngine, Calls]:
    """Return an engine whose kubectl and helm give these answers, and their calls so far."""
    cases = "\n".join(f"    {pattern}) {script} ;;" for pattern, script in answers.items())
    for name in ("kubectl", "helm"):
        program = folder / name
        program.write_text(PROGRAM.format(answers=cases), encoding="utf-8")
        program.chmod(0o755)
    environ = {"PATH": f"{folder}:/usr/bin:/bin", "STATE": str(folder)}
    engine = KubernetesEngine(cluster_stack(), StackPaths(folder / ".env"), environ)
    return engine, lambda: (folder / "calls").read_text(encoding="utf-8").splitlines()


@pytest.fixture(autouse=True)
def _programs_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program is found in the PATH of this process."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def printed(value: object) -> str:
    return f"echo '{json.dumps(value)}'"


def test_pods_that_nothing_else_deletes_must_not_be_waited_for(tmp_path: Path) -> None:
    """Those of commands that were killed, and a failed one of `helm test`."""
    engine, calls = install(tmp_path, {"helm*history*": printed([RELEASE])})
    engine.stop(FakeScreen(), volumes=False)
    loose = "app.kubernetes.io/name in (mlflow-compose-run,test)"
    selector = f"--selector=mlflow-compose.stack={IDENTITY},{loose}"
    delete, wait = (
        next(i for i, call in enumerate(calls()) if call.startswith(f"kubectl {words}"))
        for words in (f"delete pods {selector}", "wait pods")
    )
    assert delete < wait


def test_only_old_pods_of_commands_must_be_deleted_by_a_start(tmp_path: Path) -> None:
    """A command of another terminal may still need its own."""
    now = datetime.now(UTC)

    def pod(name: str, hours: int, phase: str, label: str = "mlflow-compose-run") -> object:
        created = (now - timedelta(hours=hours)).isoformat()
        labels = {"app.kubernetes.io/name": label}
        metadata = {"name": name, "labels": labels, "creationTimestamp": created, "uid": name}
        return {"kind": "Pod", "metadata": metadata, "status": {"phase": phase}}

    pods = [
        pod("killed", 2, "Running"),
        pod("ended", 0, "Failed"),
        pod("works", 0, "Running"),
        pod("mlflow", 2, "Running", "mlflow"),
    ]
    engine, calls = install(tmp_path, {"kubectl*get*deployments*": printed({"items": pods})})
    engine.start(FakeScreen(), wait_timeout=5)
    deleted = [call.split()[3] for call in calls() if call.startswith("kubectl delete pod ")]
    assert sorted(deleted) == ["ended", "killed"]


def test_an_interrupted_removal_must_be_finished_before_a_start(tmp_path: Path) -> None:
    """helm refuses any change of a release that is being removed."""
    release = {**RELEASE, "status": "uninstalling"}
    engine, calls = install(tmp_path, {"helm*history*": printed([release])})
    engine.start(FakeScreen(), wait_timeout=5)
    words = [call.split()[1] for call in calls() if call.startswith("helm ")]
    assert words == ["history", "uninstall", "upgrade", "history"]


@pytest.mark.parametrize("user", ['a"b', "a'b", "a$b", "a\\b"])
def test_a_user_that_the_image_cannot_create_must_be_refused(tmp_path: Path, user: str) -> None:
    """With a quotation mark in it, initdb prints the password into the log."""
    engine, _ = install(tmp_path, {})
    engine.stack = cluster_stack(PG_USER=user)
    with pytest.raises(EngineError, match="PG_USER must not contain"):
        engine.check_data()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_host_that_is_the_pod_itself_must_be_refused(tmp_path: Path, host: str) -> None:
    engine, _ = install(tmp_path, {})
    engine.stack = cluster_stack(PG_HOST=host, PG_PASSWORD="secret")
    with pytest.raises(SettingsError, match=r"PG_HOST must not be .* in a cluster"):
        engine.check_data()


def test_the_login_of_cloudnativepg_must_outlive_the_stack(tmp_path: Path) -> None:
    """Its Cluster is kept, and reads the Secret all along."""
    engine, calls = install(
        tmp_path,
        {"kubectl*get*clusters.postgresql*": "echo cluster.postgresql.cnpg.io/postgres"},
    )
    kept = engine.stop(FakeScreen(), volumes=True)
    (delete,) = [call for call in calls() if call.startswith("kubectl delete secrets")]
    assert "--field-selector=metadata.name!=postgres-login" in delete
    assert "Cluster postgres of CloudNativePG" in kept
    assert "delete clusters.postgresql.cnpg.io postgres" in kept


def test_the_login_must_be_kept_if_the_cluster_does_not_tell_what_needs_it(tmp_path: Path) -> None:
    engine, calls = install(
        tmp_path, {"kubectl*get*clusters.postgresql*": "echo Forbidden >&2; exit 1"}
    )
    assert "postgres-login is kept" in engine.stop(FakeScreen(), volumes=False)
    (delete,) = [call for call in calls() if call.startswith("kubectl delete secrets")]
    assert "metadata.name!=postgres-login" in delete


def test_all_secrets_must_be_deleted_without_cloudnativepg(tmp_path: Path) -> None:
    words = 'error: the server doesn\'t have a resource type \\"clusters\\"'
    engine, calls = install(
        tmp_path, {"kubectl*get*clusters.postgresql*": f'echo "{words}" >&2; exit 1'}
    )
    assert engine.stop(FakeScreen(), volumes=False) == ""
    (delete,) = [call for call in calls() if call.startswith("kubectl delete secrets")]
    assert "postgres-login" not in delete


def test_only_the_claims_of_the_chart_must_be_deleted(tmp_path: Path) -> None:
    """A claim of the user's own may carry the id, for example because it was copied."""
    rows = "".join(
        f"PersistentVolumeClaim\\t{name}\\t{identity}\\n"
        for name, identity in (
            ("postgres-data", IDENTITY),
            ("s3-data", ""),
            ("backups", IDENTITY),
            ("copied", IDENTITY),
        )
    )
    engine, calls = install(
        tmp_path,
        {
            "kubectl*get*clusters.postgresql*": "true",
            "kubectl*get*persistentvolumeclaims*": f"printf '{rows}'",
        },
    )
    kept = engine.stop(FakeScreen(), volumes=True)
    deleted = [call for call in calls() if "delete persistentvolumeclaim" in call]
    assert deleted == [
        "kubectl delete persistentvolumeclaims postgres-data --ignore-not-found",
    ]
    assert "the snapshots are kept; kubectl" in kept
    assert "did not create: copied" in kept
    assert "the namespace mlflow is kept" in kept


def test_what_went_wrong_first_must_be_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that a cluster that no longer answers cannot be cleaned up either."""
    engine, _ = install(tmp_path, {"kubectl*label*": "echo unreachable >&2; exit 1"})

    def late(*_: object) -> None:
        raise NotReadyError("s3 was not ready", service="s3")

    with monkeypatch.context() as patched:
        patched.setattr(watch.Watch, "follow", late)
        with pytest.raises(NotReadyError, match="s3 was not ready"):
            engine.start(FakeScreen(), wait_timeout=5)
    with pytest.raises(EngineError, match="unreachable"):
        engine.start(FakeScreen(), wait_timeout=5)


def test_only_jobs_of_earlier_revisions_must_be_deleted(tmp_path: Path) -> None:
    """Those of a CronJob have numbers in their names, too, and may be at work."""
    of_revisions = (
        *("bucket-init-1", "mlflow-compose-migrate-1", "mlflow-compose-migrate-2"),
        "bind-backups-1",
    )
    names = (*of_revisions, "gc-2909", "backup-2909")
    listed = "\\n".join(f"job.batch/{name}" for name in names)
    engine, calls = install(
        tmp_path, {"helm*history*": printed([RELEASE]), "kubectl*get*jobs*": f"printf '{listed}'"}
    )
    engine.stop(FakeScreen(), volumes=False)
    (deleted,) = (call for call in calls() if call.startswith("kubectl delete job.batch/"))
    assert {word for word in deleted.split() if word.startswith("job.batch/")} == {
        f"job.batch/{name}" for name in of_revisions
    }
