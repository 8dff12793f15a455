"""`verify` reports one broken link and one next command, whatever is broken."""

import ast
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, SSLError

from mlflow_compose.checks.causes import ORDER, causes, diagnose, external_database, first_cause
from mlflow_compose.checks.inside import MODULES, Link, check_links
from mlflow_compose.checks.probe import artifacts, database, main
from mlflow_compose.checks.probe.links import BrokenLink, Request
from mlflow_compose.engines.base import ServiceStatus
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.remote import LOADER, sent
from tests.unit.fakes import ALL_WELL, FakeEngine, answered
from tests.unit.samples import SECRETS, SOURCE, stack

CHECKS = SOURCE / "checks"
CAUSES = causes(stack())


def causes_of_the_probe() -> set[str]:
    """Return every cause that the probe can report: the first arguments of BrokenLink."""
    text = "".join(path.read_text(encoding="utf-8") for path in (CHECKS / "probe").glob("*.py"))
    tree = ast.parse(text)
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="BrokenLink"), args=[first, *_]):
                found |= texts(first)
            case ast.Assign(
                targets=[ast.Name(id="causes" | "words" | "MESSAGES")], value=ast.Dict() as table
            ):
                found |= {text for value in table.values for text in texts(value)}
            case ast.Assign(targets=[ast.Name(id="cause")], value=ast.IfExp() as choice):
                found |= texts(choice.body) | texts(choice.orelse)
    return found - {""}


def texts(node: ast.AST) -> set[str]:
    return {
        inner.value
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    }


def engine(links: dict[str, str] | str, statuses: tuple[ServiceStatus, ...]) -> FakeEngine:
    """Return an engine whose probe only reports these causes, or prints this text."""
    if isinstance(links, str):
        return FakeEngine(stack(), statuses, outcome=Outcome(1, b"", links))
    found = {
        name: {"cause": cause, "detail": f"detail of {name}", "seconds": 0.1}
        for name, cause in {**dict.fromkeys(main.CHECKS, ""), **links}.items()
    }
    return FakeEngine(stack(), statuses, outcome=answered(found))


def test_every_cause_of_the_probe_must_have_a_sentence() -> None:
    words = causes_of_the_probe()
    assert len(words) >= 12
    assert words <= CAUSES.keys()


def test_every_cause_must_be_used() -> None:
    folders = (CHECKS, CHECKS / "probe", SOURCE / "stack" / "components")
    sources = [
        path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py")
    ]
    for word in CAUSES:
        uses = sum(source.count(f'"{word}"') for source in sources)
        assert uses > 1, f"{word} is only in the table"


@pytest.mark.parametrize("word", sorted(CAUSES))
def test_every_sentence_must_end_with_a_next_step(word: str) -> None:
    cause = CAUSES[word]
    assert cause.sentence
    assert not cause.sentence.endswith(".")
    assert "mlflow-compose" in cause.hint or ".env" in cause.hint


def test_every_check_of_the_probe_must_be_in_the_order() -> None:
    assert set(ORDER) == {*main.CHECKS, "probe"}


def test_the_link_that_breaks_the_others_must_be_reported_first() -> None:
    links = [
        Link("network", "mlflow_down", "", 0.1),
        Link("bucket", "", "", 0.1),
        Link("database", "pg_password", "", 0.1),
    ]
    found = first_cause(links, CAUSES)
    assert found is not None
    assert found[0].name == "database"
    assert "PG_PASSWORD" in found[1].sentence
    assert first_cause([Link("bucket", "", "", 0.1)], CAUSES) is None


def test_a_working_stack_must_have_no_cause() -> None:
    assert diagnose(engine(dict.fromkeys(main.CHECKS, ""), ALL_WELL)) is None


@pytest.mark.parametrize("statuses", [(), (ServiceStatus("mlflow", "exited", exit_code=1),)])
def test_a_stack_that_does_not_run_must_be_reported_as_down(
    statuses: tuple[ServiceStatus, ...],
) -> None:
    found = engine({}, statuses)
    assert diagnose(found) == CAUSES["nothing_runs"]
    assert found.calls == []


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ("pg_password", "PG_PASSWORD"),
        ("pg_down", "PostgreSQL"),
        ("bucket_missing", "MLFLOW_BUCKET_NAME"),
        ("s3_key", "MINIO_ACCESS_KEY"),
        ("s3_down", "S3"),
        ("host_refused", "Host header"),
    ],
)
def test_a_broken_link_must_be_named_with_its_cause(cause: str, message: str) -> None:
    found = diagnose(engine({"database": "", "bucket": cause, "network": ""}, ALL_WELL))
    assert found is not None
    assert message in found.sentence
    assert "detail of bucket" in found.sentence


def test_a_server_that_exited_must_be_named_instead_of_its_clients() -> None:
    ended = (ServiceStatus("postgres", "exited", exit_code=1), *ALL_WELL[1:])
    found = diagnose(engine({"database": "pg_down"}, ended))
    assert found is not None
    assert "postgres ended with exit code 1" in found.sentence


@pytest.mark.parametrize(
    "message", ["", "Traceback\nImportError: no boto3", f"x {SECRETS['PG_PASSWORD']}"]
)
def test_a_probe_that_cannot_run_must_be_reported_without_secrets(message: str) -> None:
    found = diagnose(engine(message, ALL_WELL))
    assert found is not None
    assert "could not be checked from inside" in found.sentence
    assert SECRETS["PG_PASSWORD"] not in found.sentence


def test_output_of_the_probe_must_be_masked() -> None:
    outcome = {"database": {"cause": "", "detail": SECRETS["PG_PASSWORD"], "seconds": 0.1}}
    found = FakeEngine(stack(), ALL_WELL, outcome=answered(outcome))
    assert check_links(found, only=["database"]) == (Link("database", "", "********", 0.1),)


DATABASE = {"cause": "", "detail": "works", "seconds": 0.1}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({}, "no result of database"),
        ([], "it: Input should be an object"),
        ({"database": DATABASE, "evil": DATABASE}, "checks that were not requested"),
        ({"database": {**DATABASE, "cause": "evil"}}, "unknown cause of database: works"),
        ({"database": {**DATABASE, "cause": "probe_failed"}}, "unknown cause of database: works"),
        ({"database": {"cause": ""}}, "database.detail: Field required"),
        (
            {"database": {**DATABASE, "detail": ["works"]}},
            "database.detail: Input should be a valid string",
        ),
        (
            {"database": {**DATABASE, "seconds": "1"}},
            "database.seconds: Input should be a valid number",
        ),
        ({"database": {**DATABASE, "seconds": float("nan")}}, "not JSON compliant"),
        (
            {"database": {**DATABASE, "seconds": True}},
            "database.seconds: Input should be a valid number",
        ),
    ],
)
def test_an_answer_that_is_not_that_of_the_checks_must_not_count_as_passed(
    answer: object, problem: str
) -> None:
    found = FakeEngine(stack(), ALL_WELL, outcome=answered(answer))
    (link,) = check_links(found, only=["database"])
    assert (link.name, link.cause) == ("probe", "probe_failed")
    assert problem in link.detail
    cause = diagnose(found)
    assert cause is not None
    assert "could not be checked from inside" in cause.sentence


def test_the_probe_must_get_its_request() -> None:
    found = engine({}, ALL_WELL)
    check_links(found, run_id="r1")
    argument = found.calls[0].removeprefix("run mlflow ")
    assert json.loads(argument) == {
        "bucket": "mlflow",
        "folder": "",
        "prefix": "",
        "workspaces": False,
        "backend": "postgresql+psycopg2:///?service=mlflow",
        "runs": ["PostgreSQL", "at postgres:5432/mlflow, in the volume postgres_data"],
        "artifacts": "s3://mlflow at http://s3:9000, in the volume minio_data",
        "external": False,
        "only": list(main.CHECKS),
        "tracking": "http://mlflow:5000",
        "key_is_limited": True,
        "run_id": "r1",
    }


def test_the_probe_must_not_need_this_package() -> None:
    """Its sources run where this tool is not installed: -I excludes the tool's folders."""
    request = {"only": ["isolation"], "external": False, "key_is_limited": False}
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            LOADER,
        ],
        input=sent(MODULES, request).decode(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["done"]["isolation"]["cause"] == ""


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("InvalidAccessKeyId", "s3_key"),
        ("SignatureDoesNotMatch", "s3_key"),
        ("AccessDenied", "s3_forbidden"),
        ("NoSuchBucket", "bucket_missing"),
        ("404", "object_missing"),
        ("SlowDown", "s3_error"),
    ],
)
def test_errors_of_s3_must_be_distinguished(code: str, cause: str) -> None:
    def refuse() -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "ListObjectsV2")

    with pytest.raises(BrokenLink) as caught:
        artifacts.call_s3(refuse)
    assert caught.value.cause == cause


@pytest.mark.parametrize(
    ("listing", "making", "cause"),
    [
        ("AccessDenied", None, ""),
        ("NoSuchBucket", "AccessDenied", ""),
        ("NoSuchBucket", "BucketAlreadyOwnedByYou", "key_too_strong"),
        ("NoSuchBucket", None, "key_too_strong"),
        (None, "AccessDenied", "key_too_strong"),
    ],
)
def test_a_limited_key_must_be_distinguished_from_a_root_key(
    monkeypatch: pytest.MonkeyPatch, listing: str | None, making: str | None, cause: str
) -> None:
    """Some servers report any other bucket as missing, so the probe then tries to create one."""
    created: list[str] = []

    def answer(code: str | None) -> None:
        if code:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "x")

    def create_bucket(*, Bucket: str) -> None:  # noqa: N803 - boto3's
        created.append(Bucket)
        answer(making)

    client = SimpleNamespace(
        list_objects_v2=lambda **_: answer(listing), create_bucket=create_bucket
    )
    monkeypatch.setattr(artifacts, "client", lambda: client)
    request = {"folder": "", "external": False, "key_is_limited": True, "bucket": "data"}
    found = main.outcome(artifacts.check_isolation, request)
    assert found["cause"] == cause
    # Never a bucket that does not exist yet.
    assert set(created) <= {"data"}


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        (EndpointConnectionError(endpoint_url="http://s3:9000"), "s3_down"),
        (SSLError(endpoint_url="https://s3:9000", error=OSError("unknown CA")), "s3_certificate"),
    ],
)
def test_failed_connections_to_s3_must_be_distinguished(problem: Exception, cause: str) -> None:
    def refuse() -> None:
        raise problem

    with pytest.raises(BrokenLink) as caught:
        artifacts.call_s3(refuse)
    assert caught.value.cause == cause


REFUSED = 'connection to server at "db.lab", port 5432 failed: FATAL: '


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('password authentication failed for user "mlflow"', "pg_password"),
        ('database "mlflow" does not exist', "pg_missing"),
        ('could not translate host name "db.lab" to address', "pg_host"),
        ("server does not support SSL, but SSL was required", "pg_no_tls"),
        ("pg_hba.conf rejects connection for host, no encryption", "pg_tls_required"),
        (
            "no pg_hba.conf entry, SSL encryption / no pg_hba.conf entry, no encryption",
            "pg_forbidden",
        ),
        ("SSL error: certificate verify failed", "pg_certificate"),
        ("SSL error: provider signature failure", "pg_certificate"),
        ('server certificate for "a" does not match host name "b"', "pg_certificate_name"),
        ("Connection refused", "pg_down"),
    ],
)
def test_messages_of_libpq_must_be_distinguished(message: str, cause: str) -> None:
    assert database.cause_of("postgresql:///", REFUSED + message, connected=False) == cause


def test_an_error_of_an_open_connection_must_be_another_cause() -> None:
    message = 'relation "runs" does not exist'
    assert database.cause_of("postgresql:///", message, connected=True) == "pg_error"
    assert (
        database.cause_of("sqlite:////data/mlflow.db", "no such table: runs", connected=False)
        == "sqlite"
    )


def test_a_database_server_that_is_too_old_must_be_named() -> None:
    """No server this old is available to the tests, so only its version is faked."""

    def server(*version: int) -> object:
        return SimpleNamespace(dialect=SimpleNamespace(server_version_info=version))

    database.check_version(server(database.OLDEST_POSTGRES, 0))
    with pytest.raises(BrokenLink, match=r"it is 11\.22, but must be 12 or newer") as caught:
        database.check_version(server(11, 22))
    assert caught.value.cause == "pg_old"


def test_a_check_must_report_its_finding_and_its_time() -> None:
    def fail(request: Request) -> str:
        raise BrokenLink("pg_down", str(request["bucket"]))

    well = main.outcome(lambda request: f"saw {request['bucket']}", {"bucket": "b"})
    assert (well["cause"], well["detail"]) == ("", "saw b")
    broken = main.outcome(fail, {"bucket": "b"})
    assert (broken["cause"], broken["detail"]) == ("pg_down", "b")
    assert isinstance(broken["seconds"], float)


def test_an_external_database_must_be_checked_before_anything_starts() -> None:
    outcome = {"database": {"cause": "pg_down", "detail": "refused", "seconds": 0.1}}
    external = FakeEngine(stack(PG_HOST="db.lab"), outcome=answered(outcome))
    found = external_database(external)
    assert found is not None
    assert found.sentence == "the database at PG_HOST and PG_PORT does not answer (refused)"
    assert external_database(FakeEngine(stack())) is None
