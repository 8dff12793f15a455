"""A stack's record: where its data is, leftovers of migrations, and its last engine."""

from pathlib import Path

import pytest

from mlflow_compose.errors import FilesError
from mlflow_compose.paths import StackPaths
from mlflow_compose.record import Record, read_record, write_record

PLACES = {"BACKEND_STORE": "sqlite"}


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    return StackPaths(tmp_path / ".env")


def test_a_stack_that_was_never_started_must_have_an_empty_record(paths: StackPaths) -> None:
    assert read_record(paths) == Record()
    assert not paths.state.exists()


def test_a_written_record_must_be_read_back(paths: StackPaths) -> None:
    record = Record().started("docker", PLACES, ["mlflow_data"]).moved("docker", PLACES, ["a", "b"])
    write_record(record, paths)
    assert read_record(paths) == record
    assert {path.name for path in paths.state.iterdir()} == {".gitignore", "record.json"}


def test_each_engine_must_have_its_own_places() -> None:
    record = Record().started("docker", PLACES, []).started("local", {}, [])
    assert record.places == {"docker": PLACES, "local": {}}
    assert record.started_on == "local"
    assert record.without_volumes("docker", elsewhere=False).places == {"local": {}}
    assert record.stopped("docker").started_on == "local"


def test_a_stopped_stack_must_remember_where_its_data_is() -> None:
    record = Record().started("docker", PLACES, []).stopped("docker")
    assert record.started_on == ""
    assert record.places == {"docker": PLACES}


def test_deleted_data_must_be_forgotten() -> None:
    record = (
        Record().moved("docker", PLACES, ["minio_data"]).leaving_behind("docker", ["mlflow_data"])
    )
    assert record.without_volumes("docker", elsewhere=False) == Record()


def test_data_outside_the_volumes_must_not_be_forgotten_with_them() -> None:
    record = Record().started("docker", PLACES, [])
    assert record.without_volumes("docker", elsewhere=True).places == {"docker": PLACES}


def test_folders_must_only_count_as_held_for_the_stack_with_their_id() -> None:
    """A copy of a stack includes its record but not the data behind its links."""
    record = (
        Record()
        .with_folders("local", "0" * 16, ["data/a"])
        .with_folders("docker", "0" * 16, ["../b"])
    )
    assert list(record.folders_of("local", "0" * 16)) == ["data/a"]
    assert list(record.folders_of("local", "1" * 16)) == []
    assert record.without_volumes("local", elsewhere=True).folders == {"docker": {"../b": "0" * 16}}


def test_data_that_start_empty_left_behind_must_never_count_as_a_leftover() -> None:
    """A later migration may move one store of a volume that has the only copy of the other."""
    record = Record().started("docker", PLACES, []).leaving_behind("docker", ["mlflow_data"])
    assert record.moved("docker", PLACES, ["mlflow_data", "minio_data"]).left_over == {
        "docker": ["minio_data"]
    }


def test_volumes_that_are_used_again_must_not_count_as_leftovers() -> None:
    """`S3_PROVIDER=… migrate-store --prune` would delete the artifacts of the running stack."""
    record = Record().moved("docker", PLACES, ["minio_data", "mlflow_data"])
    assert record.started("docker", PLACES, ["minio_data"]).left_over == {"docker": ["mlflow_data"]}


def test_pruned_volumes_must_not_count_as_leftovers() -> None:
    record = Record().moved("docker", PLACES, ["a", "b"]).pruned("docker", ["a"])
    assert record.left_over == {"docker": ["b"]}


@pytest.mark.parametrize("text", ["", "[1]", '{"other": 1}', "\x00"])
def test_a_damaged_record_must_be_reported(paths: StackPaths, text: str) -> None:
    paths.state.mkdir()
    (paths.state / "record.json").write_text(text, encoding="utf-8")
    with pytest.raises(FilesError, match="is damaged") as caught:
        read_record(paths)
    assert "delete" in (caught.value.hint or "")


def test_buckets_that_were_not_copied_must_be_remembered_with_their_volume(
    paths: StackPaths,
) -> None:
    record = Record().moved("docker", PLACES, ["a", "b"])
    held = record.with_other_buckets("docker", ["a"], ["mine"])
    write_record(held, paths)
    assert read_record(paths).not_copied("docker", []) == {"a": ["mine"]}
    assert record.not_copied("docker", []) == held.not_copied("local", ["a"]) == {}
    assert held.started("docker", PLACES, ["a"]).not_copied("docker", ["a"]) == {}
    assert held.with_other_buckets("docker", ["a"], ()).not_copied("docker", ["a"]) == {}


def test_buckets_of_an_s3_server_must_be_unknown_if_they_were_not_recorded(
    paths: StackPaths,
) -> None:
    """As in the record of an earlier version."""
    paths.state.mkdir()
    text = '{"left_over": {"docker": ["a", "b"]}, "folders": {}}'
    (paths.state / "record.json").write_text(text, encoding="utf-8")
    old = read_record(paths)
    assert old.not_copied("docker", ["a", "c"]) == {"a": ()}
    known = old.with_other_buckets("docker", ["a"], ())
    assert known.not_copied("docker", ["a"]) == {}


def test_buckets_of_volumes_that_are_used_again_must_become_unknown() -> None:
    """The user may create more of them."""
    known = Record().moved("docker", PLACES, ["a"]).with_other_buckets("docker", ["a"], ())
    again = known.started("docker", PLACES, ["a"]).moved("docker", PLACES, ["a"])
    assert again.not_copied("docker", ["a"]) == {"a": ()}
