"""A docker command that records how the tool calls it."""

import os
import shlex
import shutil
from pathlib import Path

# Appends its arguments to a file, as one line, then executes the real command.
WRAPPER = """\
#!/bin/sh
echo "$(printf '%s ' "$@" | tr '\\n' ' ')" >> {log}
exec {docker} "$@"
"""


class DockerCalls:
    """A docker command that records its calls."""

    def __init__(self, folder: Path) -> None:
        docker = shutil.which("docker")
        assert docker
        folder.mkdir()
        self._log = folder / "log"
        wrapper = folder / "docker"
        wrapper.write_text(
            WRAPPER.format(log=shlex.quote(str(self._log)), docker=shlex.quote(docker)),
            encoding="utf-8",
        )
        wrapper.chmod(0o755)
        # PATH for the tool.
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    @property
    def lines(self) -> list[str]:
        """Return the arguments of every call."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    @property
    def commands(self) -> list[str]:
        """Return the command of every call: `compose`, `container list` and so on."""
        words = (line.split() for line in self.lines)
        return [word if word == "compose" else f"{word} {next_}" for word, next_, *_ in words]
