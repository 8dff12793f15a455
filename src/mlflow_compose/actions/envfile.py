"""Change an env file and undo the change, without losing the user's edits."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_compose.errors import EnvFileError
from mlflow_compose.render import File, replace_file
from mlflow_compose.settings import declared
from mlflow_compose.settings.envfile import edit, parse
from mlflow_compose.settings.example import default_text

PERMISSIONS = 0o777
DEFAULT_MODE = 0o600


@dataclass(frozen=True)
class EnvChange:
    """A change of an env file.

    Attributes:
        path: Path of the file.
        before: Text of the file.
        values: New values, by setting.
        during: What changes it, for errors.
    """

    path: Path
    before: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    during: str = "the migration"

    @property
    def after(self) -> str:
        """The text after the change."""
        return edit(self.before, self.values)

    def apply(self) -> bool:
        """Change the file; return whether the user edited other settings since it was read.

        Raises:
            EnvFileError: The user edited the same settings, or the file cannot be written.
        """
        with self._file_errors():
            now = self._read()
            old, found = values_of(self.before), values_of(now)
            expected = {name: (old.get(name), value) for name, value in self.values.items()}
            if edited := [name for name in expected if found.get(name) not in expected[name]]:
                raise EnvFileError(
                    f"{self.path.name} was edited during {self.during}: {', '.join(edited)}",
                    hint="run the same command again to use the new values",
                )
            self._write(edit(now, self.values))
        return now != self.before

    def undo(self) -> None:
        """Undo the change; later edits by the user stay.

        Raises:
            EnvFileError: The file cannot be written.
        """
        with self._file_errors():
            now = self._read() if self.path.exists() else self.after
            if now == self.after:
                self._write(self.before)
            elif now != self.before:
                old, found = values_of(self.before), values_of(now)
                changed = [name for name, value in self.values.items() if found.get(name) == value]
                self._write(edit(now, {name: old[name] for name in changed if name in old}))

    def _read(self) -> str:
        # Not in text mode, which would change line endings.
        return self.path.read_bytes().decode()

    def _write(self, text: str) -> None:
        mode = self.path.stat().st_mode & PERMISSIONS if self.path.exists() else DEFAULT_MODE
        replace_file(self.path, File(text, mode))

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise EnvFileError(f"{self.path.name} cannot be written: {why}") from None
        except UnicodeDecodeError as error:
            raise EnvFileError(
                f"{self.path.name} is not UTF-8 text (byte {error.start})", hint="save it as UTF-8"
            ) from None


def values_of(text: str) -> Mapping[str, str]:
    """Return the values of an env file, with defaults for those that are missing."""
    defaults = {name: default_text(info) for name, info in declared()}
    return {**defaults, **parse(text).values}
