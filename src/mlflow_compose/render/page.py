"""Render an HTML page."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_compose import paths

if TYPE_CHECKING:
    from jinja2 import Environment


def page(name: str, values: Mapping[str, object]) -> str:
    """Return the HTML of a template, with every value escaped.

    Args:
        name: Path of the template below `templates/`.
        values: Its values.
    """
    return _environment(paths.templates()).get_template(name).render(values)


@cache
def _environment(folder: Path) -> "Environment":
    """Return an environment, which keeps the templates that it has compiled."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
