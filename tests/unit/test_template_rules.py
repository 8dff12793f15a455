"""Rules for templates and for the files that are rendered from them."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from jinja2 import Environment, nodes

from mlflow_compose.paths import templates
from tests.unit.samples import ROOT

TEMPLATES = sorted(templates().rglob("*.j2"))
# Without compose/: in a checkout that is used as a stack, it depends on that stack's `.env`.
RENDERED = sorted((ROOT / "tests/golden").glob("*/expected/docker-compose.yaml"))
# Their images choose their user, and JupyterLab runs as the owner of the notebooks.
NOT_OURS = frozenset({"postgres", "s3", "jupyter"})
KNOWN = NOT_OURS | {"mlflow", "bucket-init", "postgres-client", "reader-init", "pgadmin", "proxy"}
# Filters, each for one kind of file.
QUOTING = {
    *("base64", "hcl", "literal", "plain", "shell"),
    *("unit_command", "unit_text", "unit_variable", "unit_word"),
}
LOGIC = (
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Concat,
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Macro,
    nodes.CallBlock,
    nodes.FilterBlock,
)


def decisions(path: Path) -> Iterator[str]:
    """Yield all expressions but values, `for` and `if`: they belong in a property of the Stack."""
    environment = Environment(autoescape=False)  # noqa: S701 - YAML, and only parsed
    tree = environment.parse(path.read_text(encoding="utf-8"))
    for node in tree.find_all(LOGIC):
        # `is not none` is the only test that a template may use.
        if not (isinstance(node, nodes.Not) and isinstance(node.node, nodes.Test)):
            yield f"line {node.lineno}: {type(node).__name__}"
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        if node.name not in {*QUOTING, "none"}:
            yield f"line {node.lineno}: {node.name}"
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Getattr) or call.node.attr != "items":
            yield f"line {call.lineno}: a call"


def test_a_template_must_decide_nothing() -> None:
    assert TEMPLATES
    assert [f"{path.name}: {found}" for path in TEMPLATES for found in decisions(path)] == []


def test_a_template_must_not_contain_operators() -> None:
    blocks = (
        (path.name, block)
        for path in TEMPLATES
        for block in re.findall(r"{[{%].*?[}%]}", path.read_text(encoding="utf-8"), re.DOTALL)
    )
    logic = re.compile(r"\bor\b|\band\b|\+|~|default\s*\(")
    assert [found for found in blocks if logic.search(found[1])] == []


def case_of(path: Path) -> str:
    return path.parents[1].name


def test_compose_must_only_interpolate_the_stacks_id() -> None:
    assert RENDERED
    for path in RENDERED:
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"(?<!\$)\$\{STACK_IDENTITY:\?[\w ,.-]+\}", text)
        assert len(named) == 1, case_of(path)
        text = text.replace(named[0], "")
        dollars = re.findall(r"\$+", text)
        assert all(len(found) % 2 == 0 for found in dollars), case_of(path)


def test_stacks_on_one_machine_must_not_share_names() -> None:
    for path in RENDERED:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        where, services, labels = case_of(path), document["services"], document["x-labels"]
        assert document["networks"] == {"backend": {"driver": "bridge"}}, where
        assert list(labels) == ["mlflow-compose.stack"], where
        assert all(volume == {"labels": labels} for volume in document["volumes"].values()), where
        models = {name for name in services if name.startswith(("model-", "seat"))}
        others = set(services) - models
        assert {"mlflow"} <= others <= KNOWN, where
        for service in services.values():
            assert "container_name" not in service, where
            assert service["labels"] == labels, where
            assert service["networks"] == ["backend"], where
            assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, where
            assert "no-new-privileges:true" in service["security_opt"], where
        for name in {*KNOWN - NOT_OURS, *models} & set(services):
            assert services[name]["read_only"] is True, where
            assert services[name]["cap_drop"] == ["ALL"], where
            assert services[name]["user"] == "10001:10001", where


def test_every_service_must_have_a_comment_that_describes_it() -> None:
    for path in RENDERED:
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.fullmatch(r"  (mlflow|postgres|s3|bucket-init|model-.*):", line):
                assert re.fullmatch(r"  # .{20,}\.", lines[number - 1]), case_of(path)
