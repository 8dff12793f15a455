"""The chart on a real cluster, installed with Helm alone, where `restricted` is enforced."""

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.documents import ROOT

from .cluster import Cluster
from .conftest import LIVE
from .howto import Reader
from .local_stack import LocalStack
from .release import NAME, Release
from .running import SOAK, WAIT_TIMEOUT, left_to_soak
from .tool import environment
from .tracking import ARTIFACTS, MLFLOW, Api

pytestmark = pytest.mark.soak

# Tracking servers where there are several.
SEVERAL = 4 if os.environ.get(SOAK) == "1" else 2
PAGE = ROOT / "docs" / "how-to" / "helm.md"
# Snapshot that the page names.
SNAPSHOT = "2026-11-30T02-00-05Z"
# A deleted webhook, of the kind of row that the stack's keys encrypt.
WEBHOOK = "INSERT INTO webhooks (webhook_id, name, url, deleted_timestamp) VALUES ('w', 'w', '', 1)"
# Settings of a stack's ports, which must be free.
PORTS = ("MLFLOW_PORT", "MINIO_PORT", "MINIO_CONSOLE_ADDRESS", "PG_PORT")
GONE = 404
CONTENT = b"weights " * 1000


@pytest.fixture(scope="module")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Return the release of the default values."""
    with cluster.namespace() as namespace:
        release = Release(namespace, tmp_path_factory.mktemp("chart"))
        release.install()
        yield release


@pytest.fixture
def release(installed: Release, cluster: Cluster) -> Release:
    """Return the same, for tests that need the cluster's logs if they fail."""
    assert cluster
    return installed


def log_run(api: Api) -> str:
    """Log a run with a metric and an artifact; return its id."""
    run = str(api.post("runs/create", experiment_id="0")["run"]["info"]["run_id"])
    api.post("runs/log-metric", run_id=run, key="loss", value=0.5, timestamp=1)
    api.artifact("PUT", f"0/{run}/artifacts/weights.bin", CONTENT)
    return run


def files_of(api: Api, run: str) -> list[str]:
    """Return the names of a run's artifacts, also of one that is no longer in the database."""
    answer = api.call("GET", ARTIFACTS, params={"path": f"0/{run}/artifacts"})
    return [each["path"] for each in answer.json().get("files", ())]


def expect_run(api: Api, run: str) -> None:
    """Assert that a server has all of a run."""
    (metric,) = api.get("runs/get", run_id=run)["run"]["data"]["metrics"]
    assert (metric["key"], metric["value"]) == ("loss", 0.5)
    assert api.artifact("GET", f"0/{run}/artifacts/weights.bin").content == CONTENT


def test_the_default_values_must_give_a_stack_that_works(release: Release) -> None:
    """Also the chart's own test says so, which logs a run in a pod."""
    release.verify()
    assert {*release.claims()} == {"postgres-data", "s3-data"}


@pytest.fixture(scope="module")
def several(installed: Release) -> Release:
    """Return the release with several tracking servers."""
    installed.upgrade(f"mlflow.replicas={SEVERAL}")
    return installed


@pytest.fixture(scope="module")
def stored(several: Release) -> str:
    """Return a run that the first of several servers has stored."""
    with several.api(f"pod/{several.wait_for_pods('mlflow', SEVERAL)[0]}") as api:
        return log_run(api)


def test_what_one_server_stores_all_must_read(release: Release, stored: str) -> None:
    for pod in release.wait_for_pods("mlflow", SEVERAL):
        with release.api(f"pod/{pod}") as api:
            expect_run(api, stored)


def test_a_wrong_value_must_be_refused_and_change_nothing(release: Release) -> None:
    output = release.upgrade("mlflow.replicas=none", code=1)
    assert "at '/mlflow/replicas': got string, want integer" in output.err
    output = release.upgrade(f"stackId={uuid.uuid4().hex[:16]}", code=1)
    assert "the claim postgres-data" in output.err
    assert "has data of the stack" in output.err
    with release.api() as api:
        log_run(api)


@pytest.mark.usefixtures("several")
def test_servers_must_be_replaced_under_load_without_a_request_being_lost(release: Release) -> None:
    before = release.wait_for_pods("mlflow", SEVERAL)
    with release.client() as client:
        release.namespace.kubectl("rollout", "restart", "deployment/mlflow")
        release.namespace.kubectl("rollout", "status", "deployment/mlflow", "--timeout=300s")
        client.wait_for_more()
    after = release.wait_for_pods("mlflow", SEVERAL)
    assert not {*before} & {*after}
    lines = client.lines()
    assert [words for words in lines if words[0] == "failed"] == []
    stored = {*release.sql("SELECT run_uuid || ' ' || step FROM metrics")}
    acknowledged = {" ".join(words[1:]) for words in lines if words[0] == "metric"}
    assert acknowledged
    assert acknowledged <= stored
    created = {words[1] for words in lines if words[0] == "run"}
    assert created <= {*release.sql("SELECT run_uuid FROM runs")}


@left_to_soak("test_kubernetes.py kills all pods")
def test_a_killed_server_of_each_kind_must_come_back(release: Release) -> None:
    with release.api() as api:
        run = log_run(api)
    for service in ("mlflow", "postgres", "s3"):
        release.kill(service)
    with release.api() as api:
        expect_run(api, run)
    release.verify()


@pytest.fixture(scope="module")
def jobs(installed: Release, stored: str) -> Release:
    """Return the release with its jobs on, and one tracking server; it has a run of several."""
    assert stored
    on = (f"{name}.enabled=true" for name in ("gc", "backup"))
    installed.upgrade(*on, "gc.days=0", "backup.keep=1")
    return installed


@pytest.mark.usefixtures("jobs")
def test_runs_must_be_kept_when_there_are_fewer_servers(release: Release, stored: str) -> None:
    release.wait_for_pods("mlflow", 1)
    with release.api() as api:
        expect_run(api, stored)


@pytest.mark.usefixtures("jobs")
def test_deleted_runs_must_be_freed_by_a_job(release: Release) -> None:
    """With their artifacts, and no others."""
    with release.api() as api:
        kept, deleted = log_run(api), log_run(api)
        api.post("runs/delete", run_id=deleted)
    release.run_cron_job("gc")
    with release.api() as api:
        expect_run(api, kept)
        assert api.call("GET", f"{MLFLOW}/runs/get", params={"run_id": deleted}).status_code == GONE
        assert files_of(api, kept) == ["weights.bin"]
        assert files_of(api, deleted) == []


@pytest.fixture
def restored(release: Release) -> Iterator[LocalStack]:
    """Return a stack on this machine, in the folder that the page names; it is not started."""
    folder = release.folder / "restored"
    folder.mkdir()
    made = LocalStack(folder, {})
    LIVE.append(made)
    yield made
    LIVE.remove(made)
    made.purge()


def reader_of(release: Release, env: dict[str, str], **typed: str) -> Reader:
    """Return a reader of the page, whose release it is."""
    own = {"--namespace lab": f"--namespace {release.namespace.name}", "=1h": "=120s"}
    return Reader(PAGE, release.folder, env, own | typed)


def taken(release: Release) -> dict[str, Any]:
    """Take a snapshot as the page says; return what the job reports."""
    shown = reader_of(release, release.namespace.cluster.environment()).follows("Back up")
    (done,) = (line for line in shown.splitlines() if line.startswith('{"done"'))
    found: dict[str, Any] = json.loads(done)["done"]
    return found


@pytest.mark.usefixtures("jobs")
def test_a_backup_must_be_restored_on_one_machine_as_the_page_says(
    release: Release, restored: LocalStack
) -> None:
    """A later backup only reads what is new, and the oldest is deleted."""
    with release.api() as api:
        runs = [log_run(api)]
    release.sql(WEBHOOK)
    first = taken(release)
    with release.api() as api:
        runs.append(log_run(api))
    second = taken(release)
    assert (second["read"], second["objects"]) == (1, first["objects"] + 1)
    assert second["deleted"] == [first["snapshot"]]
    in_cluster = release.namespace.cluster.environment()
    reader = reader_of(release, in_cluster, **{SNAPSHOT: second["snapshot"]})
    copied = reader.follows("Copy a snapshot out of the cluster")
    assert second["snapshot"] in copied
    assert first["snapshot"] not in copied

    own = ("COMPOSE_PROJECT_NAME", *PORTS, "STACK_ENGINE", "MLFLOW_WORKERS")
    options = " ".join(f"--set {name}={restored.settings[name]}" for name in own)
    typed = {
        "mkdir restored": "rm restored/.env",
        "--set STACK_ENGINE=auto": options,
        "restore ../lab.tar": f"restore ../lab.tar --yes --wait-timeout {WAIT_TIMEOUT}",
    }
    said = reader_of(release, environment(), **typed).follows("Restore a snapshot")
    # As the page says of new secrets: the snapshot knows the keys of the stack in the cluster.
    assert "encrypted with another PG_PASSWORD" in " ".join(said.split())
    assert len(restored.stored_runs()) == second["runs"]
    for each in runs:
        expect_run(restored.api, each)


def test_uninstall_must_keep_the_data_and_say_so(release: Release) -> None:
    """It also ends a server that still waits for its database."""
    with release.api() as api:
        run = log_run(api)
    release.start_server_without_database()
    before = release.claims()
    said = release.namespace.helm("uninstall", NAME, "--wait").text
    for claim in before:
        assert f"[PersistentVolumeClaim] {claim}" in said
    assert release.claims() == before
    release.wait_until_gone("mlflow")
    release.install()
    assert release.claims() == before
    with release.api() as api:
        expect_run(api, run)
