"""Find and read the artifacts of a source."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from mlflow_compose.data.importing.server import Owner, Owners

# Path components of EXPERIMENT/RUN/artifacts, and of EXPERIMENT/models/MODEL/artifacts or
# EXPERIMENT/traces/TRACE/artifacts.
TAILS = (3, 4)
AJAX = "/ajax-api/2.0/mlflow"


@dataclass(frozen=True)
class Artifact:
    """One file of a source.

    Attributes:
        location: Artifact location of its run or model.
        path: Path below that location.
        size: Size in bytes.
    """

    location: str
    path: str
    size: int


class ArtifactSource(Protocol):
    """Access to the artifacts of a source."""

    def has(self, location: str) -> bool:
        """Tell whether a location exists; databases have one even for runs without artifacts."""

    def files(self, location: str) -> Iterator[Artifact]:
        """Yield every file of a location."""

    def fetch(self, artifact: Artifact, scratch: Path) -> Path:
        """Return a file with the artifact's content: the original, or `scratch`."""


class Folders:
    """The artifacts of an mlruns folder, or of the folder next to a database."""

    def __init__(self, tops: tuple[Path, ...]) -> None:
        self._tops = tops

    def has(self, location: str) -> bool:
        """Tell whether the folder of a location exists."""
        return self._folder(location) is not None

    def files(self, location: str) -> Iterator[Artifact]:
        """Yield every file of a location.

        Raises:
            OSError: Some folders cannot be read; raised after all readable files.
        """
        top = self._folder(location)
        if top is None:
            return
        unread: list[OSError] = []
        for folder, subfolders, names in os.walk(top, onerror=unread.append, followlinks=True):
            subfolders[:] = [name for name in subfolders if not _is_link_loop(Path(folder, name))]
            for name in names:
                path = Path(folder, name)
                # A dangling link.
                with suppress(FileNotFoundError):
                    size = path.stat().st_size
                    yield Artifact(location, path.relative_to(top).as_posix(), size)
        if unread:
            raise unread[0]

    def fetch(self, artifact: Artifact, scratch: Path) -> Path:
        """Return the file itself."""
        del scratch
        folder = self._folder(artifact.location)
        return (folder or Path()) / artifact.path

    def _folder(self, location: str) -> Path | None:
        return next((path for path in self.candidates(location) if path.is_dir()), None)

    def candidates(self, location: str) -> Iterator[Path]:
        """Yield the folders that a location may refer to: as recorded, or below one of `tops`."""
        parts = urlsplit(location)
        if parts.scheme == "mlflow-artifacts":
            path = PurePosixPath(unquote(parts.path)).relative_to("/")
            if ".." not in path.parts:
                yield from (top / path for top in self._tops)
        else:
            recorded = Path(location)
            if recorded.is_absolute():
                yield recorded
            # The folder was moved, or the experiment was deleted and is in the trash.
            for tail in TAILS:
                yield from (top.joinpath(*recorded.parts[-tail:]) for top in self._tops)


def _is_link_loop(path: Path) -> bool:
    """Tell whether a folder is a link to one of its parents, which `os.walk` would repeat."""
    return path.is_symlink() and path.resolve() in path.parent.resolve().joinpath("x").parents


class Server:
    """The artifacts of a tracking server, through the endpoints of its web UI."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners

    def has(self, location: str) -> bool:
        """Tell whether a location belongs to a run or model."""
        return location in self._owners

    def files(self, location: str) -> Iterator[Artifact]:
        """Yield every file of a location."""
        owner, folders = self._owners[location], [""]
        while folders:
            for found in self._list(owner, folders.pop()):
                if found.get("is_dir"):
                    folders.append(found["path"])
                else:
                    yield Artifact(location, found["path"], int(found.get("file_size", 0)))

    @staticmethod
    def _list(owner: Owner, folder: str) -> Iterator[dict[str, Any]]:
        if owner.kind == "run":
            endpoint, parameters = "artifacts/list", {"run_id": owner.id, "path": folder}
        else:
            endpoint = f"logged-models/{owner.id}/artifacts/directories"
            parameters = {"artifact_directory_path": folder}
        if not folder:
            parameters.popitem()
        response = owner.server.get(endpoint, **parameters)
        yield from response.get("files", ())
        while token := response.get("next_page_token"):
            response = owner.server.get(endpoint, **parameters, page_token=token)
            yield from response.get("files", ())

    def fetch(self, artifact: Artifact, scratch: Path) -> Path:
        """Fetch an artifact into `scratch`."""
        kind, id_, server = self._owners[artifact.location]
        if kind == "run":
            server.download("/get-artifact", scratch, run_id=id_, path=artifact.path)
        else:
            path = f"{AJAX}/logged-models/{id_}/artifacts/files"
            server.download(path, scratch, artifact_file_path=artifact.path)
        return scratch
