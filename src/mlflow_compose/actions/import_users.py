"""`user import`: add the people of a roster."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from mlflow_compose.actions.users import People
from mlflow_compose.clients import TrackingError, Unreachable, Users
from mlflow_compose.errors import Cancelled, MlflowComposeError, UsageError, UserError
from mlflow_compose.files import write_new
from mlflow_compose.payloads import UserImported, UsersImported
from mlflow_compose.people import Person, new_password, read_roster
from mlflow_compose.result import Result

AGAIN_HINT = "run it again with another --output: people who are users already are left alone"
HEADINGS = "login,password"
PRIVATE = 0o600


def import_users(people: People, file: Path, output: Path | None) -> Result:
    """Add the people of a roster, each with a random password that is kept nowhere else.

    Args:
        people: Users of the stack.
        file: The roster.
        output: New file for logins and passwords, None for the result's lines.

    Raises:
        UsageError: The roster cannot be read, or the new file cannot be created.
        RosterError: The file is not a roster.
        UserError: The server refuses.
    """
    try:
        roster = read_roster(file.read_bytes(), file.name)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    found: list[UserImported] = []
    errors: list[MlflowComposeError] = []
    with people.users() as users:
        known = users.names()
        with _kept(output) as keep:
            for person in roster:
                try:
                    found.append(_import(users, known, person))
                    keep(_row(found[-1]))
                # Also an interrupt: the passwords so far must be shown.
                except (TrackingError, Unreachable, KeyboardInterrupt) as error:
                    errors.append(_stopped(people, person, error))
                    break
                except OSError as error:
                    errors.append(_unwritten(output, error))
                    output = None
                    break
    added = sum(each.password is not None for each in found)
    done = f"added {added} users; their passwords are in {output}"
    old = [f"{each.name} ({each.login}) is a user already" for each in found if not each.password]
    lines = [done, *old] if output else [HEADINGS, *map(_row, found)]
    return Result(UsersImported(found), lines, errors)


def _stopped(people: People, person: Person, error: BaseException) -> MlflowComposeError:
    if isinstance(error, KeyboardInterrupt):
        known = f"if {person.login} is a user by now, user passwd gives a password"
        return Cancelled("interrupted", hint=f"{AGAIN_HINT}; {known}")
    reason = people.engine.stack.mask(str(error))
    return UserError(f"{person.name} was not added: {reason}", hint=AGAIN_HINT)


@contextmanager
def _kept(output: Path | None) -> Iterator[Callable[[str], None]]:
    """Provide what keeps a line at once: a password that is lost would have to be changed."""
    if output is None:
        yield lambda _: None
        return
    try:
        write_new(output, f"{HEADINGS}\n", PRIVATE)
        stream = output.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise _unwritten(output, error) from None
    try:
        yield lambda row: _write(stream, row)
    finally:
        # After a failed write, which is reported, closing fails for the same reason.
        with suppress(OSError):
            stream.close()


def _unwritten(output: Path | None, error: OSError) -> UsageError:
    return UsageError(f"{output} cannot be written: {error.strerror}")


def _write(stream: TextIO, row: str) -> None:
    stream.write(f"{row}\n")


def _row(user: UserImported) -> str:
    return f"{user.login},{user.password or ''}"


def _import(users: Users, known: set[str], person: Person) -> UserImported:
    if person.login in known:
        return UserImported(person.name, person.login, None)
    password = new_password(secrets.choice)
    users.add(person.login, password)
    return UserImported(person.name, person.login, password)
