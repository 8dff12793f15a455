"""The output of `--json` matches the declared payloads."""

import typing
from dataclasses import fields

import pytest
import typer

from mlflow_compose.cli.app import app
from mlflow_compose.payloads import (
    BY_COMMAND,
    Created,
    Migration,
    Payload,
    Pruned,
    Rendered,
    Store,
    as_json,
)
from tests.contract import check_envelope, mismatch


def test_every_command_must_declare_its_payload() -> None:
    assert [*BY_COMMAND] == [*typing.cast("typing.Any", typer.main.get_command(app)).commands]
    listed = {payload for payloads in BY_COMMAND.values() for payload in payloads}
    assert listed < {*typing.get_args(Payload)}


@pytest.mark.parametrize("payload", typing.get_args(Payload), ids=lambda one: one.__name__)
def test_every_key_must_have_a_description(payload: type) -> None:
    for part in fields(payload):
        assert part.metadata["about"].endswith("."), part.name


def test_absent_keys_must_be_omitted_but_null_values_kept() -> None:
    assert as_json(Created(".env")) == {"env_file": ".env"}
    assert as_json(Created(".env", renamed={})) == {"env_file": ".env", "renamed": {}}
    store = Store("s3", external=True, endpoint=None, text="Amazon")
    assert as_json(store) == {"kind": "s3", "external": True, "endpoint": None, "text": "Amazon"}


@pytest.mark.parametrize(
    ("value", "payload", "problem"),
    [
        ({"removed": ["a"], "kept": {}}, Pruned, ""),
        ({"removed": "a", "kept": {}}, Pruned, "data.removed is not of type"),
        ({"removed": [1], "kept": {}}, Pruned, "data.removed[] is not of type"),
        ({}, Pruned, "data has the keys"),
        ({"removed": [], "kept": {}, "more": 1}, Pruned, "data has the keys"),
        ({"changes": [], "folder": "."}, Rendered, "data has the keys"),
        ({"folder": ".", "changes": [{"path": "a"}]}, Rendered, "data.changes[] has the keys"),
        ({"state": "running", "pid": None, "since": None}, Migration, ""),
        ({"state": "running", "pid": True, "since": None}, Migration, "data.pid is not of type"),
        ({"env_file": ".env"}, Created, ""),
        ([], Created, "data is not an object"),
    ],
)
def test_the_contract_must_be_checked_key_by_key(
    value: object, payload: type, problem: str
) -> None:
    found = mismatch(value, payload)
    assert found.startswith(problem) if problem else found == ""


def test_only_a_failed_command_may_print_no_result() -> None:
    envelope = {"version": 1, "command": "status", "ok": True, "data": {}, "errors": []}
    with pytest.raises(AssertionError, match="status"):
        check_envelope(envelope)
    error = {"code": "engine", "message": "Docker is not installed", "hint": None}
    check_envelope({**envelope, "ok": False, "errors": [error]})
