"""Traces, assessments, prompts, evaluation data sets and webhooks by MLflow's own client."""

import json

from .clients import watch
from .clients.hooks import NOWHERE, REFUSED, SECRET
from .clients.step import CONTENT
from .clients.watch import Watched
from .running import local_only

seen = watch.seen
ATTACHMENT = "/ajax-api/3.0/mlflow/get-trace-artifact"


def test_a_trace_must_be_read_back_with_its_spans(seen: Watched) -> None:
    found = seen["trace"]
    answer = "GRÖSSE 100% #1"
    assert found["spans"] == [["look", answer], ["answer", answer]]
    assert found["question"] == "what is it?"
    assert found["searched"] == [found["trace_id"]]
    query = "SELECT name FROM spans WHERE trace_id = :'value'"
    assert seen.rows(query, found["trace_id"]) == ["answer", "look"]


def test_a_trace_attachment_must_be_readable_from_s3_and_in_the_ui(seen: Watched) -> None:
    found = seen["trace"]
    id_ = found["attachment"]["attachment_id"]
    assert found["attachment"]["content_type"] == "image/png"
    assert found["same"]
    top = f"{found['experiment_id']}/traces/{found['trace_id']}/artifacts"
    assert seen.content(f"{top}/attachments/{id_}") == CONTENT
    query = {"request_id": found["trace_id"], "path": id_}
    assert seen.api.call("GET", ATTACHMENT, params=query).content == CONTENT


def test_assessments_must_be_stored_changed_and_deleted(seen: Watched) -> None:
    found = seen["assess"]
    expected = {"answer": "HOW MUCH?"}
    assert found["valid"] == {"good": True, "expected": expected, "note": "second"}
    assert found["invalid"] == {"good": False}
    query = "SELECT name, valid FROM assessments WHERE trace_id = :'value'"
    assert seen.rows(query, found["trace_id"]) == ["expected|t", "good|f", "good|t", "note|t"]


def test_a_prompt_must_load_by_version_and_alias(seen: Watched) -> None:
    found = seen["prompt"]
    assert found["first"] == "Hello Ada"
    assert found["second"] == "Grüß dich, Ada: 100% #1"
    assert found["found"] == [found["name"]]
    query = "SELECT alias, version FROM registered_model_aliases WHERE name = :'value'"
    assert seen.row(query, found["name"]) == ["production", "1"]


def test_an_evaluation_data_set_must_keep_each_question_once(seen: Watched) -> None:
    found = seen["dataset"]
    expected = {f"what is {number}?": str(number) for number in range(20)}
    expected["what is 3?"] = "three"
    assert found["answers"] == {**expected, "what is a trace?": None}
    query = "SELECT inputs FROM evaluation_dataset_records WHERE dataset_id = :'value'"
    rows = seen.rows(query, found["dataset_id"])
    assert {json.loads(row)["question"] for row in rows} == found["answers"].keys()
    assert len(rows) == 21


@local_only("scorers run in the client, which stores their results like any others")
def test_a_scorer_must_store_a_metric_and_its_assessments(seen: Watched) -> None:
    found = seen["judge"]
    assert found["mean"] == found["stored"] == 0.75
    query = (
        "SELECT given.value FROM assessments AS given "
        "JOIN trace_request_metadata AS about ON about.request_id = given.trace_id "
        "WHERE given.name = 'exact' AND about.key = 'mlflow.sourceRun' AND about.value = :'value'"
    )
    assert seen.rows(query, found["run_id"]) == ["false", "true", "true", "true"]


def test_a_webhook_must_be_stored_and_its_secret_never_shown(seen: Watched) -> None:
    found = seen["webhook"]
    assert found["url"] == NOWHERE
    assert found["description"] == "of the second day"
    assert found["events"] == ["model_version.created", "registered_model.created"]
    assert found["id"] in found["listed"]
    assert not found["secret"]
    query = "SELECT secret, status FROM webhooks WHERE webhook_id = :'value'"
    secret, status = seen.row(query, found["id"])
    assert status == found["status"] == "DISABLED"
    assert secret
    assert SECRET not in secret


def test_a_webhook_must_not_reach_into_the_servers_network(seen: Watched) -> None:
    """By default, only public addresses and HTTPS are allowed."""
    assert seen["webhook"]["refused"] == dict.fromkeys(REFUSED, "INVALID_PARAMETER_VALUE")
    rows = seen.stack.sql("SELECT url FROM webhooks")
    assert not set(rows) & set(REFUSED)
