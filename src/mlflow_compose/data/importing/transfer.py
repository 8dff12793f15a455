"""Send artifacts into a stack as its users do: through its server, or directly to S3."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import unquote

from mlflow_compose.clients import Objects, ObjectsError, Tracking, TrackingError, Unreachable
from mlflow_compose.data.importing.artifacts import Artifact, ArtifactSource
from mlflow_compose.errors import IncompleteError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

AT_ONCE = 8
MEGABYTE = 1024 * 1024
UNKNOWN_TYPE = "application/octet-stream"
Put = Callable[[str, Path], None]


@dataclass
class Wanted:
    """What a stack should hold.

    Attributes:
        artifacts: By the key that each has in the stack.
        left: What cannot be listed, one sentence each.
        nowhere: Locations that do not exist.
    """

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    nowhere: list[str] = field(default_factory=list)

    def there(self, objects: Mapping[str, int]) -> set[str]:
        """Return the keys of artifacts that the stack has completely."""
        return {key for key, one in self.artifacts.items() if objects.get(key) == one.size}

    def missing(self, objects: Mapping[str, int], *, may_be_cut: bool) -> dict[str, Artifact]:
        """Return the artifacts to send; what the stack has already is not overwritten.

        Args:
            objects: Objects of the stack: size by key.
            may_be_cut: Whether a shorter one may be what a killed import left; a bucket has an
                object in full or not at all.
        """
        return {
            key: one
            for key, one in self.artifacts.items()
            if key not in objects or (may_be_cut and objects[key] < one.size)
        }

    def bytes(self, keys: set[str]) -> int:
        """Return the total size of some artifacts in bytes."""
        return sum(self.artifacts[key].size for key in keys)


def look(source: ArtifactSource, places: Mapping[str, str], progress: Progress) -> Wanted:
    """List the artifacts of a source.

    Args:
        source: Source of the artifacts.
        places: The prefix of their keys in the stack, by where they are.
        progress: Receiver of progress.
    """
    wanted = Wanted(nowhere=[place for place in places if not source.has(place)])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda place: _files(source, place), places)
        for number, (place, (files, problem)) in enumerate(zip(places, found, strict=True), 1):
            progress.detail(f"{number} of {len(places)}")
            if problem:
                wanted.left.append(problem)
            for one in files:
                if _is_safe(one.path):
                    wanted.artifacts[f"{places[place]}/{one.path}"] = one
                else:
                    wanted.left.append(
                        f"artifact {one.path!r} at {place} points outside of its folder"
                    )
    return wanted


def _is_safe(path: str) -> bool:
    """Tell whether a path stays below its location: sources may contain any path."""
    parts = unquote(path).replace("\\", "/").split("/")
    return not any(part in {"", ".", ".."} for part in parts)


def _files(source: ArtifactSource, place: str) -> tuple[list[Artifact], str]:
    """Return the files of a location, and why some cannot be listed."""
    found: list[Artifact] = []
    try:
        found.extend(source.files(place))
    except (TrackingError, Unreachable, OSError) as error:
        return found, f"the artifacts at {place}: {error}"
    return found, ""


def sender(stack: Stack) -> Put:
    """Return a function that stores a file in a stack."""
    if stack.artifact_access == "direct":
        return partial(_upload, Objects.of(stack))
    return partial(_by_proxy, Tracking(stack.urls["mlflow"], stack.login))


def _by_proxy(tracking: Tracking, key: str, path: Path) -> None:
    # `mlflow.utils.uri.validate_path_is_safe` decodes what is decoded, and takes no fragments.
    if "#" in key or unquote(key) != key:
        raise TrackingError(
            "MLflow's server rejects names with # or percent-encoded characters", status=0
        )
    tracking.put_file(key, path)


def _upload(bucket: Objects, key: str, path: Path) -> None:
    with path.open("rb") as file:
        bucket.upload(key, file, guess_type(path.name)[0] or UNKNOWN_TYPE)


def send(
    source: ArtifactSource,
    artifacts: Mapping[str, Artifact],
    put: Put,
    scratch: Path,
    progress: Progress,
) -> list[str]:
    """Store artifacts, a few at a time; return a sentence for each that failed.

    Raises:
        IncompleteError: The stack does not answer any more.
    """
    names, problems, sent, size = count(), [], 0, 0
    total = sum(one.size for one in artifacts.values())

    def move(key: str, artifact: Artifact) -> None:
        place = scratch / f"artifact-{next(names)}"
        try:
            put(key, source.fetch(artifact, place))
        finally:
            place.unlink(missing_ok=True)

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
    """Provide threads; if it ends early, it only waits for work that has begun."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _problem(future: Future[None]) -> str:
    try:
        future.result()
    except Unreachable as error:
        raise IncompleteError(str(error), hint="run the same command again to continue") from None
    except (TrackingError, ObjectsError, OSError) as error:
        return str(error)
    return ""
