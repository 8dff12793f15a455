"""The engine for a cluster does what the others do: `up`, `verify`, `status`, `logs`, `down`."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from mlflow_compose.engines import Engine
from mlflow_compose.engines.process import end

from .cluster import RESTRICTED, Cluster
from .cluster_stack import CONTEXT, ClusterStack
from .tool import Output
from .waiting import wait_until

pytestmark = pytest.mark.docker

LINKS = ["database", "bucket", "isolation", "network", "clean up"]
SNAPSHOTS = "backups"
CLAIMS = {"postgres-data", "s3-data", SNAPSHOTS}
# Prints the arguments of all processes but its own.
PROCESSES = """
import glob, os
for path in glob.glob("/proc/[0-9]*/cmdline"):
    if path != f"/proc/{os.getpid()}/cmdline" and os.path.exists(path):
        print(open(path).read())
"""
# Nothing listens there, so that it fails at once.
MISSING = "127.0.0.1:1/missing:1"


@pytest.fixture(scope="module")
def stack(
    cluster: Cluster, mlflow_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterStack]:
    """Return the stack of all scenarios, which is up with its default values, and backups."""
    made = ClusterStack(cluster, tmp_path_factory.mktemp("stack"), mlflow_image)
    yield made
    made.purge()


@pytest.fixture(scope="module")
def started(stack: ClusterStack) -> Output:
    """Return the output of its first start, which creates the namespace."""
    override = stack.folder / "helm" / "values.override.yaml"
    override.parent.mkdir()
    override.write_text("backup: {enabled: true}\n", encoding="utf-8")
    output = stack.tool("up", "--yes", "--json")
    # From now on, pods that do not meet the strictest standard are refused.
    labels = (f"{name}={value}" for name, value in RESTRICTED.items())
    stack.cluster.kubectl("label", "namespace", stack.name, *labels)
    return output


@pytest.fixture
def up(stack: ClusterStack, started: Output) -> ClusterStack:
    """Return the running stack."""
    assert started.data["engine"] == "kubernetes"
    return stack


def test_a_current_context_must_be_confirmed_before_anything_is_changed(
    stack: ClusterStack,
) -> None:
    """It is what kubectl was last used for, which may be a cluster in production."""
    refused = stack.tool("up", "--json", code=2)
    assert "no terminal" in refused.envelope["errors"][0]["message"]
    assert f"KUBE_CONTEXT={CONTEXT}" in refused.envelope["errors"][0]["hint"]
    assert stack.cluster.kubectl("get", "namespace", stack.name, code=1).out == ""
    assert not (stack.folder / "helm").exists()


def test_up_must_prove_a_stack_with_default_values(up: ClusterStack, started: Output) -> None:
    """Every step of `verify` passes through a port-forward, as on the other engines."""
    steps = started.data["steps"]
    assert [step["name"] for step in steps if not step["ok"]] == []
    assert [step["name"] for step in steps][-len(LINKS) :] == LINKS
    assert {each["name"]: each["state"] for each in started.data["services"]} == {
        "postgres": "running",
        "s3": "running",
        "bucket-init": "exited",
        "mlflow": "running",
    }
    # Nothing of it is left, and the stack is where it was started, whatever the current context.
    assert up.tool("status", "--json").data["urls"] == started.data["urls"]
    assert up.names("persistentvolumeclaims") == CLAIMS


def test_a_query_and_logs_must_come_from_the_pods(up: ClusterStack) -> None:
    """They need no port, and leave no pod behind."""
    pods = up.names("pods")
    assert up.tool("sql", "--json", "SELECT 1 AS one").data["rows"] == [[1]]
    shell = up.tool("sql", "--shell", code=None)
    assert shell.code == 0, shell
    lines = up.tool("logs", "bucket-init", "--json").data["lines"]
    assert any(line.endswith("| application key limited to bucket mlflow") for line in lines)
    assert {name for name in up.names("pods") if "-run-" not in name} == pods


def test_a_command_in_a_pod_must_end_with_its_caller(up: ClusterStack, tmp_path: Path) -> None:
    """Killing kubectl alone would leave it running. Until then, bytes pass unchanged."""
    engine, content = up.engine(), bytes(range(256)) * 4096
    (tmp_path / "bytes").write_bytes(content)
    with (tmp_path / "bytes").open("rb") as file:
        assert engine.run("postgres", ["cat"], stdin=file).stdout == content
    failed = engine.run("mlflow", ["sh", "-c", "echo why >&2; exit 7"])
    assert (failed.exit_code, failed.stderr) == (7, "why\n")
    started: list[subprocess.Popen[bytes]] = []
    command = Thread(
        target=engine.run, args=("mlflow", ["sleep", "4321"]), kwargs={"on_start": started.append}
    )
    command.start()
    wait_until(lambda: sleeps(engine), seconds=20, what="the command runs in the pod")
    end(started[0])
    command.join()
    assert not sleeps(engine)


def sleeps(engine: Engine) -> bool:
    """Tell whether the command of the test runs in MLflow's pod."""
    return b"4321" in engine.run("mlflow", ["python", "-c", PROCESSES]).stdout


def test_another_stack_must_not_touch_the_namespace(
    up: ClusterStack, mlflow_image: str, tmp_path: Path
) -> None:
    """Neither one with other names nor one with the same release."""
    before = up.versions()
    for number, more in enumerate(({}, {"COMPOSE_PROJECT_NAME": up.name})):
        folder = tmp_path / str(number)
        folder.mkdir()
        settings = {"KUBE_NAMESPACE": up.name, "KUBE_CONTEXT": CONTEXT, **more}
        other = ClusterStack(up.cluster, folder, mlflow_image, **settings)
        for command in ("up", "down", "status"):
            refused = other.tool(command, "--json", code=1).envelope["errors"][0]
            assert "another stack" in refused["message"]
            assert "KUBE_NAMESPACE" in refused["hint"]
    assert up.versions() == before


def test_another_s3_server_must_not_get_the_data(up: ClusterStack) -> None:
    """It would use the same claim, even if its owner wants to start without the data."""
    before, versions = up.env_file.read_text(encoding="utf-8"), up.versions()
    up.write(S3_PROVIDER="versitygw")
    refused = up.tool("up", "--start-empty", "--json", code=1).envelope["errors"][0]
    up.env_file.write_text(before, encoding="utf-8")
    assert "s3-data holds data of S3_PROVIDER minio" in refused["message"]
    assert up.versions() == versions


def test_a_stack_must_work_again_after_each_of_its_pods_is_killed(up: ClusterStack) -> None:
    """What was stored is there, `verify` passes, and `open` reaches the new pod."""
    with up.opened() as api:
        run = api.post("experiments/create", name="kept")["experiment_id"]
        up.kill()
        up.wait_until_answering(api)
        assert api.get("experiments/get", experiment_id=run)["experiment"]["name"] == "kept"
        # Through the same port.
        up.tool("verify")


def test_a_broken_image_must_be_named_even_after_a_killed_start(up: ClusterStack) -> None:
    """Helm would wait to the end, and refuses to change what a killed one left pending."""
    before = up.env_file.read_text(encoding="utf-8")
    up.write(POSTGRES_IMAGE=MISSING)
    starting = up.begin("up", "--no-verify")
    up.wait_for_release("pending-upgrade")
    os.killpg(starting.pid, signal.SIGKILL)
    starting.wait()
    failed = up.tool("up", "--no-verify", "--json", code=1).envelope["errors"][0]
    assert "postgres" in failed["message"]
    assert MISSING in failed["message"]
    assert "POSTGRES_IMAGE" in failed["hint"]
    up.env_file.write_text(before, encoding="utf-8")
    up.tool("up", "--no-verify")
    assert up.release() == "deployed"


def test_down_must_keep_the_data_unless_told_otherwise(up: ClusterStack) -> None:
    """The claims stay, without Secrets that nothing reads; `up` in test_to_cluster.py uses them."""
    up.tool("down", "--json")
    assert up.names("pods") == set()
    assert up.names("secrets") == set()
    assert up.names("persistentvolumeclaims") == CLAIMS
    assert up.tool("status", "--json").data["services"] == []
    said = up.tool("down", "--volumes", "--yes")
    assert up.names("persistentvolumeclaims") == {SNAPSHOTS}
    said.shows(f"delete persistentvolumeclaims {SNAPSHOTS}")
