"""A large stack must come back from its backup: `make soak` runs it, since it takes minutes."""

import os
import uuid

import pytest

from .conftest import MakeStack
from .kept_data import answers, everything, fill
from .running import SOAK
from .tracking import Api

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(os.environ.get(SOAK) != "1", reason="takes minutes: make soak"),
]
RUNS, POINTS, SIZE = 300, 10_000, 100_000_000
USERS = 3


def test_a_large_stack_with_users_must_come_back(make_stack: MakeStack) -> None:
    """After everything but `.env` and the snapshot was deleted."""
    stack = make_stack(MLFLOW_AUTH="basic")
    stack.up()
    fill(stack, count=RUNS, points=POINTS)
    key = f"{stack.log_run().experiment_id}/large.bin"
    stack.api.artifact("PUT", key, os.urandom(SIZE))
    logins = [(f"user-{number}", uuid.uuid4().hex) for number in range(USERS)]
    for name, password in logins:
        stack.api.post("users/create", username=name, password=password)
    before, seen = everything(stack), answers(stack)
    taken = stack.tool("backup", "large", "--json").data["snapshot"]
    assert (taken["rows"]["metrics"], taken["rows"]["users"]) == (RUNS * POINTS + 1, USERS + 1)
    stack.tool("down", "--volumes", "--yes")
    stack.tool("restore", "large", "--yes")
    assert everything(stack) == before
    assert answers(stack) == seen
    for login in logins:
        assert Api(stack.url, login).get("users/get", username=login[0])
