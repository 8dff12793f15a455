"""Run Docker Compose on a rendered folder."""

import os
import subprocess
from pathlib import Path


def compose(folder: Path, *arguments: str) -> str:
    """Run `docker compose` on the rendered file in `folder`; return all of its output."""
    environ = {name: v for name, v in os.environ.items() if not name.startswith("COMPOSE_")}
    done = subprocess.run(
        ["docker", "compose", "--file", folder / "docker-compose.yaml", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output
