"""Run the probe, and read what it found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_compose.checks.probe import artifacts, database, links, main
from mlflow_compose.engines import Engine, run_modules

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
    stack, stores = engine.stack, engine.stack.stores
    world = {
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
        "backend": stores.backend_uri,
        "runs": [stores.runs.what, stores.runs.where],
        "artifacts": stores.artifacts.text,
        "external": stores.artifacts.external,
        "tracking": stack.site.tracking,
        "key_is_limited": stack.key_is_limited,
        # A folder has no keys.
        "only": [name for name in main.CHECKS if stores.uses_s3 or name != "isolation"],
    }
    outcome = run_modules(engine, MODULES, {**world, **request})
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
