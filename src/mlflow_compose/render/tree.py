"""Render a Stack to the texts of its files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mlflow_compose import paths
from mlflow_compose.boot import words
from mlflow_compose.render.literal import base64, hcl, literal, plain, shell
from mlflow_compose.stack import Stack, units
from mlflow_compose.targets import COMPOSE, TARGETS, Target

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE_SUFFIX = ".j2"
# Readable by the containers' users, who do not own them.
FILE_MODE = 0o644
SCRIPT_MODE = 0o755
# Templates that are rendered once for each service.
PER_SERVICE = "service/"
# Templates of secrets.
SECRETS = f"{paths.SECRETS_DIR}/"
# In the names of units' templates, in place of the stack's and the service's.
UNITS = "units"
# Target with templates that services without a container need, too.
CONTAINERS = COMPOSE.folder


@dataclass(frozen=True)
class File:
    """One file to write: its text and its mode."""

    text: str = field(repr=False)
    mode: int = FILE_MODE


Tree = Mapping[str, File]


@dataclass(frozen=True)
class Rendering:
    """The rendered files of a stack.

    Attributes:
        files: Files by path, relative to the target's folder.
        secrets: Secrets by name, relative to its `secrets` folder.
        override: File in the target's folder that belongs to the user, empty if there is none.
        identity: File with the stack's id, by path; not in the manifest, as it is not committed.
        folders: Folders that must exist for the stack to start.
    """

    files: Tree
    secrets: Tree
    override: str = ""
    identity: Tree = field(default_factory=dict)
    folders: tuple[str, ...] = ()


def render(stack: Stack) -> Rendering:
    """Render a stack for its target."""
    target = TARGETS[stack.site.target]
    if target.runs:
        return Rendering({path: _file(path, text) for path, text in _units(stack, target)}, {})
    if target.values:
        return _whole(stack, target, target.values(stack))
    tree = dict(_rendered_files(stack, target.folder))
    identity = {name: tree.pop(name)} if (name := target.identity_file) else {}
    socket = (str(PurePath(stack.site.socket).parent),) if stack.site.socket else ()
    return Rendering(
        tree,
        _secrets(stack, target.secret_mode),
        target.override,
        identity,
        folders=(*target.folders, *socket),
    )


def _rendered_files(stack: Stack, folder: str) -> Iterator[tuple[str, File]]:
    environment = _environment(paths.templates())
    builds = {service.folder: service.build for service in reversed(stack.built)}
    for name in filter(lambda name: _is_needed(name, stack), paths.sources(folder)):
        for service in stack.services if name.startswith(PER_SERVICE) else (None,):
            values = {
                "stack": stack,
                "build": builds.get(name.partition("/")[0]),
                "service": service,
            }
            path = name.removesuffix(TEMPLATE_SUFFIX)
            if service:
                path = f"{service.name}/{path.removeprefix(PER_SERVICE)}"
            yield path, _file(path, _rendered(environment, f"{folder}/{name}", values))
    for name, text in (*_shared(stack), *_modules(stack)):
        yield name, _file(name, text)


def _units(stack: Stack, target: Target) -> Iterator[tuple[str, str]]:
    """Yield the files of a target whose files run those of another; their names are the stack's."""
    found = units(stack, target.runs[stack.site.engine].folder)
    environment, folder = _environment(paths.templates()), f"{target.folder}/{stack.site.engine}"
    for name in paths.sources(folder):
        for unit in found.services if name.startswith(PER_SERVICE) else (None,):
            prefix = f"{found.prefix}.{unit.service.name}" if unit else found.prefix
            path = name.removeprefix(PER_SERVICE).removesuffix(TEMPLATE_SUFFIX)
            values = {"stack": stack, "units": found, "unit": unit}
            text = _rendered(environment, f"{folder}/{name}", values)
            yield path.replace(UNITS, prefix), text


def _whole(stack: Stack, target: Target, more: Mapping[str, object]) -> Rendering:
    """Return the files of a target that has all of its files for every stack."""
    environment, values = _environment(paths.templates()), {"stack": stack, **more}
    found = {
        name.removesuffix(TEMPLATE_SUFFIX): _rendered(
            environment, f"{target.folder}/{name}", values
        )
        for name in paths.sources(target.folder)
    }
    for folder, source in target.copies.items():
        found |= {f"{folder}/{name}": text for name, text in paths.sources(source).items()}
    for folder, modules in target.modules.items():
        found |= dict(_copied(folder, modules))
    secrets = {
        name.removeprefix(SECRETS): File(found.pop(name), target.secret_mode)
        for name in [*found]
        if name.startswith(SECRETS)
    }
    files = {path: _file(path, text) for path, text in found.items()}
    return Rendering(files, secrets, target.override)


def _shared(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield files of the container target that services without a container also need."""
    shared = tuple(name for service in stack.services for name in service.shared)
    for name, text in paths.sources(CONTAINERS).items():
        if name.startswith(shared) and _is_needed(name, stack):
            yield name, text


def _modules(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield modules of this package that a service's programs import, as they are."""
    for service in stack.services:
        yield from _copied(service.folder, service.modules)


def _copied(folder: str, modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    for module in modules:
        text = (paths.PACKAGE / module).read_text(encoding="utf-8")
        yield f"{folder}/{paths.PACKAGE.name}/{module}", text


def _is_needed(name: str, stack: Stack) -> bool:
    """Tell whether a file belongs to no service, or to one of the stack that needs it."""
    folder, slash, file = name.partition("/")
    if not slash or name.startswith(PER_SERVICE):
        return True
    return any(
        service.folder == folder and file not in service.unused for service in stack.services
    )


def _rendered(environment: "Environment", name: str, values: Mapping[str, object]) -> str:
    """Return the text of a rendered template, or of any other file."""
    if name.endswith(TEMPLATE_SUFFIX):
        return environment.get_template(name).render(values)
    return (paths.templates() / name).read_text(encoding="utf-8")


def _file(path: str, text: str) -> File:
    return File(text, SCRIPT_MODE if path.endswith(".sh") else FILE_MODE)


def _secrets(stack: Stack, mode: int) -> Tree:
    return {secret.path: File(secret.text, mode) for secret in stack.secrets if secret.file is None}


@cache
def _environment(folder: Path) -> "Environment":
    """Return an environment, which keeps the templates that it has compiled."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        # YAML, Dockerfiles and requirements, not HTML; filters quote.
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.filters["plain"] = plain
    environment.filters["base64"] = base64
    environment.filters["shell"] = shell
    environment.filters["hcl"] = hcl
    environment.filters["unit_text"] = words.literal
    environment.filters["unit_word"] = words.word
    environment.filters["unit_variable"] = words.variable
    environment.filters["unit_command"] = words.arguments
    return environment
