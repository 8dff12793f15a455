"""What the scenarios' own view of a stack must cope with."""

import os
from pathlib import Path

import psutil
import pytest

from tests.e2e.local_stack import LocalStack
from tests.unit.processes import gone


def test_a_server_that_ends_while_it_is_looked_up_must_count_as_not_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Supervisord reports a pid, and the killed server is gone a moment later."""
    pids = {"postgres": os.getpid(), "mlflow": gone()}
    monkeypatch.setattr(LocalStack, "__init__", lambda *_: None)
    monkeypatch.setattr(LocalStack, "pids", lambda _: pids)
    since = psutil.Process().create_time()
    assert LocalStack(tmp_path, {}).starts() == {"postgres": f"{os.getpid()} since {since}"}
