"""Run the probe, and read what it found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_compose.checks.probe import artifacts, database, links, main
from mlflow_compose.engines import Engine, run_modules
from mlflow_compose.stack import Stack

# One thing seen, two meanings: whose the database is decides.
BUNDLED, EXTERNAL = {"pg_host": "pg_down"}, {"pg_down": "pg_unreachable"}
# Each after those that it imports.
MODULES = (links, database, artifacts, main)


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
        "bucket": stack.stores.bucket,
        "folder": stack.stores.artifact_folder,
        "backend": stack.stores.backend_uri,
        "tracking": stack.site.tracking,
        "key_is_limited": stack.key_is_limited,
    }
    outcome = run_modules(engine, MODULES, {**world, **request})
    try:
        found: Mapping[str, Mapping[str, Any]] = json.loads(outcome.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        said = (outcome.stderr or outcome.stdout).strip().splitlines()
        detail = engine.stack.mask(said[-1]) if said else "it said nothing"
        return (Link("probe", "probe_failed", detail, 0.0),)
    return tuple(
        Link(
            name,
            _cause(link["cause"], engine.stack),
            engine.stack.mask(link["detail"]),
            link["seconds"],
        )
        for name, link in found.items()
    )


def _cause(word: str, stack: Stack) -> str:
    """Return a cause as it is meant: among containers, a server that is down has no name."""
    if stack.has("postgres"):
        return BUNDLED.get(word, word)
    return EXTERNAL.get(word, word)
