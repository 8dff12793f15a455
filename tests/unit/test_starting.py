"""States distinguished while services start: done, still starting, exited, keeps restarting."""

import threading
from collections.abc import Iterator

import pytest
from python_on_whales.exceptions import DockerException

from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.docker.watch import Stream, watch
from mlflow_compose.engines.verdict import find_culprit, restarts
from tests.unit.fakes import ALL_WELL, FakeScreen
from tests.unit.samples import stack


def mlflow(state: str = "running", health: str = "healthy", restarts: int = 0) -> ServiceStatus:
    return ServiceStatus("mlflow", state, health, restarts=restarts)


def culprit(*now: ServiceStatus, before: tuple[ServiceStatus, ...] = ()) -> ServiceStatus | None:
    return find_culprit(stack(), before, now)


def test_no_service_must_be_blamed_if_all_are_up() -> None:
    assert culprit(*ALL_WELL) is None
    assert culprit() is None


@pytest.mark.parametrize(
    "status",
    [
        ServiceStatus("postgres", "running", "starting"),
        ServiceStatus("postgres", "running", "unhealthy"),
        ServiceStatus("postgres", "exited", exit_code=1),
        ServiceStatus("postgres", "exited", exit_code=0),
        ServiceStatus("postgres", "restarting"),
        ServiceStatus("postgres", "created"),
        ServiceStatus("bucket-init", "running"),
        ServiceStatus("bucket-init", "created"),
        ServiceStatus("bucket-init", "exited", exit_code=1),
    ],
)
def test_the_first_service_that_is_not_up_must_be_blamed(status: ServiceStatus) -> None:
    """MLflow waits for all the others, so it is not the culprit."""
    assert culprit(status, ServiceStatus("mlflow", "created")) is status


def test_a_server_without_a_healthcheck_must_count_as_up_if_it_runs() -> None:
    assert culprit(mlflow(health="")) is None


def test_a_failed_service_must_be_blamed_before_one_that_only_waits() -> None:
    waits = ServiceStatus("postgres", "running", "starting")
    unwell = ServiceStatus("s3", "running", "unhealthy")
    ended = ServiceStatus("bucket-init", "exited", exit_code=1)
    again = ServiceStatus("mlflow", "restarting", exit_code=1)
    assert culprit(waits, unwell, ended, again) is again
    assert culprit(waits, unwell, ended) is ended
    assert culprit(waits, unwell) is unwell


def test_a_service_that_keeps_restarting_must_be_reported_as_such() -> None:
    """At the moment of the check it may be running."""
    found = culprit(mlflow(restarts=3))
    assert found is not None
    assert found.text.startswith("keeps restarting")


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ((), 0, 0),
        ((), 2, 2),
        ((mlflow(restarts=7),), 7, 0),
        ((mlflow(restarts=7),), 9, 2),
        ((mlflow(restarts=7),), 1, 1),
    ],
)
def test_only_restarts_during_this_start_must_count(
    before: tuple[ServiceStatus, ...], now: int, count: int
) -> None:
    """Earlier restarts do not count, and a new container counts from zero."""
    assert restarts(before, (mlflow(restarts=now),)) == {"mlflow-1": count}


def test_a_server_that_keeps_exiting_must_fail_the_start_at_once() -> None:
    """Compose itself would wait forever."""
    ended = threading.Event()

    def output() -> Iterator[tuple[str, bytes]]:
        ended.wait(20)
        yield ("stderr", b"done\n")

    looks = iter([1])

    def look() -> tuple[ServiceStatus, ...]:
        return (mlflow("restarting", restarts=next(looks, 2)),)

    verdict = watch(stack(), output(), (mlflow("restarting"),), look, FakeScreen(), wait_timeout=20)
    ended.set()
    assert verdict.failed
    assert not verdict.late
    assert verdict.culprit is not None
    assert verdict.culprit.name == "mlflow"


def test_a_server_that_takes_too_long_must_be_reported_as_late() -> None:
    ended = threading.Event()

    def output() -> Iterator[tuple[str, bytes]]:
        ended.wait(20)
        yield ("stderr", b"done\n")

    waits = mlflow(health="starting")
    verdict = watch(stack(), output(), (waits,), lambda: (waits,), FakeScreen(), wait_timeout=0.1)
    ended.set()
    assert verdict.failed
    assert verdict.late
    assert verdict.culprit is waits


def test_the_output_of_compose_must_be_shown_immediately() -> None:
    screen = FakeScreen()
    lines = [("stderr", b" Container x-mlflow-1  Healthy \n"), ("stderr", b"other words of it\n")]
    verdict = watch(stack(), iter(lines), ALL_WELL, lambda: ALL_WELL, screen, wait_timeout=20)
    assert not verdict.failed
    assert screen.shown == ["x-mlflow-1 healthy"]
    assert verdict.lines == [" Container x-mlflow-1  Healthy", "other words of it"]


def test_a_command_that_fails_must_blame_the_service_that_failed() -> None:
    def output() -> Iterator[tuple[str, bytes]]:
        yield ("stderr", b"dependency failed to start\n")
        raise DockerException(["docker"], 1, b"", b"dependency failed to start")

    failed = ServiceStatus("bucket-init", "exited", exit_code=1)
    verdict = watch(stack(), output(), (), lambda: (failed,), FakeScreen(), wait_timeout=20)
    assert verdict.failed
    assert verdict.culprit is failed


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ServiceStatus("s3", "running", "healthy"), "running (healthy)"),
        (ServiceStatus("s3", "running"), "running"),
        (ServiceStatus("s3", "exited", exit_code=3), "ended with exit code 3"),
        (ServiceStatus("s3", "restarting", exit_code=3), "keeps restarting (exit code 3)"),
    ],
)
def test_a_state_must_be_described_in_one_phrase(status: ServiceStatus, text: str) -> None:
    assert status.text == text


def test_the_output_of_a_command_must_be_kept_with_its_exit_code() -> None:
    def output() -> list[tuple[str, bytes]]:
        return [("stderr", b"one \n"), ("stdout", b"t\xffo\n")]

    seen: list[str] = []
    stream = Stream()
    stream.follow(output(), seen.append)
    assert seen == stream.lines == ["one", "t\ufffdo"]
    assert stream.ended.is_set()
    assert stream.error is None


def test_a_command_that_fails_must_still_end() -> None:
    def fail(line: str) -> None:
        raise ValueError(line)

    stream = Stream()
    stream.follow([("stdout", b"one")], fail)
    assert stream.ended.is_set()
    assert str(stream.error) == "one"
