"""The tables to import, and the names under which they are counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TableGroup:
    """A table and its child tables.

    Attributes:
        table: Table of the parents.
        key: Key column of the parents.
        children: Column that refers to the parent, by child table; in the order of their foreign
            keys.
    """

    table: str
    key: str
    children: Mapping[str, str] = field(default_factory=dict)


# Child tables of an experiment.
EXPERIMENT_CHILDREN = ("experiment_tags", "datasets")
GROUPS = (
    TableGroup(
        "runs",
        "run_uuid",
        {
            "params": "run_uuid",
            "metrics": "run_uuid",
            "latest_metrics": "run_uuid",
            "tags": "run_uuid",
        },
    ),
    TableGroup(
        "logged_models",
        "model_id",
        {"logged_model_params": "model_id", "logged_model_tags": "model_id"},
    ),
    TableGroup(
        "trace_info",
        "request_id",
        {
            "trace_tags": "request_id",
            "trace_request_metadata": "request_id",
            "trace_metrics": "request_id",
            "spans": "trace_id",
            "span_metrics": "trace_id",
            "assessments": "trace_id",
        },
    ),
)
# Imported last: a logged model's metrics may refer to a run of another experiment.
MODEL_METRICS = TableGroup("logged_models", "model_id", {"logged_model_metrics": "model_id"})
REGISTRY = TableGroup(
    "registered_models",
    "name",
    {
        "registered_model_tags": "name",
        "model_versions": "name",
        "model_version_tags": "name",
        "registered_model_aliases": "name",
    },
)
INPUTS, INPUT_TAGS = "inputs", "input_tags"

KINDS: Mapping[str, str] = {
    "experiments": "experiments",
    "runs": "runs",
    "params": "params",
    "metrics": "metrics",
    "latest_metrics": "latest metrics",
    "tags": "tags",
    "experiment_tags": "tags",
    "registered_model_tags": "tags",
    "model_version_tags": "tags",
    "input_tags": "tags",
    "logged_model_tags": "tags",
    "trace_tags": "tags",
    "datasets": "datasets",
    "inputs": "inputs and outputs",
    "logged_models": "logged models",
    "logged_model_params": "logged models' params",
    "logged_model_metrics": "logged models' metrics",
    "trace_info": "traces",
    "trace_request_metadata": "traces' metadata",
    "trace_metrics": "traces' metrics",
    "spans": "spans",
    "span_metrics": "spans' metrics",
    "assessments": "assessments",
    "registered_models": "registered models",
    "registered_model_aliases": "aliases",
    "model_versions": "model versions",
}
# Tables that a server fills on its own, or that only matter to that server.
SERVER_TABLES = (
    "alembic_version",
    "alembic_version_auth",
    "job_locks",
    "jobs",
    "scheduler_leases",
    "sql_assessment_daily_rollups",
    "sql_span_cost_daily_rollups",
    "sql_trace_metric_daily_rollups",
    "sql_trace_rollup_rebuild_queue",
    "workspaces",
)
