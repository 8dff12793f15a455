"""What users need: requests, servers, waiting, and what limits them."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.environment_variables import (
    MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW,
    MLFLOW_SQLALCHEMYSTORE_POOL_SIZE,
)

from mlflow_compose.actions.user_capacity import planned
from mlflow_compose.capacity.costs import ASSUMED
from mlflow_compose.capacity.demand import MOST, USUAL, Usage
from mlflow_compose.capacity.queueing import Queue
from mlflow_compose.capacity.stages import AMOUNTS, STACKS, STAGES, Stage, bound, most_users
from mlflow_compose.settings.profiles import PROFILES
from mlflow_compose.stack.components import postgres_options
from tests.unit.samples import ROOT

from .conftest import User

USAGES = st.builds(
    Usage,
    users=st.integers(1, MOST.users),
    runs_per_day=st.floats(0, MOST.runs_per_day),
    metrics_per_run=st.integers(0, MOST.metrics_per_run),
    artifact_bytes=st.integers(0, MOST.artifact_bytes),
)
# The machine that runs the tests may be busy.
patient = settings(deadline=None)


def of(users: int) -> Usage:
    return replace(USUAL, users=users)


@pytest.mark.parametrize(
    ("servers", "load", "waits"),
    # Of tables of Erlang's formula C.
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (5, 4.0, 0.5541), (10, 8.0, 0.4092), (100, 80.0, 0.0196)],
)
def test_a_request_must_wait_as_often_as_erlang_says(
    servers: int, load: float, waits: float
) -> None:
    assert Queue(servers, service=1, rate=load).waits == pytest.approx(waits, abs=1e-4)


def test_one_server_must_answer_like_the_queue_mm1() -> None:
    assert Queue(1, service=0.01, rate=50).mean == pytest.approx(0.01 / (1 - 0.5))


def test_constant_service_must_halve_the_wait() -> None:
    """The formula of Pollaczek and Khinchine."""
    random, constant = (Queue(1, 0.01, 50, variability) for variability in (1, 0.5))
    assert constant.waits * constant.wait == pytest.approx(random.waits * random.wait / 2)


def test_a_queue_without_requests_must_not_wait() -> None:
    idle = Queue(2, service=0.01, rate=0)
    assert (idle.mean, idle.waiting(0.99)) == (0.01, 0)


def test_a_queue_that_is_full_must_never_answer() -> None:
    full = Queue(2, service=0.01, rate=200)
    assert math.isinf(full.mean)
    assert math.isinf(full.waiting(0.5))


def test_so_many_servers_that_formulas_overflow_must_be_possible() -> None:
    assert Queue(1_000_000_000, service=1, rate=600_000_000).waits == 0
    assert 0 < Queue(10_000, service=1, rate=9_950).waits < 1


@patient
@given(
    st.integers(1, 3000), st.floats(0.001, 1), st.floats(0, 0.99), st.floats(0, 1), st.floats(0, 1)
)
def test_more_load_must_never_be_answered_sooner(
    servers: int, service: float, utilization: float, part: float, share: float
) -> None:
    busy = Queue(servers, service, utilization * servers / service)
    less = replace(busy, rate=busy.rate * part)
    assert 0 <= less.waits <= busy.waits + 1e-9 <= 1 + 2e-9
    assert 0 <= less.waiting(0.99 * share) <= busy.waiting(0.99 * share) + 1e-9
    assert busy.waiting(0.5) <= busy.waiting(0.99)


@patient
@given(USAGES, st.integers(1, MOST.users))
def test_more_users_must_never_need_less(usage: Usage, users: int) -> None:
    fewer, more = sorted((usage.users, users))
    less, greater = (planned(replace(usage, users=count)) for count in (fewer, more))
    for name, amount in AMOUNTS.items():
        assert amount.of(less) <= amount.of(greater), name
    assert less.sizing.replicas <= greater.sizing.replicas


@patient
@given(USAGES)
def test_servers_must_be_enough_for_the_peak(usage: Usage) -> None:
    found = planned(usage)
    needed, wanted = found.sizing, found.demand
    assert needed.replicas <= needed.processes <= needed.connections
    assert needed.processes <= needed.replicas * ASSUMED.processes
    assert wanted.server <= needed.server_cores * ASSUMED.utilization * (1 + 1e-9)
    assert wanted.database <= needed.database_cores * ASSUMED.utilization * (1 + 1e-9)
    assert math.isfinite(needed.within(0.99))
    assert needed.within(0.5) <= needed.within(0.99)


@patient
@given(USAGES)
def test_without_artifacts_the_bucket_must_not_grow(usage: Usage) -> None:
    found = planned(replace(usage, artifact_bytes=0))
    assert (found.demand.bucket_growth, found.sizing.object_cores) == (0, 0)
    assert found.demand.database_growth == planned(usage).demand.database_growth


@patient
@given(USAGES)
def test_the_first_arrangement_that_is_enough_must_be_named(usage: Usage) -> None:
    found = bound(usage.users, lambda users: planned(replace(usage, users=users)))
    before = STAGES[: STAGES.index(found.stage)]
    assert not any(one.holds(planned(usage)) for one in before)
    assert found.stage.holds(planned(usage))
    assert (found.exceeded == "") == (not before)
    assert (found.limit == "") == (found.until is None)
    assert (found.stacks > 1) == (found.stage is STACKS)


@pytest.mark.parametrize("stage", STAGES[:-1], ids=lambda stage: stage.name)
def test_an_arrangement_must_be_enough_exactly_until_its_number_of_users(stage: Stage) -> None:
    most = most_users(stage, lambda users: planned(of(users)))
    assert stage.holds(planned(of(most)))
    assert not stage.holds(planned(of(most + 1)))


def test_each_arrangement_must_be_enough_for_more_than_the_one_before() -> None:
    most = [most_users(stage, lambda users: planned(of(users))) for stage in STAGES]
    assert most == sorted(most)


def test_pools_must_be_those_of_mlflow() -> None:
    """It sets neither size, so that SQLAlchemy's defaults apply; and a login adds a pool."""
    assert MLFLOW_SQLALCHEMYSTORE_POOL_SIZE.get() is None
    assert MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW.get() is None
    assert ASSUMED.pool == postgres_options.POOL_SIZE + postgres_options.MAX_OVERFLOW
    assert ASSUMED.pools == postgres_options.POOLS + 1
    assert ASSUMED.reserve == postgres_options.RESERVE
    assert ASSUMED.usual_connections == postgres_options.LEAST
    assert int(PROFILES["fast"]["MLFLOW_WORKERS"]) == ASSUMED.processes


def test_plan_must_tell_what_users_need(user: User) -> None:
    data = json.loads(user.types("plan", "--users", "1000", "--json").out)["data"]
    assert data["users"] == 1000
    assert data["runs_per_day"] == USUAL.runs_per_day
    assert data["bucket_growth"] == 1000 * USUAL.runs_per_day * ASSUMED.days * USUAL.artifact_bytes
    assert data["stage"] in {stage.name for stage in STAGES}
    assert not any(user.folder.iterdir())


def test_the_guide_must_show_what_plan_says(user: User) -> None:
    text = (ROOT / "docs" / "how-to" / "plan.md").read_text(encoding="utf-8")
    assert f"```text\n{user.types('plan', '--users', '1000').out}```" in text
    for users in (10, 1_000, 100_000):
        found = bound(users, lambda count: planned(of(count)))
        why = AMOUNTS[found.exceeded].title if found.exceeded else "-"
        limit = f"{AMOUNTS[found.limit].title}, above {found.until:,} users" if found.limit else "-"
        assert f"| {users:,} | {found.stage.title} | {why} | {limit} |" in text


def test_plan_must_take_what_is_known_of_the_users(user: User) -> None:
    words = ("--runs-per-day", "0.5", "--metrics-per-run", "7", "--artifact-gb", "0")
    data = json.loads(user.types("plan", "--users", "10", *words, "--json").out)["data"]
    assert (data["runs_per_day"], data["metrics_per_run"], data["artifact_bytes"]) == (0.5, 7, 0)
    assert data["bucket_growth"] == 0


@pytest.mark.parametrize("runs", ["inf", "nan", "1e300", "-1"])
def test_a_number_that_cannot_be_meant_must_be_refused(runs: str, user: User) -> None:
    found = user.types("plan", "--users", "3", f"--runs-per-day={runs}")
    assert found.code == 2
    assert "--runs-per-day" in found.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--users", "10", "--seats", "3"), "--users cannot be combined with --seats"),
        (("--artifact-gb", "1"), "need --users"),
    ],
)
def test_options_that_mean_nothing_must_be_refused(
    words: tuple[str, ...], message: str, user: User
) -> None:
    found = user.types("plan", *words)
    assert found.code == 2
    assert message in found.err
