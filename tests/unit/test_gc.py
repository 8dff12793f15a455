"""`gc` decides by the database alone which artifacts can be freed."""

from datetime import timedelta

import pytest

from mlflow_compose.actions.durations import duration
from mlflow_compose.actions.garbage_report import size
from mlflow_compose.actions.gc import Wish
from mlflow_compose.data.inside.fates import (
    FREE,
    LIVE,
    ORPHAN,
    OTHER,
    RECENT,
    USED,
    YOUNG,
    Fates,
    Limits,
)
from mlflow_compose.data.inside.layout import Place, id_in
from mlflow_compose.data.inside.listing import StoredObject
from mlflow_compose.data.inside.owners import (
    MODEL,
    RUN,
    TRACE,
    VERSION,
    Claim,
    Experiment,
    Known,
    Owner,
)
from mlflow_compose.data.inside.survey import Tally, refers_to_none, survey
from mlflow_compose.errors import UsageError
from tests.unit.samples import stack

BUCKET, FOLDER = Place("mlflow", ""), Place("", "/data/artifacts")
EXTERNAL = {"MINIO_HOST": "s3.example.org"}
# The time limit of what is freed, and a time on each side of it.
LIMIT, OLD, YOUNG_TIME = 1000, 999, 1001
LIMITS = Limits(LIMIT, LIMIT)
A, B, GONE = "a" * 32, "b" * 32, "c" * 32
MODEL_ID, TRACE_ID = f"m-{A}", f"tr-{B}"


def known(*owners: Owner, **more: object) -> Known:
    """Return what a database with experiments 1 and 2 knows; the second is deleted."""
    experiments = {
        1: Experiment(1, "one", ("1",), is_deleted=False, since=OLD),
        2: Experiment(2, "two", ("2",), is_deleted=True, since=OLD),
    }
    values: dict[str, object] = {"experiments": experiments, **more}
    return Known(owners={owner.id: owner for owner in owners}, **values)  # type: ignore[arg-type]


def run(id_: str, experiment: int = 1, *, since: int | None = OLD, deleted: bool = True) -> Owner:
    return Owner(RUN, id_, experiment, (f"{experiment}/{id_}/artifacts",), deleted, since)


def fates(*owners: Owner, **more: object) -> Fates:
    return Fates(known(*owners, **more), LIMITS)


# --- locations and keys


@pytest.mark.parametrize(
    ("place", "location", "keys"),
    [
        (BUCKET, "mlflow-artifacts:/1/x/artifacts", ("1/x/artifacts",)),
        (BUCKET, "mlflow-artifacts://host:5000/1/x/artifacts", ("1/x/artifacts",)),
        (BUCKET, "s3://mlflow/1/x/artifacts/", ("1/x/artifacts",)),
        (BUCKET, "s3://mlflow", ("",)),
        (BUCKET, "s3://mlflow-2/1/x", ()),
        (BUCKET, "s3://mlflow/ä b/x", ("ä b/x",)),
        (BUCKET, "s3://mlflow/a%20b", ("a%20b", "a b")),
        (BUCKET, "s3://mlflow/a?b=c", ("a?b=c", "a")),
        (BUCKET, "/data/artifacts/1/x", ()),
        (BUCKET, "runs:/x/model", ()),
        (BUCKET, None, ()),
        (FOLDER, "mlflow-artifacts:/1/x/artifacts", ("1/x/artifacts",)),
        (FOLDER, "/data/artifacts/1/x", ("1/x",)),
        (FOLDER, "file:///data/artifacts/1/x", ("1/x",)),
        (FOLDER, "/data/artifacts-2/1/x", ()),
        (FOLDER, "s3://mlflow/1/x", ()),
    ],
)
def test_a_location_must_lead_to_the_keys_that_it_may_mean(
    place: Place, location: str | None, keys: tuple[str, ...]
) -> None:
    assert place.keys(location) == keys


@pytest.mark.parametrize(
    ("key", "id_"),
    [
        (f"1/{A}/artifacts/model/ä.bin", A),
        (f"1/{A}/artifacts/a\nb", A),
        (f"1/models/{MODEL_ID}/artifacts/MLmodel", MODEL_ID),
        (f"1/traces/{TRACE_ID}/artifacts/traces.json", TRACE_ID),
        (f"workspaces/lab/1/{A}/artifacts/x", A),
        (f"own/place/{A}/artifacts/x", A),
        # A run's artifacts may contain what looks like those of another run.
        (f"1/{A}/artifacts/2/{B}/artifacts/x", A),
        (f"1/{A}/artifacts/", ""),
        (f"1/{A}/other/x", ""),
        (f"1/{A[1:]}/artifacts/x", ""),
        (f"backup/1/{A}/artifacts/x", ""),
        (f"1/2/{A}/artifacts/x", ""),
        (f"{A}/artifacts/x", ""),
        (f"files/md5/{A[:2]}/{A[2:]}", ""),
        (f"1x/{A}/artifacts/x", ""),
    ],
)
def test_only_keys_that_mlflow_writes_must_have_an_id(key: str, id_: str) -> None:
    assert id_in(key, {"own/place"}) == id_


# --- what can be freed


@pytest.mark.parametrize(
    ("owner", "fate"),
    [
        (run(A, deleted=False), LIVE),
        (run(A), FREE),
        (run(A, since=LIMIT), FREE),
        (run(A, since=YOUNG_TIME), RECENT),
        (run(A, since=None), RECENT),
        (Owner(TRACE, TRACE_ID, 1, ()), LIVE),
        (Owner(TRACE, TRACE_ID, 2, ()), FREE),
    ],
)
def test_only_what_was_deleted_long_enough_ago_must_be_freed(owner: Owner, fate: str) -> None:
    assert fates(owner).of(owner) == fate


@pytest.mark.parametrize("id_", [A, MODEL_ID])
def test_what_a_registered_model_mentions_must_be_kept(id_: str) -> None:
    owner = Owner(
        RUN if id_ == A else MODEL, id_, 2, (f"2/{id_}/artifacts",), is_deleted=True, since=OLD
    )
    found = fates(owner, mentioned={id_})
    assert found.of(owner) == USED
    assert found.of_object(f"2/{id_}/artifacts/x", OLD) == USED
    assert not found.experiments


@pytest.mark.parametrize(
    "kept", [run(A, 2, deleted=False), run(A, 2, since=YOUNG_TIME), run(A, 2, since=None)]
)
def test_an_experiment_must_be_kept_for_what_is_kept_in_it(kept: Owner) -> None:
    trace = Owner(TRACE, TRACE_ID, 2, (f"2/traces/{TRACE_ID}/artifacts",))
    assert fates(trace, run(B, 2)).experiments == {2}
    found = fates(trace, run(B, 2), kept)
    assert not found.experiments
    assert (found.of(trace), found.of(run(B, 2))) == (LIVE, FREE)


def test_the_default_experiment_must_be_kept() -> None:
    default = Experiment(0, "Default", ("0",), is_deleted=True, since=OLD)
    assert not fates(experiments={0: default}).experiments


# --- objects


def test_prefixes_of_each_other_must_not_be_confused() -> None:
    """The live run's key starts with the text of the deleted run's."""
    deleted = Owner(RUN, "run", 1, ("1/run",), is_deleted=True, since=OLD)
    live = Owner(RUN, "run2", 1, ("1/run2",))
    found = fates(deleted, live)
    assert found.of_object("1/run/x", OLD) == FREE
    assert found.of_object("1/run2/x", OLD) == LIVE
    assert found.of_object("1/run3/x", OLD) == OTHER


def test_an_object_must_be_kept_for_the_most_alive_of_its_owners() -> None:
    inner = Owner(RUN, B, 1, (f"1/{A}/artifacts/inner",))
    found = fates(run(A), inner)
    assert found.of_object(f"1/{A}/artifacts/x", OLD) == FREE
    assert found.of_object(f"1/{A}/artifacts/inner/x", OLD) == LIVE


def test_an_object_that_a_model_version_refers_to_must_be_kept_without_its_run() -> None:
    found = fates(used={f"1/{GONE}/artifacts/model"}, mentioned={B})
    assert found.of_object(f"1/{GONE}/artifacts/model/MLmodel", OLD) == USED
    assert found.of_object(f"1/{GONE}/artifacts/model2/MLmodel", OLD) == ORPHAN
    assert found.of_object(f"1/{B}/artifacts/x", OLD) == USED


def test_a_folder_that_a_deleted_run_shares_must_be_kept() -> None:
    shared = Owner(RUN, A, 1, ("1",), is_deleted=True, since=OLD)
    found = fates(shared)
    assert found.of(shared) == FREE
    assert found.of_object("1/data.csv", OLD) == OTHER
    assert found.of_object(f"1/{A}/artifacts/x", OLD) == FREE


@pytest.mark.parametrize(
    ("key", "modified", "fate"),
    [
        (f"1/{GONE}/artifacts/x", OLD, ORPHAN),
        (f"9/{GONE}/artifacts/x", OLD, ORPHAN),
        (f"1/{GONE}/artifacts/x", YOUNG_TIME, YOUNG),
        # The run exists, with its artifacts in another place.
        (f"2/{A}/artifacts/x", OLD, OTHER),
        (f"backup/1/{GONE}/artifacts/x", OLD, OTHER),
        ("datasets/train.csv", OLD, OTHER),
    ],
)
def test_only_objects_of_nothing_that_exists_must_be_orphans(
    key: str, modified: int, fate: str
) -> None:
    assert fates(run(A, deleted=False)).of_object(key, modified) == fate


# --- the survey


def test_a_survey_must_count_each_object_once_and_find_missing_ones() -> None:
    claims = [
        Claim(RUN, A, (f"1/{A}/artifacts/table.json",)),
        Claim(VERSION, "wine/1", ("elsewhere/model", "1/models")),
        Claim(MODEL, MODEL_ID, (f"1/models/{MODEL_ID}/artifacts",)),
    ]
    objects = [
        StoredObject(f"1/{A}/artifacts/table.json2", 5, OLD),
        StoredObject(f"2/{B}/artifacts/x", 7, OLD),
        StoredObject(f"1/models/{GONE}/x", 11, OLD),
        StoredObject(f"1/{GONE}/artifacts/x", 13, OLD),
    ]
    found = survey(fates(run(A, deleted=False), run(B, 2), claims=claims), objects)
    assert found.missing == [claims[0], claims[2]]
    assert found.groups == {
        LIVE: Tally(1, 5),
        "deleted_runs": Tally(1, 7),
        OTHER: Tally(1, 11),
        ORPHAN: Tally(1, 13),
    }
    assert found.experiments == {1: Tally(1, 5), 2: Tally(1, 7)}
    assert (found.free, found.orphans) == ({B: [objects[1]]}, [objects[3]])
    assert not refers_to_none(found)


def test_another_database_must_be_recognised() -> None:
    orphan = StoredObject(f"1/{GONE}/artifacts/x", 1, OLD)
    assert refers_to_none(survey(fates(), [orphan]))
    assert not refers_to_none(survey(fates(), []))


@pytest.mark.parametrize(
    ("settings", "unshared", "freed"),
    [({}, False, True), (EXTERNAL, False, False), (EXTERNAL, True, True)],
)
def test_orphans_in_a_bucket_that_others_may_use_must_be_kept(
    settings: dict[str, str], *, unshared: bool, freed: bool
) -> None:
    wish = Wish(timedelta(days=30), unshared_bucket=unshared)
    assert wish.frees_orphans(stack(**settings).stores) is freed


# --- what is typed and shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("90m", timedelta(minutes=90)),
        ("0d", timedelta()),
    ],
)
def test_a_duration_must_be_understood(text: str, value: timedelta) -> None:
    assert duration(text, "--older-than") == value


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "1w", "30 d", "9999999d"])
def test_anything_else_must_not_be_a_duration(text: str) -> None:
    with pytest.raises(UsageError, match="--older-than"):
        duration(text, "--older-than")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (999_600, "1 MB"), (1_234_567, "1.23 MB")],
)
def test_sizes_must_be_readable(number: int, text: str) -> None:
    assert size(number) == text
