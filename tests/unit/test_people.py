"""Rosters, logins and passwords."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.actions.workspaces import check_name
from mlflow_compose.classroom import own_place
from mlflow_compose.errors import RosterError, UsageError
from mlflow_compose.people import Person, check_password, login_of, new_password, read_roster
from mlflow_compose.settings.typed import CHARACTERS

LOGIN = re.compile(r"[a-z](-?[a-z0-9]+)*")
ADA, BOB = Person("Ada Lovelace", "ada-lovelace", "ada@example.org", "red"), Person("Bob", "bob")


@pytest.mark.parametrize(
    "content",
    [
        "name,email,team\nAda Lovelace,ada@example.org,red\nBob,,\n",
        "Team;Name;Email\r\nred;Ada  Lovelace;ada@example.org\r\n;Bob;\r\n\r\n",
        "Name\tE-Mail\tEmail\tTeam\nAda Lovelace\tx\tada@example.org\tred\nBob\n",
        'Ada Lovelace,ada@example.org,red\n"Bob"\n',
        "name,E-Mail,team\nAda Lovelace,ada@example.org,red\nBob,,\n",
        "Name;Email;Team;;\nAda Lovelace;ada@example.org;red;;\nBob;;;;\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_roster_must_be_read_as_spreadsheets_write_it(content: str, encoding: str) -> None:
    assert read_roster(content.encode(encoding), "people.csv") == [ADA, BOB]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no names"),
        (b"name,email\n\n,\n", "has no names"),
        (b"name,name\nAda,Bob\n", "two columns with the same heading"),
        (b"First name,Last name,Email\nAda,Lovelace,ada@example.org\n", "no column named name"),
        (b"Vorname;Nachname\nAda;Lovelace\n", "its first line is Vorname, Nachname"),
        (b"Student,Team\nAda,red\n", "no column named name"),
        (b"name,email\n,ada@example.org\n", "no name in entry 1: , ada@example.org"),
        ("Größe".encode("latin-1"), "is not UTF-8"),
        (b"PK\x03\x04\0\0", "is not a text file"),
        (b'name\n"' + b"x" * 200_000, "is not a CSV file"),
    ],
)
def test_what_is_no_roster_must_be_refused(content: bytes, said: str) -> None:
    with pytest.raises(RosterError, match=said):
        read_roster(content, "people.csv")


@pytest.mark.parametrize(
    ("name", "login"),
    [
        ("José Ñandú", "jose-nandu"),
        ("Ульяна", "ulyana"),
        ("李小龙", "lixiaolong"),
        ("O'Brien, Pat", "obrien-pat"),
        ("007", "u-007"),
        ("!?", "u"),
        ("ada", "ada-2"),
        ("x" * 99, "x" * 30),
    ],
)
def test_a_login_must_be_readable(name: str, login: str) -> None:
    assert login_of(name, {"ada"}) == login


@given(st.lists(st.text(), max_size=50))
def test_logins_must_be_safe_and_differ_whatever_the_names(names: list[str]) -> None:
    logins: list[str] = []
    for name in names:
        logins.append(login_of(name, logins))
    assert len({*logins}) == len(names)
    assert [login for login in logins if not LOGIN.fullmatch(login) or len(login) > 40] == []


def test_two_hundred_equal_names_must_get_different_logins() -> None:
    people = read_roster(b"name\n" + b"Kim\n" * 200, "people.csv")
    assert len({person.login for person in people}) == 200


def test_passwords_must_differ_and_be_accepted() -> None:
    found = {new_password(random.Random(seed).choice) for seed in range(100)}  # noqa: S311
    assert len(found) == 100
    for password in found:
        assert check_password(password) == password
        assert {*password} <= {*CHARACTERS, "-"}


@pytest.mark.parametrize("password", ["", "short", "größe-größe-größe", "tab\tin the middle"])
def test_a_password_that_clients_cannot_send_must_be_refused(password: str) -> None:
    with pytest.raises(UsageError, match="a password must"):
        check_password(password)


@given(
    st.lists(st.from_regex(r"(seat-){0,3}[a-z]|default|api|[a-z][a-z0-9-]{0,8}", fullmatch=True))
)
def test_seats_must_not_share_a_workspace(names: list[str]) -> None:
    """Resetting one of them would delete what the other one has stored."""
    seats = {name for name in names if not name.endswith("-")}
    places = [own_place(seat) for seat in seats]
    assert len({*places}) == len(seats)
    for place in places:
        check_name(place)
