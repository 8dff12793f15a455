"""`class handout`: which class, which folder, what is said."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mlflow_compose.actions.class_handout import remove_handouts
from mlflow_compose.actions.plan import load_plan, read_settings

from .conftest import User

SEATS = "CLASS_SEATS=ada=5201 alan-t=5202"
CLASS = ("MLFLOW_AUTH=basic", "CLASS_MODE=seats", "CLASS_SECRET=a-secret-of-24-characters-or-more")
ROSTER = "seat,name,email,team\nada,Ada Łovelace,ada@lab.example,\n"


@pytest.fixture
def teacher(user: User) -> User:
    """Return a user with a class of two seats, one of them with a name."""
    user.has_env(*CLASS, SEATS)
    (user.folder / "class").mkdir()
    (user.folder / "class" / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return user


def files_in(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}


def test_hand_outs_must_be_written_before_the_first_start(teacher: User) -> None:
    """They are printed the week before; the programs recognize the stack by an id that it keeps."""
    found = teacher.types("class", "handout", "--json")
    assert found.code == 0, found.err
    data = json.loads(found.out)["data"]
    folder = teacher.folder / "class" / "handouts"
    assert data["folder"] == str(folder)
    assert data["removed"] == []
    assert [(one["seat"], one["names"], one["user"]) for one in data["seats"]] == [
        ("ada", "Ada Łovelace", "ada"),
        ("alan-t", "alan-t", "alan-t"),
    ]
    identity = (teacher.folder / ".mlflow-compose" / "id").read_text(encoding="utf-8").strip()
    assert f"'id': '{identity}'" in (folder / "ada" / "check_client.py").read_text(encoding="utf-8")
    for one in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one.is_dir() else 0o600), one


def test_passwords_must_only_be_in_the_files(teacher: User) -> None:
    shown = [teacher.types("class", "handout", *options) for options in ([], ["--json"])]
    env = (teacher.folder / "class" / "handouts" / "ada" / ".env").read_text(encoding="utf-8")
    password = env.splitlines()[2].partition("=")[2]
    assert len(password) > 12
    assert not any(password in one.out + one.err for one in shown)


def test_the_same_class_must_get_the_same_hand_outs(teacher: User) -> None:
    teacher.types("class", "handout")
    folder = teacher.folder / "class" / "handouts"
    before = {path: (folder / path).stat().st_mtime_ns for path in files_in(folder)}
    assert teacher.types("class", "handout").code == 0
    assert {path: (folder / path).stat().st_mtime_ns for path in before} == before


def test_hand_outs_of_a_seat_that_is_gone_must_be_removed(teacher: User) -> None:
    teacher.types("class", "handout")
    teacher.has_env(*CLASS, "CLASS_SEATS=ada=5201")
    shown = teacher.types("class", "handout").out
    folder = teacher.folder / "class" / "handouts"
    assert f"removed    {folder / 'alan-t'}" in shown
    assert not (folder / "alan-t").exists()
    assert "alan-t" not in (folder / "table.csv").read_text(encoding="utf-8")


def test_only_pages_that_changed_must_be_printed_again(teacher: User) -> None:
    printed = f"print      {teacher.folder / 'class' / 'handouts' / 'all.html'}"
    assert printed in teacher.types("class", "handout").out.splitlines()
    assert f"{printed}, if you have not: nothing changed" in teacher.types("class", "handout").out
    teacher.has_env(*CLASS, f"{SEATS} zoe=5203")
    assert "print      zoe/handout.html: the other" in teacher.types("class", "handout").out
    teacher.has_env(*CLASS, "CLASS_SEATS=ada=5207 alan-t=5202 zoe=5203")
    seats = json.loads(teacher.types("class", "handout", "--json").out)["data"]["seats"]
    assert [one["seat"] for one in seats if one["changed"]] == ["ada"]


def test_another_folder_must_be_possible(teacher: User, tmp_path: Path) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    assert teacher.types("class", "handout", "--output", str(folder)).code == 0
    assert (folder / "all.html").exists()
    assert not (teacher.folder / "class" / "handouts").exists()


def test_a_folder_with_other_files_must_be_refused(teacher: User) -> None:
    found = teacher.types("class", "handout", "--output", str(teacher.folder))
    assert found.code == 1
    assert "is not empty" in found.err
    assert "--output" in found.err


@pytest.mark.parametrize(
    ("lines", "problem", "hint"),
    [
        ((), "CLASS_MODE is none", "class create people.csv"),
        (CLASS, "the class has no seats", "class add"),
    ],
)
def test_a_stack_without_seats_must_be_told_what_to_do(
    lines: tuple[str, ...], problem: str, hint: str, user: User
) -> None:
    user.has_env(*lines)
    found = user.types("class", "handout")
    assert found.code == 2
    assert problem in found.err
    assert hint in found.err
    assert not (user.folder / "class").exists()


def test_addresses_that_only_this_machine_can_open_must_be_told(teacher: User) -> None:
    assert "STACK_BIND_ADDRESS is a loopback address" in teacher.types("class", "handout").out
    teacher.has_env(*CLASS, SEATS, "STACK_BIND_ADDRESS=0.0.0.0")
    assert "STACK_BIND_ADDRESS" not in teacher.types("class", "handout").out


def test_with_tls_hand_outs_must_bring_the_ca_that_the_stack_keeps(teacher: User) -> None:
    teacher.has_env(*CLASS, SEATS, "STACK_TLS=internal")
    texts = []
    for _ in range(2):
        found = teacher.types("class", "handout")
        assert found.code == 0, found.err
        folder = teacher.folder / "class" / "handouts" / "ada"
        texts.append((folder / "mlflow-ca.crt").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert "BEGIN CERTIFICATE" in texts[0]
    assert "PRIVATE" not in texts[0]
    assert "MLFLOW_TRACKING_URI=https://" in (folder / ".env").read_text(encoding="utf-8")


def damaged(folder: Path) -> None:
    (folder / "roster.csv").write_text("seat,name\nada,Ada\n", encoding="utf-8")


def a_file(folder: Path) -> None:
    (folder / "handouts").touch()


def a_link(folder: Path) -> None:
    (folder / "handouts").mkdir()
    os.symlink("..", folder / "handouts" / "ada")  # noqa: PTH211 - as a user makes it


@pytest.mark.parametrize("trouble", [damaged, a_file, a_link])
def test_trouble_with_files_must_be_one_sentence_with_a_hint(
    trouble: Callable[[Path], None], teacher: User
) -> None:
    trouble(teacher.folder / "class")
    found = teacher.types("class", "handout", "--json")
    (error,) = json.loads(found.out)["errors"]
    assert found.code == 1
    assert error["hint"]


def test_hand_outs_must_be_removable(teacher: User) -> None:
    teacher.types("class", "handout")
    plan = load_plan(*read_settings(teacher.env_file, {}), {})
    folder = teacher.folder / "class" / "handouts"
    (folder / "ada" / "connect.sh").write_text("edited", encoding="utf-8")
    assert remove_handouts(plan) == (str(folder / "ada" / "connect.sh"),)
    (folder / "ada" / "connect.sh").unlink()
    assert remove_handouts(plan) == ()
    assert not folder.exists()
    assert remove_handouts(plan) == ()


def test_hand_outs_must_be_removable_from_a_linked_folder(teacher: User) -> None:
    folder, target = teacher.folder / "class" / "handouts", teacher.folder / "usb"
    target.mkdir()
    folder.symlink_to(target)
    teacher.types("class", "handout")
    assert any(target.iterdir())
    assert remove_handouts(load_plan(*read_settings(teacher.env_file, {}), {})) == ()
    assert folder.is_symlink()
    assert not any(target.iterdir())
