"""From a Stack to the texts of its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from mlflow_compose import paths
from mlflow_compose.render.literal import literal, shell
from mlflow_compose.stack import DOCKER, LOCAL, Stack

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE_SUFFIX = ".j2"
# Readable by the containers' users, whoever owns them here.
FILE_MODE = 0o644
SCRIPT_MODE = 0o755
# Secrets are bind mounts, read by users that are not their owner; the folder keeps others out.
SECRET_MODE = 0o444
# Without containers, whoever starts the stack is who reads them.
OWN_SECRET_MODE = 0o600
PER_SERVICE = "service/"
# From which Compose reads the stack's id.
IDENTITY_FILE = ".env"


@dataclass(frozen=True)
class File:
    """One file to be: its text and its mode."""

    text: str = field(repr=False)
    mode: int = FILE_MODE


Tree = Mapping[str, File]


@dataclass(frozen=True)
class Rendering:
    """What a target writes: files to read, and files to keep.

    Attributes:
        files: By path, from the target's folder.
        secrets: By name, from its `secrets` folder.
        override: File in the target's folder that is the user's, empty where there is none.
        identity: What says which stack it is, by path; in no manifest, and so in no repository.
        folders: That must be there, empty or not, for the stack to start.
    """

    files: Tree
    secrets: Tree
    override: str = ""
    identity: Tree = field(default_factory=dict)
    folders: tuple[str, ...] = ()


def render(stack: Stack) -> Rendering:
    """Lay a stack out as the folder that its engine runs."""
    return {DOCKER: _compose, LOCAL: _local}[stack.site.engine](stack)


def _compose(stack: Stack) -> Rendering:
    build = next((service.build for service in stack.services if service.build), None)
    values = {"stack": stack, "build": build}
    environment = _environment()
    files = {
        path: text
        for name in paths.sources("compose")
        if _is_needed(name, stack)
        for path, text in [_rendered(environment, f"compose/{name}", values)]
    }
    tree = _files(files, "compose/")
    return Rendering(
        {path: file for path, file in tree.items() if path != IDENTITY_FILE},
        _secrets(stack, SECRET_MODE),
        paths.OVERRIDE_FILE,
        {IDENTITY_FILE: tree[IDENTITY_FILE]},
    )


def _local(stack: Stack) -> Rendering:
    environment = _environment()
    files = {}
    for name in filter(lambda name: _is_needed(name, stack), paths.sources("local")):
        # What is in `service/` is there once for each of them.
        for service in stack.services if name.startswith(PER_SERVICE) else (None,):
            path, text = _rendered(
                environment, f"local/{name}", {"stack": stack, "service": service}
            )
            target = path.removeprefix("local/")
            if service:
                target = f"{service.name}/{target.removeprefix(PER_SERVICE)}"
            files[f"local/{target}"] = text
    shared = {f"local/{name}": text for name, text in _shared_with_compose(stack)}
    return Rendering(
        _files(files | shared, "local/"),
        _secrets(stack, OWN_SECRET_MODE),
        # supervisord makes none of them.
        folders=("logs", "run", str(PurePath(stack.site.socket).parent)),
    )


def _shared_with_compose(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield the files of the containers that do the same work without one."""
    shared = tuple(name for service in stack.services for name in service.shared)
    for name, text in paths.sources("compose").items():
        if name.startswith(shared) and _is_needed(name, stack):
            yield name, text


def _is_needed(name: str, stack: Stack) -> bool:
    """Tell whether a file is of a service that the stack has, which needs it, or of none."""
    folder, slash, file = name.partition("/")
    if not slash or name.startswith(PER_SERVICE):
        return True
    return any(
        service.folder == folder and file not in service.unused for service in stack.services
    )


def _rendered(
    environment: "Environment", name: str, values: Mapping[str, object]
) -> tuple[str, str]:
    """Return path and text of what a template, or a file that is none, becomes."""
    if name.endswith(TEMPLATE_SUFFIX):
        return name.removesuffix(TEMPLATE_SUFFIX), environment.get_template(name).render(values)
    return name, (paths.templates() / name).read_text(encoding="utf-8")


def _files(texts: Mapping[str, str], folder: str) -> Tree:
    return {
        path.removeprefix(folder): File(text, SCRIPT_MODE if path.endswith(".sh") else FILE_MODE)
        for path, text in texts.items()
    }


def _secrets(stack: Stack, mode: int) -> Tree:
    return {secret.name: File(secret.text, mode) for secret in stack.secrets if secret.file is None}


def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(paths.templates()),
        undefined=StrictUndefined,
        # YAML, Dockerfiles and requirements, not HTML; `literal` quotes what needs quoting.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.filters["shell"] = shell
    return environment
