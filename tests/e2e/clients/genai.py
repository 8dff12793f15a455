"""Steps with traces, assessments, prompts, evaluation data sets and scorers."""

import uuid
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Feedback
from mlflow.genai import datasets, scorers
from mlflow.tracing.attachments import Attachment
from mlflow.tracing.client import TracingClient

from .step import CONTENT, Seen

EXPERIMENT = "official client's traces"


@mlflow.trace  # type: ignore[untyped-decorator]
def answer(question: str) -> str:
    """Answer a question, without a language model."""
    return question.upper()


def traced(question: str) -> str:
    """Trace an answer and return the trace's id once the server has it."""
    mlflow.set_experiment(EXPERIMENT)
    answer(question)
    mlflow.flush_trace_async_logging()
    return str(mlflow.get_last_active_trace_id())


def trace(folder: Path) -> Seen:
    """Log a trace of two spans with an image attachment, and read it back."""
    del folder
    experiment = mlflow.set_experiment(EXPERIMENT)
    label = uuid.uuid4().hex
    with mlflow.start_span("look") as outer:
        picture = Attachment(content_type="image/png", content_bytes=CONTENT)
        outer.set_inputs({"question": "what is it?", "picture": picture})
        mlflow.update_current_trace(tags={"label": label})
        outer.set_outputs(answer("größe 100% #1"))
    mlflow.flush_trace_async_logging()
    found = mlflow.get_trace(outer.trace_id)
    inputs = found.data.spans[0].inputs
    attachment = Attachment.parse_ref(inputs["picture"])
    store = TracingClient()._get_artifact_repo_for_trace(found.info)
    table = mlflow.search_traces(
        locations=[experiment.experiment_id], filter_string=f"tags.label = '{label}'"
    )
    return {
        "trace_id": outer.trace_id,
        "experiment_id": experiment.experiment_id,
        "spans": [[span.name, span.outputs] for span in found.data.spans],
        "question": inputs["question"],
        "attachment": attachment,
        "same": store.download_trace_attachment(attachment["attachment_id"]) == CONTENT,
        "searched": table["trace_id"].tolist(),
    }


def assess(folder: Path) -> Seen:
    """Add assessments to a trace, change one and delete one."""
    del folder
    trace_id = traced("how much?")
    good = mlflow.log_feedback(trace_id=trace_id, name="good", value=False, rationale="too loud")
    mlflow.override_feedback(trace_id=trace_id, assessment_id=good.assessment_id, value=True)
    mlflow.log_expectation(trace_id=trace_id, name="expected", value={"answer": "HOW MUCH?"})
    note = mlflow.log_feedback(trace_id=trace_id, name="note", value="first")
    changed = Feedback(name="note", value="second", source=note.source)
    mlflow.update_assessment(trace_id, note.assessment_id, changed)
    slip = mlflow.log_feedback(trace_id=trace_id, name="slip", value=0)
    mlflow.delete_assessment(trace_id, slip.assessment_id)
    assessments = mlflow.get_trace(trace_id).info.assessments
    return {
        "trace_id": trace_id,
        "valid": {one.name: one.value for one in assessments if one.valid is not False},
        "invalid": {one.name: one.value for one in assessments if one.valid is False},
    }


def prompt(folder: Path) -> Seen:
    """Register two versions of a prompt and load them by number and by alias."""
    del folder
    name = f"greeting-{uuid.uuid4().hex}"
    api = mlflow.genai
    api.register_prompt(name, "Hello {{who}}", commit_message="first", tags={"tone": "plain"})
    api.register_prompt(name, "Grüß dich, {{who}}: 100% {{what}}", commit_message="second")
    api.set_prompt_alias(name, "production", 1)
    found = api.search_prompts(f"name = '{name}'")
    return {
        "name": name,
        "first": api.load_prompt(f"prompts:/{name}@production").format(who="Ada"),
        "second": api.load_prompt(f"prompts:/{name}/2").format(who="Ada", what="#1"),
        "found": [one.name for one in found],
    }


def dataset(folder: Path) -> Seen:
    """Create an evaluation data set from records and from a trace."""
    del folder
    experiment = mlflow.set_experiment(EXPERIMENT)
    name = f"questions {uuid.uuid4().hex}"
    data_set = datasets.create_dataset(name, experiment.experiment_id, tags={"team": "blue"})
    records = [
        {"inputs": {"question": f"what is {number}?"}, "expectations": {"answer": str(number)}}
        for number in range(20)
    ]
    data_set.merge_records(records)
    # A repeated question changes its record instead of adding one.
    data_set.merge_records([{**records[3], "expectations": {"answer": "three"}}])
    data_set.merge_records([mlflow.get_trace(traced("what is a trace?"))])
    table = datasets.get_dataset(name=name).to_df()
    answers = {
        given["question"]: expected.get("answer")
        for given, expected in zip(table["inputs"], table["expectations"], strict=True)
    }
    return {"dataset_id": data_set.dataset_id, "answers": answers}


@scorers.scorer  # type: ignore[untyped-decorator]
def exact(outputs: str, expectations: dict[str, Any]) -> bool:
    """Tell whether an answer is the expected one."""
    return bool(outputs == expectations["answer"])


def judge(folder: Path) -> Seen:
    """Evaluate an application with a scorer: a trace and an assessment for each question."""
    del folder
    mlflow.set_experiment(EXPERIMENT)
    records = [
        {"inputs": {"question": word}, "expectations": {"answer": expected}}
        for word, expected in (("one", "ONE"), ("two", "TWO"), ("three", "3"), ("four", "FOUR"))
    ]
    result = mlflow.genai.evaluate(data=records, scorers=[exact], predict_fn=answer)
    return {
        "run_id": result.run_id,
        "mean": result.metrics["exact/mean"],
        "stored": mlflow.get_run(result.run_id).data.metrics.get("exact/mean"),
    }
