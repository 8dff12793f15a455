"""Find what `mlflow migrate-filestore` skipped in an mlruns folder.

It skips files that it cannot read and still succeeds (`mlflow.store.fs2db._utils.safe_read_yaml`);
so do some of its other steps. The docstrings of
`mlflow.store.fs2db._tracking` and `_registry` show the layout.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

META, TRACE_META = "meta.yaml", "trace_info.yaml"
TRASH, MODELS = ".trash", "models"
# Subfolders of an experiment that are not runs.
NOT_RUNS = ("tags", "datasets", "traces", MODELS)
# What MLflow creates in the folder of a run, trace, logged model or registered model.
OWN = (
    META,
    TRACE_META,
    "params",
    "metrics",
    "tags",
    "artifacts",
    "request_metadata",
    "assessments",
    "aliases",
    "version-*",
)
# Folders whose files have any name and any content.
VALUES = {"params", "tags", "metrics", "request_metadata"}
SKIPPED = "mlflow migrate-filestore skipped it"
# Number of words per line in a metric file of a logged model: without and with a dataset.
POINT_WORDS = (4, 6)
# Keys in the database that the folder was converted to, by table; those of model versions are
# NAME/VERSION.
Known = Mapping[str, Collection[str]]


def find_damaged(top: Path, known: Known) -> list[str]:
    """Describe everything in an mlruns folder that is not in the database, one sentence each."""
    found: list[str] = []
    for folder in (*_subfolders(top), *_subfolders(top / TRASH)):
        if _is_number(folder.name):
            found += _experiment(folder, known)
        elif folder.name != MODELS and any(folder.rglob(META)):
            found.append(f"folder {folder.name}: an experiment's folder must be named by a number")
    for folder in _subfolders(top / MODELS):
        found += _registered_model(folder, known)
    return found


def unreadable(top: Path) -> list[Path]:
    """Return the files on which MLflow's command fails, instead of skipping them."""
    names = (META, TRACE_META, "assessments/*.yaml")
    files = (path for name in names for path in sorted(top.rglob(name)))
    return [
        path
        for path in files
        if not isinstance(_load(path), dict | None) and not VALUES & {*path.relative_to(top).parts}
    ]


def _experiment(folder: Path, known: Known) -> Iterator[str]:
    if str(int(folder.name)) not in known["experiments"]:
        if _has_files(folder):
            problem = _problem(folder / META)
            yield f"experiment {folder.name} and everything in it: {problem}"
        return
    datasets = {path for path in _subfolders(folder / "datasets") if _read(path / META) is not None}
    for path in _subfolders(folder / "datasets"):
        if path not in datasets and _has_files(path):
            yield f"dataset {path.name} of experiment {folder.name}: {_problem(path / META)}"
    names = {path.name for path in datasets}
    for run in _subfolders(folder):
        if run.name not in NOT_RUNS:
            yield from _run(run, known, names)
    for trace in _subfolders(folder / "traces"):
        yield from _trace(trace, known)
    for model in _subfolders(folder / MODELS):
        yield from _logged_model(model, known)


def _run(folder: Path, known: Known, datasets: Collection[str]) -> Iterator[str]:
    if problem := _missing(folder, META, known["runs"], ("run_uuid", "run_id")):
        if _is_mlflows(folder):
            yield f"run {folder.name}: {problem}"
        return
    for path in _subfolders(folder / "inputs"):
        meta = _read(path / META)
        kind = (meta or {}).get("source_type", "DATASET")
        if meta is None:
            if _has_files(path):
                yield f"input {path.name} of run {folder.name}: {_problem(path / META)}"
        elif kind == "DATASET" and meta.get("source_id") not in datasets:
            yield f"input {path.name} of run {folder.name}: its dataset is damaged or missing"
        elif kind not in {"DATASET", "MODEL"}:
            yield f"input {path.name} of run {folder.name}: {SKIPPED}"
    for path in _subfolders(folder / "outputs"):
        if _read(path / META) is None and _has_files(path):
            yield f"output {path.name} of run {folder.name}: {_problem(path / META)}"


def _trace(folder: Path, known: Known) -> Iterator[str]:
    if problem := _missing(folder, TRACE_META, known["trace_info"], ("trace_id", "request_id")):
        if _is_mlflows(folder):
            yield f"trace {folder.name}: {problem}"
        return
    for path in _files(folder, "assessments/*.yaml"):
        keys = {path.stem, str((_read(path) or {}).get("assessment_id"))}
        if keys.isdisjoint(known["assessments"]):
            yield f"assessment {path.stem} of trace {folder.name}: {_problem(path)}"


def _logged_model(folder: Path, known: Known) -> Iterator[str]:
    if problem := _missing(folder, META, known["logged_models"], ("model_id",)):
        if _is_mlflows(folder):
            yield f"logged model {folder.name}: {problem}"
        return
    for path in _files(folder, "metrics/**/*"):
        key = path.relative_to(folder / "metrics").as_posix()
        for problem, number in _skipped_points(path, known["runs"]).items():
            points = "1 point" if number == 1 else f"{number} points"
            yield f"{points} of metric {key} of logged model {folder.name}: {problem}"


def _skipped_points(path: Path, runs: Collection[str]) -> Counter[str]:
    """Count the lines of a logged model's metric that are not imported, by the reason."""
    found: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.strip().split(" ")
        if len(words) in POINT_WORDS:
            if words[3] not in runs:
                found[f"run {words[3]} is damaged or was deleted"] += 1
        elif line.strip():
            found[SKIPPED] += 1
    return found


def _registered_model(folder: Path, known: Known) -> Iterator[str]:
    if problem := _missing(folder, META, known["registered_models"], ("name",)):
        if _is_mlflows(folder):
            yield f"registered model {folder.name} and everything in it: {problem}"
        return
    name = (_read(folder / META) or {}).get("name", folder.name)
    for path in _subfolders(folder):
        version = path.name.removeprefix("version-")
        if version == path.name or not _has_files(path):
            continue
        versions = {version, str((_read(path / META) or {}).get("version"))}
        if {f"{name}/{one}" for one in versions}.isdisjoint(known["model_versions"]):
            yield f"version {version} of model {name}: {_problem(path / META)}"
    for path in _files(folder, "aliases/*"):
        if not _is_number(path.read_text(encoding="utf-8", errors="replace")):
            yield f"alias {path.name} of model {name}: it does not refer to a version"


def _missing(folder: Path, file: str, known: Collection[str], keys: Collection[str]) -> str:
    """Tell why a folder is not in the database; return an empty text if it is.

    Args:
        folder: Folder of one entity, usually named by its key.
        file: Name of the file that describes it.
        known: Keys in the database.
        keys: Names of the key in that file, which counts if the folder was renamed.
    """
    if folder.name in known:
        return ""
    meta = _read(folder / file) or {}
    if any(str(meta.get(key)) in known for key in keys):
        return ""
    return _problem(folder / file)


def _problem(path: Path) -> str:
    """Tell why MLflow skipped a file."""
    if not path.is_file():
        return f"its {path.name} is missing"
    return SKIPPED if _read(path) else f"its {path.name} is damaged"


def _read(path: Path) -> dict[str, Any] | None:
    """Return the content of a file that MLflow can use."""
    found = _load(path)
    return found if isinstance(found, dict) else None


def _load(path: Path) -> Any:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        # The parser in C is many times faster.
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _subfolders(folder: Path) -> list[Path]:
    """Return the subfolders; other programs create hidden ones."""
    return sorted(
        path for path in folder.glob("*") if path.is_dir() and not path.name.startswith(".")
    )


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match a pattern and are not hidden there."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _has_files(folder: Path) -> bool:
    """Tell whether a folder holds anything; MLflow leaves empty ones."""
    return bool(_files(folder, "**/*"))


def _is_mlflows(folder: Path) -> bool:
    """Tell whether a folder holds anything of MLflow, and not only files of another program."""
    return any(any(folder.glob(name)) for name in OWN) and _has_files(folder)


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
