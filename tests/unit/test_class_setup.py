"""`class create` and the board: ports and servers of seats, without servers."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from mlflow_compose.actions.class_board import ClassBoard
from mlflow_compose.actions.class_setup import Work, create
from mlflow_compose.errors import ClassError, SettingsError
from mlflow_compose.result import NoProgress
from mlflow_compose.settings.seats import seats_of
from tests.unit.fakes import ALL_WELL, FakeEngine
from tests.unit.samples import settings
from tests.unit.test_lifecycle import plan


def test_a_new_class_must_leave_the_port_of_all_seats_free(tmp_path: Path) -> None:
    found = plan(tmp_path, "STACK_TLS=internal", "CLASS_TLS_PORT=5201", "MLFLOW_AUTH=basic")
    work = Work(found, lambda each: FakeEngine(each.stack), NoProgress(), 5)
    create(work, {"ada": (), "ben": ()}, "seats", lan=False)
    text = (tmp_path / ".env").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("CLASS_SEATS="))
    ports = [seat.port for seat in seats_of(line.partition("=")[2].strip("'"))]
    assert len(ports) == 2
    assert 5201 not in ports


def test_the_page_must_say_at_once_that_a_seat_was_not_started(tmp_path: Path) -> None:
    """Compose's `start` does nothing if there is no container, and that is no failure."""
    found = plan(tmp_path, "CLASS_MODE=seats", "CLASS_SEATS=ada=5201", "MLFLOW_AUTH=basic")
    engine = FakeEngine(found.stack, statuses=ALL_WELL)
    board = ClassBoard(lambda: found, lambda _: engine, nullcontext)
    with pytest.raises(ClassError, match="ada was not started"):
        board.restart("ada")
    assert not any("service" in call for call in engine.calls)


@pytest.mark.parametrize("size", ["6m", "299m"])
def test_a_seat_must_have_the_memory_that_its_server_starts_with(size: str) -> None:
    """Without Docker it would be ended every few seconds, although `class up` saw it healthy."""
    with pytest.raises(SettingsError, match=r"CLASS_SEAT_MEMORY *must be at least 300m"):
        settings(CLASS_SEAT_MEMORY=size)
    settings(CLASS_SEAT_MEMORY="")
    settings(CLASS_SEAT_MEMORY="300m")
