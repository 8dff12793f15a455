"""Databases and S3 servers of one's own that want TLS, and what is said when it does not do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .certificates import AUTHORITY, Certificates, make_certificates
from .conftest import ColdStart, MakeStack
from .running import RunningStack, local_only
from .secured import database, objects
from .security import lan_address
from .servers import Server, TlsPostgres, TlsS3
from .test_verify import expect_broken

SAME = "the same code asks the same servers on both engines, and this one starts sooner"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority that nobody knows, and what it signed for this machine's address."""
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
    """Return a stack whose two stores prove by certificates who they are, and what `up` said."""
    authority = str(certificates.authority)
    stack = _make_for_module(
        **database(postgres, PG_SSLMODE="verify-full", PG_SSLROOTCERT=authority),
        **objects(s3, MINIO_STORAGE_CA_CERTS=authority),
    )
    return ColdStart(stack, stack.tool("up", "--json"))


@pytest.fixture(scope="module")
def secured(secured_start: ColdStart) -> RunningStack:
    """Return that stack."""
    return secured_start.stack


def test_servers_that_prove_who_they_are_must_be_used(
    secured_start: ColdStart, postgres: TlsPostgres, s3: TlsS3
) -> None:
    secured, data = secured_start.stack, secured_start.said.data
    assert [service["name"] for service in data["services"]] == ["bucket-init", "mlflow"]
    assert all(step["ok"] for step in data["steps"])
    run = secured.log_run()
    assert run.key in s3.objects()
    runs = postgres.sql("SELECT run_uuid FROM runs", secured.settings["PG_DATABASE"])
    assert runs == [run.id]
    assert secured.volumes() == {"mlflow_tmp"}


def test_what_is_said_of_a_stack_must_name_the_servers_behind_it(
    secured_start: ColdStart, postgres: TlsPostgres, s3: TlsS3
) -> None:
    secured, data = secured_start.stack, secured_start.said.data
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


@local_only(SAME)
def test_servers_that_went_away_must_be_named_and_used_again_when_they_are_back(
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
    """Stop a server, and start it again in the end."""
    server.stop()
    try:
        yield
    finally:
        server.start()


# --- what is refused: a stack for the database, one for the S3 server, and `.env` as it must not be


@pytest.fixture(scope="module")
def on_database(
    _make_for_module: MakeStack, secured: RunningStack, postgres: TlsPostgres
) -> RunningStack:
    """Return a stack for the database alone, which nothing was started of."""
    # With tables in it a server starts sooner.
    name = secured.settings["PG_DATABASE"]
    return _make_for_module(**database(postgres, PG_DATABASE=name), ARTIFACT_STORE="local")


@pytest.fixture(scope="module")
def on_bucket(_make_for_module: MakeStack, s3: TlsS3) -> RunningStack:
    """Return a stack for the S3 server alone, whose own server was never started."""
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
    ids=["no TLS", "a stranger", "wrong password", "wrong database"],
)
def test_what_a_database_with_tls_refuses_must_be_named(
    changed: dict[str, str], sentence: str, on_database: RunningStack
) -> None:
    with on_database.changed(**changed):
        on_database.up(code=1).shows("error: ", sentence, "hint: ")
    assert on_database.starts() == {}


@local_only(SAME)
@pytest.mark.parametrize("name", ["another authority", AUTHORITY])
def test_a_certificate_that_somebody_else_signed_must_be_named(
    name: str, postgres: TlsPostgres, tmp_path: Path, on_database: RunningStack
) -> None:
    """Whatever that one calls itself."""
    stranger = make_certificates(tmp_path, postgres.host, name).authority
    with on_database.changed(PG_SSLMODE="verify-full", PG_SSLROOTCERT=str(stranger)):
        output = on_database.up(code=1)
    output.shows("error: the database's certificate is not trusted", "set PG_SSLROOTCERT")
    assert on_database.starts() == {}


@local_only(SAME)
def test_certificates_that_are_none_must_be_named(
    tmp_path: Path, on_database: RunningStack
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("to be filled in", encoding="utf-8")
    with on_database.changed(PG_SSLMODE="verify-full", PG_SSLROOTCERT=str(path)):
        output = on_database.up(code=1)
    output.shows("error: the database's certificate is not trusted", "PG_SSLROOTCERT")


@local_only(SAME)
def test_certificates_that_are_missing_must_be_named(secured: RunningStack) -> None:
    names, before = ("PG_SSLROOTCERT", "MINIO_STORAGE_CA_CERTS"), secured.starts()
    with secured.changed(**dict.fromkeys(names, "no-such.pem")):
        output = secured.up(code=2)
    for name in names:
        assert f"{name} must be an existing file, got no-such.pem" in " ".join(output.text.split())
    assert secured.starts() == before


@local_only(SAME)
def test_a_certificate_of_another_machine_must_be_named_and_do_for_verify_ca(
    certificates: Certificates, on_database: RunningStack
) -> None:
    """The last of these: afterwards the stack runs."""
    authority = str(certificates.authority)
    on_database.write(PG_HOST="localhost", PG_SSLMODE="verify-full", PG_SSLROOTCERT=authority)
    output = on_database.up(code=1)
    output.shows("error: the database's certificate is for another host", "PG_SSLMODE=verify-ca")
    assert on_database.starts() == {}
    on_database.write(PG_SSLMODE="verify-ca")
    on_database.tool("up")


@local_only(SAME)
@pytest.mark.parametrize("name", ["", "another authority"], ids=["nobody", "somebody else"])
def test_an_s3_certificate_that_nobody_trusts_must_be_named(
    name: str, s3: TlsS3, tmp_path: Path, on_bucket: RunningStack
) -> None:
    known = str(make_certificates(tmp_path, s3.host, name).authority) if name else ""
    with on_bucket.changed(MINIO_STORAGE_CA_CERTS=known):
        output = on_bucket.up(code=1)
    output.shows(
        "error: bucket-init ended with exit code 1",
        f"the certificate of the S3 server at https://{s3.host}:{s3.port} is not trusted",
        "MINIO_STORAGE_CA_CERTS",
    )
    assert on_bucket.health("mlflow") != "healthy"


@local_only(SAME)
def test_an_s3_server_that_knows_no_new_checksums_must_be_named(
    certificates: Certificates, on_bucket: RunningStack
) -> None:
    authority = str(certificates.authority)
    with on_bucket.changed(
        MINIO_STORAGE_CA_CERTS=authority, MINIO_STORAGE_CHECKSUMS="when_supported"
    ):
        output = on_bucket.up(code=1)
    output.shows("bucket-init ended", "set MINIO_STORAGE_CHECKSUMS=when_required")
