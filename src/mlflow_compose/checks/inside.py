"""Check a stack from inside the mlflow service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlflow_compose.checks.probe import artifacts, database, links, main
from mlflow_compose.engines import Engine, Loading, RemoteError, run_modules
from mlflow_compose.engines.answers import MALFORMED
from mlflow_compose.errors import EngineError
from mlflow_compose.stack import Stack, causes_of

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


@dataclass(frozen=True)
class _Finding:
    """The answer of one check; the attributes are those of `Link`."""

    cause: str
    detail: str
    seconds: float


_Findings = dict[str, _Finding]


class Probe:
    """The checks, loaded inside while the steps from outside still run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loading: Loading[_Findings] | None = None

    def load(self) -> None:
        """Start loading."""
        self._loading = Loading(self._engine, MODULES, _Findings)

    def check_links(self, **request: Any) -> tuple[Link, ...]:  # noqa: ANN401 - JSON
        """Check links like the function, with what was loaded, if anything was."""
        loading, self._loading = self._loading, None
        if loading is None:
            return check_links(self._engine, **request)
        try:
            return _checked(self._engine, partial(self._call, loading), request)
        finally:
            loading.close()

    def _call(self, loading: Loading[_Findings], request: Mapping[str, Any]) -> _Findings:
        """Check with what was loaded, and once more if that ended before it did anything."""
        try:
            return loading.call(request)
        except (RemoteError, EngineError):
            if loading.has_started_work:
                raise
            return _run(self._engine, request)

    def close(self) -> None:
        """End what was loaded and not used."""
        if self._loading:
            self._loading.close()
            self._loading = None


def check_links(engine: Engine, **request: Any) -> tuple[Link, ...]:  # noqa: ANN401 - JSON
    """Check links from inside; `request` extends the request that every check gets.

    If they cannot be checked, the only link is a broken one called `probe`.
    """
    return _checked(engine, partial(_run, engine), request)


def _run(engine: Engine, request: Mapping[str, Any]) -> _Findings:
    return run_modules(engine, MODULES, request, _Findings)


def _checked(
    engine: Engine,
    call: Callable[[Mapping[str, Any]], _Findings],
    request: Mapping[str, Any],
) -> tuple[Link, ...]:
    stack, stores = engine.stack, engine.stack.stores
    stack_request = {
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
        "prefix": stack.artifact_prefix,
        "workspaces": stack.workspaces,
        "backend": stores.backend_uri,
        "runs": [stores.runs.what, stores.runs.where],
        "artifacts": stores.artifacts.text,
        "external": stores.artifacts.external,
        "tracking": stack.site.tracking,
        "key_is_limited": stack.key_is_limited,
        # A folder has no keys.
        "only": [name for name in main.CHECKS if stores.uses_s3 or name != "isolation"],
    }
    complete = {**stack_request, **request}
    try:
        return _links(call(complete), complete["only"], stack)
    except RemoteError as error:
        return (Link("probe", "probe_failed", str(error), 0.0),)


def _links(found: Mapping[str, _Finding], names: Sequence[str], stack: Stack) -> tuple[Link, ...]:
    """Return the links called `names`; a check without an answer must not count as passed.

    Raises:
        RemoteError: The findings are not those of these checks.
    """
    if missing := [name for name in names if name not in found]:
        raise RemoteError(f"{MALFORMED}: no result of {', '.join(missing)}")
    if len(found) > len(names):
        raise RemoteError(f"{MALFORMED}: results of checks that were not requested")
    known = {"", *causes_of(stack.stores)}
    findings = [(name, found[name], stack.mask(found[name].detail)) for name in names]
    for name, finding, detail in findings:
        if finding.cause not in known:
            raise RemoteError(f"{MALFORMED}: unknown cause of {name}: {detail}")
    return tuple(
        Link(name, finding.cause, detail, finding.seconds) for name, finding, detail in findings
    )
