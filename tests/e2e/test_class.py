"""`class`: a tracking server, a database and a bucket for each seat."""

import csv
import json
import shutil
import socket
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from .class_page import served
from .conftest import MakeStack
from .docker_stack import DockerStack
from .handed_out import HandedOut
from .running import left_to_soak, short_in_ci
from .seats import SEATS, Class, Seat, open_class
from .tool import tool
from .tracking import ARTIFACTS, MLFLOW, Api

UNAUTHORIZED, BAD_REQUEST = 401, 400
READ = "/api/2.0/mlflow/experiments/get?experiment_id=0"


@pytest.fixture(scope="module")
def class_(_make_for_module: MakeStack, tmp_path_factory: pytest.TempPathFactory) -> Class:
    """Return a running class, whose roster Excel wrote."""
    return open_class(_make_for_module(), tmp_path_factory.mktemp("roster") / "people.csv")


def test_each_seat_of_a_roster_must_work_for_its_people_only(class_: Class) -> None:
    seats = class_.seats
    assert tuple(seats) == SEATS
    runs = {name: class_.stack.log_run(seat.api) for name, seat in seats.items()}
    for name, seat in seats.items():
        class_.expect(seat, runs[name])
        # The default experiment, and that of the run.
        assert len(seat.api.post("experiments/search", max_results=10)["experiments"]) == 2
        for other in {*seats.values()} - {seat}:
            intruder = Api(other.url, (seat.name, seat.password))
            assert intruder.call("GET", READ).status_code == UNAUTHORIZED
    # The teacher's own server is another one.
    assert len(class_.stack.api.post("experiments/search", max_results=10)["experiments"]) == 1


@short_in_ci
def test_what_is_handed_out_must_open_its_own_seat_and_no_other(class_: Class) -> None:
    class_.stack.tool("class", "handout")
    folder = class_.stack.folder / "class" / "handouts"
    found = {name: HandedOut(folder / name) for name in class_.seats}
    for name, seat in class_.seats.items():
        assert [*found[name].variables.values()] == [seat.url, seat.name, seat.password]
        found[name].check().shows(f"as {name}")
    ada, red, lilei = class_.seats.values()
    refused = found[ada.name].check(code=1, MLFLOW_TRACKING_URI=red.url)
    refused.shows(f"MLflow refuses the login of {ada.name}")
    runs = {ada: found[ada.name].first_run(), red: found[red.name].notebook()}
    for seat, logged in runs.items():
        assert logged.url == seat.url
        query = f"run_id={logged.id}&metric_key=loss"
        history = seat.api.call("GET", f"/api/2.0/mlflow/metrics/get-history?{query}").json()
        assert len(history["metrics"]) == 20
        path = f"{logged.experiment_id}/{logged.id}/artifacts/hello.txt"
        assert seat.api.artifact("GET", path).text == "Logged from this computer.\n"
    made = found[lilei.name].shell()
    assert lilei.api.get("experiments/get", experiment_id=made)["experiment"]


def test_the_keys_of_a_seat_must_open_nothing_else(class_: Class) -> None:
    ada, red, _ = class_.seats.values()
    run = class_.stack.log_run(red.api)
    for name in (red.database, "mlflow", "postgres", "template1", "seats_template"):
        assert "permission denied" in connected(class_, ada, name)
    assert connected(class_, ada, ada.database) == "1"
    s3 = class_.stack.s3(ada.key)
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] in ([], [ada.bucket])
    for bucket in (red.bucket, class_.stack.bucket):
        for call, more in (
            (s3.list_objects_v2, {}),
            (s3.get_object, {"Key": run.key}),
            (s3.put_object, {"Key": "mine", "Body": b"x"}),
            (s3.delete_object, {"Key": run.key}),
        ):
            with pytest.raises(ClientError, match=r"AccessDenied|NoSuchBucket"):
                call(Bucket=bucket, **more)
    # Its own server would fetch a foreign object with its own key.
    location = f"s3://{red.bucket}/{run.experiment_id}"
    body = {"name": "x", "artifact_location": location}
    made = ada.api.call("POST", "/api/2.0/mlflow/experiments/create", json=body)
    assert made.status_code == BAD_REQUEST
    class_.expect(red, run)


@short_in_ci
def test_the_teacher_must_see_and_restart_seats(class_: Class) -> None:
    """Each action of the page, while it shows what a seat has stored."""
    stack, red, lilei = class_.stack, class_.seats["red"], class_.seats["lilei"]
    run = stack.log_run(red.api)
    shown = {each["seat"]: each for each in stack.tool("class", "status", "--json").data["seats"]}
    assert [*shown] == [*SEATS]
    assert (shown["red"]["health"], shown["red"]["names"]) == ("healthy", "Bob, Cleo")
    assert shown["red"]["storage"] > len(run.artifact)
    with served(stack) as page:
        before = page.state("red")
        assert before["runs"] == shown["red"]["runs"] >= 1
        assert before["last_activity"] > 0
        others = ("postgres", "s3", "mlflow", "seat-lilei")
        starts, own = stack.starts(*others), stack.starts("seat-red")
        assert page.act("red", "restart") == ""
        assert stack.starts("seat-red") != own
        assert stack.starts(*others) == starts
        class_.expect(red, run)
        assert page.act("lilei", "reset") == ""
        assert page.state("lilei")["runs"] == 0
        stack.log_run(lilei.api)
        class_.expect(red, run)
    if isinstance(stack, DockerStack):
        # What counted has ended with it.
        assert stack.one_offs() == []


@short_in_ci
def test_one_broken_seat_must_not_stop_the_others(class_: Class) -> None:
    ada, red, lilei = class_.seats.values()
    run = class_.stack.log_run(lilei.api)
    owner_sql(class_, ada.database, "UPDATE alembic_version SET version_num = 'broken'")
    class_.stack.restart("seat-ada-lovelace")
    output = class_.stack.tool("class", "up", "--wait-timeout=30", "--json", code=None)
    assert output.code in {1, 3}
    (error,) = output.envelope["errors"]
    assert error["message"].startswith("seat-ada-lovelace ")
    ready = {seat["seat"]: seat["ready"] for seat in output.data["seats"]}
    assert ready == {ada.name: False, red.name: True, lilei.name: True}
    class_.expect(lilei, run)
    others = ("postgres", "s3", "mlflow", "seat-red", "seat-lilei")
    starts = class_.stack.starts(*others)
    class_.stack.tool("class", "reset", ada.name, "--yes")
    assert class_.stack.starts(*others) == starts
    class_.expect(lilei, run)
    class_.stack.log_run(ada.api)
    with_a_taken_port(class_, red)


def with_a_taken_port(class_: Class, seat: Seat) -> None:
    """Only the seat does not start, until its port is free again."""
    class_.stack.stop(f"seat-{seat.name}")
    port = int(seat.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        output = class_.stack.tool("class", "up", "--json", code=1)
        (error,) = output.envelope["errors"]
        assert error["message"].startswith(f"port {port} is already in use by ")
        ready = {each["seat"]: each["ready"] for each in output.data["seats"]}
        assert ready == {name: name != seat.name for name in class_.seats}
    class_.stack.tool("class", "up")
    class_.stack.log_run(seat.api)


@short_in_ci
def test_what_is_collected_must_equal_what_was_logged(class_: Class) -> None:
    seats = class_.seats
    runs = {name: class_.stack.log_run(seat.api) for name, seat in seats.items()}
    data = class_.stack.tool("class", "collect", "--json").data
    text = Path(data["runs_file"]).read_text(encoding="utf-8-sig")
    rows = {row["run_id"]: row for row in csv.DictReader(text.splitlines())}
    assert len(rows) == data["runs"] >= len(seats)
    for name, run in runs.items():
        assert rows[run.id]["seat"] == name
        assert float(rows[run.id]["metric.loss"]) == run.loss
    assert rows[runs["red"].id]["names"] == "Bob, Cleo"
    # The same snapshot, put into another seat.
    folder = Path(data["folder"]) / "lilei"
    class_.stack.tool("class", "reset", "red", "--to", str(folder), "--yes")
    class_.expect(seats["red"], runs["lilei"])
    assert not seats["red"].api.call("GET", f"{MLFLOW}/runs/get?run_id={runs['red'].id}").ok


@short_in_ci
def test_a_lesson_must_run_for_each_seat(class_: Class, tmp_path: Path) -> None:
    lesson = tmp_path / "lesson.ipynb"
    code = ["import mlflow\n", "mlflow.set_experiment('lesson')\n", "mlflow.log_metric('loss', 2)"]
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "source": "# Lesson"},
        {"cell_type": "code", "source": code},
    ]
    lesson.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    class_.stack.tool("class", "seed", str(lesson))
    for seat in class_.seats.values():
        found = seat.api.get("experiments/get-by-name", experiment_name="lesson")["experiment"]
        runs = seat.api.post("runs/search", experiment_ids=[found["experiment_id"]])["runs"]
        assert [metric["value"] for metric in runs[0]["data"]["metrics"]] == [2]
    cells = [{"cell_type": "code", "source": "%pip x"}]
    lesson.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    class_.stack.tool("class", "seed", str(lesson), code=2).shows("is not Python: %pip x")


@short_in_ci
def test_a_seat_that_is_reset_must_be_empty(class_: Class) -> None:
    _, red, lilei = class_.seats.values()
    kept, gone = class_.stack.log_run(red.api), class_.stack.log_run(lilei.api)
    class_.stack.tool("class", "reset", lilei.name, "--yes")
    assert len(lilei.api.post("experiments/search", max_results=10)["experiments"]) == 1
    assert not lilei.api.call("GET", f"{ARTIFACTS}/{gone.key}").ok
    class_.expect(red, kept)


@short_in_ci
def test_seats_that_are_added_and_removed_must_leave_nothing(class_: Class, tmp_path: Path) -> None:
    red = class_.seats["red"]
    kept = class_.stack.log_run(red.api)
    # Its database must not be the one that the others are copied from.
    latecomer = tmp_path / "late.csv"
    latecomer.write_text("name\nRed\nTemplate\n", encoding="utf-8")
    others = ("postgres", "s3", "mlflow", "seat-red", "seat-ada-lovelace")
    starts = class_.stack.starts(*others)
    folder = class_.stack.folder / "class"
    kept_folder = folder.rename(tmp_path / "class")
    # People whom the roster does not have would get a second seat with the next attempt.
    folder.symlink_to(tmp_path / "unplugged")
    class_.stack.tool("class", "add", str(latecomer), code=1)
    folder.unlink()
    kept_folder.rename(folder)
    class_.stack.tool("class", "add", str(latecomer))
    assert class_.stack.starts(*others) == starts
    added = class_.seats
    assert tuple(added) == (*SEATS, "red-2", "template")
    run = class_.stack.log_run(added["template"].api)
    class_.expect(added["template"], run)
    class_.stack.tool("class", "remove", "template", "red-2", "--yes")
    assert class_.stack.starts(*others) == starts
    assert tuple(class_.seats) == SEATS
    assert not {"seat_template", "seat_red_2"} & {*owner_sql(class_, "mlflow", DATABASES)}
    buckets = class_.stack.s3(class_.stack.root_key).list_buckets()["Buckets"]
    assert not {"mlflow-template", "mlflow-red-2"} & {each["Name"] for each in buckets}
    class_.expect(red, kept)
    errors = class_.stack.tool("class", "reset", "template", "--yes", "--json", code=2).envelope
    assert errors["errors"][0]["message"] == "there is no seat template"


def test_a_roster_that_is_deleted_must_be_missed(class_: Class, tmp_path: Path) -> None:
    roster = class_.stack.folder / "class" / "roster.csv"
    kept = roster.rename(tmp_path / "roster.csv")
    found = class_.stack.tool("class", "status", "--json").data["trouble"]
    kept.rename(roster)
    assert found == "class/roster.csv is missing, so names are lost"
    assert class_.stack.tool("class", "status", "--json").data["trouble"] is None


def test_a_copy_of_the_folder_must_not_reach_the_seats(class_: Class, tmp_path: Path) -> None:
    """It has the same addresses, passwords and rendered files."""
    stack, red = class_.stack, class_.seats["red"]
    run, copy = stack.log_run(red.api), tmp_path / "copy"
    shutil.copytree(stack.folder, copy, ignore=shutil.ignore_patterns("run", "data", "*.log"))
    for command in ("remove", "reset"):
        done = tool("class", command, "red", "--yes", "--json", code=None, folder=copy)
        assert done.code in {1, 2}
        class_.expect(red, run)


@left_to_soak("it starts another class")
def test_a_bucket_of_others_must_neither_be_handed_out_nor_deleted(
    class_: Class, tmp_path: Path
) -> None:
    stack = class_.stack
    if stack.engine != "docker":
        pytest.skip("each seat has a folder of its own")
    s3 = stack.s3(stack.root_key)
    s3.create_bucket(Bucket="mlflow-dana")
    s3.put_object(Bucket="mlflow-dana", Key="mine", Body=b"x")
    roster = tmp_path / "late.csv"
    roster.write_text("name\nDana\n", encoding="utf-8")
    stack.tool("class", "add", str(roster), "--wait-timeout=20", code=None)
    stack.tool("logs", "seats-init").shows("the bucket mlflow-dana holds objects")
    stack.tool("class", "remove", "dana", "--yes")
    assert "seat_dana" not in owner_sql(class_, "mlflow", DATABASES)
    assert s3.get_object(Bucket="mlflow-dana", Key="mine")["Body"].read() == b"x"


def test_a_seat_must_not_be_hidden_by_an_edited_file(class_: Class) -> None:
    stack = class_.stack
    for hiding in ({"CLASS_MODE": "none"}, {"CLASS_SEATS": "x=29999"}):
        with stack.changed(**hiding):
            error = stack.tool("up", "--json", code=1).envelope["errors"][0]
            assert error["code"] == "data_elsewhere"
            assert ", ".join(sorted(SEATS)) in error["message"]
    assert stack.health("seat-red") == "healthy"


def test_settings_of_the_environment_must_stop_a_deletion_before_it_begins(class_: Class) -> None:
    stack, red = class_.stack, class_.seats["red"]
    run, seats = stack.log_run(red.api), stack.settings["CLASS_SEATS"]
    stack.tool("class", "remove", "red", "--yes", code=2, CLASS_SEATS=seats)
    stack.tool("class", "down", "--volumes", "--yes", code=2, CLASS_MODE="seats")
    class_.expect(red, run)


@left_to_soak("it starts all seats again")
def test_another_secret_must_change_the_passwords_of_seats(class_: Class) -> None:
    """The old ones may have been seen by others."""
    stack, old = class_.stack, class_.seats["red"]
    run = stack.log_run(old.api)
    stack.write(CLASS_SECRET=stack.settings["CLASS_SECRET"][::-1])
    stack.tool("class", "up")
    new = class_.seats["red"]
    assert new.password != old.password
    class_.expect(new, run)
    assert old.api.call("GET", READ).status_code == UNAUTHORIZED


@left_to_soak("it starts all seats again")
def test_a_class_without_seats_must_get_new_ones(class_: Class) -> None:
    class_.stack.tool("class", "remove", *class_.seats, "--yes")
    class_.stack.tool("class", "add", "--seats", "1")
    (seat,) = class_.seats.values()
    class_.expect(seat, class_.stack.log_run(seat.api))


def test_the_end_of_a_class_must_leave_nothing_behind(class_: Class) -> None:
    folder = class_.stack.folder
    grades = folder / "class" / "grades.txt"
    grades.write_text("the teacher's own", encoding="utf-8")
    secret = class_.stack.settings["CLASS_SECRET"]
    class_.stack.tool("class", "down", "--volumes", "--yes")
    # The people of the next class may have the same names, but not the same passwords.
    assert class_.stack.settings["CLASS_SECRET"] not in {secret, ""}
    assert class_.stack.volumes() == set()
    assert class_.stack.ids() == {}
    assert not [*class_.folder.rglob("seat*")]
    # The hand-outs are gone, too.
    # What was collected stays, too.
    assert {path.name for path in (folder / "class").iterdir()} - {"collected"} == {grades.name}
    assert class_.stack.settings["CLASS_MODE"] == "none"


DATABASES = "SELECT datname FROM pg_database"


def owner_sql(class_: Class, database: str, statement: str) -> list[str]:
    """Run a statement as the owner of the stack."""
    argv = ("psql", "-U", "mlflow", "-d", database, "-AtqX", "-c", statement)
    return class_.stack.execute("postgres", *argv).splitlines()


def connected(class_: Class, seat: Seat, database: str) -> str:
    """Return what a seat's role gets from a database: 1, or why it is refused."""
    script = (
        "import os, psycopg2, sys\n"
        "request = __import__('json').loads(sys.stdin.read())\n"
        "try:\n"
        "    cursor = psycopg2.connect('service=mlflow', **request).cursor()\n"
        "    cursor.execute('SELECT 1')\n"
        "    print(cursor.fetchone()[0])\n"
        "except psycopg2.Error as error:\n"
        "    print(str(error).strip())\n"
    )
    login = {"user": seat.database, "password": seat.database_password, "dbname": database}
    return class_.stack.execute("mlflow", "python", "-c", script, given=json.dumps(login)).strip()
