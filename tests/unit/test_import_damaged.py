"""Importing a folder: what MLflow's command skips must be named."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from mlflow_compose.data.inside.damaged import find_damaged, unreadable

RUN, MODEL, TRACE = "1/r1", "1/models/m-1", "1/traces/tr-1"
VERSION, ASSESSMENT = "models/own/version-2/meta.yaml", f"{TRACE}/assessments/a-1.yaml"
POINT = "17 0.5 0 r1"
FILES: Mapping[str, str] = {
    "1/meta.yaml": "name: leaves",
    "1/datasets/d1/meta.yaml": "name: leaves",
    f"{RUN}/meta.yaml": "run_uuid: r1",
    f"{RUN}/params/meta.yaml": "a param may have any name",
    f"{RUN}/inputs/i1/meta.yaml": "{source_type: DATASET, source_id: d1}",
    f"{RUN}/inputs/i2/meta.yaml": "{source_type: MODEL, source_id: m-1}",
    f"{RUN}/outputs/m-1/meta.yaml": "step: 0",
    f"{MODEL}/meta.yaml": "model_id: m-1",
    f"{MODEL}/metrics/train/loss": f"{POINT}\n{POINT} leaves d1\n",
    f"{TRACE}/trace_info.yaml": "trace_id: tr-1",
    ASSESSMENT: "feedback: {value: true}",
    ".trash/2/meta.yaml": "name: trash",
    ".trash/2/renamed/meta.yaml": "run_uuid: r2",
    "models/own/meta.yaml": "name: own",
    "models/own/aliases/champion": "2",
    VERSION: "version: 2",
}
KNOWN: Mapping[str, Collection[str]] = {
    "experiments": {"1", "2"},
    "runs": {"r1", "r2"},
    "trace_info": {"tr-1"},
    "assessments": {"a-1"},
    "logged_models": {"m-1"},
    "registered_models": {"own"},
    "model_versions": {"own/2"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an mlruns folder with one entity of each kind."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "1" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "1" / ".ipynb_checkpoints" / "notes").touch()
    (tmp_path / "3").mkdir()
    return tmp_path


def test_a_folder_that_was_read_completely_must_have_nothing_damaged(folder: Path) -> None:
    assert find_damaged(folder, KNOWN) == []
    assert unreadable(folder) == []


@pytest.mark.parametrize("name", ["1/datasets/d2", f"{RUN}/inputs/i3", f"{RUN}/outputs/m-2"])
def test_an_empty_folder_must_not_count_as_damaged(name: str, folder: Path) -> None:
    (folder / name).mkdir()
    assert find_damaged(folder, KNOWN) == []


@pytest.mark.parametrize(
    "top",
    [
        "",
        "1",
        "1/datasets",
        "1/traces",
        f"{TRACE}/assessments",
        "1/models",
        f"{MODEL}/metrics",
        RUN,
        f"{RUN}/inputs",
        f"{RUN}/outputs",
        "models",
        "models/own",
        "models/own/aliases",
    ],
)
@pytest.mark.parametrize("name", [".DS_Store", ".backup/meta.yaml", "empty/.DS_Store"])
def test_what_other_programs_hide_must_not_count_as_damaged(
    top: str, name: str, folder: Path
) -> None:
    path = folder / top / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("Bud1", encoding="utf-8")
    assert find_damaged(folder, KNOWN) == []


@pytest.mark.parametrize("top", ["1", "1/traces", "1/models", "models"])
def test_a_folder_of_other_files_must_not_count_as_damaged(top: str, folder: Path) -> None:
    path = folder / top / "notes" / "ideas.txt"
    path.parent.mkdir()
    path.touch()
    assert find_damaged(folder, KNOWN) == []


@pytest.mark.parametrize("name", ["params/lr", "metrics/loss", "tags/mlflow.user", "artifacts/x"])
def test_a_run_without_its_file_must_be_named(name: str, folder: Path) -> None:
    path = folder / "1" / "r3" / name
    path.parent.mkdir(parents=True)
    path.touch()
    (text,) = find_damaged(folder, KNOWN)
    assert text == "run r3: its meta.yaml is missing"


def test_a_file_on_which_mlflows_command_fails_must_be_named(folder: Path) -> None:
    (folder / VERSION).write_text("only a text", encoding="utf-8")
    assert unreadable(folder) == [folder / VERSION]


@pytest.mark.parametrize(
    ("file", "key", "expected"),
    [
        ("1/meta.yaml", "1", ["experiment 1 and everything in it"]),
        (f"{RUN}/meta.yaml", "r1", ["run r1", "points of metric train/loss of logged model m-1"]),
        (f"{MODEL}/meta.yaml", "m-1", ["logged model m-1"]),
        (f"{TRACE}/trace_info.yaml", "tr-1", ["trace tr-1"]),
        (ASSESSMENT, "a-1", ["assessment a-1 of trace tr-1"]),
        ("models/own/meta.yaml", "own", ["registered model own and everything in it"]),
        (VERSION, "own/2", ["version 2 of model own"]),
        ("1/datasets/d1/meta.yaml", "", ["dataset d1 of experiment 1", "input i1 of run r1"]),
        (f"{RUN}/inputs/i1/meta.yaml", "", ["input i1 of run r1"]),
        (f"{RUN}/outputs/m-1/meta.yaml", "", ["output m-1 of run r1"]),
    ],
)
@pytest.mark.parametrize("content", ["", "a: b: c", "\0", "renamed"])
def test_a_damaged_file_must_be_named(
    file: str, key: str, expected: list[str], content: str, folder: Path
) -> None:
    path = folder / file
    if content == "renamed" and file != ASSESSMENT:
        path.rename(path.with_name("left"))
    else:
        path.write_text(content, encoding="utf-8")
    # MLflow skips it, so it is not in the database.
    known = {table: {*keys} - {key} for table, keys in KNOWN.items()}
    found = find_damaged(folder, known)
    assert len(found) == len(expected)
    assert all(words in text for text, words in zip(found, expected, strict=True))
    state = "damaged" if path.exists() else "missing"
    assert found[0].endswith(f"its {path.name} is {state}")


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        (f"{RUN}/inputs/i1/meta.yaml", "{source_type: CODE, source_id: x}", "input i1 of run r1"),
        (f"{RUN}/inputs/i1/meta.yaml", "{source_id: gone}", "its dataset is damaged or missing"),
        (f"{MODEL}/metrics/train/loss", f"{POINT} my leaves d1", "1 point of metric train/loss"),
        (f"{MODEL}/metrics/train/loss", "17 0.5 0 gone", "run gone is damaged or was deleted"),
        ("models/own/aliases/champion", "two", "alias champion of model own"),
        ("old/1/meta.yaml", "name: leaves", "folder old"),
        ("1/new/meta.yaml", "run_uuid: unknown", "run new: mlflow migrate-filestore skipped it"),
    ],
)
def test_what_mlflow_skips_silently_must_be_named(
    file: str, content: str, expected: str, folder: Path
) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(content, encoding="utf-8")
    (text,) = find_damaged(folder, KNOWN)
    assert expected in text
