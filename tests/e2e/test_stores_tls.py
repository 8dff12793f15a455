"""External databases and S3 servers that require TLS, and the errors if TLS fails."""

import os
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .certificates import AUTHORITY, Certificates, make_certificates
from .conftest import ColdStart, MakeStack
from .running import RunningStack, local_only, short_in_ci
from .secured import database, objects
from .security import lan_address
from .servers import KEY, Server, TlsPostgres, TlsS3
from .test_stores_refused import bucket_job
from .test_verify import expect_broken
from .tool import CHECKOUT, SCRIPT, environment, run

SAME = "the same code talks to the same servers on both engines, and this one starts faster"

TLS_OF_SESSION = """
SELECT ssl, usename FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
WHERE pid = pg_backend_pid() \\g (tuples_only format=unaligned)
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an untrusted CA and its certificate for this machine's address."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), lan_address())


@pytest.fixture(scope="module")
def postgres(certificates: Certificates) -> Iterator[TlsPostgres]:
    """Return a running database that only accepts TLS connections."""
    with TlsPostgres(lan_address(), certificates) as server:
        yield server


@pytest.fixture(scope="module")
def s3(certificates: Certificates) -> Iterator[TlsS3]:
    """Return a running S3 server that speaks HTTPS."""
    with TlsS3(lan_address(), certificates) as server:
        yield server


@pytest.fixture(scope="module")
def secured_start(
    _make_for_module: MakeStack, postgres: TlsPostgres, s3: TlsS3, certificates: Certificates
) -> ColdStart:
    """Return a stack that verifies the certificates of both stores, and the output of `up`."""
    authority = str(certificates.authority)
    stack = _make_for_module(
        **database(postgres, PG_SSLMODE="verify-full", PG_SSLROOTCERT=authority),
        **objects(s3, MINIO_STORAGE_CA_CERTS=authority),
    )
    return ColdStart(stack, stack.tool("up", "--json"))


@pytest.fixture(scope="module")
def secured(secured_start: ColdStart) -> RunningStack:
    """Return the stack of `secured_start`."""
    return secured_start.stack


@short_in_ci
def test_servers_with_a_valid_certificate_must_be_used(
    secured_start: ColdStart, postgres: TlsPostgres, s3: TlsS3
) -> None:
    secured, data = secured_start.stack, secured_start.output.data
    assert [service["name"] for service in data["services"]] == ["bucket-init", "mlflow"]
    assert all(step["ok"] for step in data["steps"])
    run = secured.log_run()
    assert run.key in s3.objects()
    runs = postgres.sql("SELECT run_uuid FROM runs", secured.settings["PG_DATABASE"])
    assert runs == [run.id]
    assert secured.volumes() == {"mlflow_tmp"}


def test_the_output_of_status_and_up_must_name_the_external_servers(
    secured_start: ColdStart, postgres: TlsPostgres, s3: TlsS3
) -> None:
    secured, data = secured_start.stack, secured_start.output.data
    name = secured.settings["PG_DATABASE"]
    runs = f"at {postgres.host}:{postgres.port}/{name}, TLS verify-full"
    artifacts = f"s3://mlflow at https://{s3.host}:{s3.port}"
    secured.tool("status").shows(f"Runs       PostgreSQL {runs}", f"Artifacts  {artifacts}")
    assert data["stores"]["runs"]["sslmode"] == "verify-full"
    assert data["stores"]["artifacts"]["endpoint"] == f"https://{s3.host}:{s3.port}"
    found = {step["name"]: step["detail"] for step in data["steps"]}
    (version,) = postgres.sql("SHOW server_version")
    assert found["database"] == f"1 run in PostgreSQL {version.split()[0]} {runs}"
    assert found["bucket"] == f"2 objects in {artifacts}"


@local_only("the psql of the stand-in image knows no TLS")
def test_a_shell_of_an_external_database_must_use_tls(
    secured: RunningStack, postgres: TlsPostgres
) -> None:
    """The role that can only read has to be admitted by the server first."""
    refused = secured.tool("sql", "SELECT 1", "--json", code=1).envelope["errors"][0]
    assert "pg_hba.conf" in refused["hint"]
    with (postgres.data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write("hostssl all /^mlflow_reader_ all scram-sha-256\n")
    postgres.sql("SELECT pg_reload_conf()")
    path = environment(PATH=f"{postgres.programs}{os.pathsep}{os.environ['PATH']}")
    command = (str(SCRIPT), "sql", "--shell")
    shown = run(*command, folder=secured.folder, env=path, given=TLS_OF_SESSION)
    assert shown.out.startswith("t|mlflow_reader_")


@local_only(SAME)
def test_stopped_servers_must_be_reported_and_used_again_after_a_restart(
    secured: RunningStack, postgres: TlsPostgres, s3: TlsS3
) -> None:
    with stopped(postgres):
        expect_broken(
            secured, "the database at PG_HOST and PG_PORT does not answer", hint="set PG_HOST"
        )
    with stopped(s3):
        expect_broken(
            secured, "the S3 server at MINIO_HOST and MINIO_PORT does not answer", hint="MINIO_HOST"
        )
    secured.verify()


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """Stop a server, and start it again afterwards."""
    server.stop()
    try:
        yield
    finally:
        server.start()


# --- refusals: one stack for the database, one for the S3 server, with invalid settings


@pytest.fixture(scope="module")
def on_database(
    _make_for_module: MakeStack, secured: RunningStack, postgres: TlsPostgres
) -> RunningStack:
    """Return a stack that only uses the external database, not started."""
    # MLflow starts faster on a database that already has its tables.
    name = secured.settings["PG_DATABASE"]
    return _make_for_module(**database(postgres, PG_DATABASE=name), ARTIFACT_STORE="local")


@pytest.fixture(scope="module")
def on_bucket(_make_for_module: MakeStack, s3: TlsS3) -> RunningStack:
    """Return a stack that only uses the external S3 server, of which only the job is run."""
    return _make_for_module(**objects(s3), BACKEND_STORE="sqlite")


@local_only(SAME)
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"PG_SSLMODE": "disable"}, "the database only accepts TLS connections"),
        ({"PG_USER": "stranger"}, "the database does not allow PG_USER to connect"),
        ({"PG_PASSWORD": "another"}, "the database refuses PG_USER with PG_PASSWORD"),
        ({"PG_DATABASE": "nowhere"}, "the database server has no database PG_DATABASE"),
    ],
    ids=["no TLS", "unknown user", "wrong password", "wrong database"],
)
def test_a_refusal_of_a_database_with_tls_must_be_reported(
    changed: dict[str, str], sentence: str, on_database: RunningStack
) -> None:
    with on_database.changed(**changed):
        on_database.up(code=1).shows("error: ", sentence, "hint: ")
    assert on_database.starts() == {}


@local_only(SAME)
@pytest.mark.parametrize("name", ["another authority", AUTHORITY])
def test_a_certificate_signed_by_another_ca_must_be_reported(
    name: str, postgres: TlsPostgres, tmp_path: Path, on_database: RunningStack
) -> None:
    """Even if that CA has the same name."""
    other_authority = make_certificates(tmp_path, postgres.host, name).authority
    with on_database.changed(PG_SSLMODE="verify-full", PG_SSLROOTCERT=str(other_authority)):
        output = on_database.up(code=1)
    output.shows("error: the database's certificate is not trusted", "set PG_SSLROOTCERT")
    assert on_database.starts() == {}


@local_only(SAME)
def test_an_invalid_ca_file_must_be_reported(tmp_path: Path, on_database: RunningStack) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("to be filled in", encoding="utf-8")
    with on_database.changed(PG_SSLMODE="verify-full", PG_SSLROOTCERT=str(path)):
        output = on_database.up(code=1)
    output.shows("error: the database's certificate is not trusted", "PG_SSLROOTCERT")


@local_only(SAME)
def test_a_missing_ca_file_must_be_reported(secured: RunningStack) -> None:
    names, before = ("PG_SSLROOTCERT", "MINIO_STORAGE_CA_CERTS"), secured.starts()
    with secured.changed(**dict.fromkeys(names, "no-such.pem")):
        output = secured.up(code=2)
    for name in names:
        assert f"{name} must be an existing file, got no-such.pem" in " ".join(output.text.split())
    assert secured.starts() == before


@local_only(SAME)
def test_a_certificate_for_another_host_must_be_reported_and_accepted_by_verify_ca(
    certificates: Certificates, on_database: RunningStack
) -> None:
    """The last test of this stack: afterwards it runs."""
    authority = str(certificates.authority)
    on_database.write(PG_HOST="localhost", PG_SSLMODE="verify-full", PG_SSLROOTCERT=authority)
    output = on_database.up(code=1)
    output.shows("error: the database's certificate is for another host", "PG_SSLMODE=verify-ca")
    assert on_database.starts() == {}
    on_database.write(PG_SSLMODE="verify-ca")
    on_database.up()


@local_only(SAME)
@pytest.mark.parametrize("name", ["", "another authority"], ids=["no CA", "another CA"])
def test_an_untrusted_s3_certificate_must_be_reported(
    name: str, s3: TlsS3, tmp_path: Path, on_bucket: RunningStack
) -> None:
    trusted = str(make_certificates(tmp_path, s3.host, name).authority) if name else ""
    with on_bucket.changed(MINIO_STORAGE_CA_CERTS=trusted):
        output = bucket_job(on_bucket)
    output.shows(
        "bucket-init: ",
        f"the certificate of the S3 server at https://{s3.host}:{s3.port} is not trusted",
        "MINIO_STORAGE_CA_CERTS",
    )


@local_only(SAME)
def test_the_check_of_another_machine_must_verify_s3(
    certificates: Certificates, s3: TlsS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = runpy.run_path(str(CHECKOUT / "templates" / "client" / "check_client.py"))
    url = f"https://{s3.host}:{s3.port}"
    key = {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1]}
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with pytest.raises(program["Problem"], match="is not trusted on this machine"):
        program["check_bucket"](url, s3.bucket.name, key)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.authority))
    assert program["check_bucket"](url, s3.bucket.name, key)[0] == "bucket"


@local_only(SAME)
def test_an_s3_server_without_the_new_checksums_must_be_reported(
    certificates: Certificates, on_bucket: RunningStack
) -> None:
    authority = str(certificates.authority)
    with on_bucket.changed(
        MINIO_STORAGE_CA_CERTS=authority, MINIO_STORAGE_CHECKSUMS="when_supported"
    ):
        output = bucket_job(on_bucket)
    output.shows("bucket-init: ", "set MINIO_STORAGE_CHECKSUMS=when_required")
