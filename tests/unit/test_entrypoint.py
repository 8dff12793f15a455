"""The entry point of the image, which also starts the server without Docker."""

import os
import subprocess
from pathlib import Path

from mlflow_compose.paths import templates

SCRIPT = templates() / "compose" / "mlflow" / "entrypoint.sh"
PRINT = ("sh", "-c", 'printf %s "$TMPDIR"')
OWN = f"mlflow-uploads-{os.getuid()}"


def run(tmp: Path, *command: str) -> Path:
    """Run the entry point; return the TMPDIR that the command was given."""
    argv = ("sh", str(SCRIPT), *PRINT, *command)
    environ = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp),
        "SECRETS_DIR": str(tmp / "none"),
        # Only a command that starts with `mlflow server` may be replaced by the launcher.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    done = subprocess.run(argv, env=environ, check=True, capture_output=True, text=True)
    return Path(done.stdout)


def test_a_starting_server_must_empty_only_its_own_folder(tmp_path: Path) -> None:
    """An override file may mount a folder with other files at TMPDIR."""
    tmp, elsewhere = tmp_path / "tmp", tmp_path / "elsewhere"
    for folder in (tmp / "photos", tmp / OWN / "partial", elsewhere):
        folder.mkdir(parents=True)
        (folder / "file").write_text("kept?")
    (tmp / OWN / "link").symlink_to(elsewhere)
    assert run(tmp, "mlflow", "server") == tmp / OWN
    assert list((tmp / OWN).iterdir()) == []
    assert (tmp / "photos" / "file").exists()
    assert (elsewhere / "file").exists()


def test_a_server_must_get_a_new_folder_that_others_cannot_read(tmp_path: Path) -> None:
    found = run(tmp_path / "new", "mlflow", "server")
    assert found.stat().st_mode & 0o777 == 0o700


def test_a_linked_folder_must_not_be_emptied(tmp_path: Path) -> None:
    tmp, elsewhere = tmp_path / "tmp", tmp_path / "elsewhere"
    tmp.mkdir()
    elsewhere.mkdir()
    (elsewhere / "file").write_text("kept")
    (tmp / OWN).symlink_to(elsewhere)
    run(tmp, "mlflow", "server")
    assert (elsewhere / "file").exists()


def test_any_other_command_must_leave_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / OWN).mkdir()
    (tmp_path / OWN / "upload").write_text("in progress")
    assert run(tmp_path, "mlflow", "gc") == tmp_path
    assert (tmp_path / OWN / "upload").exists()
