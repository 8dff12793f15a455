"""Odd names must be read back unchanged: spaces, other alphabets, `%`, `#`, `+`, `?`."""

from urllib.parse import quote

import pytest

from .clients import watch
from .clients.names import CUT, FOLDERS, ODD
from .clients.watch import Watched
from .running import CONTENT, RunningStack

seen = watch.seen


def files_below(names: dict[str, str]) -> dict[str, str]:
    """Return the content of each file by path; `names` maps a file to its name."""
    return {
        f"{folder}/{called}".lstrip("/"): f"{folder}/{name}".lstrip("/")
        for folder in FOLDERS
        for name, called in names.items()
    }


def expected_files(seen: Watched) -> dict[str, str]:
    """Return all files that must exist: MLflow's client cannot send every name to a server."""
    others = CUT if seen.mode == "proxied" else {name: name for name in CUT}
    return files_below({name: name for name in ODD} | others)


def test_artifacts_must_be_stored_under_the_names_that_the_client_sent(seen: Watched) -> None:
    prefix = seen["artifact_names"]["prefix"]
    stored = {key: seen.content(f"{prefix}{key}").decode() for key in seen.stored(prefix)}
    assert stored == expected_files(seen)


def test_artifacts_must_be_listed_under_their_stored_names(seen: Watched) -> None:
    assert seen["artifact_names"]["listed"] == sorted(expected_files(seen))


def test_artifacts_must_be_downloaded_with_their_names_as_a_folder(seen: Watched) -> None:
    assert seen["artifact_names"]["all"] == expected_files(seen)


def test_a_single_artifact_must_be_downloaded_by_its_name(seen: Watched) -> None:
    alone = seen["artifact_names"]["alone"]
    assert {name: alone[name] for name in ODD} == {name: f"{FOLDERS[-1]}/{name}" for name in ODD}


@pytest.mark.parametrize("name", ["what?.txt", "100%.txt", "a+b c.txt"])
def test_the_server_must_keep_a_name_that_needs_quoting_in_a_url(
    shared: RunningStack, name: str
) -> None:
    """MLflow's client does not quote URLs, so `?` and what follows is lost on the way."""
    key = shared.log_run().key.replace("weights.bin", name)
    shared.api.artifact("PUT", quote(key), CONTENT)
    assert shared.objects()[key] == len(CONTENT)
    assert shared.api.artifact("GET", quote(key)).content == CONTENT


def test_everything_with_a_name_must_be_found_by_it(seen: Watched) -> None:
    found = seen["other_names"]
    odd = found["odd"]
    keys = {"train/loss: a b", "größe", "大きさ-1"}
    assert found["found"] == found["experiment_id"]
    assert found["run_name"] == found["model"] == found["version_tag"] == odd
    assert found["params"] == found["tags"] == dict.fromkeys(keys, odd)
    assert found["metrics"] == dict.fromkeys(keys, 0.5)
    query = "SELECT name FROM experiments WHERE experiment_id = :'value'"
    assert seen.rows(query, found["found"]) == [odd]
