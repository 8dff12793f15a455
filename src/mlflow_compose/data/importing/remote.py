"""Ask what runs where MLflow runs, and read what it says line by line."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow_compose.data.importing.source import Source
from mlflow_compose.data.inside import (
    conflicts,
    main,
    merge,
    objects,
    row_mapping,
    store,
    table_groups,
    tables,
)
from mlflow_compose.engines import Engine, run_modules
from mlflow_compose.errors import SourceError
from mlflow_compose.result import Progress
from mlflow_compose.stack import Stack

# Each after those that it imports.
MODULES = (tables, table_groups, row_mapping, conflicts, merge, store, objects, main)
PROXY = "mlflow-artifacts:/"


class Answer:
    """One question, and what came of it.

    Attributes:
        places: Where artifacts are in the stack, by where they were.
        objects: The stack's artifacts, with their sizes.
        done: The outcome.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._error = ""
        self.places: dict[str, str] = {}
        self.objects: dict[str, int] = {}
        self.done: dict[str, Any] | None = None

    def hear(self, line: str) -> None:
        """Take one line."""
        match _parsed(line):
            case {"progress": str(text)}:
                self._progress.detail(text)
            case {"place": [old, new]}:
                self.places[old] = new
            case {"objects": found}:
                self.objects |= dict(found)
            case {"error": str(error)}:
                self._error = error
            case {"done": done}:
                self.done = done

    def ask(self, engine: Engine, request: Mapping[str, Any], folder: Path | None = None) -> None:
        """Run the modules.

        Raises:
            SourceError: It could not be done; the message says why.
        """
        outcome = run_modules(engine, MODULES, request, folder=folder, on_line=self.hear)
        if self.done is None:
            said = (outcome.stderr or outcome.stdout).strip().splitlines()
            detail = self._error or (said[-1] if said else "it said nothing")
            raise SourceError(
                engine.stack.mask(detail),
                hint="mlflow-compose verify shows whether the stack is well",
            )


def merge_rows(engine: Engine, source: Source, folder: Path, progress: Progress) -> Answer:
    """Bring the rows of a source, of which `folder` holds all but the artifacts."""
    stack = engine.stack
    request = {
        "action": "merge",
        "kind": source.kind,
        "root": artifact_root(stack),
        "backend": stack.stores.backend_uri,
    }
    answer = Answer(progress)
    answer.ask(engine, request, folder)
    return answer


def stored(engine: Engine, places: Iterable[str], progress: Progress) -> Mapping[str, int]:
    """Return what the stack holds of some experiments: the size of each object by its key.

    Args:
        engine: What runs the stack.
        places: Keys below the experiments.
        progress: Where to say what happens.
    """
    stores = engine.stack.stores
    request = {
        "action": "artifacts",
        "prefixes": sorted({f"{place.partition('/')[0]}/" for place in places}),
        "bucket": stores.bucket,
        "folder": stores.artifact_folder,
    }
    answer = Answer(progress)
    answer.ask(engine, request)
    return answer.objects


def artifact_root(stack: Stack) -> str:
    """Return where all artifacts are, as the stack's server names it in its database."""
    return PROXY if stack.artifact_access == "proxied" else stack.stores.artifact_uri


def key_of(stack: Stack, place: str) -> str:
    """Return the key of a place in the stack; empty where it is not among its artifacts.

    A run that came while clients had another way to the artifacts names it by that way.
    """
    for root in (PROXY, f"{stack.stores.artifact_uri.rstrip('/')}/"):
        if place.startswith(root):
            return place.removeprefix(root).strip("/")
    return ""


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        # A warning of a library.
        return None
