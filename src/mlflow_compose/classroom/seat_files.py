"""The files that the people of a seat get, apart from the printed page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.classroom.access import Access
from mlflow_compose.connect import check_program
from mlflow_compose.connect.formats import FORMATS

CERTIFICATES = "MLFLOW_TRACKING_SERVER_CERT_PATH"
EXPERIMENT, WORKSPACE = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_WORKSPACE"
CA_FILE, ENV_FILE = "ca.pem", ".env"
BASH_FILE, POWERSHELL_FILE = "connect.sh", "connect.ps1"
CHECK_FILE, RUN_FILE, NOTEBOOK_FILE = "check_client.py", "first_run.py", "first_run.ipynb"
# Windows does not run scripts by default, but it does run lines; the encoding matters before 7.
POWERSHELL_COMMAND = f"Get-Content -Raw -Encoding UTF8 {POWERSHELL_FILE} | Invoke-Expression"
# Statements with the path of the certificates, by format; the current folder is the seat's.
CA_LINES: Mapping[str, str] = {
    "bash": f'export {CERTIFICATES}="$PWD/{CA_FILE}"',
    "powershell": f'$env:{CERTIFICATES} = "$PWD/{CA_FILE}"',
    "python": f'os.environ["{CERTIFICATES}"] = os.path.abspath("{CA_FILE}")',
    "dotenv": f"{CERTIFICATES}={CA_FILE}",
}
# Id of the cell of the notebook that is filled in here.
CONNECT_CELL = "connect"


@dataclass(frozen=True)
class Server:
    """What is the same for all seats.

    Attributes:
        name: Name of the stack.
        identity: Its id.
        client: Requirement of MLflow's client, as pip reads it.
        again: Command that writes the hand-outs again.
    """

    name: str
    identity: str
    client: str
    again: str


def variables_of(access: Access) -> Mapping[str, str]:
    """Return the variables that a client of a seat must set, without the path of certificates."""
    found = {
        "MLFLOW_TRACKING_URI": access.url,
        "MLFLOW_TRACKING_USERNAME": access.user,
        "MLFLOW_TRACKING_PASSWORD": access.password,
    }
    own = {WORKSPACE: access.workspace, EXPERIMENT: access.experiment}
    return {**found, **{name: value for name, value in own.items() if value}}


def statements(access: Access, format_name: str) -> str:
    """Return the lines of a format that set a seat's variables."""
    lines = FORMATS[format_name].lines(variables_of(access))
    return "\n".join([*lines, *([CA_LINES[format_name]] if access.ca_certs else [])])


def seat_files(access: Access, server: Server, sources: Mapping[str, str]) -> Mapping[str, str]:
    """Return the files of a seat's folder, by name.

    Args:
        access: How its people reach their server.
        server: What is the same for all seats.
        sources: Texts of the programs and of the notebook, by name.
    """
    certificates = CA_FILE if access.ca_certs else ""
    variables = variables_of(access)
    check = {
        "name": server.name,
        "id": server.identity,
        "login": True,
        "bucket": "",
        "variables": variables,
        "secret": ["MLFLOW_TRACKING_PASSWORD"],
        "ca": access.ca_certs,
        "again": server.again,
    }
    run = {"variables": variables, "client": server.client, "certificates": certificates}
    return {
        ENV_FILE: f"{statements(access, 'dotenv')}\n",
        BASH_FILE: f"{statements(access, 'bash')}\n",
        POWERSHELL_FILE: f"{statements(access, 'powershell')}\n",
        CHECK_FILE: check_program(sources[CHECK_FILE], check),
        RUN_FILE: check_program(sources[RUN_FILE], run),
        NOTEBOOK_FILE: notebook(sources[NOTEBOOK_FILE], statements(access, "python")),
        **({CA_FILE: access.ca_certs} if access.ca_certs else {}),
    }


def notebook(source: str, lines: str) -> str:
    """Return a notebook whose cell for the connection has these lines.

    Args:
        source: Text of the notebook.
        lines: Python statements.
    """
    found = json.loads(source)
    (cell,) = (each for each in found["cells"] if each["id"] == CONNECT_CELL)
    cell["source"] = lines.splitlines(keepends=True)
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
