"""What the tool asked of the docker command."""

import os
import shlex
import shutil
from pathlib import Path

# Notes its arguments, then is the real one.
WRAPPER = """\
#!/bin/sh
printf '%s\\n' "$*" >> {log}
exec {docker} "$@"
"""


class DockerCalls:
    """A docker command for the tool that remembers how it was called."""

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
        # To be given to the tool as its PATH.
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    @property
    def lines(self) -> list[str]:
        """Return the arguments of every call."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
