"""Databases and S3 servers of one's own that want TLS, and what is said when it does not do."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from .certificates import AUTHORITY, Certificates, make_certificates
from .conftest import MakeStack
from .running import RunningStack, local_only
from .security import lan_address
from .servers import KEY, PASSWORD, TlsPostgres, TlsS3
from .test_verify import expect_broken

SAME = "the same code asks the same servers on both engines, and this one starts sooner"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority that nobody knows, and what it signed for this machine's address."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), lan_address())


@pytest.fixture(scope="module")
def postgres(certificates: Certificates) -> Iterator[TlsPostgres]:
    """Return a running database that takes nobody without TLS."""
    with TlsPostgres(lan_address(), certificates) as server:
        yield server


@pytest.fixture(scope="module")
def s3(certificates: Certificates) -> Iterator[TlsS3]:
    """Return a running S3 server that speaks HTTPS."""
    with TlsS3(lan_address(), certificates) as server:
        yield server


def database(postgres: TlsPostgres, **changed: str) -> dict[str, str]:
    """Return the settings by which a new, empty database there is used."""
    name = f"other_{secrets.token_hex(4)}"
    postgres.sql(f'CREATE DATABASE "{name}"')
    return {
        "PG_HOST": postgres.host,
        "PG_PORT": str(postgres.port),
        "PG_PASSWORD": PASSWORD,
        "PG_DATABASE": name,
        **changed,
    }


def objects(s3: TlsS3, **changed: str) -> dict[str, str]:
    """Return the settings by which the bucket there is used."""
    return {
        "MINIO_HOST": s3.host,
        "MINIO_PORT": str(s3.port),
        "MINIO_STORAGE_USE_HTTPS": "true",
        # rclone takes the new ones without TLS only.
        "MINIO_STORAGE_CHECKSUMS": "when_required",
        "MINIO_ACCESS_KEY": KEY[0],
        "MINIO_SECRET_ACCESS_KEY": KEY[1],
        **changed,
    }


@pytest.fixture(scope="module")
def secured(
    _make_for_module: MakeStack, postgres: TlsPostgres, s3: TlsS3, certificates: Certificates
) -> RunningStack:
    """Return a stack whose two stores prove by certificates who they are."""
    authority = str(certificates.authority)
    return _make_for_module(
        **database(postgres, PG_SSLMODE="verify-full", PG_SSLROOTCERT=authority),
        **objects(s3, MINIO_STORAGE_CA_CERTS=authority),
    )


def test_servers_that_prove_who_they_are_must_be_used(
    secured: RunningStack, postgres: TlsPostgres, s3: TlsS3
) -> None:
    data = secured.tool("up", "--json").data
    assert [service["name"] for service in data["services"]] == ["bucket-init", "mlflow"]
    assert all(step["ok"] for step in data["steps"])
    run = secured.log_run()
    assert run.key in s3.objects()
    runs = postgres.sql("SELECT run_uuid FROM runs", secured.settings["PG_DATABASE"])
    assert runs == [run.id]
    assert secured.volumes() == {"mlflow_tmp"}


def test_what_is_said_of_a_stack_must_name_the_servers_behind_it(
    secured: RunningStack, postgres: TlsPostgres, s3: TlsS3
) -> None:
    name = secured.settings["PG_DATABASE"]
    runs = f"at {postgres.host}:{postgres.port}/{name}, TLS verify-full"
    artifacts = f"s3://mlflow at https://{s3.host}:{s3.port}"
    secured.tool("status").shows(f"Runs       PostgreSQL {runs}", f"Artifacts  {artifacts}")
    stores = secured.tool("status", "--json").data["stores"]
    assert stores["runs"]["sslmode"] == "verify-full"
    assert stores["artifacts"]["endpoint"] == f"https://{s3.host}:{s3.port}"
    found = {
        step["name"]: step["detail"] for step in secured.tool("verify", "--json").data["steps"]
    }
    (version,) = postgres.sql("SHOW server_version")
    assert found["database"] == f"1 run in PostgreSQL {version.split()[0]} {runs}"
    assert found["bucket"] == f"2 objects in {artifacts}"


def test_a_database_that_went_away_must_be_named(
    secured: RunningStack, postgres: TlsPostgres
) -> None:
    postgres.stop()
    try:
        expect_broken(
            secured, "the database at PG_HOST and PG_PORT does not answer", hint="set PG_HOST"
        )
    finally:
        postgres.start()
    secured.verify()


def test_an_s3_server_that_went_away_must_be_named(secured: RunningStack, s3: TlsS3) -> None:
    s3.stop()
    try:
        expect_broken(
            secured, "the S3 server at MINIO_HOST and MINIO_PORT does not answer", hint="MINIO_HOST"
        )
    finally:
        s3.start()
    secured.verify()


@local_only(SAME)
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"PG_SSLMODE": "disable"}, "the database takes nobody without TLS"),
        ({"PG_USER": "stranger"}, "the database does not let PG_USER in from here"),
        ({"PG_PASSWORD": "another"}, "the database refuses PG_USER with PG_PASSWORD"),
        ({"PG_DATABASE": "nowhere"}, "the database server has no PG_DATABASE"),
    ],
    ids=["no TLS", "a stranger", "wrong password", "wrong database"],
)
def test_what_a_database_with_tls_refuses_must_be_named(
    changed: dict[str, str], sentence: str, postgres: TlsPostgres, make_stack: MakeStack
) -> None:
    stack = make_stack(**database(postgres, **changed), ARTIFACT_STORE="local")
    stack.up(code=1).shows("error: ", sentence, "hint: ")
    assert stack.starts() == {}


@local_only(SAME)
@pytest.mark.parametrize("name", ["another authority", AUTHORITY])
def test_a_certificate_that_somebody_else_signed_must_be_named(
    name: str, postgres: TlsPostgres, tmp_path: Path, make_stack: MakeStack
) -> None:
    """Whatever that one calls itself."""
    stranger = make_certificates(tmp_path, postgres.host, name).authority
    settings = database(postgres, PG_SSLMODE="verify-full", PG_SSLROOTCERT=str(stranger))
    stack = make_stack(**settings, ARTIFACT_STORE="local")
    said = stack.up(code=1)
    said.shows("error: the database's certificate does not prove", "set PG_SSLROOTCERT")
    assert stack.starts() == {}


@local_only(SAME)
def test_a_certificate_of_another_machine_must_be_named_and_do_for_verify_ca(
    secured: RunningStack,
    postgres: TlsPostgres,
    certificates: Certificates,
    make_stack: MakeStack,
) -> None:
    settings = database(
        postgres,
        # With tables in it a server starts sooner.
        PG_DATABASE=secured.settings["PG_DATABASE"],
        PG_HOST="localhost",
        PG_SSLMODE="verify-full",
        PG_SSLROOTCERT=str(certificates.authority),
    )
    stack = make_stack(**settings, ARTIFACT_STORE="local")
    said = stack.up(code=1)
    said.shows("error: the database's certificate is for another machine", "PG_SSLMODE=verify-ca")
    assert stack.starts() == {}
    stack.write(PG_SSLMODE="verify-ca")
    stack.tool("up")


@local_only(SAME)
@pytest.mark.parametrize("name", ["PG_SSLROOTCERT", "MINIO_STORAGE_CA_CERTS"])
def test_certificates_that_are_missing_must_be_named(
    name: str, secured: RunningStack, make_stack: MakeStack
) -> None:
    stack = make_stack(**secured.settings)
    stack.write(**{name: "no-such.pem"})
    stack.up(code=2).shows(f"{name}  must be a file that exists, got no-such.pem")
    assert stack.starts() == {}


@local_only(SAME)
def test_certificates_that_are_none_must_be_named(
    postgres: TlsPostgres, tmp_path: Path, make_stack: MakeStack
) -> None:
    (tmp_path / "ca.pem").write_text("to be filled in", encoding="utf-8")
    settings = database(postgres, PG_SSLMODE="verify-full", PG_SSLROOTCERT=str(tmp_path / "ca.pem"))
    stack = make_stack(**settings, ARTIFACT_STORE="local")
    stack.up(code=1).shows("error: the database's certificate does not prove", "PG_SSLROOTCERT")


@local_only(SAME)
@pytest.mark.parametrize("name", ["", "another authority"], ids=["nobody", "somebody else"])
def test_an_s3_certificate_that_nobody_trusts_must_be_named(
    name: str, s3: TlsS3, tmp_path: Path, make_stack: MakeStack
) -> None:
    known = str(make_certificates(tmp_path, s3.host, name).authority) if name else ""
    stack = make_stack(**objects(s3, MINIO_STORAGE_CA_CERTS=known), BACKEND_STORE="sqlite")
    said = stack.up(code=1)
    said.shows(
        "error: bucket-init ended with exit code 1",
        f"the certificate of the S3 server at https://{s3.host}:{s3.port} is not trusted",
        "MINIO_STORAGE_CA_CERTS",
    )
    assert stack.health("mlflow") != "healthy"


@local_only(SAME)
def test_an_s3_server_that_knows_no_new_checksums_must_be_named(
    s3: TlsS3, certificates: Certificates, make_stack: MakeStack
) -> None:
    settings = objects(s3, MINIO_STORAGE_CA_CERTS=str(certificates.authority))
    settings["MINIO_STORAGE_CHECKSUMS"] = "when_supported"
    stack = make_stack(**settings, BACKEND_STORE="sqlite")
    stack.up(code=1).shows("bucket-init ended", "set MINIO_STORAGE_CHECKSUMS=when_required")
