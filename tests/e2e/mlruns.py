"""An mlruns folder as MLflow writes it without a server: a cheap source to import."""

import uuid
from dataclasses import dataclass
from pathlib import Path

CONTENT = b"seen before\n"
EXPERIMENT = """\
artifact_location: {folder}
creation_time: 1700000000000
experiment_id: '{experiment_id}'
last_update_time: 1700000000000
lifecycle_stage: active
name: {name}
"""
RUN = """\
artifact_uri: {folder}/{id}/artifacts
end_time: 1700000001000
entry_point_name: ''
experiment_id: '{experiment_id}'
lifecycle_stage: active
run_id: {id}
run_name: before
run_uuid: {id}
source_name: ''
source_type: 4
source_version: ''
start_time: 1700000000000
status: 3
tags: []
user_id: student
"""


@dataclass(frozen=True)
class Mlruns:
    """A folder with one run, which has one artifact.

    Attributes:
        path: Path of the folder.
        run_id: Id of the run.
        content: Content of the artifact.
    """

    path: Path
    run_id: str
    content: bytes


def write_mlruns(path: Path) -> Mlruns:
    """Write such a folder with a unique experiment and run."""
    id_, experiment_id = uuid.uuid4().hex, str(uuid.uuid4().int % 10**18)
    folder = path / experiment_id
    names = {"folder": folder, "id": id_, "experiment_id": experiment_id, "name": f"e2e-{id_}"}
    (folder / id_ / "artifacts").mkdir(parents=True)
    (folder / "meta.yaml").write_text(EXPERIMENT.format(**names), encoding="utf-8")
    (folder / id_ / "meta.yaml").write_text(RUN.format(**names), encoding="utf-8")
    (folder / id_ / "artifacts" / "notes.txt").write_bytes(CONTENT)
    return Mlruns(path, id_, CONTENT)
