"""What is remembered about a stack between commands, besides its id.

Where its data was put, so that a changed setting does not hide it; what a migration left over, so
that nothing else is deleted; and which engine runs it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlflow_compose.errors import FilesError
from mlflow_compose.paths import StackPaths, write_state

RECORD_FILE = "record.json"
Places = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """What is remembered about a stack.

    Attributes:
        started_on: Engine that runs it, empty after `down`.
        places: Settings that locate the data, by name, for each engine.
        left_over: By engine, the volumes that migrations left.
        left_behind: By engine, volumes that a start on other stores left with data in them, of
            which no migration has a copy.
        folders: By engine, the folders of this machine that were seen to hold its data, as the
            rendered files spell them, with the id that each carried.
    """

    started_on: str = ""
    places: Mapping[str, Places] = field(default_factory=dict)
    left_over: Mapping[str, Collection[str]] = field(default_factory=dict)
    left_behind: Mapping[str, Collection[str]] = field(default_factory=dict)
    folders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def started(self, engine: str, places: Places, volumes: Collection[str]) -> "Record":
        """Return the record of a stack that runs with its data in these places and volumes."""
        left = sorted({*self.left_over.get(engine, ())} - {*volumes})
        return replace(
            self,
            started_on=engine,
            places={**self.places, engine: dict(places)},
            left_over={**self.left_over, engine: left},
        )

    def stopped(self, engine: str) -> "Record":
        """Return the record of a stack that was stopped."""
        return replace(self, started_on="" if self.started_on == engine else self.started_on)

    def emptied(self, engine: str, *, elsewhere: bool) -> "Record":
        """Return the record of a stack whose volumes were deleted.

        Args:
            engine: Engine that had them.
            elsewhere: Whether it has data outside of them, which is still there.
        """
        # By which name Docker had the volumes means nothing any more.
        kept = {engine: _without(self.places.get(engine, {}), "COMPOSE_PROJECT_NAME")}
        places = {**self.places, **kept} if elsewhere else _without(self.places, engine)
        return replace(
            self,
            places=places,
            left_over=_without(self.left_over, engine),
            left_behind=_without(self.left_behind, engine),
            folders=_without(self.folders, engine),
        )

    def holding(self, engine: str, identity: str, folders: Collection[str]) -> "Record":
        """Return the record of a stack whose data is in these folders, which carry its id."""
        return replace(self, folders={**self.folders, engine: dict.fromkeys(folders, identity)})

    def held(self, engine: str, identity: str) -> Collection[str]:
        """Return the folders that held data of a stack; a copy comes with another id."""
        found = self.folders.get(engine, {}).items()
        return [name for name, carried in found if carried == identity]

    def moved(self, engine: str, places: Places, left_over: Collection[str]) -> "Record":
        """Return the record of a stack whose data was moved, and where copies of it were left."""
        left = sorted({*self.left_over.get(engine, ()), *left_over} - {*self.behind(engine)})
        return replace(
            self,
            places={**self.places, engine: dict(places)},
            left_over={**self.left_over, engine: left},
        )

    def behind(self, engine: str) -> Collection[str]:
        """Return the volumes whose data was left behind, so that none of it may go unasked."""
        return self.left_behind.get(engine, ())

    def leaving(self, engine: str, volumes: Collection[str]) -> "Record":
        """Return the record of a stack that starts without the data in some volumes."""
        left = sorted({*self.behind(engine), *volumes})
        return replace(self, left_behind={**self.left_behind, engine: left})

    def pruned(self, engine: str, volumes: Collection[str]) -> "Record":
        """Return the record of a stack whose left-over volumes were deleted."""
        left = sorted({*self.left_over.get(engine, ())} - {*volumes})
        return replace(self, left_over={**self.left_over, engine: left})


def _without(found: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != key}


def read_record(paths: StackPaths) -> Record:
    """Return what is remembered about a stack; nothing if it was never started.

    Raises:
        FilesError: It is damaged.
    """
    path = paths.state / RECORD_FILE
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return Record()
    except OSError as error:
        raise FilesError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise FilesError(
            f"{path} is damaged",
            hint=f"delete {path}; the next up writes it again",
        ) from None


def write_record(record: Record, paths: StackPaths) -> None:
    """Store what is remembered about a stack.

    Raises:
        FilesError: It cannot be written.
    """
    write_state(paths, RECORD_FILE, json.dumps(vars(record), indent=2) + "\n")
