"""MLflow's own client as data scientists use it: a separate program that only knows the URL.

Covers runs and artifacts; `test_client_models.py` and `test_client_genai.py` cover the rest of
the same program. It executes all its steps once per engine, with proxied artifact access on Docker
and with direct access on the local engine, and each test checks one of them.
"""

from pathlib import Path

import yaml

from .clients import watch
from .clients.files import EACH, FOLDERS, LARGE
from .clients.step import FILES, read
from .clients.watch import Watched
from .running import docker_only, local_only

seen = watch.seen
apart = watch.apart
PROXIED = "it is about the proxying server, which is the same on both engines"


def test_a_run_and_its_artifact_folder_must_be_read_back(seen: Watched) -> None:
    found = seen["log_run"]
    assert found["status"] == "FINISHED"
    assert found["params"] == {"optimizer": "adam", "depth": "3"}
    assert found["metrics"] == {"loss": 1 / 3}
    assert found["history"] == [1, 1 / 2, 1 / 3]
    assert found["stage"] == "test"
    assert found["run_id"] in found["found"]
    assert found["listed"] == ["outputs/plots/deep", "outputs/plots/loss.png"]
    assert read(Path(found["downloaded"])) == FILES
    assert found["run_id"] in seen.stack.stored_runs()
    prefix = f"{found['experiment_id']}/{found['run_id']}/artifacts/outputs"
    for name, content in FILES.items():
        assert seen.content(f"{prefix}/{name}") == content


def test_a_registered_model_must_load_back_by_name_and_version(seen: Watched) -> None:
    found = seen["register"]
    assert found["status"] == "READY"
    assert found["champion"]
    downloaded = read(Path(found["downloaded"]))
    assert downloaded.items() >= FILES.items()
    assert yaml.safe_load(downloaded["MLmodel"])["flavors"] == {"weights": {"file": "weights.bin"}}
    rows = seen.stack.sql("SELECT run_id FROM model_versions WHERE name = 'official-model'")
    assert rows == [found["run_id"]]


def test_a_client_must_learn_at_once_that_an_artifact_is_missing_with_any_access(
    seen: Watched,
) -> None:
    """MLflow's own client retries for minutes after a status of 500."""
    found = seen["look_for_nothing"]
    assert found["error"] == "RESOURCE_DOES_NOT_EXIST"
    assert found["requests"] == 1


@local_only(PROXIED)
def test_a_thousand_small_files_must_be_read_back_from_the_server(apart: Watched) -> None:
    found = apart["thousand_files"]
    prefix = f"{found['experiment_id']}/{found['run_id']}/artifacts/many/"
    stored = apart.stored(prefix)
    assert found["logged"] == len(stored) == FOLDERS * EACH
    assert found["same"]
    apart.delete(prefix, stored)


@docker_only(PROXIED)
def test_a_file_of_more_than_a_gigabyte_must_be_read_back_from_the_server(
    seen: Watched,
) -> None:
    found = seen["large_file"]
    assert seen.stored(found["key"]) == {"": LARGE}
    assert found["size"] == LARGE
    assert found["same"]
    seen.delete(found["key"], [""])
