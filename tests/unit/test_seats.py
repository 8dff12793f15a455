"""The servers of seats: what differs from other tracking servers."""

from tests.unit.samples import stack

CLASS = {
    "MLFLOW_AUTH": "basic",
    "CLASS_MODE": "seats",
    "CLASS_SEATS": "ada=5201 ben=5202",
    "CLASS_SECRET": "a-secret-of-24-characters-or-more",
}


def test_a_seat_that_waits_for_its_turn_must_neither_fail_nor_be_checked_all_the_time() -> None:
    """Each check is a process; a check of four seconds, 60 times, would give up after minutes."""
    check = stack(**CLASS).service("seat-ada").healthcheck
    assert check
    assert check.waits >= 20
    # It waits as long as it pauses once the seat is healthy.
    assert (check.interval + check.waits) * check.retries >= 1800
    assert check.waits < check.limit
