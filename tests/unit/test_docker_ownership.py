"""Containers and volumes with a stack's name are only used and deleted if they belong to it."""

from pathlib import Path

import pytest

from mlflow_compose.engines.docker.containers import Origin
from mlflow_compose.engines.docker.ownership import check_containers, check_unused, check_volumes
from mlflow_compose.engines.ownership import TAKE_OVER
from mlflow_compose.errors import EngineError
from mlflow_compose.identity import Identity, keep_identity
from mlflow_compose.paths import StackPaths
from tests.unit.samples import IDENTITY, stack

HERE, THERE = Path("/home/ada/compose"), Path("/home/ben/compose")
OTHER = "f" * 16
OURS = Origin("mlflow-s3-1", IDENTITY, HERE)


@pytest.mark.parametrize(
    "origins",
    [
        set(),
        {OURS},
        # From an override file, which has no id.
        {Origin("mlflow-adminer-1", "", HERE)},
        # After a move, both labels name the old folder.
        {Origin("mlflow-s3-1", IDENTITY, THERE), Origin("mlflow-adminer-1", "", THERE)},
    ],
)
def test_containers_of_the_stack_must_be_accepted(origins: set[Origin]) -> None:
    check_containers(stack(), HERE, origins)


@pytest.mark.parametrize(
    "stranger",
    [
        Origin("mlflow-s3-1", OTHER, THERE),
        # A copy may have the original's former folder.
        Origin("mlflow-s3-1", OTHER, HERE),
        Origin("mlflow-web-1", "", THERE),
        Origin("mlflow-web-1", "", Path("/gone/compose")),
    ],
)
def test_a_strangers_container_must_be_reported(stranger: Origin) -> None:
    with pytest.raises(EngineError, match=stranger.container) as caught:
        check_containers(stack(), HERE, {OURS, stranger})
    assert f"another stack is already named mlflow, in {stranger.folder.parent}" in str(
        caught.value
    )
    assert "COMPOSE_PROJECT_NAME" in (caught.value.hint or "")


def test_a_container_of_another_folder_with_the_same_id_must_be_reported(tmp_path: Path) -> None:
    """One of them is a copy, and its `down --volumes` would delete the other one's data."""
    here, there = tmp_path / "here", tmp_path / "there"
    for root in (here, there):
        (root / "compose").mkdir(parents=True)
        keep_identity(Identity(IDENTITY), StackPaths(root / ".env"))
    origin = Origin("mlflow-s3-1", IDENTITY, there / "compose")
    with pytest.raises(EngineError, match="is a copy of the other"):
        check_containers(stack(), here / "compose", {origin})
    there.rename(tmp_path / "gone")
    check_containers(stack(), here / "compose", {origin})


def test_volumes_of_the_stack_must_be_accepted() -> None:
    check_volumes(stack(), {})
    check_volumes(stack(), {"postgres_data": IDENTITY, "minio_data": IDENTITY})


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [(OTHER, f"another stack named mlflow (id {OTHER})"), ("", "it has no label")],
)
def test_a_strangers_volume_must_be_reported(identity: str, sentence: str) -> None:
    with pytest.raises(EngineError) as caught:
        check_volumes(stack(), {"minio_data": IDENTITY, "postgres_data": identity})
    assert "the volume mlflow_postgres_data" in caught.value.message
    assert sentence in caught.value.message
    assert (TAKE_OVER in (caught.value.hint or "")) == bool(identity)


def test_a_volume_that_a_container_uses_must_not_be_deleted() -> None:
    check_unused("mlflow_minio_data", [])
    with pytest.raises(EngineError, match="container backup uses the volume mlflow_minio_data"):
        check_unused("mlflow_minio_data", ["backup"])
