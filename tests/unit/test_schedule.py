"""`backup --every`: what systemd and cron are told."""

import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_compose.actions.schedule import schedule_backups
from mlflow_compose.boot import BackupTimer, entry, every, replaced, systemd
from mlflow_compose.boot.every import NUMBERS
from mlflow_compose.errors import BootError, UsageError
from mlflow_compose.payloads import as_json
from tests.unit.conftest import User
from tests.unit.test_boot import SYSTEMCTL, plan, units

IDENTITY = "0123456789abcdef"
COMMAND = ["/opt/tool/bin/python", "-m", "mlflow_compose", "--env-file=/srv/50% a/.env", "backup"]
INTERVALS = [f"{number}{unit}" for unit, some in NUMBERS.items() for number in some]
MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
# Stands in for cron's `crontab`, which always edits the file of the user who runs it.
CRONTAB = """#!/bin/sh
case "$1" in
    -l) cat "$STATE/crontab.ada" 2>/dev/null || { echo "no crontab for ada" >&2; exit 1; } ;;
    -) cat >"$STATE/crontab.ada" ;;
esac
"""
NO_SYSTEMD = "#!/bin/sh\necho 'no bus' >&2\nexit 1\n"
OTHERS = "# mine\f0 0 * * * not active\u2028nor this \udce9\r\nMAILTO=ada"


@pytest.mark.parametrize("interval", INTERVALS)
def test_systemd_must_elapse_at_an_interval(interval: str) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    command = [program, "calendar", "--iterations=2", every(interval, 59).calendar]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout
    first, second = re.findall(r"\d\d:\d\d:\d\d UTC$", shown, re.MULTILINE)[:2]
    passed = (_minutes(second) - _minutes(first)) % (24 * 60)
    assert passed == int(interval[:-1]) * MINUTES[interval[-1]] % (24 * 60)


def _minutes(time: str) -> int:
    hours, minutes, _ = time.split(":")
    return int(hours) * 60 + int(minutes)


@pytest.mark.parametrize("interval", INTERVALS)
def test_cron_must_elapse_at_an_interval(interval: str) -> None:
    minute, hour, day, month, weekday = every(interval, 59).cron.split()
    times = [60 * at + past for at in _field(hour, 24) for past in _field(minute, 60)]
    length = 24 * 60
    following = [*times[1:], times[0] + length]
    gaps = {after - before for before, after in zip(times, following, strict=True)}
    assert (day, month, weekday) == ("*", "*", "0" if interval == "7d" else "*")
    assert gaps == {min(length, int(interval[:-1]) * MINUTES[interval[-1]])}


def _field(text: str, end: int) -> range:
    """Return what a field of a crontab stands for."""
    values, _, step = text.partition("/")
    first = 0 if values == "*" else int(values.split("-")[0])
    return range(first, first + 1 if text.isdigit() else end, int(step or 1))


@pytest.mark.parametrize("text", ["", "5h", "1d ", "0h", "2d", "1w", "d", "1.5h", "24h", "Never"])
def test_another_interval_must_be_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--every must be never or one of 10m, 15m"):
        every(text, 0)


def test_systemd_must_accept_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    command = [sys.executable, *COMMAND[1:]]
    texts = BackupTimer(IDENTITY, "100% lab", every("6h", 7), command).texts
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", *(str(tmp_path / name) for name in texts)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_must_run_the_command_although_cron_interprets_percent_signs() -> None:
    line = entry(every("1d", 7), COMMAND, IDENTITY)
    assert line.startswith("7 2 * * * ")
    command = line.split(maxsplit=5)[5]
    assert re.findall(r"(?<!\\)%", command) == []
    words = shlex.split(command.replace(r"\%", "%"), comments=True)
    assert words[1:] == COMMAND
    with pytest.raises(BootError, match="control characters"):
        entry(every("1d", 7), ["a\u2028* * * * * b"], IDENTITY)


@pytest.mark.parametrize("before", ["", OTHERS, f"{OTHERS}\n", f"{OTHERS}\n\n\n"])
def test_other_lines_of_a_crontab_must_stay(before: str) -> None:
    first, second = (entry(every(text, 7), COMMAND, IDENTITY) for text in ("1d", "6h"))
    other = entry(every("1d", 7), COMMAND, "f" * 16)
    both = replaced(replaced(before, IDENTITY, first), "f" * 16, other)
    kept = [line for line in both.split("\n") if line not in {first, other}]
    assert "\n".join(kept) == (before if before.endswith("\n") or not before else f"{before}\n")
    assert replaced(both, IDENTITY, second).count("mlflow_compose") == 2
    gone = replaced(replaced(both, IDENTITY, None), "f" * 16, None)
    assert gone == (before if before.endswith("\n") or not before else f"{before}\n")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install `systemctl` and `crontab`, as a user who is not root."""
    state = tmp_path / "state"
    state.mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("crontab", CRONTAB)):
        (state / name).write_text(text, encoding="utf-8")
        (state / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{state}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STATE", str(state))
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    monkeypatch.setattr(systemd, "LINGERING", tmp_path)
    return state


def test_a_timer_must_be_started_until_never(tmp_path: Path, state: Path) -> None:
    scheduled = schedule_backups(plan(tmp_path), "6h", ["--keep=7"])
    data = as_json(scheduled.data)
    assert (data["every"], data["scheduler"]) == ("6h", "systemd")
    service, timer = sorted(units(tmp_path))
    assert data["unit"] == str(timer)
    assert f"ExecStart={shlex.join(data['command'])}" in service.read_text(encoding="utf-8")
    assert data["command"][-3:] == [
        "--quiet",
        f"--only-of={data['unit'].split('-')[-1][:16]}",
        "--keep=7",
    ]
    assert f"--user restart {timer.name}" in (state / "calls").read_text(encoding="utf-8")
    user = pwd.getpwuid(65534).pw_name
    assert f"`loginctl enable-linger {user}`" in scheduled.lines[1]
    schedule_backups(plan(tmp_path), "1d", [])
    assert "OnCalendar=*-*-* 02:" in timer.read_text(encoding="utf-8")
    assert schedule_backups(plan(tmp_path), "never", []).lines == ["no backups are taken any more"]
    assert units(tmp_path) == []
    assert f"--user stop {timer.name}" in (state / "calls").read_text(encoding="utf-8")
    assert schedule_backups(plan(tmp_path), "never", []).lines == ["no backups were scheduled"]


def test_without_systemd_cron_must_take_backups(tmp_path: Path, state: Path) -> None:
    (state / "systemctl").write_text(NO_SYSTEMD, encoding="utf-8")
    others = OTHERS.encode(errors="surrogateescape")
    (state / "crontab.ada").write_bytes(others)
    data = as_json(schedule_backups(plan(tmp_path), "1d", []).data)
    assert (data["scheduler"], data["unit"], units(tmp_path)) == ("cron", None, [])
    schedule_backups(plan(tmp_path), "6h", ["--keep=7"])
    *kept, line, _ = (state / "crontab.ada").read_bytes().split(b"\n")
    assert b"\n".join(kept) == others
    lines = [line.decode()]
    assert "/6 * * * PATH=" in lines[-1]
    assert " --keep=7 # mlflow-compose-backup-" in lines[-1]
    schedule_backups(plan(tmp_path), "never", [])
    assert (state / "crontab.ada").read_bytes() == others + b"\n"


def test_systemd_must_replace_cron(tmp_path: Path, state: Path) -> None:
    works = (state / "systemctl").read_text(encoding="utf-8")
    (state / "systemctl").write_text(NO_SYSTEMD, encoding="utf-8")
    schedule_backups(plan(tmp_path), "1d", [])
    (state / "systemctl").write_text(works, encoding="utf-8")
    assert as_json(schedule_backups(plan(tmp_path), "1d", []).data)["scheduler"] == "systemd"
    assert (state / "crontab.ada").read_text(encoding="utf-8") == ""


def test_a_crontab_that_cannot_be_read_must_not_be_replaced(tmp_path: Path, state: Path) -> None:
    (state / "systemctl").write_text(NO_SYSTEMD, encoding="utf-8")
    broken = CRONTAB.replace("-l) ", "-l) echo 'not allowed' >&2; exit 1; ")
    (state / "crontab").write_text(broken, encoding="utf-8")
    with pytest.raises(BootError, match="crontab -l failed: not allowed"):
        schedule_backups(plan(tmp_path), "1d", [])
    assert not (state / "crontab.ada").exists()


def test_a_machine_with_neither_must_be_told_so(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(state / "none"))
    with pytest.raises(BootError, match="neither systemd nor cron"):
        schedule_backups(plan(tmp_path), "1d", [])


def test_units_that_are_not_ours_must_be_left_alone(tmp_path: Path, state: Path) -> None:
    schedule_backups(plan(tmp_path), "1d", [])
    service = min(units(tmp_path))
    service.write_text("[Service]\n", encoding="utf-8")
    for interval in ("1d", "never"):
        with pytest.raises(BootError, match="was not written for this stack"):
            schedule_backups(plan(tmp_path), interval, [])
    assert service.read_text(encoding="utf-8") == "[Service]\n"
    assert state.exists()


def test_a_timer_that_cannot_be_reached_must_not_be_joined_by_cron(
    tmp_path: Path, state: Path
) -> None:
    schedule_backups(plan(tmp_path), "1d", [])
    (state / "systemctl").write_text(NO_SYSTEMD, encoding="utf-8")
    with pytest.raises(BootError, match="takes backups already"):
        schedule_backups(plan(tmp_path), "6h", [])
    assert not (state / "crontab.ada").exists()


def test_those_who_may_not_have_a_crontab_must_get_a_timer(tmp_path: Path, state: Path) -> None:
    broken = CRONTAB.replace("-l) ", "-l) echo 'not allowed' >&2; exit 1; ")
    (state / "crontab").write_text(broken, encoding="utf-8")
    assert as_json(schedule_backups(plan(tmp_path), "1d", []).data)["scheduler"] == "systemd"
    sorted(units(tmp_path))[1].unlink()
    schedule_backups(plan(tmp_path), "never", [])
    assert units(tmp_path) == []


def test_a_unit_must_not_get_lines_from_an_option(tmp_path: Path) -> None:
    command = [*COMMAND, "--to=s3://bucket/\n[Service]\nExecStartPre=/bin/false"]
    with pytest.raises(BootError, match="control characters"):
        assert BackupTimer(IDENTITY, "lab", every("1d", 0), command).texts
    assert [*tmp_path.iterdir()] == []


def test_a_scheduled_backup_must_only_be_of_its_own_stack(user: User) -> None:
    user.has_env()
    result = user.types("backup", "--only-of", "f" * 16)
    assert (result.code, "not ffffffffffffffff" in result.err) == (2, True)
