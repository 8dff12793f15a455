"""Docker Compose reads env files too, with a parser that supports other escapes."""

import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.quoting import compose_differs, quote
from tests.golden.compose import compose

pytestmark = pytest.mark.docker

TRICKY = "ab$$${}\\\\''\"\"#\t nr0=_A1é\r\n;`("
# Text after the equals sign, and whether Compose reads it differently.
WRITTEN = {
    "p@ss$word": True,
    "pa$$word": True,
    r'"a\$b"': True,
    r"'a\\b'": True,
    r'"it\'s"': True,
    r'"a\0"': True,
    "a\t# comment": True,
    " # comment": True,
    "'p@ss$word'": False,
    r"'a\b'": False,
    r'"a\\b"': False,
    r'"a\\\\0"': False,
    "100$": False,
    "a # $comment": False,
    "'a' # $comment": False,
    r'"\"\t\n\\"': False,
    r"it's \ # me": False,
}


def read_by_compose(written: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the values that Compose reads from an env file."""
    text = "".join(f"{name}={value}\n" for name, value in written.items())
    (folder / ".env").write_bytes(text.encode())
    environment = {name: f"${{{name}}}" for name in written}
    services = {"any": {"image": "any", "environment": environment}}
    (folder / "docker-compose.yaml").write_text(json.dumps({"services": services}))
    printed = compose(folder, "config", "--format", "json")
    found: dict[str, str] = json.loads(printed[printed.index("{") :])["services"]["any"][
        "environment"
    ]
    return {name: value.replace("$$", "$") for name, value in found.items()}


def test_values_that_compose_reads_differently_must_be_recognized(tmp_path: Path) -> None:
    lines = {f"LINE_{number}": written for number, written in enumerate(WRITTEN)}
    ours = parse("".join(f"{name}={written}\n" for name, written in lines.items())).values
    theirs = read_by_compose(lines, tmp_path)
    assert {lines[name]: theirs[name] != ours[name] for name in lines} == WRITTEN
    assert {one: compose_differs(one) for one in WRITTEN} == WRITTEN


def test_a_quoted_value_must_be_read_by_compose_unchanged(tmp_path: Path) -> None:
    drawn = random.Random(11)  # noqa: S311 - no secret
    texts = ["".join(drawn.choices(TRICKY, k=drawn.randrange(7))) for _ in range(600)]
    values = {f"VALUE_{number}": text for number, text in enumerate(texts)}
    written = {name: quote(value) for name, value in values.items()}
    alike = {name: spelled for name, spelled in written.items() if not compose_differs(spelled)}
    # No quoting makes both parsers read a backslash together with a reference the same way.
    assert all("\\" in values[name] and "$" in values[name] for name in written.keys() - alike)
    assert len(alike) > 0.98 * len(values)
    assert read_by_compose(alike, tmp_path) == {name: values[name] for name in alike}
