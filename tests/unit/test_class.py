"""Seats of a class: names, settings, keys, turns and tables, without servers."""

import csv
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.actions.class_change import meant
from mlflow_compose.actions.class_program import program_of
from mlflow_compose.actions.class_roster import members_from
from mlflow_compose.classroom import members_of, members_text, numbered, own_place, read_members
from mlflow_compose.classroom.grades import GradedRun, RunFacts, grades
from mlflow_compose.errors import RosterError, SettingsError, UsageError
from mlflow_compose.paths import templates
from mlflow_compose.people import read_roster
from mlflow_compose.settings.seats import Seat, port_range, seats_of, written
from mlflow_compose.stack.seats import CONNECTIONS, seat_settings
from tests.unit.samples import settings, stack

from .fakes import Notes

CLASS = {
    "CLASS_MODE": "seats",
    "CLASS_SEATS": "ada=5201 bob-2=5202",
    "MLFLOW_AUTH": "basic",
}
TURN = templates() / "compose" / "seats-init" / "take_turn.py"
NAMES = st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=40)


@given(NAMES)
def test_any_roster_must_become_seats_that_settings_accept(names: list[str]) -> None:
    quoted = ["name", *(name.replace('"', '""') for name in names)]
    text = "\n".join(f'"{cell}"' for cell in quoted)
    try:
        people = read_roster(text.encode("utf-8", "replace"), "people.csv")
    except RosterError:
        return
    seats = [Seat(name, 5201 + place) for place, name in enumerate(members_of(people))]
    assert seats_of(written(seats)) == tuple(seats)
    assert len(seats) == len(people)


def test_people_of_a_team_must_share_a_seat_that_no_person_has() -> None:
    people = read_roster(b"name,team\nRed,\nBob,Red\nCleo,Red\nDan,\n", "people.csv")
    found = members_of(people, {"dan": ()})
    assert {seat: [each.name for each in who] for seat, who in found.items()} == {
        "red": ["Red"],
        "red-2": ["Bob", "Cleo"],
        "dan-2": ["Dan"],
    }
    again = read_members(members_text(found), "roster.csv")
    assert {s: [p.name for p in w] for s, w in again.items()} == {
        s: [p.name for p in w] for s, w in found.items()
    }


def test_a_latecomer_must_join_the_team_and_the_others_keep_their_only_seat(tmp_path: Path) -> None:
    roster, notes = tmp_path / "people.csv", Notes()
    roster.write_text("name,email,team\nAda,ada@example.org,\nBob,,red\n", encoding="utf-8")
    there = members_from(roster, None)
    with pytest.raises(UsageError, match="is in the class already"):
        members_from(roster, None, there)
    with roster.open("a", encoding="utf-8") as file:
        file.write("Cleo,,red\nAda,other@example.org,\n")
    found = members_from(roster, None, there, notes)
    assert {seat: [each.name for each in who] for seat, who in found.items()} == {
        "red": ["Cleo"],
        "ada-2": ["Ada"],
    }
    assert notes.texts == ["2 of 4 people are in the class already"]


def test_a_seat_that_does_not_exist_must_be_answered_with_those_that_it_may_mean() -> None:
    known = ["ada-lovelace", "ada-b", "bob"]
    assert meant("Ada", known) == "did you mean ada-lovelace or ada-b?"
    assert meant("bbo", known) == "did you mean bob?"
    assert meant("zoe", known) == "mlflow-compose class status lists the seats"


def test_seats_without_names_must_be_numbered_past_those_that_exist() -> None:
    assert list(numbered(3, taken=["s02"])) == ["s01", "s03", "s04"]
    assert read_members(members_text(numbered(2)), "roster.csv") == {"s01": (), "s02": ()}


def test_a_class_of_too_many_must_be_refused(tmp_path: Path) -> None:
    roster = tmp_path / "people.csv"
    roster.write_text("name\n" + "".join(f"P{n}\n" for n in range(201)), encoding="utf-8")
    with pytest.raises(RosterError, match="at most 200 seats, got 201"):
        members_from(roster, None)
    with pytest.raises(UsageError, match="either a roster or --seats"):
        members_from(roster, 3)


def test_a_workspace_must_have_a_name_that_mlflow_accepts() -> None:
    assert [own_place(name) for name in ("ada", "a", "default")] == [
        "ada",
        "seat-a",
        "seat-default",
    ]


@pytest.mark.parametrize("text", ["ada", "ada=0", "ada=70000", "Ada=5201", "1a=5201", "a_b=5201"])
def test_a_seat_that_is_none_must_be_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be NAME=PORT"):
        seats_of(text)


def test_doubles_and_wrong_ranges_must_be_refused() -> None:
    with pytest.raises(ValueError, match="must not contain ada twice"):
        seats_of("ada=5201 ada=5202")
    with pytest.raises(ValueError, match="must not contain 5201 twice"):
        seats_of("ada=5201 bob=5201")
    for value in ("5201", "5300-5201", "0-10", "1-70000"):
        with pytest.raises(ValueError, match="must be FIRST-LAST"):
            port_range(value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"MLFLOW_AUTH": "none"}, "requires MLFLOW_AUTH=basic, got seats"),
        ({"CLASS_SECRET": "short"}, "must be at least 24 characters long"),
        ({"PG_USER": "seat_ada"}, "must not start with seat_ when CLASS_MODE is seats"),
        ({"PG_HOST": "db.example.org"}, "must be postgres"),
        ({"MLFLOW_ARTIFACT_ACCESS": "direct"}, "must be proxied when CLASS_MODE is seats"),
        ({"S3_PROVIDER": "rclone"}, "must be minio, versitygw or rustfs"),
        ({"CLASS_SEATS": "ada=5000"}, "must give ada another port than MLFLOW_PORT, got 5000"),
        ({"MLFLOW_BUCKET_NAME": "b" * 62}, "must be shorter when CLASS_MODE is seats"),
    ],
)
def test_settings_that_a_class_cannot_have_must_be_refused(
    changed: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        settings(**{**CLASS, **changed})


def test_the_secrets_of_seats_must_differ_and_only_be_those_of_their_own_services() -> None:
    found = settings(**CLASS)
    ada, bob = (seat_settings(found, seat) for seat in found.seats)
    names = ("pg_password", "minio_access_key", "minio_secret_access_key", "mlflow_admin_password")
    for name in names:
        assert len({getattr(each, name).get_secret_value() for each in (found, ada, bob)}) == 3
    built = stack(**CLASS)
    for seat, own, other in (("seat-ada", ada, bob), ("seat-bob-2", bob, ada)):
        texts = "".join(secret.text for secret in built.service(seat).secrets)
        for name in names:
            assert getattr(own, name).get_secret_value() in texts
            assert getattr(other, name).get_secret_value() not in texts
    for service in ("mlflow", "postgres", "s3"):
        texts = "".join(secret.text for secret in built.service(service).secrets)
        assert not any(getattr(ada, name).get_secret_value() in texts for name in names)


def test_one_more_seat_must_not_change_the_servers_that_all_share() -> None:
    before, after = stack(**CLASS), stack(**{**CLASS, "CLASS_SEATS": "ada=5201 bob-2=5202 c=5203"})
    for name in ("postgres", "s3", "bucket-init", "mlflow", "seat-ada", "seat-bob-2"):
        assert after.service(name) == before.service(name)
    (option,) = (text for text in after.service("postgres").command if "max_conn" in text)
    assert int(option.partition("=")[2]) >= 3 * CONNECTIONS


def test_another_seat_must_start_when_the_first_answers_or_has_died(tmp_path: Path) -> None:
    marks = [tmp_path / f"started-{number}" for number in range(3)]
    (tmp_path / "turns").mkdir()
    environ = {**os.environ, "TURNS_FOLDER": str(tmp_path / "turns"), "TURN_ADDRESS": "127.0.0.1"}
    script = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
    turns = max(2, os.cpu_count() or 1)
    held = []
    for number in range(turns - 1):
        file = (tmp_path / "turns" / f"turn-{number}").open("w")
        fcntl.flock(file, fcntl.LOCK_EX)
        held.append(file)
    servers = [
        subprocess.Popen(
            [sys.executable, str(TURN), sys.executable, "-c", script, str(mark)],
            env={**environ, "TURN_PORT": "9"},
        )
        for mark in marks
    ]
    try:
        wait_for(lambda: sum(mark.exists() for mark in marks) == 1)
        first = next(server for server, mark in zip(servers, marks, strict=True) if mark.exists())
        assert sum(mark.exists() for mark in marks) == 1
        first.kill()
        # As the first process of a container, or supervisord, does.
        first.wait()
        wait_for(lambda: sum(mark.exists() for mark in marks) == 2)
        held[0].close()
        wait_for(lambda: all(mark.exists() for mark in marks))
    finally:
        for server in servers:
            server.kill()
            server.wait()


def wait_for(condition: object, seconds: float = 20) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def facts(**values: object) -> RunFacts:
    """Return the facts of a run."""
    defaults: dict[str, object] = {
        "run_id": "r1",
        "name": "=HYPERLINK(1)",
        "status": "FINISHED",
        "start_time": 1_700_000_000_000,
        "end_time": 1_700_000_001_500,
        "experiment": "lesson",
        "workspace": "",
        "metrics": {"loss": 0.5},
        "params": {"lr": "-1"},
    }
    return RunFacts(**{**defaults, **values})  # type: ignore[arg-type]


def test_the_table_of_runs_must_hold_all_values_and_no_formula() -> None:
    runs = [
        GradedRun("ada", "Ada, Bob", facts()),
        GradedRun("bob", "Bob", facts(run_id="r2", name=None, end_time=None, metrics={"f1": 1.0})),
    ]
    text = grades(runs)
    assert text.startswith("\ufeffseat,")
    first, second = csv.DictReader(text.removeprefix("\ufeff").splitlines())
    assert (first["run_name"], first["param.lr"]) == ("'=HYPERLINK(1)", "'-1")
    assert (first["started"], first["seconds"]) == ("2023-11-14T22:13:20+00:00", "1.5")
    assert (first["metric.loss"], first["metric.f1"]) == ("0.5", "")
    assert (second["seconds"], second["metric.f1"]) == ("", "1.0")


def test_a_program_that_python_cannot_run_must_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "lesson.ipynb"
    for content, said in (
        ("{}", "is not a notebook"),
        ("[", "is not a notebook"),
        ('{"cells": [{"cell_type": "code", "source": "!ls"}]}', "is not Python: !ls"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=said):
            program_of(path)
    with pytest.raises(UsageError, match="cannot be read"):
        program_of(tmp_path / "missing.py")
