"""TLS: other machines reach the stack only through the proxy, which they can verify."""

import base64
import hashlib
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from .browser import open_browser
from .certificates import make_certificates
from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .local_stack import LocalStack
from .network import OtherMachine, other_machine
from .notebooks import PACKAGE
from .running import RunningStack, left_to_soak, local_only, short_in_ci
from .security import lan_address
from .small import SMALLEST
from .test_connect import LOG
from .test_verify import expect_broken
from .waiting import free_ports

# Exit codes of curl: the name does not resolve, nothing listens, the certificate is refused.
REFUSED, UNTRUSTED = 7, 60
BAD_GATEWAY, BAD_REQUEST, FORBIDDEN, OK, UNAUTHORIZED = 502, 400, 403, 200, 401
MEGABYTE = 2**20
LARGE = 96 * MEGABYTE
# A proxy without any request needs 56 MB.
MOST_MEMORY = 110 * MEGABYTE
MARKER = "marker-in-a-request"


@pytest.fixture(scope="module")
def encrypted(_make_for_module: MakeStack) -> RunningStack:
    """Return a running stack with a CA of its own, open to the network."""
    stack = _make_for_module(
        **SMALLEST,
        STACK_TLS="internal",
        STACK_BIND_ADDRESS="0.0.0.0",  # noqa: S104 - to test it
        STACK_TLS_OFFSET=str(offset()),
        MLFLOW_AUTH="basic",
        JUPYTER="true",
        JUPYTER_PACKAGES=PACKAGE,
        JUPYTER_PORT=str(free_ports(1)[0]),
    )
    stack.up()
    return stack


@pytest.fixture(scope="module")
def machine() -> Iterator[OtherMachine]:
    """Return another machine."""
    with other_machine() as found:
        yield found


def offset() -> int:
    """Return an offset that leads to ports below those that the kernel gives to clients."""
    return 9000


def ca(stack: RunningStack) -> Path:
    """Return the CA certificate for users of the stack."""
    (found,) = stack.folder.glob("*/proxy/ca.crt")
    return found


def port(stack: RunningStack) -> int:
    """Return the published port of MLflow."""
    return int(stack.settings["MLFLOW_PORT"])


def url(stack: RunningStack, host: str = "", scheme: str = "https") -> str:
    """Return the URL of MLflow, by default with this machine's address on the network."""
    return f"{scheme}://{host or lan_address()}:{port(stack)}"


def login(stack: RunningStack) -> tuple[str, str]:
    """Return the admin's login."""
    return "admin", stack.settings["MLFLOW_ADMIN_PASSWORD"]


def curl(machine: OtherMachine, *arguments: str, code: int = 0) -> int:
    """Run curl on another machine; return the status of the answer."""
    quiet = ("--silent", "--max-time", "9", "--output", "/dev/null")
    written = ("--write-out", "%{http_code}")
    return int(machine.run("curl", *quiet, *written, *arguments, code=code).out)


@contextmanager
def session(stack: RunningStack) -> Iterator[requests.Session]:
    """Provide a client of this machine that trusts the stack's CA."""
    with requests.Session() as found:
        found.trust_env = False
        found.verify, found.auth = str(ca(stack)), login(stack)
        yield found


def proxy_memory(stack: RunningStack) -> int:
    """Return the most memory that Caddy has ever used, in bytes."""
    if isinstance(stack, DockerStack):
        text = stack.execute("proxy", "cat", "/proc/1/status")
    else:
        (pid,) = {
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr[1:] == (port(stack),)
        }
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.split("VmHWM:")[1].split()[0]) * 1024


# --- what other machines can do


def test_another_machine_must_verify_the_server_with_the_ca(
    encrypted: RunningStack, machine: OtherMachine
) -> None:
    health, trust = f"{url(encrypted)}/health", ("--cacert", str(ca(encrypted)))
    assert curl(machine, *trust, health) == OK
    curl(machine, health, code=UNTRUSTED)
    name = socket.gethostname().lower()
    with machine.knowing(name, lan_address()):
        assert curl(machine, *trust, f"{url(encrypted, name)}/health") == OK
    # JupyterLab has the same certificate.
    lab = f"https://{lan_address()}:{encrypted.settings['JUPYTER_PORT']}/api"
    assert curl(machine, *trust, lab) == OK


def test_nothing_must_be_reachable_without_tls(
    encrypted: RunningStack, machine: OtherMachine
) -> None:
    for setting in ("MLFLOW_PORT", "JUPYTER_PORT"):
        number = int(encrypted.settings[setting])
        # It only says that it expects TLS.
        assert curl(machine, f"http://{lan_address()}:{number}/health") == BAD_REQUEST
        inner = number + offset()
        curl(machine, f"http://{lan_address()}:{inner}/health", code=REFUSED)


def test_the_official_client_must_log_a_run_from_another_machine(
    encrypted: RunningStack, machine: OtherMachine
) -> None:
    output = encrypted.tool("env", "--for=lan", "--secrets", "--json")
    variables = output.data["variables"]
    assert variables["MLFLOW_TRACKING_URI"] == url(encrypted)
    assert any(str(ca(encrypted)) in note for note in output.data["notes"])
    variables["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(ca(encrypted))
    run_id = machine.run(sys.executable, "-c", LOG, "tls", **variables).out.split()[-1]
    with session(encrypted) as client:
        answer = client.get(f"{url(encrypted)}/api/2.0/mlflow/runs/get", params={"run_id": run_id})
        metrics = answer.json()["run"]["data"]["metrics"]
        assert [metric["value"] for metric in metrics] == [0.5]


@short_in_ci
def test_the_program_for_other_machines_must_bring_the_ca_along(
    encrypted: RunningStack, machine: OtherMachine, tmp_path: Path
) -> None:
    file = tmp_path / "check_client.py"
    encrypted.tool("env", "--for=lan", "--secrets", "--check", str(file))
    output = machine.run(sys.executable, "-I", str(file))
    (stored,) = tmp_path.glob("*.crt")
    assert stored.read_bytes() == ca(encrypted).read_bytes()
    output.shows("ok      login", f"MLFLOW_TRACKING_SERVER_CERT_PATH={stored}")
    # A name that the certificate does not have.
    with machine.knowing("other.example", lan_address()):
        other = url(encrypted, "other.example")
        output = machine.run(sys.executable, "-I", str(file), code=1, MLFLOW_TRACKING_URI=other)
    output.shows("not valid for this name")


@short_in_ci
def test_pages_must_be_able_to_change_things(encrypted: RunningStack) -> None:
    """MLflow compares the origin of a browser's request with those that it knows."""
    search = f"{url(encrypted)}/ajax-api/2.0/mlflow/experiments/search"
    with session(encrypted) as client:
        own = client.post(search, json={"max_results": 1}, headers={"Origin": url(encrypted)})
        assert own.status_code == OK
        # Without a body: MLflow refuses before it has read one, and if it then closes the
        # connection, the answer may be lost.
        other = client.post(search, headers={"Origin": url(encrypted, scheme="http")})
        assert other.status_code == FORBIDDEN


@left_to_soak("other clients use the same ports")
@local_only("a browser sees no difference between the engines, but JupyterLab listens elsewhere")
def test_a_person_must_use_notebooks_and_mlflow_in_a_browser(
    encrypted: RunningStack, tmp_path: Path
) -> None:
    """Its kernel is connected by a WebSocket."""
    lab = f"https://{lan_address()}:{encrypted.settings['JUPYTER_PORT']}"
    name, password = login(encrypted)
    with open_browser(tmp_path, f"ignore-certificate-errors-spki-list={pin(encrypted)}") as browser:
        browser.open(url(encrypted).replace("://", f"://{name}:{password}@"))
        browser.open(f"{lab}/lab?token={encrypted.settings['JUPYTER_TOKEN']}")
        browser.open_notebook("first-run.ipynb")
        browser.click(".lm-MenuBar-item", "Run")
        browser.click(".lm-Menu-item[data-command='runmenu:run-all']:not(.lm-mod-disabled)")
        link = browser.find(".jp-OutputArea a[href*='/runs/']").get_attribute("href")
        assert str(link).startswith("https://")
        run_id = str(link).rpartition("/")[2]
        browser.open(str(link).replace(urlsplit(str(link)).netloc, urlsplit(url(encrypted)).netloc))
        browser.find("body", run_id)


def pin(stack: RunningStack) -> str:
    """Return how Chromium names the key of the server's certificate, to trust it."""
    pem = (stack.folder / ".mlflow-compose" / "tls.pem").read_bytes()
    key = x509.load_pem_x509_certificate(pem).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


# --- what passes through


@short_in_ci
def test_large_artifacts_must_be_streamed(encrypted: RunningStack, tmp_path: Path) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts/0/large.bin"
    file = tmp_path / "large.bin"
    with file.open("wb") as output:
        output.truncate(LARGE)
    with session(encrypted) as client:
        with file.open("rb") as content:
            assert client.put(url(encrypted) + path, data=content).ok
        with client.get(url(encrypted) + path, stream=True) as answer:
            assert sum(map(len, answer.iter_content(MEGABYTE))) == LARGE
        assert client.delete(url(encrypted) + path).ok
    assert proxy_memory(encrypted) < MOST_MEMORY


@contextmanager
def upstream(number: int, answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[None]:
    """Run another server where MLflow listens behind the proxy."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", number), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


# --- the owner's view


@short_in_ci
def test_every_command_must_use_https(encrypted: RunningStack) -> None:
    local = url(encrypted, "127.0.0.1")
    output = encrypted.tool("verify", "--json")
    assert {"health", "artifact 20 MB", "jupyter"} <= {
        step["name"] for step in output.data["steps"]
    }
    status = encrypted.tool("status", "--json").data
    assert status["urls"]["mlflow"] == local
    states = {service["name"]: service["health"] for service in status["services"]}
    assert states["proxy"] == "healthy"
    assert encrypted.tool("open", "--json").data["url"] == local
    variables = encrypted.tool("env", "--json").data["variables"]
    assert variables["MLFLOW_TRACKING_SERVER_CERT_PATH"] == str(ca(encrypted))
    encrypted.tool("user", "list").shows("admin")


@short_in_ci
def test_a_server_that_is_down_behind_the_proxy_must_be_named(encrypted: RunningStack) -> None:
    """And a failed request must not end up in the log with its token."""
    encrypted.stop("mlflow")
    expect_broken(encrypted, "mlflow", hint="mlflow-compose")
    with session(encrypted) as client:
        answer = client.get(f"{url(encrypted)}/lab?token={MARKER}", headers={"X-Token": MARKER})
    assert answer.status_code == BAD_GATEWAY
    lines = encrypted.tool("logs", "proxy").out
    assert "502" in lines
    assert MARKER not in lines
    if isinstance(encrypted, LocalStack):
        # The same configuration, but only here another server can take its place.
        expect_events_one_by_one(encrypted)
    encrypted.up()


def expect_events_one_by_one(encrypted: RunningStack) -> None:
    """Assert that the proxy passes on each event when it is sent, and says how it was asked."""
    seen, headers = Event(), []

    def answer(request: BaseHTTPRequestHandler) -> None:
        headers.append(dict(request.headers))
        request.send_response(OK)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"data: 1\n\n")
        assert seen.wait(30)
        request.wfile.write(b"data: 2\n\n")

    with (
        upstream(port(encrypted) + offset(), answer),
        session(encrypted) as client,
        client.get(f"{url(encrypted)}/events", stream=True) as events,
    ):
        lines = events.iter_lines()
        assert next(lines) == b"data: 1"
        # Only now is the second one sent.
        seen.set()
        assert b"data: 2" in list(lines)
    assert headers[0]["Host"] == urlsplit(url(encrypted)).netloc
    assert headers[0]["X-Forwarded-Proto"] == "https"


def test_the_private_keys_must_be_nowhere_else(encrypted: RunningStack) -> None:
    state = encrypted.folder / ".mlflow-compose"
    secrets = next(encrypted.folder.glob("*/secrets"))
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    keys = []
    for file in (state / "ca.pem", state / "tls.pem"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        keys.append(key_text(file))
    with_key = [
        path
        for path in encrypted.folder.rglob("*")
        if path.is_file() and any(key in path.read_bytes() for key in keys)
    ]
    assert {*with_key} == {state / "ca.pem", state / "tls.pem", secrets / "tls_key.pem"}
    commands = (("config", "--json"), ("status", "--json"), ("env", "--secrets"), ("logs",))
    texts = [encrypted.tool(*command).text for command in commands]
    texts += [encrypted.tool("render", "--diff").text, encrypted.tool("diagram").text]
    if isinstance(encrypted, DockerStack):
        texts.append(docker("inspect", *encrypted.ids().values()).out)
    assert not [key for key in keys for text in texts if key.decode() in text]


def key_text(file: Path) -> bytes:
    """Return a part of a private key's PEM text that no other key has."""
    text = file.read_bytes()
    key = load_pem_private_key(text[text.index(b"-----BEGIN PRIVATE KEY") :], None)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # The first line only says what kind of key it is.
    return pem.splitlines()[2]


# --- changes


@left_to_soak("it starts the stack again")
def test_a_new_start_with_new_names_must_keep_the_ca(
    encrypted: RunningStack, machine: OtherMachine
) -> None:
    before = ca(encrypted).read_bytes()
    encrypted.stop("proxy")
    expect_broken(encrypted, "the proxy does not answer", hint="mlflow-compose logs proxy")
    encrypted.write(MLFLOW_ALLOWED_HOSTS=f"lab.example:{port(encrypted)}")
    encrypted.up()
    assert ca(encrypted).read_bytes() == before
    with machine.knowing("lab.example", lan_address()):
        trust = ("--cacert", str(ca(encrypted)))
        search = f"{url(encrypted, 'lab.example')}/api/2.0/mlflow/experiments/search?max_results=1"
        assert curl(machine, *trust, search) == UNAUTHORIZED
        assert curl(machine, *trust, "--user", ":".join(login(encrypted)), search) == OK


@left_to_soak("it starts the stack again")
def test_the_users_own_certificate_must_be_used(
    encrypted: RunningStack, machine: OtherMachine, tmp_path: Path
) -> None:
    made = make_certificates(tmp_path, lan_address())
    # The server's file has both.
    encrypted.write(
        STACK_TLS="files",
        STACK_TLS_CERT=str(made.server),
        STACK_TLS_KEY=str(made.server),
        STACK_TLS_CA=str(made.authority),
    )
    made.server.chmod(0o600)
    encrypted.up()
    encrypted.verify()
    assert encrypted.tool("status", "--json").data["urls"]["mlflow"] == url(encrypted)
    assert curl(machine, "--cacert", str(made.authority), f"{url(encrypted)}/health") == OK
    # A renewal by another CA, which clients do not trust yet: only the proxy is restarted.
    (tmp_path / "renewed").mkdir()
    renewed = make_certificates(tmp_path / "renewed", lan_address())
    renewed.server.replace(made.server)
    before = encrypted.starts()["mlflow"]
    encrypted.up()
    assert encrypted.starts()["mlflow"] == before
    assert curl(machine, "--cacert", str(renewed.authority), f"{url(encrypted)}/health") == OK
    expect_broken(encrypted, "do not accept the proxy's certificate", hint="STACK_TLS_CA")
