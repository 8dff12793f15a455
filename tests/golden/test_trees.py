"""Each case's `.env` must come out as its `expected/` folder, byte by byte.

`make golden` writes what is rendered now; `git diff` then shows what a change does to users.
`files.txt` lists every rendered file with its mode. `expected/` holds those that are made:
what is copied from `templates/` as it is, the lock of Python packages among it, is left out.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlflow_compose import machine
from mlflow_compose.actions.plan import image_sources
from mlflow_compose.paths import sources
from mlflow_compose.render import render, write
from mlflow_compose.settings import load
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.stack import build
from tests.golden.compose import compose

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/.env"))

MANIFEST = ".manifest.json"
# What another machine is called; a golden file must not know the one that tests run on.
HOSTNAME, ADDRESSES = "Classroom", ("192.0.2.10", "198.51.100.7")


def render_case(case: str, folder: Path) -> None:
    """Write the tree of a case into `folder`."""
    settings = load(HERE / case / ".env", {}).settings
    address = settings.stack_bind_address
    names = () if is_loopback(address) else machine.lan_names(address, HOSTNAME, ADDRESSES)
    write(render(build(settings, image_sources(), names)), folder)


def read_tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def modes(folder: Path) -> str:
    lines = [
        f"{path.stat().st_mode & 0o777:04o} {path.relative_to(folder).as_posix()}"
        f"{'/' if path.is_dir() else ''}\n"
        for path in sorted(folder.rglob("*"))
    ]
    return "".join(lines)


def made(tree: Mapping[str, str]) -> dict[str, str]:
    """Return the files that are not copies of templates, and not lists of the others."""
    copies = {*sources("compose").values(), *sources("shared").values()}
    return {
        path: text
        for path, text in tree.items()
        if text not in copies and not path.endswith(MANIFEST)
    }


@pytest.mark.parametrize("case", CASES)
def test_a_case_must_render_as_expected(case: str, tmp_path: Path, *, update_golden: bool) -> None:
    render_case(case, tmp_path / "compose")
    files, tree = modes(tmp_path / "compose"), made(read_tree(tmp_path / "compose"))
    listed, expected = HERE / case / "files.txt", HERE / case / "expected"
    if update_golden:
        listed.write_text(files, encoding="utf-8")
        shutil.rmtree(expected, ignore_errors=True)
        for path, text in tree.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_text(text, encoding="utf-8", newline="")
    assert files == listed.read_text(encoding="utf-8")
    assert tree == read_tree(expected)


def test_the_cases_must_differ_from_each_other() -> None:
    trees = [read_tree(HERE / case / "expected") for case in CASES]
    assert len(CASES) >= 8
    assert all(trees.count(tree) == 1 for tree in trees)


@pytest.mark.docker
@pytest.mark.parametrize("case", CASES)
def test_compose_must_accept_a_case(case: str, tmp_path: Path) -> None:
    render_case(case, tmp_path / "compose")
    assert compose(tmp_path / "compose", "config", "--quiet") == ""
