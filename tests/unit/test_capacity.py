"""How many seats fit on a machine, and what machine seats need."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose import machine
from mlflow_compose.actions import capacity as action
from mlflow_compose.actions.class_setup import Work, create
from mlflow_compose.actions.plan import Plan, load_plan, read_settings
from mlflow_compose.capacity.costs import GB, MB, SeatCosts
from mlflow_compose.capacity.seats import (
    Hardware,
    fitting,
    limit,
    machine_size,
    needs,
    start_seconds,
    warning,
)
from mlflow_compose.classroom import numbered
from mlflow_compose.engines import Engine
from mlflow_compose.errors import EngineError

from .conftest import User
from .fakes import Notes

COSTS = SeatCosts(
    system_memory=1 * GB,
    shared_memory=500 * MB,
    seat_memory=250 * MB,
    system_disk=2 * GB,
    shared_disk=2 * GB,
    seat_disk=50 * MB,
    start_cpu=4,
    shared_start=10,
    requests_per_core=50,
    requests_per_seat=2,
)
LAPTOP = Hardware(6 * GB, 8 * GB, 4, 10 * GB)


def test_each_part_of_a_machine_must_limit_the_seats() -> None:
    assert fitting(LAPTOP, COSTS) == {"memory": 18, "processors": 100, "disk": 120}
    assert limit(fitting(LAPTOP, COSTS)) == "memory"
    assert limit(fitting(Hardware(99 * GB, 99 * GB, 1, 99 * GB), COSTS)) == "processors"
    assert limit(fitting(Hardware(99 * GB, 99 * GB, 64, 5 * GB), COSTS)) == "disk"


def test_a_machine_that_is_full_must_have_no_seats() -> None:
    assert fitting(Hardware(1 * GB, 8 * GB, 4, 1 * GB), COSTS) == {
        "memory": 0,
        "processors": 100,
        "disk": 0,
    }


def test_seats_that_do_not_fit_must_be_warned_about() -> None:
    assert warning(18, LAPTOP, COSTS) == ""
    assert warning(19, LAPTOP, COSTS) == (
        "19 seats do not fit on this machine: its memory would do for 18"
    )


def test_seats_that_run_must_only_count_for_processors() -> None:
    """What they use of memory and disk is no longer available."""
    assert fitting(LAPTOP, COSTS, running=90) == {"memory": 18, "processors": 10, "disk": 120}
    assert fitting(LAPTOP, COSTS, running=200)["processors"] == 0
    assert warning(10, LAPTOP, COSTS, running=90) == ""
    assert warning(11, LAPTOP, COSTS, running=90).endswith("its processors would do for 10 more")


@given(
    st.integers(min_value=1, max_value=1000),
    st.integers(min_value=1, max_value=128),
    st.integers(min_value=1, max_value=1000),
    st.integers(min_value=1, max_value=1000),
)
def test_seats_must_fit_exactly_where_they_have_what_they_need(
    seats: int, cores: int, memory: int, disk: int
) -> None:
    hardware = Hardware(memory * GB, memory * GB, cores, disk * GB)
    needed = needs(seats, COSTS)
    has_enough = (
        hardware.memory_available >= needed.memory
        and hardware.disk_free >= needed.disk
        # One core is enough for few seats, although a class should have two.
        and cores * COSTS.requests_per_core >= seats * COSTS.requests_per_seat
    )
    assert (warning(seats, hardware, COSTS) == "") == has_enough
    if hardware.cores >= needed.cores:
        assert fitting(hardware, COSTS)["processors"] >= seats


def test_a_machine_of_a_usual_size_must_be_named() -> None:
    assert [machine_size(GB * size) for size in (1, 9, 16, 17, 600)] == [2, 12, 16, 24, 600]
    assert machine_size(16 * GB + 1) == 24


def test_more_cores_must_start_seats_sooner() -> None:
    assert start_seconds(30, 2, COSTS) == 70
    assert start_seconds(30, 8, COSTS) == 25


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: (6 * GB, 8 * GB))
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "disk_free", lambda folder: 10 * GB if folder else 0)
    monkeypatch.setattr(action, "COSTS", COSTS)


@pytest.mark.usefixtures("laptop")
def test_plan_must_work_without_a_stack_and_tell_what_seats_need(user: User) -> None:
    found = user.types("plan", "--seats", "30", "--json")
    assert found.code == 0
    data = json.loads(found.out)["data"]
    assert (data["seats"], data["limit"], data["wanted"], data["fits"]) == (18, "memory", 30, False)
    assert data["needs"] == {"memory": 9 * GB, "cores": 2, "disk": 5.5 * GB}
    shown = user.types("plan", "--seats", "30").out
    assert "18 seats fit on this machine" in shown
    assert "30 seats do not fit: they need 9.0 GB of memory (a machine of 12 GB), 2 cores" in shown
    assert not any(user.folder.iterdir())


@pytest.mark.usefixtures("laptop")
def test_plan_must_show_what_fits_here(user: User) -> None:
    assert user.types("plan").out.splitlines() == [
        "memory      6.0 of 8.0 GB available  18 seats",
        "processors  4 cores                  100 seats",
        "disk        10.0 GB free             120 seats",
        "",
        "18 seats fit on this machine, besides what runs on it now",
        "starting 18 seats here takes about 28 s",
    ]
    data = json.loads(user.types("plan", "--json").out)["data"]
    assert (data["wanted"], data["fits"], data["needs"]) == (None, None, None)


def test_this_machine_must_be_measured(tmp_path: Path) -> None:
    found = action.this_hardware(tmp_path / "not" / "there" / "yet")
    assert 0 < found.memory_available <= found.memory_total
    assert found.cores >= 1
    assert found.disk_free > 0


@pytest.mark.usefixtures("laptop")
def test_a_warning_must_name_what_shows_more(tmp_path: Path) -> None:
    assert action.capacity_warning(tmp_path, 18) == ""
    assert action.capacity_warning(tmp_path, 30) == (
        "30 seats do not fit on this machine: its memory would do for 18; "
        "mlflow-compose plan --seats 30 shows what 30 need"
    )


def no_engine(plan: Plan) -> Engine:
    raise EngineError(f"{plan.stack.name} has no engine")


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize(("mode", "warned"), [("seats", True), ("shared", False)])
def test_a_class_that_does_not_fit_must_be_warned_about_before_it_starts(
    mode: str, *, warned: bool, user: User
) -> None:
    user.has_env()
    plan, notes = load_plan(*read_settings(user.env_file, {}), {}), Notes()
    with pytest.raises(EngineError):
        create(Work(plan, no_engine, notes, 1), numbered(30), mode, lan=False)
    assert [text.partition(":")[0] for text in notes.texts] == (
        ["30 seats do not fit on this machine"] if warned else []
    )
