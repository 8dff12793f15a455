"""MLflow's own client, as data scientists use it: in a program of its own, told one address."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from .running import CONTENT, RunningStack
from .tool import environment, run

CLIENT = Path(__file__).with_name("official_client.py")
FILES = {
    "summary.txt": b"all is well\n",
    "empty.txt": b"",
    "plots/loss.png": CONTENT,
    "plots/deep/er/accuracy.png": CONTENT * 700,
}


def test_a_run_and_its_folder_of_artifacts_must_come_back(
    shared: RunningStack, tmp_path: Path
) -> None:
    folder = tmp_path / "outputs"
    write(folder)
    seen = client(shared, "log_run", folder)
    assert seen["status"] == "FINISHED"
    assert seen["params"] == {"optimizer": "adam", "depth": "3"}
    assert seen["metrics"] == {"loss": 1 / 3}
    assert seen["history"] == [1, 1 / 2, 1 / 3]
    assert seen["stage"] == "test"
    assert seen["run_id"] in seen["found"]
    assert seen["listed"] == ["outputs/plots/deep", "outputs/plots/loss.png"]
    assert read(Path(seen["downloaded"])) == FILES
    assert seen["run_id"] in shared.stored_runs()
    prefix = f"{seen['experiment_id']}/{seen['run_id']}/artifacts/outputs"
    for name, content in FILES.items():
        stored = shared.s3().get_object(Bucket=shared.bucket, Key=f"{prefix}/{name}")
        assert stored["Body"].read() == content


def test_a_registered_model_must_load_back_by_name_and_version(
    shared: RunningStack, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    write(folder)
    seen = client(shared, "register", folder)
    assert seen["status"] == "READY"
    assert seen["champion"]
    downloaded = read(Path(seen["downloaded"]))
    assert downloaded.items() >= FILES.items()
    assert yaml.safe_load(downloaded["MLmodel"])["flavors"] == {"weights": {"file": "weights.bin"}}
    rows = shared.sql("SELECT run_id FROM model_versions WHERE name = 'official-model'")
    assert rows == [seen["run_id"]]


def client(stack: RunningStack, action: str, folder: Path) -> dict[str, Any]:
    """Run the client's program; return what it saw."""
    env = environment(MLFLOW_TRACKING_URI=stack.url, MLFLOW_DISABLE_TELEMETRY="true")
    said = run(sys.executable, str(CLIENT), action, str(folder), env=env, folder=folder.parent)
    seen: dict[str, Any] = json.loads(said.out.splitlines()[-1])
    return seen


def write(folder: Path) -> None:
    """Write the files that are logged."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
