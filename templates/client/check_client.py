"""Check whether this machine reaches an MLflow stack, and if not, say why.

    python check_client.py

It needs Python 3.8 or newer and nothing else. It sends requests to the stack only. It stores
nothing but the CA certificate of a stack with TLS, next to itself. Variables that are set on this
machine, such as MLFLOW_TRACKING_URI, take precedence over the values in it; it asks for passwords
and keys that are missing.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import hmac
import json
import os
import socket
import ssl
import sys
from datetime import datetime, timezone
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, getproxies, proxy_bypass, urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Seconds.
TIMEOUT = 5
OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 401, 403, 404
SEARCH = "/api/2.0/mlflow/experiments/search"
WORKSPACES = "/api/3.0/mlflow/workspaces"
# Header in which every answer of a stack's MLflow carries the id and the name of the stack.
HEADER = "mlflow-compose-stack"
USED = frozenset(
    {
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_WORKSPACE",
        "MLFLOW_S3_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    }
)
# Variables from which clients of MLflow and of S3 read the path of CA certificates.
MLFLOW_CERTIFICATES, S3_CERTIFICATES = "MLFLOW_TRACKING_SERVER_CERT_PATH", "AWS_CA_BUNDLE"
# What MLflow's client reads if the former is not set.
OTHER_CERTIFICATES = "REQUESTS_CA_BUNDLE"
# OpenSSL's numbers for a certificate with other names, or other addresses.
MISMATCH = frozenset({62, 64})
DEFAULT_PORTS = {"http": 80, "https": 443}
SHOWN_CHARACTERS = 200


class Problem(Exception):  # noqa: N818 - what the user has
    """What is wrong, as one sentence, and what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    stack: str
    text: str


def main(stack: dict[str, Any]) -> int:
    """Check one link after the other; return 0 if all work, 1 otherwise.

    Args:
        stack: Facts about the stack: `name`, `id`, `login`, `bucket`, the `variables` that a
            client must set, the names of those that are `secret`, with or without a value, the CA
            certificates (`ca`) with which clients verify it, if any, and the command that writes
            this program `again`.
    """
    own = {name: value for name, value in os.environ.items() if name in USED and value}
    values = {**stack["variables"], **own}
    try:
        values.update(stored_certificates(stack))
        for name, detail in steps(stack, values):
            print(f"ok      {name:<9} {printable(detail)}", flush=True)
    except Problem as problem:
        print(f"error: {printable(str(problem))}\nhint: {problem.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\nThis machine reaches the stack {stack['name']}; its programs must set:")
    shown = {name: values[name] for name in stack["variables"]}
    shown.update(stored_certificates(stack))
    shown.update((name, "...") for name in stack["secret"])
    for name, value in shown.items():
        print(f"  {name}={value}")
    return 0


def stored_certificates(stack: Mapping[str, Any]) -> dict[str, str]:
    """Write the CA certificates to a file; return the variable with its path, if there are any."""
    if not stack["ca"]:
        return {}
    if not os.environ.get(MLFLOW_CERTIFICATES):
        path = Path(__file__).resolve().with_name(f"{stack['name']}-ca.crt")
        try:
            path.write_text(stack["ca"], encoding="utf-8")
        except OSError as error:
            raise Problem(
                f"{path} cannot be written: {error.strerror}",
                "copy this program to a folder of your own, and run it there",
            ) from None
        # Also read by `trusting`.
        os.environ[MLFLOW_CERTIFICATES] = str(path)
    return {MLFLOW_CERTIFICATES: os.environ[MLFLOW_CERTIFICATES]}


def printable(text: str) -> str:
    """Return a text without control characters: it may come from an unknown server."""
    return "".join(one if one.isprintable() else "?" for one in text)


def steps(stack: dict[str, Any], values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each link that works, as name and detail."""
    url = url_in("MLFLOW_TRACKING_URI", values)
    yield from check_way(url, "MLFLOW_TRACKING_URI")
    yield check_server(url, stack)
    yield check_host(url)
    headers: Mapping[str, str] = {}
    if stack["login"]:
        headers = login_of(values)
        yield check_login(url, values["MLFLOW_TRACKING_USERNAME"], headers)
    if workspace := values.get("MLFLOW_WORKSPACE"):
        yield check_workspace(url, workspace, headers)
    if "MLFLOW_S3_ENDPOINT_URL" in values:
        endpoint = url_in("MLFLOW_S3_ENDPOINT_URL", values)
        yield from check_way(endpoint, "MLFLOW_S3_ENDPOINT_URL")
        yield check_bucket(endpoint, stack["bucket"], values)


def url_in(variable: str, values: Mapping[str, str]) -> str:
    """Return the URL in a variable, without a slash at its end."""
    url = values[variable].rstrip("/")
    if "@" in url:
        raise Problem(
            f"{variable} contains a login",
            "set it to the URL alone, and the login in MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD",
        )
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in DEFAULT_PORTS and parts.hostname and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise Problem(
            f"{variable} is not the URL of a server: {url}",
            f"unset {variable} on this machine: this program knows the stack's",
        )
    return url


def proxy_for(url: str) -> str:
    """Return the proxy through which this machine sends requests to a URL, empty without one."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    return "" if proxy_bypass(parts.hostname or "") else proxy


def check_way(url: str, variable: str) -> Iterator[tuple[str, str]]:
    """Check that the host's name resolves and that something listens on the port."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    if proxy_for(url):
        yield "proxy", f"requests to {host} go through this machine's proxy"
        return
    try:
        address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except socket.gaierror:
        raise Problem(
            f"the name {host} does not resolve on this machine",
            f"use the address of the stack's machine in {variable}, or add the name to this "
            "machine's hosts file",
        ) from None
    yield "name", f"{host} is {address}"
    connect(host, port)
    yield "port", f"{port} is open"


def connect(host: str, port: int) -> None:
    """Open a connection and close it again."""
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except ConnectionRefusedError:
        raise Problem(
            f"{host} refuses connections to port {port}",
            "on the stack's machine, mlflow-compose up starts it; if it runs, its address or port "
            "has changed since this program was written",
        ) from None
    # An alias of TimeoutError only since Python 3.10.
    except socket.timeout:  # noqa: UP041
        raise Problem(
            f"{host} does not answer on port {port}: no response within {TIMEOUT} seconds",
            f"a firewall may drop the packets: allow TCP port {port} on the stack's machine and "
            "in the network between",
        ) from None
    except OSError as error:
        raise Problem(
            f"{host} cannot be reached: {error.strerror or error}",
            "connect this machine to the network of the stack's machine",
        ) from None


def check_server(url: str, stack: Mapping[str, Any]) -> tuple[str, str]:
    """Check that this stack's MLflow answers, not another server."""
    answer = fetch(f"{url}/health")
    if answer.stack.partition("/")[0] == stack["id"]:
        return "server", f"MLflow of the stack {stack['name']}"
    other = answer.stack.partition("/")[2]
    what = f"the stack {other}" if other else "another server"
    if proxy_for(url) and not other:
        what = "this machine's proxy, or another server,"
        hint = f"add {urlsplit(url).hostname} to NO_PROXY on this machine, and run this again"
    else:
        hint = f"write this program again, on the stack's machine: {stack['again']}"
    raise Problem(f"{what} answers at {url}, not the stack {stack['name']}", hint)


def check_host(url: str) -> tuple[str, str]:
    """Check that MLflow accepts the name that this machine uses for it (its Host header)."""
    answer = fetch(f"{url}{SEARCH}", body={"max_results": 1})
    host = urlsplit(url).netloc
    if answer.status == FORBIDDEN:
        raise Problem(
            f"MLflow refuses requests to the name {host} (their Host header)",
            f"add {urlsplit(url).hostname} to MLFLOW_ALLOWED_HOSTS in .env on the stack's machine, "
            "then mlflow-compose up",
        )
    if answer.status not in {OK, UNAUTHORIZED}:
        raise failed("MLflow", answer)
    return "host", f"MLflow accepts the name {host}"


def login_of(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the header with name and password."""
    user = given("MLFLOW_TRACKING_USERNAME", values)
    password = given("MLFLOW_TRACKING_PASSWORD", values)
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def check_login(url: str, user: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """Check name and password."""
    answer = fetch(f"{url}{SEARCH}", body={"max_results": 1}, headers=headers)
    if answer.status == UNAUTHORIZED:
        raise Problem(
            f"MLflow refuses the login of {user}",
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a valid login, and run "
            "this again",
        )
    if answer.status != OK:
        raise failed("MLflow", answer)
    return "login", f"as {user}"


def check_workspace(url: str, name: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """Check that the workspace exists, and that the login may use it."""
    answer = fetch(f"{url}{WORKSPACES}/{quote(name, safe='')}", headers=headers)
    if answer.status == FORBIDDEN:
        raise Problem(
            f"this login has no access to the workspace {name}",
            "mlflow-compose workspace grant, on the stack's machine, gives it access",
        )
    if answer.status != OK:
        raise Problem(
            f"the stack has no workspace {name}",
            "mlflow-compose workspace list, on the stack's machine, shows those that it has",
        )
    return "workspace", name


def check_bucket(endpoint: str, bucket: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Check that the S3 key may list the bucket."""
    key = (given("AWS_ACCESS_KEY_ID", values), given("AWS_SECRET_ACCESS_KEY", values))
    region = values.get("AWS_DEFAULT_REGION", "us-east-1")
    query = "list-type=2&max-keys=1"
    path = f"/{quote(bucket)}"
    headers = signed(urlsplit(endpoint).netloc, path, query, key, region)
    answer = fetch(f"{endpoint}{path}?{query}", headers=headers, certificates=S3_CERTIFICATES)
    if answer.status == FORBIDDEN:
        raise Problem(
            f"S3 refuses the key for the bucket {bucket}",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the stack's S3 key: "
            "mlflow-compose env --for lan --secrets",
        )
    if answer.status == NOT_FOUND:
        raise Problem(f"S3 has no bucket {bucket}", "mlflow-compose up creates it")
    if answer.status != OK:
        raise failed("S3", answer)
    return "bucket", f"{bucket} can be listed"


def signed(
    host: str, path: str, query: str, key: tuple[str, str], region: str
) -> Mapping[str, str]:
    """Return the headers of a GET request, signed with an S3 key.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    now = datetime.now(timezone.utc)  # noqa: UP017 - Python 3.8 has no datetime.UTC
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    payload = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": payload, "x-amz-date": moment}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"GET\n{path}\n{query}\n{lines}\n{names}\n{payload}"
    scope = (moment[:8], region, "s3", "aws4_request")
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", moment, "/".join(scope), digest))
    secret = f"AWS4{key[1]}".encode()
    for part in scope:
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    credential = "/".join((key[0], *scope))
    value = f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
    return {**headers, "Authorization": value}


def given(name: str, values: Mapping[str, str]) -> str:
    """Return a value from the facts or the environment; ask for it if there is a terminal."""
    if value := values.get(name):
        return value
    entered = ""
    if sys.stdin.isatty():
        with contextlib.suppress(EOFError):
            entered = getpass.getpass(f"{name}: ")
    if not entered:
        raise Problem(f"{name} is not set", f"set {name} in the environment, and run this again")
    return entered


def fetch(
    url: str,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    certificates: str = MLFLOW_CERTIFICATES,
) -> Answer:
    """Send a request, a POST if it has a body; return the response, whatever its status is.

    Args:
        url: URL of the request.
        body: JSON to send.
        headers: Headers of the request.
        certificates: Variable with the path of CA certificates to verify the server with.
    """
    data = None if body is None else json.dumps(body).encode()
    own = {} if body is None else {"Content-Type": "application/json"}
    # The URLs are those that the tool wrote.
    request = Request(url, data, {**own, **(headers or {})})  # noqa: S310
    context = trusting(certificates)
    try:
        with urlopen(request, timeout=TIMEOUT, context=context) as response:  # noqa: S310
            return Answer(response.status, response.headers.get(HEADER, ""), text_of(response))
    except HTTPError as error:
        with error:
            return Answer(error.code, error.headers.get(HEADER, ""), text_of(error))
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, ssl.SSLCertVerificationError):
            if reason.verify_code in MISMATCH:
                raise Problem(
                    f"the certificate of {urlsplit(url).netloc} is not valid for this name",
                    "use a name or an address that it has; mlflow-compose env --for lan, on the "
                    "stack's machine, prints one",
                ) from None
            raise Problem(
                f"the certificate of {urlsplit(url).netloc} is not trusted on this machine",
                f"copy its CA certificates to this machine, and set {certificates} to their path",
            ) from None
        raise Problem(
            f"what listens at {url} does not answer like a web server: {reason}",
            "mlflow-compose verify, on the stack's machine, shows what is wrong",
        ) from None


def trusting(certificates: str) -> ssl.SSLContext:
    """Return how to verify servers: with the certificates that a variable names, if it is set."""
    if certificates == MLFLOW_CERTIFICATES and not os.environ.get(certificates):
        certificates = OTHER_CERTIFICATES
    path = os.environ.get(certificates)
    try:
        return ssl.create_default_context(cafile=path or None)
    except OSError as error:
        raise Problem(
            f"{certificates} is not a file of CA certificates: {path} ({error})",
            f"set {certificates} to the path of a PEM file",
        ) from None


def text_of(response: IO[bytes]) -> str:
    """Return the beginning of a body: an unknown server's may be endless."""
    return response.read(SHOWN_CHARACTERS).decode(errors="replace")


def failed(server: str, answer: Answer) -> Problem:
    """Return the problem of a response that no client expects."""
    text = " ".join(answer.text.split())
    return Problem(
        f"{server} answers with an error (status {answer.status}): {text}",
        "mlflow-compose verify, on the stack's machine, shows what is wrong",
    )
