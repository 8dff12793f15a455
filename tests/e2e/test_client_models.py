"""Models by MLflow's own client: logged automatically or explicitly, loaded, called, evaluated."""

import pytest

from .clients import watch
from .clients.watch import Watched
from .running import local_only

seen = watch.seen
# Name, and status as MLflow stores it.
MODEL, READY = "official classifier", "2"
IN_CLIENT = "the client does it, and stores the results like any others"


def artifacts_of(seen: Watched, model_id: str) -> dict[str, int]:
    """Return the files of a logged model, which must be ready."""
    query = "SELECT experiment_id, status FROM logged_models WHERE model_id = :'value'"
    experiment, status = seen.row(query, model_id)
    assert status == READY
    return seen.stored(f"{experiment}/models/{model_id}/artifacts/")


@local_only(IN_CLIENT)
def test_autologging_must_store_the_details_of_a_fit(seen: Watched) -> None:
    found = seen["autolog"]
    assert found["params"]["C"] == "0.25"
    assert found["score"] == found["accuracy"]
    assert found["inputs"] == ["dataset"]
    assert "training_confusion_matrix.png" in found["files"]
    rows = seen.rows("SELECT key, value FROM params WHERE run_uuid = :'value'", found["run_id"])
    assert dict(row.split("|") for row in rows) == found["params"]


@local_only(IN_CLIENT)
def test_a_model_that_autologging_stored_must_load(seen: Watched) -> None:
    found = seen["autolog"]
    assert found["loaded"] == found["coefficients"]
    assert {"MLmodel", "model.pkl"} <= artifacts_of(seen, found["model_id"]).keys()


@pytest.mark.parametrize("flavor", ["sklearn", "pyfunc"])
@pytest.mark.parametrize("by", ["its id", "its run", "its name and version", "its alias"])
def test_a_model_must_predict_the_same_from_every_uri_it_is_loaded_from(
    seen: Watched, flavor: str, by: str
) -> None:
    found = seen["log_model"]
    assert 0 < sum(found["predicted"]) < len(found["predicted"])
    assert found[flavor][by] == found["predicted"]


def test_a_logged_model_must_be_stored_with_its_example_and_registered(seen: Watched) -> None:
    found = seen["log_model"]
    assert found["columns"] == ["size"]
    files = artifacts_of(seen, found["model_id"])
    assert {"MLmodel", "model.skops", "input_example.json"} <= files.keys()
    query = "SELECT version, run_id, source FROM model_versions WHERE name = :'value'"
    source = f"models:/{found['model_id']}"
    assert seen.row(query, MODEL) == [str(found["version"]), found["run_id"], source]


def test_a_python_function_model_must_find_its_file(seen: Watched) -> None:
    found = seen["log_function"]
    assert found["scaled"] == [2.5, 10.0]
    files = artifacts_of(seen, found["model_id"])
    assert files["artifacts/factor.txt"] == len("2.5")


@local_only(IN_CLIENT)
def test_an_evaluation_must_store_its_metrics_and_plots(seen: Watched) -> None:
    found = seen["evaluate"]
    assert found["accuracy"] == found["expected"] == found["stored"]["accuracy_score"]
    assert found["stored"]["example_count"] == 60
    assert found["plots"] == [
        "calibration_curve_plot.png",
        "confusion_matrix.png",
        "lift_curve_plot.png",
        "precision_recall_curve_plot.png",
        "roc_curve_plot.png",
    ]
    assert found["table"] == [0, 1]


@local_only(IN_CLIENT)
def test_a_run_must_record_the_data_set_that_it_read(seen: Watched) -> None:
    found = seen["evaluate"]
    assert found["inputs"] == ["leaves"]
    query = (
        "SELECT name, digest FROM datasets JOIN inputs ON source_id = dataset_uuid "
        "WHERE destination_id = :'value'"
    )
    assert seen.row(query, found["run_id"]) == ["leaves", found["digest"]]
