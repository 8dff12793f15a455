"""Every decision about what runs, read from the plain values of a stack."""

import re
from fnmatch import fnmatch

import pytest

from mlflow_compose.stack import PROVIDERS, Bind, Service, Volume
from mlflow_compose.stack.service import COMPLETED, STARTED
from tests.unit.samples import ANY_ADDRESS, SECRETS, settings, stack

SERVERS = ("postgres", "s3", "mlflow")
LOGIN = {"MLFLOW_AUTH": "basic"}
OPEN = {"STACK_BIND_ADDRESS": ANY_ADDRESS, **LOGIN}


def options(service: Service) -> dict[str, str]:
    """Return a command's options by name; one without a value has an empty one."""
    pairs = (argument.partition("=") for argument in service.command if argument[:2] == "--")
    return {name: value for name, _, value in pairs}


def mlflow(**values: str) -> Service:
    return stack(**values).service("mlflow")


def test_the_services_must_have_their_documented_names() -> None:
    found = stack()
    assert [service.name for service in found.services] == [
        "postgres",
        "s3",
        "bucket-init",
        "mlflow",
    ]
    assert found.network == "backend"
    assert set(found.volumes) >= {"minio_data", "postgres_data"}


def test_the_same_settings_must_give_the_same_stack() -> None:
    assert stack(MLFLOW_PORT="5001") == stack(MLFLOW_PORT="5001")


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_must_have_a_healthcheck_and_be_restarted(name: str) -> None:
    service = stack().service(name)
    assert service.healthcheck is not None
    assert service.healthcheck.command
    assert service.restart == "always"
    assert not service.one_shot


def test_servers_must_start_after_their_dependencies() -> None:
    found = stack()
    assert found.service("bucket-init").one_shot
    assert found.service("bucket-init").depends_on == {"s3": STARTED}
    assert found.service("mlflow").depends_on == {"postgres": STARTED, "bucket-init": COMPLETED}


def test_postgres_must_be_checked_over_the_network() -> None:
    """On the socket, the temporary server that initdb starts would answer."""
    check = stack(PG_USER="u").service("postgres").healthcheck
    assert check is not None
    assert check.command[:7] == ("pg_isready", "-t", "2", "-h", "127.0.0.1", "-U", "u")


def test_postgres_must_store_its_data_where_every_major_version_finds_it() -> None:
    service = stack().service("postgres")
    assert service.volumes == (Volume("postgres_data", "/var/lib/postgresql"),)
    assert service.environment["PGDATA"] == "/var/lib/postgresql/pgdata"


def test_mlflow_must_use_psycopg2_by_name_and_no_password_in_the_uri() -> None:
    uri = options(mlflow())["--backend-store-uri"]
    assert uri == "postgresql+psycopg2:///?service=mlflow"
    assert mlflow().environment["PGSERVICEFILE"] == "/run/secrets/pg_service.conf"


def test_mlflow_and_the_bucket_job_must_run_without_privileges() -> None:
    found = stack()
    chosen = {service.name: (service.user, service.read_only) for service in found.services}
    assert chosen == {
        "postgres": ("", False),
        "s3": ("", False),
        "bucket-init": ("10001:10001", True),
        "mlflow": ("10001:10001", True),
    }


def test_artifacts_must_pass_through_mlflow_by_default() -> None:
    found = options(mlflow(MLFLOW_BUCKET_NAME="data"))
    assert found["--artifacts-destination"] == "s3://data"
    assert "--serve-artifacts" in found
    assert "--default-artifact-root" not in found
    direct = options(mlflow(MLFLOW_BUCKET_NAME="data", MLFLOW_ARTIFACT_ACCESS="direct"))
    assert direct["--default-artifact-root"] == "s3://data"
    assert direct["--artifacts-destination"] == "s3://data"
    assert "--serve-artifacts" in direct


def test_mlflow_must_accept_its_own_host_names_and_those_of_the_machine() -> None:
    """The option replaces MLflow's defaults, and a Host header includes the port."""
    found = stack(
        lan_names=("host", "192.0.2.7"), **OPEN, MLFLOW_ALLOWED_HOSTS="a.example, b.example:*"
    )
    hosts = options(found.service("mlflow"))["--allowed-hosts"].split(",")
    for name in ("mlflow", "localhost", "127.0.0.1", "[::1]", "host", "192.0.2.7"):
        assert any(fnmatch(name, host) or name == host for host in hosts)
        assert any(fnmatch(f"{name}:5001", host) for host in hosts)
    assert not any(fnmatch("elsewhere.example", host) for host in hosts)
    assert hosts[-2:] == ["a.example", "b.example:*"]


def test_pages_from_this_machine_must_be_allowed_to_call_mlflow() -> None:
    found = stack(
        lan_names=("host",), **OPEN, MLFLOW_PORT="5001", MLFLOW_CORS_ORIGINS="https://a.example"
    )
    origins = options(found.service("mlflow"))["--cors-allowed-origins"]
    assert origins == "http://host:5001,https://a.example"
    assert "--cors-allowed-origins" not in options(mlflow())


def test_mlflow_must_answer_at_once_on_kept_connections() -> None:
    assert "--loop uvloop --http httptools" in options(mlflow())["--uvicorn-opts"]


def test_jobs_and_workers_must_be_few_enough_for_a_small_machine() -> None:
    assert options(mlflow())["--workers"] == "2"
    assert mlflow().environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    found = mlflow(MLFLOW_WORKERS="5", MLFLOW_JOBS="true")
    assert options(found)["--workers"] == "5"
    assert found.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "true"


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("mlflow-artifacts:/1/r/artifacts/model", True),
        ("models:/m-0123", True),
        ("runs:/0123/model", True),
        ("dummy-source", True),
        ("dummy-source/../1", False),
        ("s3://mlflow/1/r/artifacts/model", False),
        ("file:///etc/passwd", False),
        ("/etc", False),
        ("http://192.0.2.7/model", False),
    ],
)
def test_a_model_must_not_be_registered_from_another_artifact_uri(
    source: str, *, allowed: bool
) -> None:
    """MLflow would serve the objects there to everyone who may read the model."""
    name = "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"
    assert bool(re.search(mlflow(**LOGIN).environment[name], source)) is allowed
    assert name not in mlflow().environment
    assert name not in mlflow(**LOGIN, MLFLOW_ARTIFACT_ACCESS="direct").environment
    assert mlflow(**LOGIN, **{name: "^mine$"}).environment[name] == "^mine$"


def test_workspaces_must_be_on_if_the_settings_want_it() -> None:
    found = stack(MLFLOW_WORKSPACES="true")
    assert found.service("mlflow").environment["MLFLOW_ENABLE_WORKSPACES"] == "true"
    assert found.artifact_prefix == "workspaces/default/"
    # Without the variable, versions that do not know it are started as before.
    assert "MLFLOW_ENABLE_WORKSPACES" not in stack().service("mlflow").environment
    assert not stack().artifact_prefix


def test_login_must_be_on_if_the_settings_want_it() -> None:
    assert "--app-name" not in options(mlflow())
    assert stack().login is None
    found = stack(**LOGIN, MLFLOW_ADMIN_USERNAME="me", MLFLOW_ADMIN_PASSWORD="twelve-chars")
    service = found.service("mlflow")
    assert options(service)["--app-name"] == "basic-auth"
    assert service.environment["MLFLOW_AUTH_CONFIG_PATH"] == "/run/secrets/basic_auth.ini"
    assert found.login == ("me", "twelve-chars")


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ({}, {"mlflow": "127.0.0.1:5000:5000", "s3": "127.0.0.1:9000:9000"}),
        ({"MLFLOW_PORT": "80", "MINIO_PORT": "81"}, {"mlflow": "127.0.0.1:80:5000"}),
        (OPEN, {"mlflow": "0.0.0.0:5000:5000", "s3": "127.0.0.1:9000:9000"}),
        ({**OPEN, "MLFLOW_ARTIFACT_ACCESS": "direct"}, {"s3": "0.0.0.0:9000:9000"}),
        ({"STACK_BIND_ADDRESS": "::1"}, {"mlflow": "[::1]:5000:5000"}),
        ({"PG_PUBLISH": "true", "PG_PORT": "5433"}, {"postgres": "127.0.0.1:5433:5432"}),
        ({"MINIO_CONSOLE_ADDRESS": ":9900"}, {"console": "127.0.0.1:9900:9900"}),
        ({**OPEN, "MLFLOW_ARTIFACT_ACCESS": "direct"}, {"console": "127.0.0.1:9001:9001"}),
    ],
)
def test_ports_must_be_published_on_the_addresses_in_the_settings(
    values: dict[str, str], ports: dict[str, str]
) -> None:
    found = {port.name: port.text for _, port in stack(**values).ports}
    assert found == {**found, **ports}


def test_postgres_must_not_be_published_by_default() -> None:
    assert "postgres" not in {port.name for _, port in stack(PG_PORT="5433").ports}


def test_a_published_database_must_have_no_url() -> None:
    found = stack(PG_PUBLISH="true")
    (port,) = (port for _, port in found.ports if port.name == "postgres")
    assert (port.label, port.scheme) == ("PostgreSQL", "")
    assert list(found.urls) == ["mlflow", "s3", "console"]


def test_a_disabled_console_must_neither_be_published_nor_run() -> None:
    found = stack(MINIO_CONSOLE_ADDRESS="")
    service = found.service("s3")
    assert service.environment["MINIO_BROWSER"] == "off"
    assert service.command == ("server", "/data")
    assert list(found.urls) == ["mlflow", "s3"]


def test_urls_must_work_on_this_machine() -> None:
    assert stack().urls == {
        "mlflow": "http://127.0.0.1:5000",
        "s3": "http://127.0.0.1:9000",
        "console": "http://127.0.0.1:9001",
    }
    assert stack(**OPEN).urls["mlflow"] == "http://127.0.0.1:5000"
    assert stack(**{**OPEN, "STACK_BIND_ADDRESS": "::"}).urls["mlflow"] == "http://[::1]:5000"
    assert stack(**{**OPEN, "STACK_BIND_ADDRESS": "192.0.2.7"}).urls["mlflow"] == (
        "http://192.0.2.7:5000"
    )


def test_a_host_folder_must_be_relative_to_the_env_file() -> None:
    def data(path: str) -> object:
        return stack(MINIO_VOLUME_PATH=path).service("s3").volumes[0]

    assert data("") == Volume("minio_data", "/data")
    assert data("data/objects") == Bind("../data/objects", "/data")
    assert data("/srv/objects") == Bind("/srv/objects", "/data")
    assert "minio_data" not in stack(MINIO_VOLUME_PATH="data").volumes


def test_memory_must_be_limited_only_if_the_settings_want_it() -> None:
    found = stack(MLFLOW_MEMORY="2g", MINIO_MEMORY="512m")
    limits = {service.name: service.memory for service in found.services}
    assert limits == {"postgres": None, "s3": "512m", "bucket-init": None, "mlflow": "2g"}


def test_only_s3_and_the_bucket_job_must_see_the_root_key() -> None:
    seen = {
        service.name: {secret.name for secret in service.secrets} for service in stack().services
    }
    assert seen["s3"] == {"minio_root_user", "minio_root_password"}
    assert seen["bucket-init"] == {"s3_root_key", "s3_app_key"}
    assert seen["mlflow"] == {"mlflow_env", "pg_service.conf", "s3_app_key"}
    assert seen["postgres"] == {"pg_password"}


def test_no_secret_must_be_in_a_variable_or_a_command() -> None:
    found = stack(**LOGIN, MLFLOW_FLASK_SERVER_SECRET_KEY="flask-key-of-the-sample")
    for service in found.services:
        shown = " ".join(
            [*service.entrypoint, *service.command, *service.environment.values(), service.image]
        )
        for secret in (*SECRETS.values(), "flask-key-of-the-sample"):
            assert secret not in shown


def test_output_of_servers_must_be_masked() -> None:
    found = stack(PG_PASSWORD="long-secret", MINIO_ROOT_PASSWORD="a-long-secret-and-more")
    assert found.mask("x long-secret y a-long-secret-and-more z") == "x ******** y ******** z"


def test_the_password_of_a_url_must_be_masked_on_its_own() -> None:
    """A password in a URL may be printed without the URL."""
    found = stack(PIP_INDEX_URL="https://user:index-secret@mirror/simple")
    assert found.mask("401 for user:index-secret at mirror") == "401 for user:******** at mirror"


@pytest.mark.parametrize(("port", "origin"), [("80", "http://host"), ("5000", "http://host:5000")])
def test_an_origin_must_be_spelled_as_browsers_do(port: str, origin: str) -> None:
    found = stack(lan_names=("host",), **OPEN, MLFLOW_PORT=port)
    assert options(found.service("mlflow"))["--cors-allowed-origins"] == origin


def test_mlflow_must_allow_the_bind_address_as_host() -> None:
    hosts = options(mlflow(STACK_BIND_ADDRESS="127.0.0.9"))["--allowed-hosts"].split(",")
    assert "127.0.0.9" in hosts
    assert "127.0.0.9:*" in hosts


@pytest.mark.parametrize("name", ["mlflow", "bucket-init"])
def test_services_must_bypass_the_proxy_of_dockers_configuration(name: str) -> None:
    environment = stack().service(name).environment
    for variable in ("NO_PROXY", "no_proxy"):
        assert {"mlflow", "postgres", "s3"} <= set(environment[variable].split(","))


def test_the_repr_of_a_stack_must_not_show_secrets() -> None:
    found = stack(**LOGIN, PIP_INDEX_URL="https://u:hunter2@mirror/simple")
    for secret in (*SECRETS.values(), "hunter2"):
        assert secret not in repr(found)


def test_a_ready_made_image_must_be_used_unchanged() -> None:
    found = stack(MLFLOW_IMAGE="registry.example.org/mlflow:1")
    assert found.built == ()
    for name in ("mlflow", "bucket-init"):
        assert found.service(name).image == "registry.example.org/mlflow:1"
        assert found.service(name).pull_policy is None


def test_an_image_that_is_built_here_must_never_be_pulled() -> None:
    found = stack()
    assert found.built == (found.service("mlflow"),)
    for name in ("mlflow", "bucket-init"):
        assert found.service(name).image.startswith("mlflow_server:3.17.2-")
        assert found.service(name).pull_policy == "never"


def test_default_images_must_be_pinned() -> None:
    found = settings()
    servers = [provider.image for provider in PROVIDERS.values()]
    for image in (found.postgres_image, found.python_image, *servers):
        tag = image.rpartition(":")[2]
        assert any(character.isdigit() for character in tag), image
        assert "latest" not in image


def test_a_slow_start_must_not_count_as_unhealthy() -> None:
    """Each server may be silent for five minutes before Compose gives up."""
    checks = [service.healthcheck for service in stack().services if service.healthcheck]
    assert len(checks) == 3
    silence = [(check.interval + check.pause) * check.retries for check in checks]
    assert all(290 < seconds <= 300 for seconds in silence)
