"""Import a source into a running stack: rows inside the stack, artifacts from this machine."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from mlflow_compose.clients import NoAnswer, Tracking, TrackingError, Unreachable
from mlflow_compose.data.importing.artifacts import ArtifactSource, Folders, Server
from mlflow_compose.data.importing.journal import interrupted, journaled
from mlflow_compose.data.importing.remote import Merged, keys_of, merge_rows, stored_objects
from mlflow_compose.data.importing.report import conflicting, external, missing_folders
from mlflow_compose.data.importing.server import connect, read
from mlflow_compose.data.importing.source import FOLDER, SERVER, Source
from mlflow_compose.data.importing.staging import copy_database, copy_mlruns, staging
from mlflow_compose.data.importing.transfer import ArtifactIndex, Put, index_artifacts, send
from mlflow_compose.engines import Engine
from mlflow_compose.errors import EngineError, IncompleteError, MlflowComposeError
from mlflow_compose.paths import StackPaths
from mlflow_compose.payloads import Compared, Imported
from mlflow_compose.result import Progress, Result

FILES, BYTES = "artifact files", "artifact bytes"
ROWS_FILE = "rows.jsonl"
SHOWN = 20
# Singular of kinds that do not just drop their last letter.
SINGULAR = {
    "damaged entries": "damaged entry",
    "model versions' artifacts": "model version's artifacts",
}
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """Numbers of entities in a source, and in the stack before and after an import, by kind.

    Attributes:
        source: Number in the source.
        before: Number of these that were in the stack before.
        after: Number of these that are in the stack now.
        skipped: What is not imported, one sentence each.
        lost: Number of other things that are missing, by kind.
        unread: Number of runs and models whose artifacts cannot all be listed.
    """

    source: Counts
    before: Counts
    after: Counts
    skipped: tuple[str, ...]
    lost: Counts = field(default_factory=dict)
    unread: int = 0

    @property
    def missing(self) -> dict[str, int]:
        """The number of each kind that is missing in the stack."""
        return {
            kind: number - self.after[kind]
            for kind, number in self.source.items()
            if number != self.after[kind]
        }


class Import:
    """One import of everything in a source that the stack does not have."""

    def __init__(
        self,
        source: Source,
        engine: Engine,
        put: Put,
        progress: Progress,
        check_owner: Callable[[Engine], None],
    ) -> None:
        """Prepare an import.

        Args:
            source: Source of the import.
            engine: Engine of the stack.
            put: Function that stores a file in the stack.
            progress: Receiver of progress.
            check_owner: Function that raises if another server answers at the stack's URL.
        """
        self._source = source
        self._check_owner = check_owner
        self._engine = engine
        self._put = put
        self._progress = progress

    def run(self, paths: StackPaths) -> Result:
        """Import everything, then count both sides; `paths` are the stack's files.

        Raises:
            FilesError: A file of the stack cannot be read or written.
            EngineError: The stack is not running.
            SourceError: The source cannot be read.
            IncompleteError: The stack stopped answering.
        """
        self._check()
        with staging(paths.root) as folder:
            with self._progress.step(f"Reading {self._source.name}"):
                artifacts, skipped = self._stage(folder)
            with self._progress.step("Importing experiments, runs and models"):
                merged = merge_rows(self._engine, self._source, folder, self._progress)
            comparison = self._send_artifacts(artifacts, merged, folder, paths)
        comparison = replace(comparison, skipped=(*skipped, *comparison.skipped))
        return Result(_payload(self._source, comparison), _lines(comparison), _errors(comparison))

    def _check(self) -> None:
        """Make sure that the stack answers and accepts the login."""
        self._engine.check()
        stack = self._engine.stack
        try:
            self._check_owner(self._engine)
            Tracking.of(stack).get("experiments/search", max_results=1)
        except NoAnswer as error:
            raise EngineError(
                f"the stack {stack.name} is running, but {error}",
                hint="mlflow-compose verify shows what is broken",
            ) from None
        except Unreachable:
            raise EngineError(
                f"the stack {stack.name} is not running", hint="mlflow-compose up starts it"
            ) from None
        except TrackingError as error:
            raise EngineError(
                f"the stack rejects the import: {error}",
                hint="mlflow-compose verify shows what is broken",
            ) from None

    def _stage(self, folder: Path) -> tuple[ArtifactSource, list[str]]:
        """Copy everything but the artifacts; return access to those, and what cannot be read."""
        source = self._source
        if source.kind == SERVER:
            tracking = connect(source)
            reading = read(tracking, folder / ROWS_FILE, self._progress)
            return Server(reading.owners), reading.skipped
        (copy_mlruns if source.kind == FOLDER else copy_database)(source, folder)
        return Folders(source.artifacts), []

    def _send_artifacts(
        self, artifacts: ArtifactSource, merged: Merged, folder: Path, paths: StackPaths
    ) -> Comparison:
        """Send missing artifacts and count what the stack has afterwards."""
        stack, progress = self._engine.stack, self._progress
        prefixes = keys_of(stack, merged.locations)
        keys = [key for found in prefixes.values() for key in found]
        with progress.step("Listing artifacts"):
            index = index_artifacts(artifacts, prefixes, progress)
            objects = stored_objects(self._engine, keys, progress)
        before = index.present(objects)
        # S3 stores objects completely or not at all.
        in_folder = bool(stack.stores.artifact_folder)
        partial = interrupted(paths) - before if in_folder else set()
        missing = index.to_send(objects, partial)
        conflicts = sorted(index.artifacts.keys() - before - missing.keys())
        problems: list[str] = []
        after = before
        journal = journaled(self._put, paths, partial) if in_folder else nullcontext(self._put)
        with journal as put:
            if missing:
                with progress.step(f"Importing {len(missing)} of {len(index.artifacts)} artifacts"):
                    problems = send(artifacts, missing, put, folder, progress)
        if missing:
            with progress.step("Comparing"):
                after = index.present(stored_objects(self._engine, keys, progress))
        return Comparison(
            {**merged.source, **_count(index, set(index.artifacts))},
            {**merged.before, **_count(index, before)},
            {**merged.after, **_count(index, after)},
            (
                *merged.skipped,
                *chain.from_iterable(merged.lost.values()),
                *external(stack, merged.locations),
                *missing_folders(prefixes, index),
                *index.skipped,
                *conflicting(conflicts, index, objects),
                *problems,
            ),
            lost={kind: len(found) for kind, found in merged.lost.items() if found},
            unread=len(index.skipped),
        )


def _count(index: ArtifactIndex, keys: set[str]) -> Counts:
    return {FILES: len(keys), BYTES: index.bytes(keys)}


def _payload(source: Source, comparison: Comparison) -> Imported:
    before, after = comparison.before, comparison.after
    return Imported(
        source=source.name,
        brought={kind: after[kind] - before[kind] for kind in comparison.source},
        already_there={kind: before[kind] for kind in comparison.source},
        left=comparison.skipped,
        compared={
            kind: Compared(source=number, stack=after[kind])
            for kind, number in comparison.source.items()
        },
    )


def _lines(comparison: Comparison) -> list[str]:
    lines = [f"{'':<24} {'source':>12} {'imported':>12} {'in the stack':>14}"]
    for kind, number in comparison.source.items():
        after, before = comparison.after[kind], comparison.before[kind]
        new = after - before
        lines.append(f"{kind:<24} {number:>12} {new:>12} {after:>14}")
    if comparison.skipped:
        lines += ["", "not imported:", *(f"  {text}" for text in comparison.skipped[:SHOWN])]
    if len(comparison.skipped) > SHOWN:
        lines.append(f"  and {len(comparison.skipped) - SHOWN} more; --json lists all")
    return lines


def _errors(comparison: Comparison) -> tuple[MlflowComposeError, ...]:
    missing = {**comparison.missing, **comparison.lost}
    lost = [_amount(number, kind) for kind, number in missing.items()]
    if unread := comparison.unread:
        owners = "1 run or model" if unread == 1 else f"{unread} runs or models"
        lost.append(f"artifacts of {owners}, which cannot all be listed")
    if not lost:
        return ()
    text = ", ".join(lost)
    return (
        IncompleteError(
            f"not in the stack: {text}",
            hint="the list of what was not imported says why",
        ),
    )


def _amount(number: int, kind: str) -> str:
    if number == 1:
        kind = SINGULAR.get(kind, kind.removesuffix("s"))
    return f"{number} {kind}"
