"""`render --target systemd`: units, and the files that they run."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlflow_compose.actions.files import data_of, lines_of, write_rendering
from mlflow_compose.actions.plan import Plan, load_plan
from mlflow_compose.record import read_record
from mlflow_compose.result import Result
from mlflow_compose.stack import units

SYSTEM_UNITS = "/etc/systemd/system"
ROOT = "root"


def render_units(plan: Plan, folder: Path) -> Result:
    """Write the units into `folder`; in the stack's own folder, also the files that they run.

    Raises:
        FilesError: A file cannot be read or written, or the folder is another stack's.
        FilesChangedError: A file was edited by hand.
    """
    lines: list[str] = []
    if folder == plan.folder:
        base = base_plan(plan)
        lines += lines_of(write_rendering(base, base.folder), base.folder)
    done = write_rendering(plan, folder)
    install = [*_commands(plan, folder)]
    lines += [*lines_of(done, folder), "", "to install the units and start the stack:", *install]
    return Result(replace(data_of(done, folder), install=install), lines)


def base_plan(plan: Plan) -> Plan:
    """Return the plan of the stack as its engine runs it."""
    target = plan.target.runs[plan.stack.site.engine]
    return load_plan(plan.loaded, plan.paths, plan.environ, target, identity=plan.identity)


def _commands(plan: Plan, folder: Path) -> Iterator[str]:
    site = plan.stack.site
    found = units(plan.stack, plan.target.runs[site.engine].folder)
    if site.engine not in read_record(plan.paths).places:
        # It installs packages or builds images, and creates the folders of data.
        yield "mlflow-compose up"
    if found.services:
        # supervisord must not run the same services.
        yield "mlflow-compose down"
    sudo = "" if found.user == ROOT else "sudo "
    files = f"{shlex.quote(str(folder.absolute()))}/{found.prefix}.*"
    yield f"{sudo}install -m 0644 -t {SYSTEM_UNITS} {files}"
    yield f"{sudo}systemctl daemon-reload"
    yield f"{sudo}systemctl enable --now {found.main}"
