"""Where MLflow puts artifacts: locations in the database, and keys of objects."""

import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

# EXPERIMENT/RUN/artifacts/…, EXPERIMENT/models/MODEL/artifacts/… and EXPERIMENT/traces/TRACE/…
LAYOUT = re.compile(
    r"(?:(?P<top>.+?)/)?(?:(?P<run>[0-9a-f]{32})|models/(?P<model>m-[0-9a-f]{32})"
    r"|traces/(?P<trace>(?:tr-)?[0-9a-f]{32}))/artifacts/.",
    re.DOTALL,
)
# Location of an experiment that chose none.
DEFAULT_TOP = re.compile(r"(?:workspaces/[^/]+/)?[0-9]+")


@dataclass(frozen=True)
class Place:
    """Where a stack keeps artifacts.

    Attributes:
        bucket: Name of the bucket.
        folder: Folder of artifacts, empty if they are in the bucket.
    """

    bucket: str
    folder: str

    def keys(self, location: str | None) -> tuple[str, ...]:
        """Return the keys that an artifact location may mean, empty if it is another place.

        Whether a location is percent-encoded is not known, so both readings are returned.
        """
        path = self._path(location or "")
        if path is None:
            return ()
        readings = (path, path.partition("?")[0], unquote(path))
        return tuple(dict.fromkeys(posixpath.normpath(f"/{text}").strip("/") for text in readings))

    def _path(self, location: str) -> str | None:
        """Return the path of a location below the place, None if it is another place."""
        if location.startswith("mlflow-artifacts:"):
            return urlsplit(location).path
        if self.folder:
            path, top = location.removeprefix("file://"), f"{self.folder.rstrip('/')}/"
            return f"{path}/".removeprefix(top) if f"{path}/".startswith(top) else None
        top = f"s3://{self.bucket}/"
        return f"{location}/".removeprefix(top) if f"{location}/".startswith(top) else None


def with_parents(key: str) -> Iterator[str]:
    """Yield a key and every prefix of it that ends before a slash; the last is empty."""
    while key:
        yield key
        key = key.rpartition("/")[0]
    yield ""


def id_in(key: str, tops: Collection[str]) -> str:
    """Return the id of the run, model or trace that wrote an object, by its key alone.

    Args:
        key: Key of the object.
        tops: Keys of the artifact locations of experiments.

    Returns:
        The id, or an empty text if MLflow writes no such key.
    """
    found = LAYOUT.match(key)
    if not found:
        return ""
    top = found["top"] or ""
    if top not in tops and not DEFAULT_TOP.fullmatch(top):
        return ""
    return found["run"] or found["model"] or found["trace"]
