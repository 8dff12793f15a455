"""Diagrams: what is drawn, that Mermaid can read it, and that no secret is in it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlflow_compose.actions.diagram import diagram as draw
from mlflow_compose.actions.plan import Plan, load_plan
from mlflow_compose.diagrams import DIAGRAMS, mermaid, topology
from mlflow_compose.errors import FilesError
from mlflow_compose.paths import stack_paths
from mlflow_compose.stack import Stack
from tests.documents import blocks

from .samples import ROOT, SECRETS, loaded, local_stack, stack

# The part of Mermaid's flowchart syntax that the tool uses: stricter than Mermaid itself.
LABEL = r'"(?:[\w .,:;/()=*+@~\'|-]|#\d+;|<br>)+"'
SHAPES = (rf"\(\[{LABEL}\]\)", rf"\[\({LABEL}\)\]", rf"\[\[{LABEL}\]\]", rf"\[{LABEL}\]")
NODE = re.compile(rf"(n_[a-zA-Z0-9_]+)(?:{'|'.join(SHAPES)})")
ARROW = re.compile(rf"(n_[a-zA-Z0-9_]+) -->(?:\|{LABEL}\|)? (n_[a-zA-Z0-9_]+)")
FRAME = re.compile(rf"subgraph frame\[{LABEL}\]")

EXTERNAL = {"PG_HOST": "db.example.org", "MINIO_HOST": "s3.example.org"}
SMALL = {"BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}
STACKS: Mapping[str, Stack] = {
    "default": stack(),
    "without Docker": local_stack(),
    "external": stack(**EXTERNAL, MLFLOW_ARTIFACT_ACCESS="direct"),
    "small": stack(**SMALL),
    "login": stack(MLFLOW_AUTH="basic", PG_PUBLISH="true"),
    "folder": stack(MINIO_VOLUME_PATH='/data/"`%%{init: {}}%%<b>#;end\\é'),
    "one key": stack(S3_PROVIDER="rclone"),
    "amazon": stack(MINIO_HOST="aws", PG_HOST="db.example.org"),
}


def arrows(shown: Stack) -> set[tuple[str, str, str]]:
    return {(arrow.source, arrow.target, arrow.label) for arrow in topology(shown).arrows}


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("kind", DIAGRAMS)
def test_every_line_must_be_mermaid_and_every_arrow_must_connect_two_nodes(
    name: str, kind: str
) -> None:
    first, *lines = [line.strip() for line in mermaid(DIAGRAMS[kind](STACKS[name]))]
    assert first == "flowchart LR"
    nodes = [found[1] for line in lines if (found := NODE.fullmatch(line))]
    ends = [found.groups() for line in lines if (found := ARROW.fullmatch(line))]
    frames = [line for line in lines if FRAME.fullmatch(line)]
    assert len(nodes) + len(ends) + len(frames) + lines.count("end") == len(lines)
    assert len(frames) == lines.count("end")
    assert len({*nodes}) == len(nodes)
    assert {node for pair in ends for node in pair} == {*nodes}


@pytest.mark.parametrize("name", STACKS)
def test_secrets_must_not_be_drawn(name: str) -> None:
    for chart in DIAGRAMS.values():
        text = "\n".join(mermaid(chart(STACKS[name])))
        assert not [secret for secret in SECRETS.values() if secret in text]


def test_only_bucket_init_must_have_the_root_key() -> None:
    drawn = arrows(STACKS["default"])
    assert {source for source, _, label in drawn if label == "root key"} == {"bucket-init"}
    assert ("mlflow", "s3", "application key") in drawn
    assert ("mlflow", "postgres", "database login") in drawn
    assert ("s3", "data_minio_data", "/data") in drawn
    assert ("clients", "mlflow", "http://127.0.0.1:5000") in drawn


def test_a_single_key_must_be_called_so() -> None:
    drawn = arrows(STACKS["one key"])
    assert ("mlflow", "s3", "the only key") in drawn
    assert not [label for *_, label in drawn if label == "root key"]


def test_external_servers_must_be_outside_of_the_stack() -> None:
    nodes = topology(STACKS["external"]).nodes
    outside = {node.name: " ".join(node.lines) for node in nodes if not node.inside}
    assert "db.example.org" in outside["postgres"]
    assert "s3.example.org" in outside["s3"]
    assert ("clients", "s3", "application key") in arrows(STACKS["external"])


def test_a_login_and_a_published_database_must_be_shown() -> None:
    drawn = arrows(STACKS["login"])
    assert ("clients", "mlflow", "http://127.0.0.1:5000, with a login") in drawn
    assert ("clients", "postgres", "127.0.0.1:5432") in drawn


@pytest.mark.parametrize("kind", DIAGRAMS)
def test_the_documentation_must_show_the_default_stack(kind: str) -> None:
    page = ROOT / "docs" / "how-to" / "diagram.md"
    shown = [block.text for block in blocks(page) if block.language == "mermaid"]
    assert "".join(f"{line}\n" for line in mermaid(DIAGRAMS[kind](stack()))) in shown


def planned(folder: Path) -> Plan:
    return load_plan(loaded(), stack_paths(folder / ".env"), {})


def test_a_written_diagram_must_be_replaced_by_the_next(tmp_path: Path) -> None:
    file = tmp_path / "stack.mmd"
    for kind in ("stack", "life"):
        draw(planned(tmp_path), kind, file)
        assert file.read_text().splitlines() == mermaid(DIAGRAMS[kind](planned(tmp_path).stack))


def test_other_files_must_not_be_replaced(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("mine")
    for file in (notes, tmp_path, tmp_path / "missing" / "stack.mmd"):
        with pytest.raises(FilesError):
            draw(planned(tmp_path), "stack", file)
    assert notes.read_text() == "mine"
