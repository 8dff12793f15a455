"""`render --target systemd`: units, and the files that they run."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlflow_compose import machine
from mlflow_compose.actions.files import data_of, lines_of, write_rendering
from mlflow_compose.actions.plan import Plan, load_plan
from mlflow_compose.boot import check_owner
from mlflow_compose.boot.words import owner_of
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.record import read_record
from mlflow_compose.result import Result
from mlflow_compose.stack import units
from mlflow_compose.stack.units import PREFIX

SYSTEM_UNITS = "/etc/systemd/system"
ROOT = "root"


def render_units(plan: Plan, folder: Path) -> Result:
    """Write the units into `folder`; in the stack's own folder, also the files that they run.

    Raises:
        BootError: Units of this name are installed, and another stack's.
        UsageError: Root would run files that another user can change.
        FilesError: A file cannot be read or written, or the folder is another stack's.
        FilesChangedError: A file was edited by hand.
    """
    lines: list[str] = []
    base = base_plan(plan)
    _check_installed(plan)
    if not _is_own(plan, folder):
        _check_elsewhere(plan, folder)
    if machine.is_root():
        _check_only_roots(plan, base)
    if _is_own(plan, folder):
        lines += lines_of(write_rendering(base, base.folder), base.folder)
    done = write_rendering(plan, folder)
    install = [*_commands(plan, folder)]
    lines += [*lines_of(done, folder), "", "to install the units and start the stack:", *install]
    return Result(replace(data_of(done, folder), install=install), lines)


def _check_installed(plan: Plan) -> None:
    """Make sure that the commands do not overwrite another stack's units, or its copy's."""
    prefix = units(plan.stack, plan.target.runs[plan.stack.site.engine].folder).prefix
    for path in sorted(Path(SYSTEM_UNITS).glob(f"{prefix}.*")):
        # Folders are drop-ins of the administrator.
        if path.is_file():
            check_owner(path, plan.identity.id)


def _check_elsewhere(plan: Plan, folder: Path) -> None:
    """Make sure that a folder has no units of another stack, which would be deleted as outdated."""
    for path in filter(Path.is_file, sorted(folder.glob(f"{PREFIX}*.*"))):
        owner = owner_of(path.read_text(encoding="utf-8", errors="replace"))
        if owner not in {"", plan.identity.id}:
            raise FilesError(
                f"{path} is another stack's, so nothing was written",
                hint="choose a folder of this stack's own with --output",
            )


def _is_own(plan: Plan, folder: Path) -> bool:
    """Tell whether a folder is the target's own, however its path is written."""
    return folder.resolve() == plan.folder.resolve()


def _check_only_roots(plan: Plan, base: Plan) -> None:
    """Make sure that only root can change what the units run as root."""
    rendering = base.rendering()
    names = (*rendering.files, rendering.override)
    files = [*(base.folder / name for name in names), plan.folder / "alone.sh"]
    if (host := plan.stack.site.host) and not plan.stack.site.in_containers:
        packages = {service.image for service in plan.stack.services}
        files += [Path(host.python), *map(Path, sorted(packages))]
    if found := next(filter(None, map(machine.changeable, files)), None):
        raise UsageError(
            f"units that root renders run as root, but other users can change {found}",
            hint=f"render them as the user that owns {plan.paths.root}, or keep the stack and this "
            "tool's Python where only root can write, such as in a folder of root in /srv",
        )


def base_plan(plan: Plan) -> Plan:
    """Return the plan of the stack as its engine runs it."""
    target = plan.target.runs[plan.stack.site.engine]
    return load_plan(plan.loaded, plan.paths, plan.environ, target, identity=plan.identity)


def _commands(plan: Plan, folder: Path) -> Iterator[str]:
    site = plan.stack.site
    found = units(plan.stack, plan.target.runs[site.engine].folder)
    if not _is_own(plan, folder):
        # It writes the files that the units run.
        yield f"mlflow-compose render --target {plan.target.name}"
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
