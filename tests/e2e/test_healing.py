"""Servers that die come back by themselves, and what a client was told is stored is there."""

import pytest

from .running import SERVERS, RunningStack
from .waiting import wait_until


@pytest.mark.parametrize("service", SERVERS)
def test_a_run_must_survive_kill_9_of(service: str, mended: RunningStack) -> None:
    run, ids, before = mended.log_run(), mended.ids(), mended.starts()
    mended.kill(service)
    wait_until(
        lambda: mended.starts().get(service, before[service]) != before[service],
        seconds=30,
        what=f"{service} is started again by the engine",
    )
    mended.wait_until_healthy(seconds=90)
    assert mended.ids() == ids
    mended.verify()
    mended.expect(run)
