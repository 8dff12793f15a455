"""From a Stack to the texts of its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlflow_compose import paths
from mlflow_compose.render.literal import literal
from mlflow_compose.stack import Stack

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE_SUFFIX = ".j2"
# Readable by the containers' users, whoever owns them here.
FILE_MODE = 0o644
SCRIPT_MODE = 0o755
# Secrets are bind mounts, read by users that are not their owner; the folder keeps others out.
SECRET_MODE = 0o444


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
    """

    files: Tree
    secrets: Tree


def render_compose(stack: Stack) -> Rendering:
    """Lay a stack out as the `compose/` folder."""
    build = next((service.build for service in stack.services if service.build), None)
    files = {
        name: File(text, SCRIPT_MODE if name.endswith(".sh") else FILE_MODE)
        for name, text in _texts("compose", {"stack": stack, "build": build}, leave_out=not build)
    }
    secrets = {
        secret.name: File(secret.text, SECRET_MODE)
        for secret in stack.secrets
        if secret.file is None
    }
    return Rendering(files, secrets)


def _texts(
    target: str, values: Mapping[str, object], *, leave_out: bool
) -> Iterator[tuple[str, str]]:
    """Yield path and text of everything below a target's templates.

    Args:
        target: Folder of templates.
        values: What templates may name.
        leave_out: Whether the folder that the image is built from is not needed.
    """
    environment = _environment()
    for name, text in paths.sources(target).items():
        if leave_out and name.startswith("mlflow/"):
            continue
        if name.endswith(TEMPLATE_SUFFIX):
            template = environment.get_template(f"{target}/{name}")
            yield name.removesuffix(TEMPLATE_SUFFIX), template.render(values)
        else:
            yield name, text


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
    return environment
