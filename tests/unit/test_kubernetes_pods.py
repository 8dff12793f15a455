"""What a cluster reports about pods becomes statuses of services, and reasons not to wait."""

from typing import Any

import pytest

from mlflow_compose.engines.kubernetes.pods import documents
from mlflow_compose.engines.kubernetes.resources import Object, parse
from mlflow_compose.engines.kubernetes.troubles import Trouble, counted, troubles
from tests.unit.samples import stack

NAME = "app.kubernetes.io/name"
SINCE = "2026-11-29T21:22:23Z"
RUNS: Object = {"state": {"running": {"startedAt": SINCE}}, "started": True}
READY = {"type": "Ready", "status": "True"}


def workload(name: str, kind: str = "Deployment", **more: Any) -> Object:  # noqa: ANN401 - JSON
    """Return a workload as `kubectl get` prints it."""
    return {
        "kind": kind,
        "metadata": {"name": name, "labels": {NAME: name}, "creationTimestamp": SINCE},
        "spec": {"replicas": 1},
        **more,
    }


def pod(name: str, *containers: Object, uid: str = "1", **status: Any) -> Object:  # noqa: ANN401
    """Return a pod with the states of its containers."""
    states = [{"name": name, "restartCount": 0, "image": "some:1", **each} for each in containers]
    return {
        "kind": "Pod",
        "metadata": {"name": f"{name}-{uid}", "labels": {NAME: name}, "uid": uid},
        "status": {"containerStatuses": states, **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Object:  # noqa: ANN401 - JSON
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def status_of(*items: Object) -> tuple[str, str, int, int]:
    (found,) = parse(items).statuses(stack())
    return found.state, found.health, found.exit_code, found.restarts


def found_in(*items: Object, before: tuple[Object, ...] = ()) -> list[Trouble]:
    return list(troubles(parse(items), counted(parse(before))))


def test_jobs_that_the_stack_does_not_wait_for_must_not_stop_it() -> None:
    """As one that a person has created to read the snapshots."""
    jobs = (pod(name, waiting("ImagePullBackOff")) for name in ("backup", "read-backups", "gc"))
    assert found_in(*jobs) == []
    assert found_in(pod("bind-backups", waiting("ImagePullBackOff"))) != []


ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([pod("mlflow", RUNS, conditions=[READY])], ("running", "healthy", 0, 0)),
        ([pod("mlflow", RUNS)], ("running", "unhealthy", 0, 0)),
        ([pod("mlflow", {**RUNS, "started": False})], ("running", "starting", 0, 0)),
        ([pod("mlflow", waiting("PodInitializing"))], ("created", "", 0, 0)),
        (
            [pod("mlflow", waiting("CrashLoopBackOff", lastState=ENDED, restartCount=4))],
            ("restarting", "", 3, 4),
        ),
        ([pod("mlflow", {"state": ENDED})], ("restarting", "", 3, 0)),
        ([], ("created", "", 0, 0)),
    ],
)
def test_a_server_must_have_the_status_of_its_pod(
    pods: list[Object], expected: tuple[str, str, int, int]
) -> None:
    assert status_of(workload("mlflow"), *pods) == expected


def test_a_server_that_was_scaled_to_zero_must_have_ended() -> None:
    assert status_of(workload("mlflow", spec={"replicas": 0})) == ("exited", "", 0, 0)


def test_a_rolling_update_must_not_make_a_server_unhealthy() -> None:
    """The new pod is not missed as long as the old one gets the requests."""
    old, new = pod("mlflow", RUNS, conditions=[READY]), pod("mlflow", waiting("x"), uid="2")
    assert status_of(workload("mlflow"), old, new) == ("running", "healthy", 0, 0)
    two = workload("mlflow", spec={"replicas": 2})
    assert status_of(two, old, new) == ("created", "", 0, 0)


def test_a_pod_that_is_being_deleted_must_not_count() -> None:
    ends = pod("mlflow", RUNS, conditions=[READY])
    ends["metadata"]["deletionTimestamp"] = SINCE
    assert status_of(workload("mlflow"), ends) == ("created", "", 0, 0)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"succeeded": 1}, ("exited", "", 0, 0)),
        ({"failed": 2}, ("exited", "", 3, 0)),
        ({"failed": 1}, ("running", "", 0, 0)),
    ],
)
def test_a_job_must_have_the_status_of_its_attempts(
    status: Object, expected: tuple[str, str, int, int]
) -> None:
    job = workload("bucket-init", "Job", status=status)
    attempts = (pod("bucket-init", {"state": ENDED}), pod("bucket-init", RUNS, uid="2"))
    assert status_of(job, *attempts) == expected


def test_a_job_of_an_earlier_revision_must_not_count() -> None:
    old = workload("bucket-init", "Job", status={"failed": 4})
    old["metadata"]["creationTimestamp"] = "2026-11-28T00:00:00Z"
    new = workload("bucket-init", "Job", status={"succeeded": 1})
    assert status_of(new, old) == ("exited", "", 0, 0)


@pytest.mark.parametrize(
    ("container", "sentence", "hint"),
    [
        (
            waiting("ImagePullBackOff", "no such host"),
            "has no image: some:1 cannot be pulled (no such host)",
            "set POSTGRES_IMAGE",
        ),
        (waiting("ErrImageNeverPull"), "has no image: some:1 cannot be pulled", "POSTGRES_IMAGE"),
        (
            waiting("CreateContainerConfigError", 'secret "postgres" not found'),
            'cannot be started: secret "postgres" not found',
            "values.override.yaml",
        ),
        (
            waiting("CrashLoopBackOff", restartCount=1, lastState=ENDED),
            "keeps restarting (exit code 3)",
            "",
        ),
        (
            {**RUNS, "restartCount": 2, "lastState": {"terminated": {"reason": "OOMKilled"}}},
            "keeps restarting (it needs more memory than its limit)",
            "",
        ),
    ],
)
def test_a_container_that_cannot_start_must_be_named(
    container: Object, sentence: str, hint: str
) -> None:
    (found,) = found_in(pod("postgres", container))
    assert found.service == "postgres"
    assert found.sentence.startswith(sentence)
    assert hint in found.hint


def test_restarts_before_the_start_must_not_count() -> None:
    crashed = pod("mlflow", {**RUNS, "restartCount": 7})
    again = pod("mlflow", waiting("CrashLoopBackOff", restartCount=8))
    assert found_in(crashed, before=(crashed,)) == []
    assert len(found_in(again, before=(crashed,))) == 1


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0/1 nodes are available: 1 Insufficient memory.", "fits on no machine"),
        ("pod has unbound immediate PersistentVolumeClaims", "has no volume for its data"),
    ],
)
def test_a_pod_without_a_machine_must_be_given_time(message: str, words: str) -> None:
    """A volume, or another machine, may be on the way."""
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }
    (found,) = found_in(pod("s3", conditions=[unscheduled]))
    assert found.sentence.startswith(words)
    assert found.patience > 0


def test_a_failed_job_must_be_a_trouble_of_its_service() -> None:
    """MLflow waits for the tables, which `migrate` creates."""
    job = workload("migrate", "Job", status={"failed": 2})
    (found,) = found_in(job, pod("migrate", {"state": ENDED}))
    assert (found.service, found.pod, found.container) == ("mlflow", "migrate-1", "migrate")


def test_a_volume_of_snapshots_that_cannot_be_written_to_must_be_named() -> None:
    """There is no service that the tool could show the log of."""
    job = workload("bind-backups", "Job", status={"failed": 2})
    (found,) = found_in(job, pod("bind-backups", {"state": ENDED}))
    assert (found.service, found.container) == ("backup", "bind-backups")
    assert found.sentence == "waits for the job bind-backups, which failed"
    assert "backup.storage" in found.hint
    own = workload("bucket-init", "Job", status={"failed": 2})
    (found,) = found_in(own, pod("bucket-init", {"state": ENDED}))
    assert (found.service, found.sentence) == ("bucket-init", "failed")


def test_pods_that_the_cluster_refuses_must_be_a_trouble() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    (found,) = found_in(workload("mlflow", status={"conditions": [refused]}))
    assert found.sentence == "has no pods: exceeded quota"


def test_only_pods_of_an_earlier_version_must_be_outdated() -> None:
    """A StatefulSet never replaces such a pod unless it was ready once."""
    server = workload("postgres", "StatefulSet", status={"updateRevision": "b"})
    old, new = pod("postgres"), pod("postgres", uid="2")
    old["metadata"]["labels"]["controller-revision-hash"] = "a"
    new["metadata"]["labels"]["controller-revision-hash"] = "b"
    found = parse([server, old, new, pod("mlflow")])
    assert [each.name for each in found.outdated] == ["postgres-1"]


def test_objects_that_are_printed_one_after_the_other_must_all_be_read() -> None:
    assert list(documents('{"a": 1}\n{\n  "b": {"c": 2}\n}\n')) == [{"a": 1}, {"b": {"c": 2}}]
