"""Several tracking servers act as one: behind the proxy, over one database and one S3 server.

There are two of them; in `make soak`, four.
"""

import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
import requests

from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .running import SOAK, RunningStack, docker_only, left_to_soak
from .test_workers import can_log_in, expect_secrets, store_secrets
from .tool import Output
from .tracking import ARTIFACTS, MLFLOW, Api
from .waiting import wait_until
from .writing import CLIENTS, writing

pytestmark = [pytest.mark.soak, docker_only("without Docker there is one tracking server")]

SERVERS = 4 if os.environ.get(SOAK) == "1" else 2
# Other than the service's own database.
NEW = "postgresql+psycopg2:///new?service=mlflow"
MIGRATE = "/opt/entrypoint/migrate.py"
# Prints whether the lock outlasts the timeouts below, whether it can be taken only once afterwards,
# and that a lock which was lost is noticed.
HOLD_LOCK = """
import sys
sys.path.append("/opt/entrypoint")
import migrate, psycopg2

def run(statement):
    other = psycopg2.connect("service=mlflow options='-c statement_timeout=0'")
    with other.cursor() as cursor:
        cursor.execute(statement)
    other.close()

first = migrate.lock()
run("SELECT pg_sleep(1)")
print(migrate.try_to_lock() is None)
migrate.release(first)
second = migrate.try_to_lock()
print(second is None)
run(f"SELECT pg_terminate_backend({second.info.backend_pid})")
try:
    migrate.release(second)
except SystemExit:
    print("lost")
"""
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
VERSION = "SELECT version_num FROM alembic_version"
PIECES, PIECE_SECONDS = 20, 0.1


class Server(Api):
    """One of the servers, without the proxy."""

    def call(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send one request, with a name of the service as the host."""
        headers = {"Host": "mlflow:5000", **options.pop("headers", {})}
        return super().call(method, path, headers=headers, **options)


@pytest.fixture(scope="module")
def several(_make_for_module: MakeStack) -> DockerStack:
    """Return a running stack with several tracking servers, which started on an empty database."""
    password = uuid.uuid4().hex
    stack = _make_for_module(
        MLFLOW_REPLICAS=str(SERVERS), MLFLOW_AUTH="basic", MLFLOW_ADMIN_PASSWORD=password
    )
    assert isinstance(stack, DockerStack)
    stack.up()
    return stack


@pytest.fixture
def servers(several: DockerStack) -> list[Api]:
    """Return the API of each server."""
    return [Server(f"http://{address(one)}:5000", several.api.login) for one in containers(several)]


def containers(stack: DockerStack) -> list[dict[str, Any]]:
    """Return the containers of the tracking servers."""
    found = stack.every_container("mlflow")
    assert len(found) == SERVERS
    return found


def address(container: dict[str, Any]) -> str:
    """Return the address of a container in the stack's network."""
    (network,) = container["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def wait_until_all_are_healthy(stack: DockerStack) -> None:
    """Wait until every server answers."""

    def are_healthy() -> bool:
        return all(one["State"]["Health"]["Status"] == "healthy" for one in containers(stack))

    wait_until(are_healthy, seconds=60, what="every server is healthy")


def test_servers_that_start_at_once_on_an_empty_database_must_not_fail(
    several: DockerStack,
) -> None:
    assert [one["RestartCount"] for one in containers(several)] == [0] * SERVERS
    assert len(several.sql(VERSION)) == 1
    assert several.sql("SELECT username FROM users") == ["admin"]
    states = json.loads(several.tool("--json", "status").out)["data"]["services"]
    found = [(one["replica"], one["health"]) for one in states if one["name"] == "mlflow"]
    assert found == [(number, "healthy") for number in range(1, SERVERS + 1)]
    several.verify()


@left_to_soak("servers that start at once show the same")
def test_only_one_process_must_create_tables_while_others_wait(several: DockerStack) -> None:
    several.execute("postgres", "createdb", "--username=mlflow", "new")

    def run(*options: str) -> Output:
        command = ("python", MIGRATE, *options, NEW)
        return several.compose("run", "--rm", "-T", "--no-deps", "mlflow", *command, code=None)

    with ThreadPoolExecutor() as pool:
        done = [pool.submit(run, *options) for options in (("--wait",), (), ())]
    assert [each.result().code for each in done] == [0, 0, 0]
    query = ("psql", "--username=mlflow", "--dbname=new", "-qAt", "--command", VERSION)
    assert several.execute("postgres", *query).split() == several.sql(VERSION)
    newer = ("psql", "--username=mlflow", "--dbname=new", "--command")
    several.execute("postgres", *newer, "UPDATE alembic_version SET version_num = 'newer'")
    refused = run("--wait")
    assert refused.code == 1
    assert "a newer version migrated them" in refused.text


def test_the_lock_for_tables_must_outlast_timeouts_of_its_role(several: DockerStack) -> None:
    for name in TIMEOUTS:
        several.sql(f"ALTER ROLE mlflow SET {name} = '500ms'")
    try:
        command = ("python", "-c", HOLD_LOCK)
        done = several.compose("run", "--rm", "-T", "--no-deps", "mlflow", *command)
    finally:
        several.sql("ALTER ROLE mlflow RESET ALL")
    assert done.out.split()[-3:] == ["True", "False", "lost"]


def test_what_one_server_stored_must_be_read_through_each(
    several: DockerStack, servers: list[Api]
) -> None:
    run = several.log_run(servers[0])
    for api in (*servers, several.api):
        several.expect(run, api)


def test_logins_forms_and_stored_secrets_must_hold_on_each_server(
    servers: list[Api],
) -> None:
    one, *others = servers
    other = others[-1]
    name = store_secrets(one)
    for each in others:
        expect_secrets(each, name)
    form = one.call("GET", "/signup")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.text)
    assert token, form.text
    sent = other.call(
        "POST",
        f"{MLFLOW}/users/create-ui",
        data={"csrf_token": token[1], "username": name, "password": "the-old-password"},
        cookies=form.cookies,
    )
    assert "Successfully signed up" in sent.text
    old = [type(api)(api.url, (name, "the-old-password")) for api in servers]
    assert all(can_log_in(each, name) for each in old)
    changed = one.call(
        "PATCH",
        f"{MLFLOW}/users/update-password",
        json={"username": name, "password": "the-new-password"},
    )
    assert changed.ok, changed.text

    def is_refused() -> bool:
        return not any(can_log_in(each, name) for each in old)

    wait_until(is_refused, seconds=10, what="each server refuses the old password")


def upload(stack: RunningStack, begun: Event) -> bool:
    """Upload an artifact slowly; tell whether it was stored."""

    def pieces() -> Iterator[bytes]:
        for _ in range(PIECES):
            yield bytes(65_536)
            begun.set()
            time.sleep(PIECE_SECONDS)

    key = f"0/{uuid.uuid4().hex}/artifacts/slow.bin"
    return stack.api.call("PUT", f"{ARTIFACTS}/{key}", data=pieces()).ok


def test_a_restart_of_one_server_after_the_other_must_fail_no_request(
    several: DockerStack,
) -> None:
    """A server that stops answers what it has accepted, and the proxy uses the other one."""
    with writing(several) as known, ThreadPoolExecutor(SERVERS) as pool:
        for one in containers(several):
            # The proxy gives one to each server.
            begun = [Event() for _ in range(SERVERS)]
            uploads = [pool.submit(upload, several, each) for each in begun]
            assert all(each.wait(30) for each in begun)
            docker("stop", "--time=60", one["Id"])
            known.wait_for_more(seconds=30)
            docker("start", one["Id"])
            assert all(each.result() for each in uploads)
            wait_until_all_are_healthy(several)
        known.wait_for_more(seconds=30)
    assert known.failed == 0
    known.expect_in(several)


def test_a_killed_server_must_fail_only_its_own_requests(several: DockerStack) -> None:
    with writing(several) as known:
        known.wait_for_more(seconds=30)
        several.kill("mlflow")
        known.wait_for_more(seconds=30)
        wait_until_all_are_healthy(several)
        known.wait_for_more(seconds=30)
    # Each client has at most one request in progress.
    assert known.failed <= CLIENTS
    known.expect_in(several)


def test_a_single_server_must_then_do_without_the_proxy_at_the_same_port(
    several: DockerStack,
) -> None:
    run = several.log_run()
    several.write(MLFLOW_REPLICAS="1")
    several.up()
    assert several.ids().keys() == {"postgres", "s3", "bucket-init", "mlflow"}
    several.expect(run)
