"""pgAdmin: shows the database to those who know its password, and can change nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from mlflow_compose.clients import PgAdmin, PgAdminError
from mlflow_compose.settings.pgadmin import PGADMIN_EMAIL

from .classroom import Classroom
from .docker_stack import DockerStack
from .running import RunningStack, docker_only, left_to_soak
from .security import lan_address
from .test_sql import EVERYWHERE, state

READ_ONLY_OFF = "SET default_transaction_read_only = off"
# What the role may not do even if the session is not read-only.
FORBIDDEN = (
    "DELETE FROM runs",
    "INSERT INTO params (key, value, run_uuid) VALUES ('a', 'b', 'c')",
    "CREATE TABLE stolen (id int)",
    "SELECT * FROM users",
    "SELECT * FROM webhooks",
    "SET ROLE pg_write_all_data",
)


def url(stack: RunningStack, host: str = "127.0.0.1") -> str:
    """Return the URL of pgAdmin."""
    return f"http://{host}:{stack.settings['PGADMIN_PORT']}"


@contextmanager
def opened(stack: RunningStack) -> Iterator[tuple[PgAdmin, str]]:
    """Log in; provide the client and the only server that is listed."""
    client = PgAdmin(url(stack))
    with client.login(PGADMIN_EMAIL, stack.settings["PGADMIN_PASSWORD"]) as is_accepted:
        assert is_accepted
        (server,) = client.servers()
        yield client, server


@pytest.mark.parametrize("path", ["browser/", "browser/server_group/nodes/", "sqleditor/poll/1"])
def test_strangers_must_be_sent_to_the_login(classroom: Classroom, path: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for host in ("127.0.0.1", lan_address()):
            page = session.get(
                f"{url(classroom.stack, host)}/{path}", timeout=30, allow_redirects=False
            )
            assert page.status_code in {302, 401}
            assert "experiments" not in page.text


def test_guesses_must_be_refused_and_not_lock_the_login(classroom: Classroom) -> None:
    right = classroom.stack.settings["PGADMIN_PASSWORD"]
    for guess in ("", "guess", right.upper(), right[:-1]):
        client = PgAdmin(url(classroom.stack))
        with client.login(PGADMIN_EMAIL, guess) as is_accepted:
            assert not is_accepted
        assert not client.has_page()
    with opened(classroom.stack) as (client, _):
        assert client.has_page()
    assert not client.has_page()


def test_the_listed_database_must_be_readable_without_its_password(classroom: Classroom) -> None:
    """Its name, user and password are odd; the rows are those that MLflow wrote."""
    with opened(classroom.stack) as (client, server):
        rows = client.query(server, "SELECT run_uuid FROM runs ORDER BY run_uuid")
        assert [classroom.run.id] in rows
        assert [row for (row,) in rows] == classroom.stack.sql(
            "SELECT run_uuid FROM runs ORDER BY run_uuid"
        )


def test_nothing_must_be_able_to_write(classroom: Classroom) -> None:
    """Nor to read logins, webhooks and keys."""
    before = state(classroom.stack)
    with opened(classroom.stack) as (client, server):
        for statement in EVERYWHERE:
            attempt(client, server, statement)
        for statement in FORBIDDEN:
            assert attempt(client, server, f"{READ_ONLY_OFF}; {statement}"), statement
    assert state(classroom.stack) == before


def attempt(client: PgAdmin, server: str, statement: str) -> str:
    """Run a statement; return why it failed, empty if it did not."""
    try:
        client.query(server, statement)
    except PgAdminError as error:
        return str(error)
    return ""


def test_no_other_server_or_login_must_be_added(classroom: Classroom) -> None:
    """Otherwise whoever knows the password could leave another one behind."""
    with opened(classroom.stack) as (client, server):
        group = server.partition("/")[0]
        new = {"name": "other", "host": "127.0.0.1", "port": 5432, "username": "x", "db": "x"}
        for path, method, body in (
            (f"browser/server/obj/{group}/", "POST", new),
            ("misc/workspace/adhoc_connect_server", "POST", {**new, "user": "mlflow"}),
            ("user_management/save", "POST", {"email": "x@example.com"}),
            ("browser/change_password", "GET", {}),
        ):
            assert client._send(method, path, json=body).status_code in {302, 403}, path
        assert client.servers() == [server]


@docker_only("without containers, pgAdmin may do what the user may")
def test_the_container_must_only_have_what_it_needs(classroom: Classroom) -> None:
    stack = classroom.stack
    assert isinstance(stack, DockerStack)
    container = stack.containers()["pgadmin"]
    assert container["Config"]["User"] == "10001:10001"
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert stack.execute("pgadmin", "ls", "/run/secrets").split() == [
        "pg_reader.conf",
        "pgadmin_password",
    ]


@left_to_soak("it waits for a broken server")
def test_verify_must_name_what_is_broken_and_another_password_must_end_all_sessions(
    classroom: Classroom,
) -> None:
    stack = classroom.stack
    with opened(stack) as (client, _):
        stack.stop("pgadmin")
        broken = stack.tool("verify", code=1)
        broken.shows("pgAdmin does not answer on this machine", "mlflow-compose logs pgadmin")
        stack.write(PGADMIN_PASSWORD="another password")
        steps = stack.tool("up", "--json").data["steps"]
        assert not client.has_page()
    assert [step["ok"] for step in steps if step["name"] == "pgadmin"] == [True]
    with opened(stack) as (client, server):
        assert client.query(server, "SELECT 1") == [[1]]
