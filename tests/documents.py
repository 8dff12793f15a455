"""The documentation pages, and their runnable blocks and links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = tuple(
    path
    for pattern in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**/*.md")
    for path in sorted(ROOT.glob(pattern))
)
# Stands for a value that readers fill in or for output that varies.
PLACEHOLDER = "…"
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Path of the page.
        line: Line number of its first line.
        section: Last heading before the block.
        language: First word of the info string, empty if there is none.
        words: Other words of the info string: `run` (optionally with an engine or `fails`) if
            tests/e2e/test_docs.py runs it, or the file name that it is saved as.
        text: Content, without the indentation of the fence.
    """

    page: Path
    line: int
    section: str
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Command lines of a shell block, with continued lines joined."""
        joined = self.text.replace("\\\n", " ")
        return [line.strip() for line in joined.splitlines() if line.strip()]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        indent, info, content = match.groups()
        language, *words = info.split() or [""]
        line = text.count("\n", 0, match.start()) + 2
        section = HEADING.findall(text, 0, match.start())[-1]
        lines = (one.removeprefix(indent) for one in content.splitlines(keepends=True))
        yield Block(page, line, section, language, tuple(words), "".join(lines))


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub generates them."""
    found = HEADING.findall(prose(page))
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in found)
    return {re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-") for text in plain}
