"""S3 without a key: with the credentials of the role that AWS gives the machine."""

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest

from mlflow_compose.actions.dvc_buckets import own_access
from mlflow_compose.actions.plan import load_plan
from mlflow_compose.clients import Objects
from mlflow_compose.connect import client_environment
from mlflow_compose.diagrams import topology
from mlflow_compose.errors import SettingsError, StoreError
from mlflow_compose.paths import StackPaths
from mlflow_compose.stack import causes_of
from mlflow_compose.stack.credentials import APP_KEY
from tests.unit.job import job_module
from tests.unit.s3 import KEY, running_s3
from tests.unit.samples import SECRETS, loaded, local_stack, settings, stack

ROLE = {"MINIO_HOST": "aws", "S3_CREDENTIALS": "role"}
WITHOUT_KEY = {**ROLE, "MINIO_ACCESS_KEY": "", "MINIO_SECRET_ACCESS_KEY": ""}
KEY_VARIABLES = {"AWS_SHARED_CREDENTIALS_FILE", "APP_KEY_FILE"}
REGION = "us-east-1"
ROLES = "/latest/meta-data/iam/security-credentials/"
NO_SERVER = "http://127.0.0.1:9"
# What a user's shell may have.
USERS = {
    "AWS_PROFILE": "lab",
    "AWS_ACCESS_KEY_ID": "of-the-shell",
    "AWS_SECRET_ACCESS_KEY": "of-the-shell",
}
needs_rclone = pytest.mark.skipif(sys.platform == "win32", reason="rclone is stopped with a signal")


class Metadata(BaseHTTPRequestHandler):
    """The metadata service of an EC2 machine that only answers requests with a token (IMDSv2).

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
    """

    answers: Mapping[str, str] = {}

    def do_PUT(self) -> None:
        self._answer(200, "token-of-the-test")

    def do_GET(self) -> None:
        if self.headers["X-aws-ec2-metadata-token"] != "token-of-the-test":
            self._answer(401)
        elif self.path in self.answers:
            self._answer(200, self.answers[self.path])
        else:
            self._answer(404)

    def _answer(self, status: int, text: str = "") -> None:
        self.send_response(status)
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def metadata(answers: Mapping[str, str]) -> Iterator[str]:
    handler = type("Handler", (Metadata,), {"answers": answers})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def role_answers() -> Mapping[str, str]:
    key_id, secret = KEY
    answer = {
        "Code": "Success",
        "AccessKeyId": key_id,
        "SecretAccessKey": secret,
        "Token": "session-of-the-test",
        "Expiration": (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {ROLES: "mlflow", f"{ROLES}mlflow": json.dumps(answer)}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Hide the credentials of whoever runs the test."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    # It keeps the credentials that it has found.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return monkeypatch


@pytest.fixture
def bucket(machine: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Objects]:
    """Return a bucket that stands for Amazon's, on a machine with a role."""
    (tmp_path / "s3").mkdir()
    with running_s3(tmp_path / "s3", "data") as found, metadata(role_answers()) as url:
        machine.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        machine.setenv("AWS_ENDPOINT_URL_S3", found.endpoint or "")
        yield found


JOB_ENVIRONMENT = {
    "S3_BUCKET": "data",
    "S3_BUCKET_CREATE": "false",
    "AWS_DEFAULT_REGION": REGION,
}


@needs_rclone
@pytest.mark.usefixtures("bucket")
def test_bucket_init_must_log_in_with_the_role(capsys: pytest.CaptureFixture[str]) -> None:
    assert job_module("bucket_init").main(JOB_ENVIRONMENT) == 0
    assert capsys.readouterr() == ("bucket data exists\n", "")


@needs_rclone
def test_the_tool_must_log_in_with_the_role(bucket: Objects) -> None:
    Objects(bucket.endpoint, "data", ("", ""), REGION).put("file", b"content")
    assert bucket.get("file") == b"content"


@needs_rclone
def test_the_tool_must_not_be_someone_else_than_the_containers(
    bucket: Objects, machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They have neither the keys nor the files of whoever runs the tool."""
    keys = "aws_access_key_id = of-the-user\naws_secret_access_key = of-the-user\n"
    (tmp_path / "credentials").write_text(f"[default]\n{keys}[lab]\n{keys}", encoding="utf-8")
    (tmp_path / "config").write_text(
        f"[default]\nendpoint_url = {NO_SERVER}\n[profile lab]\n{keys}", encoding="utf-8"
    )
    machine.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    machine.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    role = Objects(bucket.endpoint, "data", ("", ""), REGION)
    role.check()
    for name, value in USERS.items():
        machine.setenv(name, value)
    role = Objects(bucket.endpoint, "data", ("", ""), REGION)
    role.check()


@pytest.mark.parametrize("key", [("", ""), KEY])
def test_the_tool_must_ask_amazon_itself(
    key: tuple[str, str], machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(f"[default]\nendpoint_url = {NO_SERVER}\n", encoding="utf-8")
    machine.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    machine.setenv("AWS_ENDPOINT_URL_S3", NO_SERVER)
    found = Objects(None, "data", key, REGION)
    assert found._client.meta.endpoint_url == "https://s3.amazonaws.com"


def test_a_machine_without_a_role_must_be_reported(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with metadata({}) as url:
        machine.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        assert job_module("bucket_init").main(JOB_ENVIRONMENT) == 1
    assert capsys.readouterr().err == (
        "bucket-init: AWS gives this machine no role (S3_CREDENTIALS=role), or containers cannot "
        "reach its metadata service: that needs a hop limit of 2\n"
    )


def test_a_stack_with_a_role_must_need_no_key() -> None:
    assert settings(**WITHOUT_KEY).uses_role
    with pytest.raises(SettingsError, match=r"MINIO_ACCESS_KEY +must not be empty"):
        settings(**{**WITHOUT_KEY, "S3_CREDENTIALS": "key"})


@pytest.mark.parametrize("make", [stack, local_stack])
@pytest.mark.parametrize("more", [{}, {"JUPYTER": "true"}, {"STACK_MODELS": "wine@best=5001"}])
def test_no_service_must_have_a_key(make: type, more: Mapping[str, str]) -> None:
    found = make(**ROLE, **more)
    assert found.app_key == ("", "")
    for service in found.defined:
        assert KEY_VARIABLES.isdisjoint(service.environment), service.name
        assert APP_KEY not in {secret.name for secret in service.secrets}, service.name
    texts = [secret.text for secret in found.secrets]
    assert not any(SECRETS["MINIO_SECRET_ACCESS_KEY"] in text for text in texts)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"S3_CREDENTIALS": "role"}, "S3_CREDENTIALS  must be key unless MINIO_HOST is aws"),
        (
            {"S3_CREDENTIALS": "role", "MINIO_HOST": "objects.lab"},
            "S3_CREDENTIALS  must be key unless MINIO_HOST is aws",
        ),
        (
            {"S3_CREDENTIALS": "role", "ARTIFACT_STORE": "local"},
            "S3_CREDENTIALS  has no effect when ARTIFACT_STORE is local",
        ),
        (
            {**ROLE, "MLFLOW_ARTIFACT_ACCESS": "direct"},
            "MLFLOW_ARTIFACT_ACCESS  must be proxied when S3_CREDENTIALS is role",
        ),
    ],
)
def test_a_role_must_only_be_used_where_there_is_one(values: Mapping[str, str], rule: str) -> None:
    with pytest.raises(SettingsError, match=rule):
        settings(**values)


def test_a_refused_role_must_not_be_called_a_key() -> None:
    causes = causes_of(stack(**ROLE).stores)
    for name in ("s3_key", "s3_forbidden"):
        assert "MINIO_ACCESS_KEY" not in causes[name].sentence + causes[name].hint
        assert "role" in causes[name].sentence


def test_direct_access_must_be_shown_without_a_key() -> None:
    names = {
        variable.name for variable in client_environment(stack(**ROLE), "direct", "", {}).variables
    }
    assert "AWS_DEFAULT_REGION" in names
    assert names.isdisjoint({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})


def test_the_diagram_must_show_who_uses_the_role() -> None:
    arrows = [arrow for arrow in topology(stack(**ROLE)).arrows if arrow.target == "s3"]
    assert {(arrow.source, arrow.label) for arrow in arrows} == {
        ("bucket-init", "the machine's role"),
        ("mlflow", "the machine's role"),
    }


def test_dvc_must_ask_for_a_key(tmp_path: Path) -> None:
    plan = load_plan(loaded(**ROLE), StackPaths(tmp_path / ".env"), {})
    with pytest.raises(StoreError, match="S3_CREDENTIALS is role"):
        own_access(plan, "dvc")
