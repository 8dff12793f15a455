"""`migrate-store --prune` reports and forgets exactly what the engine deleted."""

from pathlib import Path

import pytest

from mlflow_compose import actions
from mlflow_compose.actions import Plan
from mlflow_compose.engines.local import LocalEngine
from mlflow_compose.engines.ownership import claim
from mlflow_compose.payloads import Pruned
from mlflow_compose.record import Record, read_record, write_record
from tests.unit.test_migrate import plan


@pytest.fixture
def found(tmp_path: Path) -> Plan:
    """Return a stack with the leftovers of migrations: one with its id, and one without."""
    found = plan(tmp_path, "STACK_ENGINE=local")
    data = found.paths.local / "data"
    for name in ("mlflow_data", "rclone_data"):
        (data / name).mkdir(parents=True)
    claim(data / "mlflow_data", found.identity.id)
    record = Record().moved("local", {}, ["mlflow_data", "rclone_data"])
    write_record(record.with_other_buckets("local", ["rclone_data"], ()), found.paths)
    return found


def engine_of(found: Plan) -> LocalEngine:
    return LocalEngine(found.stack, found.paths, {})


def left_over(found: Plan) -> list[str]:
    return list(read_record(found.paths).left_over["local"])


def test_a_folder_that_was_kept_must_not_be_called_deleted(found: Plan) -> None:
    data = found.paths.local / "data"
    result = actions.prune(found, engine_of(found), ("mlflow_data", "rclone_data"))
    assert [path.name for path in data.iterdir()] == ["rclone_data"]
    assert result.data == Pruned(("mlflow_data",), {})
    assert result.lines == [
        "deleted: mlflow_data",
        f"{data / 'rclone_data'} does not carry the stack's id and was kept",
    ]
    assert left_over(found) == ["rclone_data"]


def test_data_behind_a_link_must_not_be_called_deleted(found: Plan, tmp_path: Path) -> None:
    disk, link = tmp_path / "disk", found.paths.local / "data" / "mlflow_data"
    link.rename(disk)
    link.symlink_to(disk)
    result = actions.prune(found, engine_of(found), ("mlflow_data",))
    assert disk.is_dir()
    assert result.data == Pruned((), {})
    assert result.lines == [
        f"{disk} is outside of the stack's folder and was kept; delete it by hand"
    ]
    assert "mlflow_data" in left_over(found)
