"""Docker itself restarts: with the machine, by an update, or after it was killed."""

import signal
from collections.abc import Iterator

import pytest

from .conftest import MakeStack
from .docker_stack import DockerStack
from .running import RunningStack, docker_only
from .second_engine import SecondEngine, instead, second_engine
from .test_faults import SECONDS

pytestmark = [
    pytest.mark.soak,
    docker_only("supervisord is killed in test_faults.py"),
    pytest.mark.skipif(not SECONDS, reason="takes a minute: make soak"),
]
# Runs in the container of MLflow, since the other engine's ports are not those of this machine.
CLIENT = """
import json, sys, urllib.request

def send(method, path, body):
    url = "http://127.0.0.1:5000/api/2.0/" + path
    headers = {"Content-Type": "application/json"} if method == "POST" else {}
    request = urllib.request.Request(url, body, headers, method=method)
    return urllib.request.urlopen(request, timeout=30).read()

def post(endpoint, **body):
    return json.loads(send("POST", "mlflow/runs/" + endpoint, json.dumps(body).encode()))

if sys.argv[1:]:
    print(send("GET", f"mlflow-artifacts/artifacts/0/{sys.argv[1]}/artifacts/a", None).decode())
else:
    run = post("create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]
    post("log-metric", run_id=run, key="loss", value=0.25, timestamp=1)
    send("PUT", f"mlflow-artifacts/artifacts/0/{run}/artifacts/a", run.encode())
    print(run)
"""


@pytest.fixture
def engine_beside(mended: RunningStack) -> Iterator[SecondEngine]:
    """Return another engine with the images of a stack."""
    assert isinstance(mended, DockerStack)
    images = mended.compose("config", "--images").out.split()
    mended.is_well = True
    with second_engine() as engine:
        engine.load({*images})
        with instead(engine):
            yield engine


def test_a_stack_must_come_back_when_docker_restarts(
    engine_beside: SecondEngine, make_stack: MakeStack
) -> None:
    """Without a command; Docker starts all containers at once."""
    stack = make_stack()
    assert isinstance(stack, DockerStack)
    stack.up()
    runs = [stack.execute("mlflow", "python", "-c", CLIENT).strip()]
    for number in (signal.SIGTERM, signal.SIGKILL):
        ids, before = stack.ids(), stack.starts()
        engine_beside.end(number)
        engine_beside.start()
        stack.wait_until_healthy(seconds=90)
        assert stack.ids() == ids
        assert all(started != before[name] for name, started in stack.starts().items())
        assert {*runs} <= {*stack.stored_runs()}
        metrics = stack.sql("SELECT run_uuid, value FROM metrics")
        assert {f"{run}|0.25" for run in runs} <= {*metrics}
        for run in runs:
            assert stack.execute("mlflow", "python", "-c", CLIENT, run).strip() == run
        runs.append(stack.execute("mlflow", "python", "-c", CLIENT).strip())
    stack.tool("down")
