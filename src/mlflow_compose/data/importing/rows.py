"""Turn objects of MLflow's REST API into rows of MLflow's tables."""

import math
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
TableRow = tuple[str, dict[str, Any]]
# Stored for infinity, as by `SqlAlchemyStore.sanitize_metric_value`.
LARGEST = 1.7976931348623157e308
LOGGED_MODEL_STATES = {
    "LOGGED_MODEL_PENDING": 1,
    "LOGGED_MODEL_READY": 2,
    "LOGGED_MODEL_UPLOAD_FAILED": 3,
}
# Fixed, since a repeated import must generate the same ids.
NAMESPACE = uuid.UUID("5b8f2b0e-3c5f-4f53-9d38-0f3c7a6f0c11")


def experiment(entity: Json) -> Iterator[TableRow]:
    """Yield the rows of an experiment."""
    number = int(entity["experiment_id"])
    yield (
        "experiments",
        {
            "experiment_id": number,
            "name": entity["name"],
            "artifact_location": entity.get("artifact_location"),
            "lifecycle_stage": entity.get("lifecycle_stage"),
            "creation_time": integer(entity, "creation_time"),
            "last_update_time": integer(entity, "last_update_time"),
        },
    )
    yield from tags("experiment_tags", entity, {"experiment_id": number})


def run(entity: Json) -> Iterator[TableRow]:
    """Yield the rows of a run without its metric histories."""
    info, data = entity["info"], entity.get("data", {})
    run_id = info.get("run_id") or info["run_uuid"]
    owner = {"run_uuid": run_id}
    yield (
        "runs",
        {
            **owner,
            "name": info.get("run_name"),
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": info.get("user_id"),
            "status": info.get("status"),
            "start_time": integer(info, "start_time"),
            "end_time": integer(info, "end_time"),
            "source_version": "",
            "lifecycle_stage": info.get("lifecycle_stage"),
            "artifact_uri": info.get("artifact_uri"),
            "experiment_id": int(info["experiment_id"]),
        },
    )
    for param in data.get("params", ()):
        yield "params", {**owner, "key": param["key"], "value": param.get("value", "")}
    yield from tags("tags", data, owner)
    for found in data.get("metrics", ()):
        yield "latest_metrics", {**owner, **point(found)}
    yield from inputs(entity, run_id, int(info["experiment_id"]))


def inputs(entity: Json, run_id: str, number: int) -> Iterator[TableRow]:
    """Yield the rows of a run's inputs and outputs."""
    ends = {"destination_type": "RUN", "destination_id": run_id}
    for found in entity.get("inputs", {}).get("dataset_inputs", ()):
        dataset = found["dataset"]
        name = _uuid("dataset", number, dataset["name"], dataset["digest"])
        row = {key: dataset.get(key) for key in ("name", "digest")}
        row |= {f"dataset_{key}": dataset.get(key) for key in ("source", "schema", "profile")}
        ids = {"experiment_id": number, "dataset_uuid": name}
        yield "datasets", {**row, **ids, "dataset_source_type": dataset.get("source_type")}
        input_id = _uuid("input", run_id, name)
        origin = {"source_type": "DATASET", "source_id": name, "step": 0}
        yield "inputs", {"input_uuid": input_id, **origin, **ends}
        for tag in found.get("tags", ()):
            yield (
                "input_tags",
                {"input_uuid": input_id, "name": tag["key"], "value": tag.get("value", "")},
            )
    for end, field, kind in (
        ("inputs", "model_inputs", "RUN_INPUT MODEL_INPUT"),
        ("outputs", "model_outputs", "RUN_OUTPUT MODEL_OUTPUT"),
    ):
        from_type, to_type = kind.split()
        for found in entity.get(end, {}).get(field, ()):
            yield (
                "inputs",
                {
                    "input_uuid": _uuid(kind, run_id, found["model_id"]),
                    "source_type": from_type,
                    "source_id": run_id,
                    "destination_type": to_type,
                    "destination_id": found["model_id"],
                    "step": int(found.get("step", 0)),
                },
            )


def point(metric: Json) -> dict[str, Any]:
    """Return one point of a metric's history as MLflow's database stores it."""
    value = float(metric.get("value", 0))
    is_nan = math.isnan(value)
    return {
        "key": metric["key"],
        "value": 0.0 if is_nan else max(-LARGEST, min(LARGEST, value)),
        "timestamp": integer(metric, "timestamp") or 0,
        "step": integer(metric, "step") or 0,
        "is_nan": is_nan,
    }


def logged_model(entity: Json) -> Iterator[TableRow]:
    """Yield the rows of a logged model; the API returns empty strings for missing values."""
    info, data = entity["info"], entity.get("data", {})
    owner = {"model_id": info["model_id"], "experiment_id": int(info["experiment_id"])}
    yield (
        "logged_models",
        {
            **owner,
            "name": info.get("name"),
            "artifact_location": info.get("artifact_uri"),
            "creation_timestamp_ms": integer(info, "creation_timestamp_ms"),
            "last_updated_timestamp_ms": integer(info, "last_updated_timestamp_ms"),
            "status": LOGGED_MODEL_STATES.get(str(info.get("status")), 1),
            "lifecycle_stage": "active",
            "model_type": info.get("model_type") or None,
            "source_run_id": info.get("source_run_id") or None,
            "status_message": info.get("status_message") or None,
        },
    )
    for param in data.get("params", ()):
        row = {"param_key": param["key"], "param_value": param.get("value", "")}
        yield "logged_model_params", {**owner, **row}
    for tag in info.get("tags", ()):
        yield (
            "logged_model_tags",
            {**owner, "tag_key": tag["key"], "tag_value": tag.get("value", "")},
        )
    for metric in data.get("metrics", ()):
        found = {f"metric_{name}": value for name, value in point(metric).items()}
        named = {
            "metric_name": found["metric_key"],
            "metric_timestamp_ms": found["metric_timestamp"],
        }
        rest = {name: metric.get(name) for name in ("run_id", "dataset_name", "dataset_digest")}
        yield "logged_model_metrics", {**owner, **found, **named, **rest}


def registered_model(entity: Json) -> Iterator[TableRow]:
    """Yield the rows of a registered model without its versions."""
    owner = {"name": entity["name"]}
    times = {
        "creation_time": integer(entity, "creation_timestamp"),
        "last_updated_time": integer(entity, "last_updated_timestamp"),
    }
    yield "registered_models", {**owner, **times, "description": entity.get("description")}
    yield from tags("registered_model_tags", entity, owner)
    for found in entity.get("aliases", ()):
        row = {"alias": found["alias"], "version": int(found["version"])}
        yield "registered_model_aliases", {**owner, **row}


def model_version(entity: Json, location: str) -> Iterator[TableRow]:
    """Yield the rows of a model version whose artifacts are at `location`."""
    owner = {"name": entity["name"], "version": int(entity["version"])}
    same = ("description", "user_id", "source", "run_id", "run_link", "status", "status_message")
    yield (
        "model_versions",
        {
            **owner,
            **{name: entity.get(name) or None for name in same},
            "creation_time": integer(entity, "creation_timestamp"),
            "last_updated_time": integer(entity, "last_updated_timestamp"),
            "current_stage": entity.get("current_stage"),
            "storage_location": location,
        },
    )
    yield from tags("model_version_tags", entity, owner)


def tags(table: str, entity: Json, owner: Mapping[str, Any]) -> Iterator[TableRow]:
    """Yield rows of tags."""
    for tag in entity.get("tags", ()):
        yield table, {**owner, "key": tag["key"], "value": tag.get("value", "")}


def integer(entity: Json, name: str) -> int | None:
    """Return a 64-bit integer, which Protobuf's JSON mapping encodes as a string."""
    return None if entity.get(name) is None else int(entity[name])


def _uuid(*parts: object) -> str:
    return uuid.uuid5(NAMESPACE, "\0".join(map(str, parts))).hex
