"""README and docs: commands, settings and links in them exist."""

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.core

from mlflow_compose.cli.app import app
from mlflow_compose.cli.run import hoist
from mlflow_compose.errors import MlflowComposeError
from mlflow_compose.settings import declared
from mlflow_compose.settings.envfile import parse
from mlflow_compose.settings.load import resolve
from mlflow_compose.settings.names import OUR_PREFIXES, Kind, kind_of, meaning_of
from tests.documents import PAGES, PLACEHOLDER, ROOT, Block, anchors, blocks, prose
from tests.e2e.certificates import make_certificates
from tests.unit.samples import env_text

TOOL = "mlflow-compose"
REFERENCE = ROOT / "docs" / "reference"
BLOCKS = tuple(block for page in PAGES for block in blocks(page))
SHELL = tuple(block for block in BLOCKS if block.language in {"bash", "sh", "console"})
LANGUAGES = {"bash", "dotenv", "hcl", "json", "mermaid", "python", "text", "yaml"}
# Environment variables of a stack's processes.
INSIDE = {
    "JUPYTER_TOKEN_FILE",
    "MINIO_API_REQUESTS_MAX",
    "MINIO_MEMLIMIT",
    "PGADMIN_SERVER_MODE",
    "STACK_BACKUP_PASSPHRASE",
    "STACK_SERVICE",
    "STACK_FOLDER",
    "STACK_IDENTITY",
    "STACK_UNIT",
}
# Programs in shell blocks, apart from the tool and make.
PROGRAMS = {"aws", "cd", "curl", "docker", "dvc", "eval", "export", "for", "git", "grep", "helm",
            "journalctl", "kind", "kubectl", "mkdir", "pip", "printf", "python", "python3", "read",
            "sleep", "source", "sudo", "supervisorctl", "systemctl", "tar", "terraform",
            "."}  # fmt: skip
OPERATORS, SHELL_WORDS = "();<>|&", {"do", "done", "until"}


def place(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_every_block_must_have_a_known_language() -> None:
    """A block without a language would not be checked."""
    unknown = [
        f"{block.where}: {block.language or 'no language'}"
        for block in BLOCKS
        if block.language not in LANGUAGES
    ]
    assert unknown == []


def commands_of(block: Block) -> Iterator[list[str]]:
    """Yield the words of every command in a shell block."""
    for line in block.commands:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=OPERATORS)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("<>"):
                # The file of a redirection.
                next(lexer)
            elif set(word) <= set(OPERATORS) or word in SHELL_WORDS:
                if words:
                    yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


COMMANDS = [(block, words) for block in SHELL for words in commands_of(block)]


def test_every_program_must_be_known() -> None:
    named = {words[0].rpartition("/")[2] or words[0] for _, words in COMMANDS}
    assert named <= {*PROGRAMS, TOOL, "make"}
    assert len(COMMANDS) > 40


def parse_command(words: list[str]) -> None:
    """Parse a command line as the tool does, without running it."""
    global_options, (name, *rest) = hoist(words)
    command: Any = typer.main.get_command(app)
    with ExitStack() as contexts:
        context = contexts.enter_context(command.make_context(TOOL, [*global_options, name]))
        while isinstance(command := command.commands.get(name), typer.core.TyperGroup):
            # A group parses its own words first: the name of a command in it.
            assert rest, f"{name} needs a command"
            name, *rest = rest
            context = contexts.enter_context(command.make_context(name, [name], parent=context))
        assert command, f"there is no command {name}"
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("where", sorted({block.where for block in SHELL}))
def test_every_command_line_must_be_accepted_by_the_tool(where: str) -> None:
    """Including its options and arguments."""
    for block, (program, *words) in COMMANDS:
        if block.where == where and program.rpartition("/")[2] == TOOL:
            try:
                parse_command(words)
            except (typer.TyperException, MlflowComposeError) as error:
                pytest.fail(f"{where}: {shlex.join(words)}: {error}")


@pytest.mark.parametrize(
    "line",
    ["up --no-such-option", "no-such-command", "import", "dvc init --no-such-option", "dvc push"],
)
def test_a_wrong_command_line_must_be_detected(line: str) -> None:
    with pytest.raises((typer.TyperException, AssertionError)):
        parse_command(line.split())


def test_every_target_of_make_must_exist() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", rules, re.MULTILINE))
    named = {(block.where, words[1]) for block, words in COMMANDS if words[0] == "make"}
    for page in PAGES:
        named |= {(place(page), one) for one in re.findall(r"`make ([a-z-]+)", prose(page))}
    assert {where for where, target in named if target not in targets} == set()
    assert {target for _, target in named} >= {"up", "test", "lint"}


def settings_blocks() -> list[Block]:
    return [block for block in BLOCKS if block.language == "dotenv"]


@pytest.mark.parametrize("block", settings_blocks(), ids=lambda block: block.where)
def test_every_example_of_settings_must_be_valid(block: Block, tmp_path: Path) -> None:
    """Each on its own, in an `.env` with random secrets; the files that it names exist."""
    lines = block.text.replace(PLACEHOLDER, "a-long-secret-of-an-example").splitlines()
    if names := re.findall(r"=(\S+\.pem)\b", block.text):
        # A certificate with its key, which is all that a PEM file can be.
        content = make_certificates(tmp_path, "lab.example").server.read_bytes()
        for path in (tmp_path / name for name in names):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    found = resolve(parse(env_text(*lines)), {}, env_file=tmp_path / ".env")
    assert found.foreign == ()


def test_every_variable_must_be_a_setting_or_one_of_mlflows() -> None:
    """Or a name of other stacks that the tool translates."""
    names = dict(declared())
    wrong = set()
    for page in PAGES:
        spans = re.findall(r"`([A-Z][A-Z0-9_]+)(?:=[^`]*)?`", prose(page))
        named = {span for span in spans if span.startswith(OUR_PREFIXES)}
        for name in named - {*OUR_PREFIXES}:
            known = kind_of(name, names) is not Kind.UNKNOWN or meaning_of(name)
            if not known and name not in INSIDE:
                wrong.add(f"{place(page)}: {name}")
    assert wrong == set()


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links that are in this repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            yield target


def test_every_link_must_have_an_existing_target() -> None:
    broken = []
    for page in PAGES:
        for target in links(page):
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            if not found.exists() or (anchor and anchor not in anchors(found)):
                broken.append(f"{place(page)}: {target}")
    assert broken == []


def test_every_page_must_be_reachable_from_the_index() -> None:
    """Starting at `docs/README.md` and following links."""
    reached, pending = set(), [ROOT / "docs" / "README.md"]
    while pending:
        page = pending.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        pending += [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= reached
