"""The tool with one more kind of service, a small web page, defined like any service module.

A stack gets two pages, each with a port, a secret and a volume. `main` runs the command line with
them; the script that forked.py starts as PROGRAM calls it.
"""

import os
from dataclasses import replace
from typing import Any

from mlflow_compose.cli import main as run_tool
from mlflow_compose.stack import services
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.service import HEALTHY, SecretFile, Service, Volume

PROGRAM = "mlflow-compose-with-pages"
NAMES, PORT = ("page-ada", "page-ben"), 8000
# Ports on this machine, comma-separated, one for each page.
PORTS = "PAGE_PORTS"
# Answers with the secret and the number of visits, which it stores in the volume.
SERVE = """
import http.server, os, pathlib, signal

# Otherwise a container's first process ignores it, and each stop takes 10 seconds.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
secret = pathlib.Path(os.environ["SECRET_FILE"]).read_text()
file = pathlib.Path(os.environ["FOLDER"]) / "visits"

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with file.open("a") as visits:
            visits.write(".")
        body = f"{secret} {file.stat().st_size}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

address = (os.environ["ADDRESS"], int(os.environ["PORT"]))
http.server.ThreadingHTTPServer(address, Page).serve_forever()
"""
PROBE = "import socket; socket.create_connection(('127.0.0.1', {port}), 4)"


def in_container(around: Surroundings, name: str) -> Service:
    """Return a page that runs in a container."""
    # The image has a folder of this name that its user can write to.
    return _page(around, name, "0.0.0.0", PORT, "/data")  # noqa: S104 - inside of the container


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same page as a plain process."""
    page = _page(around, name, "127.0.0.1", _published(name), f"data/{volume(name)}")
    return replace(page, pull_policy=None)


def _page(around: Surroundings, name: str, address: str, port: int, folder: str) -> Service:
    secret = SecretFile(f"{name}_secret", secret_of(name), "The page's secret.")
    published = PublishedPort(name, PORTS, "127.0.0.1", _published(name), port, name, "http")
    return Service(
        name=name,
        about="A page that counts its visits.",
        image=around.image,
        pull_policy="never",
        restart="always",
        command=("python", "-c", SERVE),
        environment={
            "SECRET_FILE": around.site.secret(secret.name),
            "FOLDER": folder,
            "ADDRESS": address,
            "PORT": str(port),
        },
        secrets=(secret,),
        volumes=(Volume(volume(name), folder, holds="visits"),),
        ports=(published,),
        healthcheck=Healthcheck(("python", "-S", "-c", PROBE.format(port=port))),
        depends_on=around.present({"mlflow": HEALTHY}),
    )


def volume(name: str) -> str:
    """Return the name of a page's volume."""
    return f"{name}_data"


def secret_of(name: str) -> str:
    """Return the text of a page's secret."""
    return f"the secret of {name}"


def _published(name: str) -> int:
    return int(os.environ[PORTS].split(",")[NAMES.index(name)])


def _names(_: Surroundings) -> tuple[str, ...]:
    return NAMES


PAGE = Kind(_names, in_container, on_machine, volumes=frozenset({"page-*_data"}))


def main() -> None:
    """Run the tool with one more kind of service."""
    known: Any = services
    known.KINDS = (*services.KINDS, PAGE)
    run_tool()
