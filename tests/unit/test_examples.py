"""The examples: what is listed, and what a copy is."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlflow_compose import paths
from mlflow_compose.actions.examples import NAMES, Example, copy_example, read_example
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.settings import declared

from .samples import ROOT

PAGE = ROOT / "docs" / "how-to" / "examples.md"


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_folder_must_be_listed_with_a_sentence_and_commands() -> None:
    assert {path.name for path in paths.examples().iterdir()} == {*NAMES}
    for example in map(read_example, NAMES):
        assert example.about.endswith(".")
        assert f"cd {example.name}" in example.commands


def test_the_page_must_list_every_example_in_order() -> None:
    rows = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith("| [")]
    assert rows == [
        f"| [`{name}`](../../examples/{name}/README.md) | {read_example(name).about} |"
        for name in NAMES
    ]


def test_a_copy_must_have_every_file(tmp_path: Path) -> None:
    for name in NAMES:
        copy_example(name, tmp_path / name)
        assert files_in(tmp_path / name) == files_in(paths.examples() / name)


def test_a_copy_must_overwrite_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "train.py"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(FilesError) as caught:
        copy_example("r", mine.parent)
    assert caught.value.hint
    assert files_in(mine.parent) == {"train.py": b"mine"}


def test_a_folder_that_cannot_be_written_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FilesError, match=str(tmp_path / "file" / "copy")):
        copy_example("r", tmp_path / "file" / "copy")


def test_an_unknown_example_must_be_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no example trackin"):
        copy_example("trackin", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_commands_must_name_the_folder_of_the_copy() -> None:
    example = Example(
        "r", "About R.", ("cd r", "Rscript train.R", "import r/runs.db", "pip -r r.txt")
    )
    assert example.commands_in(Path("my lessons")) == (
        "cd 'my lessons'",
        "Rscript train.R",
        "import 'my lessons'/runs.db",
        "pip -r r.txt",
    )
    assert example.commands_in(Path("r")) == example.commands


def test_examples_must_use_the_version_that_a_stack_has_by_default() -> None:
    version = dict(declared())["MLFLOW_VERSION"].default
    lists = [*paths.examples().rglob("requirements.txt"), *paths.examples().rglob("*.yaml")]
    pins = [
        line.strip().removeprefix("- ")
        for file in lists
        for line in file.read_text(encoding="utf-8").splitlines()
        if "mlflow" in line
    ]
    assert {*pins} == {f"mlflow=={version}", f"mlflow-skinny=={version}"}


def test_the_notebook_must_be_stored_without_output() -> None:
    (notebook,) = paths.examples().rglob("*.ipynb")
    stored = json.loads(notebook.read_text(encoding="utf-8"))
    assert stored["nbformat"] == 4
    cells = [SimpleNamespace(**cell) for cell in stored["cells"]]
    assert {cell.cell_type for cell in cells} == {"code", "markdown"}
    assert len({cell.id for cell in cells}) == len(cells)
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
