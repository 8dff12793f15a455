"""Faults while clients write: what was acknowledged is stored, and no command is needed to heal.

`make soak` runs the first test for ten minutes: FAULTS_SECONDS, and FAULTS_SEED to repeat one.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from .docker_stack import docker
from .faults import cut_off, full, small_disk
from .local_stack import LocalStack
from .running import SERVERS, SHORT_IN_CI, RunningStack, docker_only
from .waiting import wait_until
from .writing import writing

pytestmark = SHORT_IN_CI

SECONDS = float(os.environ.get("FAULTS_SECONDS", "0"))
SEED = int(os.environ.get("FAULTS_SEED", "7"))
# Seconds until a killed server must answer again.
PATIENCE = 60


def reported(stack: RunningStack) -> Mapping[str, Any]:
    """Return what `status` reports about each service."""
    return {one["name"]: one for one in stack.tool("status", "--json").data["services"]}


def faults(stack: RunningStack) -> dict[str, Callable[[], None]]:
    """Return what can be killed, by name."""
    found: dict[str, Callable[[], None]] = {
        "postgres": lambda: stack.kill("postgres"),
        "s3": lambda: stack.kill("s3"),
        "mlflow": lambda: stack.kill("mlflow"),
        "all servers": lambda: stack.kill(*SERVERS),
    }
    if isinstance(stack, LocalStack):
        found["supervisord"] = stack.kill_supervisord
    return found


def sequence(names: list[str], seconds: float) -> Iterator[str]:
    """Yield each name once in a random order, again and again until the time is over."""
    chance, end = random.Random(SEED), time.monotonic() + seconds  # noqa: S311 - not a secret
    while True:
        yield from chance.sample(names, k=len(names))
        if time.monotonic() > end:
            return


def test_what_was_acknowledged_must_survive_kill_9_of_any_server_and_of_all(
    mended: RunningStack,
) -> None:
    was, ids, known_faults = reported(mended), mended.ids(), faults(mended)
    with writing(mended) as known:
        known.wait_for_more(seconds=PATIENCE)
        for name in sequence(list(known_faults), SECONDS):
            before = mended.starts()
            known_faults[name]()
            wait_for_restart(mended, before, SERVERS if name not in SERVERS else (name,))
            known.wait_for_more(seconds=PATIENCE)
    mended.wait_until_healthy(seconds=PATIENCE)
    known.expect_in(mended)
    assert known.failed
    assert mended.ids() == ids
    expect_counted(was, reported(mended))
    mended.verify()
    mended.is_well = True


def wait_for_restart(
    stack: RunningStack, before: Mapping[str, str], names: tuple[str, ...]
) -> None:
    def restarted() -> bool:
        now = stack.starts()
        return all(now.get(name, before[name]) != before[name] for name in names)

    wait_until(restarted, seconds=PATIENCE, what=f"{', '.join(names)} restarted")


def expect_counted(was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Assert that `status` counted the restarts of all servers, each killed twice or more."""
    for name in SERVERS:
        assert now[name]["restarts"] >= was[name]["restarts"] + 2
        assert now[name]["since"] > was[name]["since"]
        assert now[name]["health"] == "healthy"
    assert (now["bucket-init"]["since"], now["bucket-init"]["restarts"]) == (None, 0)


@pytest.mark.parametrize("service", ["postgres", "s3"])
def test_a_full_disk_must_fail_requests_and_lose_nothing(
    mended: RunningStack, service: str, tmp_path: Path
) -> None:
    with small_disk(mended, service, tmp_path) as folder:
        with writing(mended) as known:
            known.wait_for_more(seconds=PATIENCE)
            with full(folder):
                if service == "postgres":
                    # The next write needs a new file for the log of changes: the worst case.
                    mended.sql("SELECT pg_switch_wal()")
                known.wait_for_failure(seconds=PATIENCE)
            known.wait_for_more(seconds=2 * PATIENCE)
        mended.wait_until_healthy(seconds=PATIENCE)
        known.expect_in(mended)
    mended.is_well = True


@pytest.mark.parametrize("service", ["postgres", "s3"])
def test_services_must_find_each_other_again_after_the_network_was_cut(
    mended: RunningStack, service: str
) -> None:
    """Packets are dropped, so that connections wait instead of failing."""
    with writing(mended) as known:
        known.wait_for_more(seconds=PATIENCE)
        with cut_off(mended, service):
            known.wait_for_failure(seconds=PATIENCE)
        known.wait_for_more(seconds=PATIENCE)
    mended.wait_until_healthy(seconds=PATIENCE)
    known.expect_in(mended)
    mended.is_well = True


@docker_only("without containers, the test above freezes the server")
@pytest.mark.skipif(not SECONDS, reason="takes a minute: make soak")
@pytest.mark.parametrize("service", SERVERS)
def test_a_paused_container_must_go_on_where_it_was(mended: RunningStack, service: str) -> None:
    with writing(mended) as known:
        known.wait_for_more(seconds=PATIENCE)
        container = mended.ids()[service]
        docker("pause", container)
        try:
            known.wait_for_failure(seconds=PATIENCE)
        finally:
            docker("unpause", container)
        known.wait_for_more(seconds=PATIENCE)
    mended.wait_until_healthy(seconds=PATIENCE)
    known.expect_in(mended)
    mended.is_well = True
