"""Problems that keep a stack of processes from starting are reported."""

import pytest

from .conftest import MakeStack
from .local_stack import LocalStack
from .running import local_only

pytestmark = local_only("it is about processes of this machine")


@pytest.fixture(scope="module")
def stopped(_make_for_module: MakeStack) -> LocalStack:
    """Return a stack whose start always fails."""
    stack = _make_for_module(BACKEND_STORE="sqlite")
    assert isinstance(stack, LocalStack)
    return stack


def test_an_invalid_objects_folder_must_be_reported(stopped: LocalStack) -> None:
    path = stopped.folder / "file"
    path.write_text("in the way", encoding="utf-8")
    with stopped.changed(MINIO_VOLUME_PATH="file/here"):
        stopped.up(code=1).shows(f"error: {path}/here must be a folder")
        path.unlink()
        path.symlink_to("file")
        output = stopped.up(code=1)
    output.shows(f"error: {path}/here cannot be used: Too many levels of symbolic links")


def test_a_folder_with_minio_data_must_not_be_touched(stopped: LocalStack) -> None:
    mark = stopped.folder / "minio" / ".minio.sys"
    mark.mkdir(parents=True)
    with stopped.changed(MINIO_VOLUME_PATH="minio"):
        stopped.up(code=1).shows("MINIO_VOLUME_PATH", "S3_PROVIDER minio", "hint: ")
    assert list(mark.parent.iterdir()) == [mark]


def test_a_key_that_rclone_does_not_support_must_be_reported(stopped: LocalStack) -> None:
    with stopped.changed(MINIO_SECRET_ACCESS_KEY="eight,characters"):
        output = stopped.up(code=1)
    output.shows("MINIO_SECRET_ACCESS_KEY must not contain a comma")
    assert "eight,characters" not in output.text


def test_a_bucket_that_cannot_be_created_must_stop_the_start(stopped: LocalStack) -> None:
    """MLflow does not start before the job has succeeded."""
    stopped.write(MINIO_VOLUME_PATH="objects")
    (stopped.folder / "objects").mkdir()
    (stopped.folder / "objects" / stopped.bucket).symlink_to("nowhere")
    output = stopped.up(code=1)
    output.shows(
        "error: bucket-init ended with exit code 1", "hint: mlflow-compose logs bucket-init"
    )
    assert not (stopped.local_folder / "run" / "bucket-init.done").exists()
