"""Send artifacts into a stack as its clients do: through its server, or directly to S3."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import unquote

from mlflow_compose.clients import Objects, ObjectsError, Tracking, TrackingError, Unreachable
from mlflow_compose.data.importing.artifacts import Artifact, ArtifactSource
from mlflow_compose.data.inside.shared import PARALLEL_REQUESTS, content_type
from mlflow_compose.errors import IncompleteError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

MEGABYTE = 1024 * 1024
WORKSPACE = re.compile(r"workspaces/(?P<name>[^/]+)/")
Put = Callable[[str, Path], None]


@dataclass
class ArtifactIndex:
    """The artifacts of a source, by their keys in the stack.

    Attributes:
        artifacts: Artifact by its key in the stack.
        skipped: Artifacts that cannot be listed or sent, one sentence each.
        missing: Artifact locations that do not exist.
    """

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def present(self, objects: Mapping[str, int]) -> set[str]:
        """Return the keys of artifacts that the stack has completely."""
        return {key for key, one in self.artifacts.items() if objects.get(key) == one.size}

    def to_send(self, objects: Mapping[str, int], partial: Collection[str]) -> dict[str, Artifact]:
        """Return the artifacts to send; existing objects are not overwritten.

        Args:
            objects: Size of the stack's objects, by key.
            partial: Keys that were being sent when an import was killed, so that a shorter file
                there is incomplete.
        """
        return {
            key: one
            for key, one in self.artifacts.items()
            if key not in objects or (key in partial and objects[key] < one.size)
        }

    def bytes(self, keys: set[str]) -> int:
        """Return the total size of some artifacts in bytes."""
        return sum(self.artifacts[key].size for key in keys)


def index_artifacts(
    source: ArtifactSource, prefixes: Mapping[str, Sequence[str]], progress: Progress
) -> ArtifactIndex:
    """List the artifacts of a source.

    Args:
        source: Source of the artifacts.
        prefixes: Key prefixes in the stack, by artifact location.
        progress: Receiver of progress.
    """
    index = ArtifactIndex(missing=[location for location in prefixes if not source.has(location)])
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        found = pool.map(lambda location: _files(source, location), prefixes)
        for number, (location, (files, problem)) in enumerate(zip(prefixes, found, strict=True), 1):
            progress.detail(f"{number} of {len(prefixes)}")
            if problem:
                index.skipped.append(problem)
            for one in files:
                if _is_safe(one.path):
                    for prefix in prefixes[location]:
                        index.artifacts[f"{prefix}/{one.path}"] = one
                else:
                    index.skipped.append(
                        f"artifact {one.path!r} at {location} points outside of its folder"
                    )
    return index


def _is_safe(path: str) -> bool:
    """Tell whether a path stays below its location; a source may report any path."""
    parts = unquote(path).replace("\\", "/").split("/")
    return not any(part in {"", ".", ".."} for part in parts)


def _files(source: ArtifactSource, location: str) -> tuple[list[Artifact], str]:
    """Return the files of a location, and why some cannot be listed."""
    found: list[Artifact] = []
    try:
        found.extend(source.files(location))
    except (TrackingError, Unreachable, OSError) as error:
        return found, f"the artifacts at {location}: {error}"
    return found, ""


def sender(stack: Stack) -> Put:
    """Return a function that stores a file in a stack."""
    if stack.artifact_access == "direct":
        return partial(_upload, Objects.of(stack))
    return partial(_by_proxy, Tracking.of(stack), stack)


def _by_proxy(tracking: Tracking, stack: Stack, key: str, path: Path) -> None:
    if stack.workspaces and (found := WORKSPACE.match(key)):
        # MLflow refuses the keys of all workspaces but the one that a request names.
        tracking = tracking.within(found["name"])
    # `mlflow.utils.uri.validate_path_is_safe` decodes paths a second time and rejects fragments.
    if "#" in key or unquote(key) != key:
        raise TrackingError(
            "MLflow's server rejects names with # or percent-encoded characters", status=0
        )
    tracking.put_file(key, path)


def _upload(bucket: Objects, key: str, path: Path) -> None:
    bucket.upload_file(key, path, content_type(path))


def send(
    source: ArtifactSource,
    artifacts: Mapping[str, Artifact],
    put: Put,
    scratch: Path,
    progress: Progress,
) -> list[str]:
    """Store artifacts in parallel; return a sentence for each that failed.

    Raises:
        IncompleteError: The stack stopped answering.
    """
    names, problems, sent, size = count(), [], 0, 0
    total = sum(one.size for one in artifacts.values())

    def move(key: str, artifact: Artifact) -> None:
        # Neither HTTP nor S3 has other names.
        key.encode("utf-8")
        path = scratch / f"artifact-{next(names)}"
        try:
            put(key, source.fetch(artifact, path))
        finally:
            path.unlink(missing_ok=True)

    with _pool() as pool:
        futures = {pool.submit(move, key, one): key for key, one in artifacts.items()}
        for future in as_completed(futures):
            key = futures[future]
            if problem := _problem(future):
                problems.append(f"artifact {key}: {problem}")
            sent, size = sent + 1, size + artifacts[key].size
            progress.detail(
                f"{sent} of {len(futures)} files, {size // MEGABYTE} of {total // MEGABYTE} MB"
            )
    return problems


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Provide threads; on an error, cancel the work that has not begun."""
    pool = ThreadPoolExecutor(PARALLEL_REQUESTS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _problem(future: Future[None]) -> str:
    try:
        future.result()
    except Unreachable as error:
        raise IncompleteError(str(error), hint="run the same command again to continue") from None
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    except (TrackingError, ObjectsError, OSError) as error:
        return str(error)
    return ""
