"""The last lines of a test run: tests by engine, skipped tests and reasons, kept stacks."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence

import pytest

# Properties that a report carries from the process that ran the test.
ENGINE, KEPT = "engine", "kept"
# Prefix of the reason of a scenario that only applies to another engine.
NOT_ON = "not on "


def engine_of(item: pytest.Item) -> str:
    """Return the engine that a test runs on; empty if it needs none."""
    call = getattr(item, "callspec", None)
    # A test of the engines themselves may also have a parameter of that name.
    if call and ENGINE in call.params and not item.nodeid.startswith("tests/unit/"):
        return str(call.params[ENGINE])
    return "docker" if item.get_closest_marker("docker") else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the engine to the report."""
    report = yield
    report.user_properties.append((ENGINE, engine_of(item)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the summary."""
    for line in lines(terminalreporter.stats):
        terminalreporter.write_line(line)


def lines(stats: Mapping[str, Sequence[object]]) -> Iterator[str]:
    """Yield the lines of the summary for the reports of a run, by their outcome."""
    ran = Counter(
        _property(report, ENGINE)
        for outcome in ("passed", "failed")
        for report in stats.get(outcome, ())
        if getattr(report, "when", "") == "call"
    )
    if ran:
        yield f"ran {', '.join(_amount(number, name) for name, number in sorted(ran.items()))}"
    skipped = Counter(map(_left_out, stats.get("skipped", ())))
    for (engine, reason), number in sorted(skipped.items()):
        yield f"left out {_amount(number, engine)}: {reason}"
    kept = (_property(report, KEPT) for reports in stats.values() for report in reports)
    for text in dict.fromkeys(filter(None, kept)):
        yield from text.splitlines()


def _amount(number: int, engine: str) -> str:
    return f"{number} on {engine}" if engine else f"{number} without an engine"


def _left_out(report: object) -> tuple[str, str]:
    reason = str(getattr(report, "longrepr", "")[-1]).removeprefix("Skipped: ")
    if reason.startswith(NOT_ON):
        reason = "they are about the other engine"
    return _property(report, ENGINE), reason


def _property(report: object, name: str) -> str:
    return str(dict(getattr(report, "user_properties", ())).get(name, ""))
