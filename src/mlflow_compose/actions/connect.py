"""`env` and `open`."""

import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.actions.inside_workspace import check_enabled
from mlflow_compose.actions.plan import Plan, lan_names_of
from mlflow_compose.connect import check_script, client_environment, written
from mlflow_compose.connect.variables import ClientEnvironment
from mlflow_compose.engines import Engine
from mlflow_compose.errors import FilesError, ServiceError, UsageError
from mlflow_compose.files import write_new
from mlflow_compose.identity import read_id
from mlflow_compose.paths import sources
from mlflow_compose.payloads import ClientVariables, Opened
from mlflow_compose.result import Result
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.stack import host_on_lan

SCRIPT = "check_client.py"
SECRET_MODE, PLAIN_MODE = 0o600, 0o644


def env(plan: Plan, place: str, format_name: str, *, secrets: bool, workspace: str = "") -> Result:
    """Return what a client must set, as lines of a format."""
    found = _environment(plan, place, workspace)
    lines = written(found, format_name, secrets=secrets)
    return Result(_payload(found, place, secrets=secrets), lines, is_input=True)


def write_check(
    plan: Plan, place: str, file: Path, *, secrets: bool, workspace: str = ""
) -> Result:
    """Write the program with which another machine checks its connection.

    Raises:
        UsageError: The stack has no id yet, by which the program recognizes it.
        FilesError: The file exists or cannot be written.
    """
    if plan.identity.id != read_id(plan.paths.root):
        raise UsageError("the stack was never started", hint="mlflow-compose up")
    found = _environment(plan, place, workspace)
    text = check_script(sources("client")[SCRIPT], plan.stack, found, secrets=secrets)
    _create(file, text, SECRET_MODE if secrets else PLAIN_MODE)
    lines = [
        f"wrote {file}",
        f"copy it to the other machine, and run it there: python3 {file.name}",
    ]
    payload = replace(_payload(found, place, secrets=secrets), check=str(file))
    return Result(payload, lines)


def open_url(engine: Engine, name: str, environ: Mapping[str, str]) -> Result:
    """Open the URL of a server in the browser.

    Raises:
        UsageError: The stack has no such URL.
        ServiceError: The stack does not listen there; another server may.
    """
    engine.check()
    access = engine.access()
    urls = access.urls
    if name not in urls:
        raise UsageError(f"the stack has no URL {name}", hint=f"its URLs are {', '.join(urls)}")
    service, port = next(each for each in engine.stack.ports if each[1].name == name)
    # At another address, it is not this machine that listens.
    is_here = urls[name] == engine.stack.urls[name]
    if is_here and not engine.listens_on(port.published):
        raise ServiceError(
            f"the stack does not listen at {urls[name]}",
            service=service.name,
            hint="mlflow-compose up starts it",
        )
    opened = can_show(environ, sys.platform) and webbrowser.open(urls[name])
    return Result(
        Opened(urls[name], opened), [urls[name] if opened else f"open {urls[name]} in a browser"]
    )


def can_show(environ: Mapping[str, str], platform: str) -> bool:
    """Tell whether this machine can show a browser's window.

    Without a display, Python would start a browser for the terminal.
    """
    is_desktop = platform in {"darwin", "win32"}
    return is_desktop or bool({"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & {*environ})


def lan_host(plan: Plan) -> str:
    """Return the address of this machine for others, empty if they cannot reach the stack.

    With TLS, it is a name that the certificate is valid for.
    """
    settings, certificate = plan.loaded.settings, plan.stack.certificate
    address = settings.stack_bind_address
    if is_loopback(address):
        return ""
    found = machine.main_address() if address in machine.ANY_ADDRESS else address
    if certificate is None:
        return found
    return host_on_lan(certificate, settings, lan_names_of(settings), found).strip("[]")


def _environment(plan: Plan, place: str, workspace: str) -> ClientEnvironment:
    if workspace:
        check_enabled(plan.stack)
    return client_environment(plan.stack, place, lan_host(plan), plan.environ, workspace)


def _payload(found: ClientEnvironment, place: str, *, secrets: bool) -> ClientVariables:
    values, hidden = found.values(secrets=secrets), found.hidden(secrets=secrets)
    return ClientVariables(place, values, hidden, found.notes)


def _create(file: Path, text: str, mode: int) -> None:
    """Write a file that does not exist yet: it may be a program of the user's."""
    try:
        write_new(file, text, mode)
    except OSError as error:
        raise FilesError(
            f"{file} cannot be written: {error.strerror}", hint="choose another path for --check"
        ) from None
