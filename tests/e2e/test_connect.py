"""What `env` prints connects a client, and its program tells another machine why it is not."""

import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .network import OtherMachine, other_machine
from .running import RunningStack, docker_only, local_only
from .security import lan_address
from .tool import Output, run
from .tracking import Api
from .waiting import free_ports

# Logs a run with MLflow's own client, which only knows its environment; prints the run's id.
LOG = """
import sys, mlflow

mlflow.set_experiment(sys.argv[1])
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text("weights", "weights.txt")
print(run.info.run_id)
"""
# The same with what every Python has: a container needs no packages for it.
SEARCH = """
import base64, os, urllib.request

pair = ":".join((os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]))
request = urllib.request.Request(
    os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/experiments/search",
    b'{"max_results": 1}',
    {
        "Content-Type": "application/json",
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
    },
)
urllib.request.urlopen(request, timeout=10).read()
"""


def admin(stack: RunningStack) -> Api:
    """Return a client of MLflow that is logged in as the admin."""
    return Api(stack.url, ("admin", stack.settings["MLFLOW_ADMIN_PASSWORD"]))


@pytest.mark.parametrize("place", ["host", "lan"])
def test_a_shell_that_evaluates_env_must_be_connected(outside: RunningStack, place: str) -> None:
    """With a login and direct access to S3."""
    line = f'eval "$(mlflow-compose env --for {place} --secrets)"; exec "$@"'
    command = (sys.executable, "-c", LOG, f"from {place}")
    output = run("bash", "-c", line, "bash", *command, folder=outside.folder)
    run_id = output.out.split()[-1]
    info = admin(outside).get("runs/get", run_id=run_id)["run"]
    assert info["data"]["metrics"][0]["value"] == 0.5
    assert any(f"/{run_id}/artifacts/weights.txt" in key for key in outside.objects())


@docker_only("without Docker there is no network of containers")
def test_a_container_on_the_network_must_be_connected(outside: DockerStack, tmp_path: Path) -> None:
    output = outside.tool("env", "--for=container", "--format=dotenv", "--secrets", "--json")
    file = tmp_path / "client.env"
    lines = (f"{name}={value}\n" for name, value in output.data["variables"].items())
    file.write_text("".join(lines), encoding="utf-8")
    network = f"{outside.name}_backend"
    assert any(network in note for note in output.data["notes"])
    # A container that the stack did not start.
    options = ("--rm", "--network", network, "--env-file", str(file), "--entrypoint", "python")
    docker("run", *options, outside.image("mlflow"), "-c", SEARCH)


def test_secrets_must_only_be_printed_if_asked_for(outside: RunningStack) -> None:
    secrets = (outside.settings["MLFLOW_ADMIN_PASSWORD"], *outside.app_key)
    for arguments in ((), ("--for=lan",), ("--format=json",), ("--json",), ("--for=direct",)):
        text = outside.tool("env", *arguments).text
        assert not [secret for secret in secrets if secret in text]


def test_open_must_start_the_browser_that_the_user_has_chosen(
    shared: RunningStack, tmp_path: Path
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    found = shared.tool("open", "--json", BROWSER=f"{browser} %s")
    assert found.data == {"url": shared.url, "opened": True}
    assert opened.read_text(encoding="utf-8") == shared.url
    assert shared.tool("open", "s3", "--json").data == {"url": shared.s3_url, "opened": False}
    assert shared.tool("open", "nothing", "--json", code=2).envelope["errors"]


def test_open_must_not_open_the_server_of_another_stack(
    shared: RunningStack, make_stack: MakeStack
) -> None:
    """It may listen on the same port."""
    other = make_stack(MLFLOW_PORT=shared.settings["MLFLOW_PORT"])
    errors = other.tool("open", "--json", code=1).envelope["errors"]
    assert shared.url in errors[0]["message"]


# --- the program for other machines


@pytest.fixture(scope="module")
def machine() -> Iterator[OtherMachine]:
    """Return another machine."""
    with other_machine() as found:
        yield found


@pytest.fixture(scope="module")
def program(outside: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, as `env` writes it without secrets."""
    file = tmp_path_factory.mktemp("program") / "check_client.py"
    outside.tool("env", "--for=lan", "--check", str(file))
    return file


def check(
    outside: RunningStack, machine: OtherMachine, program: Path, code: int = 1, **variables: str
) -> Output:
    """Run the program on the other machine, with the stack's secrets unless changed."""
    key_id, secret = outside.app_key
    known = {
        "MLFLOW_TRACKING_PASSWORD": outside.settings["MLFLOW_ADMIN_PASSWORD"],
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    return machine.run(sys.executable, "-I", str(program), code=code, **{**known, **variables})


def links(output: Output) -> list[str]:
    """Return the names of the links that work."""
    return [line.split()[1] for line in output.out.splitlines() if line.startswith("ok ")]


BEFORE_S3 = ["name", "port", "server", "host", "login"]


def test_another_machine_must_reach_the_stack(
    outside: RunningStack, machine: OtherMachine, program: Path
) -> None:
    output = check(outside, machine, program, code=0)
    assert links(output) == [*BEFORE_S3, "name", "port", "bucket"]
    text = program.read_text(encoding="utf-8")
    assert not [key for key in outside.app_key if key in text or key in output.text]


@local_only("the program is the same, and waits for every silent port")
def test_each_broken_link_must_be_named(
    outside: RunningStack, machine: OtherMachine, program: Path
) -> None:
    """A name, a port, silence, a Host header, a login and a key, in the order of the links."""
    port, closed = int(outside.settings["MLFLOW_PORT"]), free_ports(1)[0]
    url, s3_port = f"http://{lan_address()}", int(outside.settings["MINIO_PORT"])

    def broken(**variables: str) -> tuple[list[str], str]:
        output = check(outside, machine, program, 1, **variables)
        return links(output), output.err

    found, text = broken(MLFLOW_TRACKING_URI=f"http://nowhere.invalid:{port}")
    assert (found, "does not resolve" in text) == ([], True)
    found, text = broken(MLFLOW_TRACKING_URI=f"{url}:{closed}")
    assert (found, "refuses connections" in text) == (["name"], True)
    with machine.dropping(port):
        found, text = broken()
    assert (found, "firewall" in text) == (["name"], True)
    with machine.knowing("lab.example", lan_address()):
        found, text = broken(MLFLOW_TRACKING_URI=f"http://lab.example:{port}")
    assert (found, "MLFLOW_ALLOWED_HOSTS" in text) == (["name", "port", "server"], True)
    found, text = broken(MLFLOW_TRACKING_PASSWORD="not that one")
    assert (found, "login of admin" in text) == (BEFORE_S3[:-1], True)
    with machine.dropping(s3_port):
        found, text = broken()
    assert (found, "firewall" in text) == ([*BEFORE_S3, "name"], True)
    found, text = broken(AWS_SECRET_ACCESS_KEY="not that one")
    assert (found, "S3 refuses the key" in text) == ([*BEFORE_S3, "name", "port"], True)
    found, text = broken(AWS_ACCESS_KEY_ID="")
    assert (found, "AWS_ACCESS_KEY_ID is not set" in text) == ([*BEFORE_S3, "name", "port"], True)


@contextmanager
def web_server(address: str) -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    """Run a server that is no stack; yield its URL and the headers of the requests to it."""
    seen: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers.items()))
            self.send_error(200)

    with HTTPServer((address, 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


def test_another_server_at_the_address_must_not_get_the_password(
    outside: RunningStack, make_stack: MakeStack, machine: OtherMachine, program: Path
) -> None:
    with web_server(machine.gateway) as (url, requests):
        output = check(outside, machine, program, MLFLOW_TRACKING_URI=url)
    assert links(output) == ["name", "port"]
    assert [headers.get("Authorization") for headers in requests] == [None]
    # The same if it is another stack.
    foreign = program.with_name("foreign.py")
    unstarted = make_stack(STACK_BIND_ADDRESS=lan_address(), MLFLOW_AUTH="basic")
    # Stores its id.
    unstarted.tool("render")
    unstarted.tool("env", "--for=lan", "--check", str(foreign))
    output = check(outside, machine, foreign, MLFLOW_TRACKING_URI=outside.url)
    assert links(output) == ["name", "port"]
    assert f"the stack {outside.name} answers" in output.err


def test_a_program_with_secrets_must_be_private_and_never_replace_a_file(
    outside: RunningStack, machine: OtherMachine, tmp_path: Path
) -> None:
    file = tmp_path / "check.py"
    outside.tool("env", "--for=lan", "--secrets", "--check", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    output = machine.run(sys.executable, "-I", str(file))
    assert links(output)[-1] == "bucket"
    before = file.read_bytes()
    outside.tool("env", "--for=lan", "--check", str(file), code=1)
    assert file.read_bytes() == before
