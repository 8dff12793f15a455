"""A target is one record: a target without an engine is rendered like the others."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose import paths, targets
from mlflow_compose.cli.context import choices
from mlflow_compose.cli.run import run
from mlflow_compose.settings import Settings
from mlflow_compose.stack import Site, docker_site
from mlflow_compose.targets import COMPOSE, TARGETS, Target, engines
from mlflow_compose.targets.target import GetMachine
from tests.unit.samples import env_text

TEMPLATE = """
{{ stack.name }}
{% for service in stack.services %}
{{ service.name }} runs {{ service.image | literal }} and answers at {{ stack.site.tracking }}
{% endfor %}
"""


def site(settings: Settings, _: GetMachine) -> Site:
    """Return the addresses of services on a fictitious target."""
    return replace(docker_site(settings), target="paper", engine="", tracking="http://paper")


PAPER = Target(
    name="paper",
    engine="",
    folder="paper",
    site=site,
    image=COMPOSE.image,
    images=COMPOSE.images,
    ingredients=COMPOSE.ingredients,
    secret_mode=0o400,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a stack, with one more target registered."""
    shipped = tmp_path / "templates"
    shutil.copytree(paths.templates(), shipped)
    (shipped / "paper").mkdir()
    (shipped / "paper" / "stack.txt.j2").write_text(TEMPLATE, encoding="utf-8")
    monkeypatch.setattr(paths, "templates", lambda: shipped)
    monkeypatch.setitem(vars(targets)["TARGETS"], PAPER.name, PAPER)
    stack = tmp_path / "stack"
    stack.mkdir()
    lines = ("BACKEND_STORE=sqlite", "ARTIFACT_STORE=local", "MLFLOW_IMAGE=mlflow:paper")
    (stack / ".env").write_text(env_text(*lines), encoding="utf-8")
    monkeypatch.chdir(stack)
    return stack


def test_a_target_without_an_engine_must_be_rendered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["render", "--target", "paper"]) == 0
    written = (folder / "paper" / "stack.txt").read_text(encoding="utf-8").split("\n")
    assert written == [
        "",
        "mlflow",
        "mlflow runs mlflow:paper and answers at http://paper",
        "",
    ]
    modes = {path.stat().st_mode & 0o777 for path in (folder / "paper/secrets").glob("[!.]*")}
    assert modes == {0o400}
    capsys.readouterr()
    assert run(["render", "--target", "paper", "--check"]) == 0
    assert run(["render", "--target", "stone"]) == 2
    assert (
        "--target must be compose, local, helm, systemd, terraform or paper, got stone"
        in capsys.readouterr().err
    )


@pytest.mark.usefixtures("folder")
def test_a_target_without_an_engine_must_not_be_an_engine(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["up", "--engine", "paper"]) == 2
    assert (
        "--engine must be auto, docker, local or kubernetes, got paper" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("command", "names"), [("render", [*TARGETS]), ("up", ["auto", *engines()])], ids=str
)
def test_help_must_list_all_targets(
    command: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The help lists them literally, since loading the records would make it slow."""
    assert run([command, "--help"]) == 0
    assert choices(*names) in " ".join(capsys.readouterr().out.split())
