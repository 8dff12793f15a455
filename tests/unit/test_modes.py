"""Who may read what is on disk, whatever the user's umask."""

import os
import stat
from pathlib import Path

from mlflow_compose.cli.run import run


def test_containers_must_be_able_to_read_what_a_careful_user_rendered(tmp_path: Path) -> None:
    """With umask 077, the bucket job's folder is still open to the job's own user."""
    before = os.umask(0o077)
    try:
        assert run(["--env-file", str(tmp_path / ".env"), "init"]) == 0
        assert run(["--env-file", str(tmp_path / ".env"), "render"]) == 0
    finally:
        os.umask(before)
    modes = {
        name: stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in (".env", "compose/bucket-init", "compose/mlflow", "compose/secrets")
    }
    assert modes == {
        ".env": 0o600,
        "compose/bucket-init": 0o755,
        "compose/mlflow": 0o755,
        "compose/secrets": 0o700,
    }
    assert all(
        stat.S_IMODE(file.stat().st_mode) == 0o444
        for file in (tmp_path / "compose/secrets").iterdir()
        if file.name != ".manifest.json"
    )
