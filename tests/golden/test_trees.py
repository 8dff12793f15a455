"""The `.env` of each case must be rendered as its `expected/` folder, byte by byte.

`make golden` updates the folders; `git diff` then shows how a change affects users.
`files.txt` lists every rendered file with its mode. `expected/` contains the rendered files except
plain copies from `templates/` and of modules, such as the pinned Python packages.
A case with STACK_ENGINE=local in its `.env` is rendered for a machine without Docker, one whose
name begins with `systemd-` as units, with `helm-` as a chart (see `test_helm.py`), and with
`terraform-` as a configuration of Terraform.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose import machine
from mlflow_compose.paths import PACKAGE, sources
from mlflow_compose.render import render, write
from mlflow_compose.settings import load, public_values
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.rules import is_loopback
from mlflow_compose.stack import Stack
from mlflow_compose.stack.components import reader_init
from mlflow_compose.targets import COMPOSE, HELM, LOCAL, SYSTEMD, TERRAFORM, Target
from tests.golden.compose import compose
from tests.unit.samples import built

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/.env"))

MANIFEST = ".manifest.json"
# Of targets that are only rendered.
RENDERED_FOLDERS = tuple(target.folder for target in (SYSTEMD, HELM, TERRAFORM))
# Names of a fictitious machine: golden files must not depend on the one that runs the tests.
HOSTNAME, ADDRESSES = "Classroom", ("192.0.2.10", "198.51.100.7")


def is_local(case: str) -> bool:
    text = (HERE / case / ".env").read_text(encoding="utf-8")
    return parse(text).values.get("STACK_ENGINE") == LOCAL.engine


UNIT_CASES = [case for case in CASES if case.startswith("systemd-")]
HELM_CASES = [case for case in CASES if case.startswith("helm-")]
TERRAFORM_CASES = [case for case in CASES if case.startswith("terraform-")]
RENDERED_ONLY = {*UNIT_CASES, *HELM_CASES, *TERRAFORM_CASES}
LOCAL_CASES = [case for case in CASES if is_local(case) and case not in RENDERED_ONLY]
DOCKER_CASES = [case for case in CASES if case not in {*LOCAL_CASES, *RENDERED_ONLY}]


def target_of(case: str) -> Target:
    """Return the target that a case is rendered for."""
    rendered_only = ((UNIT_CASES, SYSTEMD), (HELM_CASES, HELM), (TERRAFORM_CASES, TERRAFORM))
    for cases, target in (*rendered_only, (LOCAL_CASES, LOCAL)):
        if case in cases:
            return target
    return COMPOSE


def decide(case: str) -> Stack:
    """Return the stack of a case."""
    written = load(HERE / case / ".env", {}).settings
    settings = written.model_copy(update=target_of(case).without)
    address = settings.stack_bind_address
    names = () if is_loopback(address) else machine.lan_names(address, HOSTNAME, ADDRESSES)
    found = built(settings, target_of(case), lan_names=names)
    return replace(found, settings=public_values(written))


def render_case(case: str, parent: Path) -> Path:
    """Render a case into a folder in `parent` named after its target; return that folder."""
    folder = parent / target_of(case).folder
    write(render(decide(case)), folder)
    return folder


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


def generated_files(tree: Mapping[str, str]) -> dict[str, str]:
    """Return the files that are neither copies of templates nor manifests."""
    folders = ("compose", "local", "shared", "jupyter", "pgadmin", "proxy", *RENDERED_FOLDERS)
    copies = {text for name in folders for text in sources(name).values()}
    modules = (*reader_init.MODULES, *(name for names in HELM.modules.values() for name in names))
    copies |= {(PACKAGE / name).read_text(encoding="utf-8") for name in modules}
    return {
        path: text
        for path, text in tree.items()
        if text not in copies and not path.endswith(MANIFEST)
    }


@pytest.mark.parametrize("case", CASES)
def test_a_case_must_render_as_expected(case: str, tmp_path: Path, *, update_golden: bool) -> None:
    folder = render_case(case, tmp_path)
    files, tree = modes(folder), generated_files(read_tree(folder))
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
@pytest.mark.parametrize("case", DOCKER_CASES)
def test_compose_must_accept_a_case(case: str, tmp_path: Path) -> None:
    folder = render_case(case, tmp_path)
    assert compose(folder, "config", "--quiet") == ""


def test_there_must_be_cases_of_both_engines() -> None:
    assert len(DOCKER_CASES) >= 8
    assert len(LOCAL_CASES) >= 4
    assert {decide(case).site.engine for case in UNIT_CASES} == {*SYSTEMD.runs}


@pytest.mark.parametrize("case", LOCAL_CASES)
def test_a_shell_must_accept_every_script_of_a_case(case: str, tmp_path: Path) -> None:
    scripts = sorted(render_case(case, tmp_path).rglob("*.sh"))
    assert len(scripts) >= 3
    for script in scripts:
        done = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script


@pytest.mark.parametrize("case", LOCAL_CASES)
def test_supervisord_must_accept_a_case(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its programs are the services of the stack, in the same order."""
    from supervisor.options import ServerOptions

    folder = render_case(case, tmp_path)
    monkeypatch.chdir(folder)
    options = ServerOptions()
    options.realize(args=["-c", "supervisord.conf"], doc="")
    programs = [
        program for group in options.process_group_configs for program in group.process_configs
    ]
    names = [program.name for program in sorted(programs, key=lambda each: each.priority)]
    # Last, so that it is stopped first.
    assert names == [*(service.name for service in decide(case).services), "guard"]
    for program in programs:
        assert (folder / program.command.removeprefix("sh ")).is_file()
