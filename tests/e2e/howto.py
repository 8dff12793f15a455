"""A page of commands, followed by a reader who puts other names into them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.documents import blocks

from .tool import Output, run


@dataclass(frozen=True)
class Reader:
    """A person who follows a page, one section after the other.

    Attributes:
        page: The page.
        folder: Where the commands are typed.
        environment: In which environment.
        typed: What is typed in place of what the page says.
    """

    page: Path
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    typed: Mapping[str, str] = field(default_factory=dict)

    def sections(self) -> list[str]:
        """Return the sections with commands, in order."""
        found = (each.section for each in blocks(self.page) if "run" in each.words)
        return list(dict.fromkeys(found))

    def follows(self, *sections: str) -> str:
        """Run the commands of some sections; return what they print."""
        return "".join(
            self.types(each.text).text
            for each in blocks(self.page)
            if each.section in sections and "run" in each.words
        )

    def types(self, text: str, code: int = 0) -> Output:
        """Run commands as the page writes them."""
        for written, typed in self.typed.items():
            text = text.replace(written, typed)
        command = ("bash", "-euo", "pipefail", "-c", text)
        return run(*command, code=code, folder=self.folder, env=self.environment)
