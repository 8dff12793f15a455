"""bucket-init: what it creates, that it can run again, and how it reports failures."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, SSLError
from minio.error import MinioAdminException
from urllib3.exceptions import MaxRetryError

from mlflow_compose.stack import credentials
from tests.unit.job import job_module
from tests.unit.samples import settings

ODD = "p@ss w'or$d\"\\#%; é=[x]"


JOB = job_module("bucket_init")
SERVER = job_module("s3_server")
APP_KEY = job_module("app_key")
POLICY = "mlflow-compose-application"
KEYS = {"root": JOB.Key("root-id", "root-secret"), "app": JOB.Key("app-id", "app-secret")}


def job(bucket: str = "data", region: str = "us-east-1") -> Any:  # noqa: ANN401 - see JOB
    return JOB.Job(
        endpoint="http://s3:9000", bucket=bucket, region=region, key_maker="minio", **KEYS
    )


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateBucket")


class Bucket:
    """An S3 client that succeeds or raises a given exception."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.calls: list[dict[str, object]] = []

    def create_bucket(self, **arguments: object) -> None:
        self.calls.append(arguments)
        if self.problem:
            raise self.problem

    list_objects_v2 = create_bucket


class Admin:
    """An admin client of a MinIO with users that have these policies."""

    def __init__(self, attached: dict[str, list[str]]) -> None:
        self.attached = attached
        self.users: list[str] = []
        self.policies: dict[str, object] = {}
        self.removed: list[str] = []

    def __call__(self, **arguments: object) -> "Admin":
        """Stand in for the class itself."""
        self.arguments = arguments
        return self

    def user_add(self, user: str, secret: str) -> None:
        assert secret == "app-secret"
        self.users.append(user)

    def policy_add(self, name: str, policy: object) -> None:
        self.policies[name] = policy

    def policy_list(self) -> str:
        return json.dumps({name: {} for name in self.attached})

    def policy_set(self, name: str, user: str) -> None:
        if user not in self.attached.setdefault(name, []):
            self.attached[name].append(user)

    def get_policy_entities(self, users: list[str], groups: list[str], names: list[str]) -> str:
        assert users == groups == []
        mappings = [{"policy": name, "users": self.attached.get(name)} for name in names]
        return json.dumps({"policyMappings": mappings})

    def user_remove(self, user: str) -> None:
        self.removed.append(user)


def uses(monkeypatch: pytest.MonkeyPatch, *, client: object = None, admin: object = None) -> None:
    if client is not None:
        for module in (JOB, APP_KEY):
            monkeypatch.setattr(module, "s3_client", lambda *_: client)
    if admin is not None:
        monkeypatch.setattr(job_module("app_key_minio"), "MinioAdmin", admin)


def test_the_policy_must_only_allow_access_to_one_bucket() -> None:
    policy = APP_KEY.policy("data")
    resources = [part["Resource"] for part in policy["Statement"]]
    assert resources == [["arn:aws:s3:::data"], ["arn:aws:s3:::data/*"]]
    assert {part["Effect"] for part in policy["Statement"]} == {"Allow"}
    actions = {action for part in policy["Statement"] for action in part["Action"]}
    assert {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"} < actions
    assert {action for action in actions if "*" in action} == set()
    assert {"s3:DeleteBucket", "s3:CreateBucket", "s3:PutBucketPolicy"} & actions == set()


def test_a_key_must_be_read_back_as_the_stack_wrote_it(tmp_path: Path) -> None:
    found = settings(MINIO_SECRET_ACCESS_KEY=ODD, MINIO_ACCESS_KEY="id.@+-_1")
    file = tmp_path / "s3_app_key"
    file.write_text(credentials.app_key(found).text, encoding="utf-8")
    assert JOB.read_key(file) == JOB.Key("id.@+-_1", ODD)


def test_a_key_must_not_show_its_secret() -> None:
    assert "app-secret" not in repr(job())


@pytest.mark.parametrize(
    ("region", "constraint"),
    [
        ("us-east-1", {}),
        ("eu-west-1", {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    ],
)
def test_a_missing_bucket_must_be_created_in_its_region(
    monkeypatch: pytest.MonkeyPatch, region: str, constraint: dict[str, object]
) -> None:
    client = Bucket()
    uses(monkeypatch, client=client)
    assert JOB.make_bucket(job(region=region)) == "bucket data created"
    assert client.calls == [{"Bucket": "data", **constraint}]


@pytest.mark.parametrize("code", ["BucketAlreadyOwnedByYou", "BucketAlreadyExists"])
def test_an_existing_bucket_must_be_accepted(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    uses(monkeypatch, client=Bucket(refused(code)))
    assert JOB.make_bucket(job()) == "bucket data exists"


def test_somebody_elses_bucket_on_amazon_must_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are global there, and whoever owns the bucket reads what is stored in it."""
    uses(monkeypatch, client=Bucket(refused("BucketAlreadyExists")))
    with pytest.raises(JOB.JobError, match="BucketAlreadyExists"):
        JOB.make_bucket(replace(job(), endpoint=None))
    uses(monkeypatch, client=Bucket(refused("BucketAlreadyOwnedByYou")))
    assert JOB.make_bucket(replace(job(), endpoint=None)) == "bucket data exists"


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (
            refused("InvalidAccessKeyId"),
            "rejected the key in MINIO_ROOT_USER and MINIO_ROOT_PASSWORD",
        ),
        (
            refused("SignatureDoesNotMatch"),
            "rejected the key in MINIO_ROOT_USER and MINIO_ROOT_PASSWORD",
        ),
        (refused("AccessDenied"), "(AccessDenied): it expects a different one"),
        (refused("AllAccessDisabled"), "to use the bucket data (MLFLOW_BUCKET_NAME)"),
        (refused("InvalidBucketName"), "does not allow the bucket name data (MLFLOW_BUCKET_NAME)"),
        (
            refused("XMinioStorageFull", "disk full"),
            "data (MLFLOW_BUCKET_NAME): disk full",
        ),
        (refused("SlowDown", ""), "data (MLFLOW_BUCKET_NAME): SlowDown"),
        (EndpointConnectionError(endpoint_url="http://s3:9000"), "cannot be reached"),
        (OSError("name or service not known"), "http://s3:9000 cannot be reached"),
    ],
)
def test_every_failure_must_be_reported_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, message: str
) -> None:
    uses(monkeypatch, client=Bucket(problem))
    with pytest.raises(JOB.JobError) as caught:
        JOB.make_bucket(job())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def external(endpoint: str | None = None) -> Any:  # noqa: ANN401 - see JOB
    """Return the job for an external server, Amazon S3 if there is no endpoint."""
    key = KEYS["app"]
    return JOB.Job(endpoint, "data", "us-east-1", root=key, app=key, may_create=False)


def sent_to(region: str, *, code: str = "PermanentRedirect", header: bool = False) -> ClientError:
    error = {"Error": {"Code": code, "Message": "no", **({} if header else {"Region": region})}}
    headers = {"x-amz-bucket-region": region} if header else {}
    answer: Any = {**error, "ResponseMetadata": {"HTTPHeaders": headers}}
    return ClientError(answer, "ListObjectsV2")


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (refused("InvalidAccessKeyId"), "Amazon S3 rejected the key in MINIO_ACCESS_KEY"),
        (refused("AccessDenied"), "Amazon S3 does not allow the key in MINIO_ACCESS_KEY"),
        (refused("NoSuchBucket"), "does not exist; create it, or set MLFLOW_BUCKET_CREATE=true"),
        (sent_to("eu-central-1"), "data (MLFLOW_BUCKET_NAME) is in eu-central-1, not in us-east-1"),
        (sent_to("eu-west-3", header=True), "is in eu-west-3, not in us-east-1"),
        (sent_to("", code="301"), "is in another region, not in us-east-1 (AWS_DEFAULT_REGION)"),
        (refused("MissingContentLength"), "set MINIO_STORAGE_CHECKSUMS=when_required"),
        (
            SSLError(endpoint_url="", error=OSError("x")),
            "the certificate of Amazon S3 is not trusted",
        ),
        (EndpointConnectionError(endpoint_url=""), "Amazon S3 cannot be reached"),
    ],
)
def test_the_failure_of_an_external_server_must_be_explained(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, message: str
) -> None:
    uses(monkeypatch, client=Bucket(problem))
    with pytest.raises(JOB.JobError) as caught:
        JOB.find_bucket(external())
    assert message in str(caught.value)


@pytest.mark.parametrize("code", SERVER.OTHER_REGION)
def test_a_redirect_to_another_region_must_not_be_followed(code: str) -> None:
    with pytest.raises(ClientError):
        SERVER.stay_in_region(parsed_response={"Error": {"Code": code}}, operation_name="any")
    SERVER.stay_in_region(parsed_response={"Error": {"Code": "NoSuchBucket"}})
    SERVER.stay_in_region(parsed_response=None)


def test_the_applications_key_must_be_created_and_limited_to_the_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = Admin({})
    uses(monkeypatch, admin=admin)
    assert APP_KEY.make_app_key(job()) == "application key limited to bucket data"
    assert admin.users == ["app-id"]
    assert admin.policies == {POLICY: APP_KEY.policy("data")}
    assert admin.attached == {POLICY: ["app-id"]}
    assert admin.removed == []
    assert admin.arguments["endpoint"] == "s3:9000"
    assert admin.arguments["secure"] is False


def test_an_existing_key_must_be_left_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = Admin({POLICY: ["app-id"]})
    uses(monkeypatch, admin=admin, client=Bucket())
    assert APP_KEY.make_app_key(job()) == "application key limited to bucket data"
    assert admin.users == []
    assert admin.removed == []


def test_a_replaced_key_must_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old key must no longer give access to the bucket."""
    admin = Admin({POLICY: ["old-id"], "another-policy": ["stranger"]})
    uses(monkeypatch, admin=admin, client=Bucket(refused("InvalidAccessKeyId")))
    assert APP_KEY.make_app_key(job()) == (
        "application key limited to bucket data; former keys deleted: 1"
    )
    assert admin.removed == ["old-id"]


def test_a_key_must_lose_access_to_its_former_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The policy always has the same name, so a new bucket replaces the old one in it."""
    admin = Admin({})
    uses(monkeypatch, admin=admin, client=Bucket())
    APP_KEY.make_app_key(job("first"))
    APP_KEY.make_app_key(job("second"))
    assert list(admin.policies.values()) == [APP_KEY.policy("second")]


def test_an_application_key_that_does_not_work_must_be_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uses(monkeypatch, client=Bucket(refused("SignatureDoesNotMatch")))
    with pytest.raises(JOB.JobError, match="MINIO_ACCESS_KEY and MINIO_SECRET_ACCESS_KEY"):
        JOB.check_app_key(job())


@pytest.mark.parametrize(
    "problem",
    [
        MinioAdminException("403", "XMinioAdminNotEnoughPermissions"),
        MaxRetryError(SimpleNamespace(), "http://s3:9000"),  # type: ignore[arg-type]
    ],
)
def test_a_failed_admin_request_must_be_reported(
    monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise problem

    admin = Admin({})
    monkeypatch.setattr(admin, "user_add", refuse)
    uses(monkeypatch, admin=admin)
    with pytest.raises(JOB.JobError, match=r"rejected an admin request|cannot be reached"):
        APP_KEY.make_app_key(job())


def environ(folder: Path) -> dict[str, str]:
    found = settings()
    for name, secret in (
        ("root", credentials.root_key(found)),
        ("app", credentials.app_key(found)),
    ):
        (folder / name).write_text(secret.text, encoding="utf-8")
    return {
        "S3_ENDPOINT": "http://s3:9000",
        "S3_BUCKET": "data",
        "AWS_DEFAULT_REGION": "us-east-1",
        "KEY_MAKER": "minio",
        "ROOT_KEY_FILE": str(folder / "root"),
        "APP_KEY_FILE": str(folder / "app"),
    }


def test_the_job_must_report_what_it_did(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = Admin({})
    monkeypatch.setattr(admin, "user_add", lambda *_: None)
    uses(monkeypatch, client=Bucket(), admin=admin)
    assert JOB.main(environ(tmp_path)) == 0
    assert capsys.readouterr().out == (
        "bucket data created\napplication key limited to bucket data\n"
    )


def test_the_job_must_report_a_failure_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uses(monkeypatch, client=Bucket(refused("AccessDenied")))
    assert JOB.main(environ(tmp_path)) == 1
    output = capsys.readouterr()
    assert output.err.startswith(
        "bucket-init: the S3 server at http://s3:9000 rejected the key in MINIO_ROOT_USER"
    )
    assert "Traceback" not in output.err
    assert "of-the-sample" not in output.err


@contextmanager
def server(*answers: int) -> Iterator[tuple[str, list[str]]]:
    """Run a server with these statuses, the last one repeated; yield its URL and its log."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(answers[min(len(paths), len(answers)) - 1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{found.server_port}", paths
        finally:
            found.shutdown()


@pytest.mark.parametrize("ready", [200, 403])
def test_the_job_must_wait_for_a_server_that_is_starting(ready: int) -> None:
    """A server without a readiness endpoint responds with 403 as soon as it is ready."""
    with server(503, 503, ready) as (url, paths):
        SERVER.wait_until_ready(f"{url}/ready", 60)
    assert paths == ["/ready"] * 3


def test_the_wait_for_a_server_that_never_answers_must_end_in_time() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        SERVER.wait_until_ready(f"http://127.0.0.1:{nobody.getsockname()[1]}/", 0.3)


def test_the_job_must_not_start_before_its_server_is_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with server(503, 200) as (url, paths):

        class Late(Bucket):
            def create_bucket(self, **arguments: object) -> None:
                assert paths == ["/ready"] * 2
                super().create_bucket(**arguments)

        client, admin = Late(), Admin({})
        monkeypatch.setattr(admin, "user_add", lambda *_: None)
        uses(monkeypatch, client=client, admin=admin)
        found = {**environ(tmp_path), "S3_ENDPOINT": url, "S3_READY": "/ready"}
        assert JOB.main(found) == 0
    assert client.calls
