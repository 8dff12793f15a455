"""Run the probe, and read what it found."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_compose.checks import probe
from mlflow_compose.engines import Engine


@dataclass(frozen=True)
class Link:
    """One link of the stack as seen from inside; `cause` is empty where it holds."""

    name: str
    cause: str
    detail: str
    seconds: float


def look(engine: Engine, **request: Any) -> tuple[Link, ...]:  # noqa: ANN401 - JSON
    """Return every link as seen from where the mlflow service runs."""
    stack = engine.stack
    world = {
        "bucket": stack.bucket,
        "tracking": stack.site.tracking,
        "key_is_limited": stack.key_is_limited,
    }
    argument = json.dumps({**world, **request})
    outcome = engine.run_python("mlflow", inspect.getsource(probe), argument)
    try:
        found: Mapping[str, Mapping[str, Any]] = json.loads(outcome.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        said = (outcome.stderr or outcome.stdout).strip().splitlines()
        detail = engine.stack.mask(said[-1]) if said else "it said nothing"
        return (Link("probe", "probe_failed", detail, 0.0),)
    return tuple(
        Link(name, link["cause"], engine.stack.mask(link["detail"]), link["seconds"])
        for name, link in found.items()
    )
