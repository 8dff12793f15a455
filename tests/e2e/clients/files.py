"""Steps with many files and with a large one."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import mlflow

from .step import EXPERIMENT, Seen, read

FOLDERS, EACH = 10, 100
# More than a gigabyte, in either sense of the word.
LARGE = 1_080_000_000
BLOCK = 1 << 20


def thousand_files(folder: Path) -> Seen:
    """Log a folder of a thousand small files and download it."""
    mlflow.set_experiment(EXPERIMENT)
    for number in range(FOLDERS * EACH):
        path = folder / "many" / str(number // EACH) / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"number {number}\n", encoding="ascii")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder / "many"), "many")
    copy = folder / "copy"
    copy.mkdir()
    mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="many", dst_path=str(copy)
    )
    return {
        "run_id": run.info.run_id,
        "experiment_id": run.info.experiment_id,
        "logged": len(read(folder / "many")),
        "same": read(copy / "many") == read(folder / "many"),
    }


def blocks() -> Iterator[bytes]:
    """Yield the large file's content, in which all blocks differ."""
    base = hashlib.shake_256(b"large").digest(BLOCK)
    for start in range(0, LARGE, BLOCK):
        yield (start.to_bytes(8, "big") + base[8:])[: LARGE - start]


def large_file(folder: Path) -> Seen:
    """Log a file of more than a gigabyte and download it."""
    mlflow.set_experiment(EXPERIMENT)
    path = folder / "large.bin"
    with path.open("wb") as file:
        file.writelines(blocks())
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(path), "large")
    path.unlink()
    back = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="large/large.bin", dst_path=str(folder)
    )
    with Path(back).open("rb") as file:
        same = all(file.read(len(block)) == block for block in blocks())
    size = Path(back).stat().st_size
    Path(back).unlink()
    key = f"{run.info.experiment_id}/{run.info.run_id}/artifacts/large/large.bin"
    return {"key": key, "size": size, "same": same}
