"""Check a stack from inside the mlflow service."""

from dataclasses import dataclass
from typing import Any

from mlflow_compose.checks.probe import artifacts, database, links, main
from mlflow_compose.engines import Engine, RemoteError, run_modules

# In import order.
MODULES = (links, database, artifacts, main)


@dataclass(frozen=True)
class Link:
    """One link of the stack as seen from inside.

    Attributes:
        name: Name of the check.
        cause: Why the link is broken, as a key of `causes`; empty if it works.
        detail: Finding of the check.
        seconds: Duration of the check.
    """

    name: str
    cause: str
    detail: str
    seconds: float


def check_links(engine: Engine, **request: Any) -> tuple[Link, ...]:  # noqa: ANN401 - JSON
    """Check links from inside; `request` extends the request that every check gets."""
    stack, stores = engine.stack, engine.stack.stores
    stack_request = {
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
    try:
        found = run_modules(engine, MODULES, {**stack_request, **request})
    except RemoteError as error:
        return (Link("probe", "probe_failed", str(error), 0.0),)
    return tuple(
        Link(name, link["cause"], engine.stack.mask(link["detail"]), link["seconds"])
        for name, link in found.items()
    )
