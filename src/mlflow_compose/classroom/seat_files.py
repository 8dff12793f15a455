"""The files that the people of a seat get, apart from the printed page."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.classroom.access import Access
from mlflow_compose.connect import check_program
from mlflow_compose.connect.formats import FORMATS

CERTIFICATES = "MLFLOW_TRACKING_SERVER_CERT_PATH"
EXPERIMENT, WORKSPACE = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_WORKSPACE"
ENV_FILE = ".env"
BASH_FILE, POWERSHELL_FILE = "connect.sh", "connect.ps1"
CHECK_FILE, RUN_FILE, NOTEBOOK_FILE = "check_client.py", "first_run.py", "first_run.ipynb"
# Windows does not run scripts by default, but it does run lines; the encoding matters before 7.
POWERSHELL_COMMAND = f"Get-Content -Raw -Encoding UTF8 {POWERSHELL_FILE} | Invoke-Expression"
# Statements with the path of the certificates, by format; the current folder is the seat's.
CA_LINES: Mapping[str, str] = {
    "bash": 'export {variable}="$PWD/{file}"',
    "powershell": '$env:{variable} = "$PWD/{file}"',
    "python": 'os.environ["{variable}"] = os.path.abspath("{file}")',
    "dotenv": "{variable}={file}",
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

    @property
    def ca_file(self) -> str:
        """The name of the file of CA certificates, which is that of `check_client.py`."""
        return f"{self.name}-ca.crt"


def variables_of(access: Access) -> Mapping[str, str]:
    """Return the variables that a client of a seat must set, without the path of certificates."""
    found = {
        "MLFLOW_TRACKING_URI": access.url,
        "MLFLOW_TRACKING_USERNAME": access.user,
        "MLFLOW_TRACKING_PASSWORD": access.password,
    }
    own = {WORKSPACE: access.workspace, EXPERIMENT: access.experiment}
    return {**found, **{name: value for name, value in own.items() if value}}


def statements(access: Access, server: Server, format_name: str) -> str:
    """Return the lines of a format that set a seat's variables."""
    lines = [*FORMATS[format_name].lines(variables_of(access))]
    if access.ca_certs:
        lines.append(CA_LINES[format_name].format(variable=CERTIFICATES, file=server.ca_file))
    return "\n".join(lines)


def seat_files(access: Access, server: Server, sources: Mapping[str, str]) -> Mapping[str, str]:
    """Return the files of a seat's folder, by name.

    Args:
        access: How its people reach their server.
        server: What is the same for all seats.
        sources: Texts of the programs and of the notebook, by name.
    """
    certificates = server.ca_file if access.ca_certs else ""
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
        ENV_FILE: f"{statements(access, server, 'dotenv')}\n",
        BASH_FILE: f"{statements(access, server, 'bash')}\n",
        POWERSHELL_FILE: f"{statements(access, server, 'powershell')}\n",
        CHECK_FILE: check_program(sources[CHECK_FILE], check),
        RUN_FILE: check_program(sources[RUN_FILE], run),
        NOTEBOOK_FILE: notebook(sources[NOTEBOOK_FILE], statements(access, server, "python")),
        **({server.ca_file: access.ca_certs} if access.ca_certs else {}),
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
