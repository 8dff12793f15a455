"""The job that creates a bucket for DVC: which buckets it takes, and which it leaves alone."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.job import job_module
from tests.unit.test_bucket_init import Admin

JOB = job_module("bucket_init")
DVC = job_module("dvc_bucket")
SERVER = job_module("s3_server")
APP_KEY = job_module("app_key")
OWN, OTHER = "0123456789abcdef", "fedcba9876543210"
KEY = {"key_id": "dvc-id", "secret": "app-secret"}
REQUEST = {"bucket": "dvc", "identity": OWN, "key_settings": "--key-file key", **KEY}


class Server:
    """An S3 client of a server with these buckets and objects."""

    def __init__(self, **buckets: dict[str, bytes]) -> None:
        self.buckets = buckets
        self.keys: list[str] = []

    def create_bucket(self, *, Bucket: str) -> None:  # noqa: N803 - boto3's
        if Bucket in self.buckets:
            raise refused("BucketAlreadyOwnedByYou")
        self.buckets[Bucket] = {}

    def list_objects_v2(self, *, Bucket: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803 - boto3's
        if Bucket not in self.buckets:
            raise refused("NoSuchBucket")
        return {"Contents": [{"Key": key} for key in self.buckets[Bucket]][:MaxKeys]}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, io.BytesIO]:  # noqa: N803 - boto3's
        if Key not in self.buckets[Bucket]:
            raise refused("NoSuchKey")
        return {"Body": io.BytesIO(self.buckets[Bucket][Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - boto3's
        self.buckets[Bucket][Key] = Body

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803 - boto3's
        del self.buckets[Bucket][Key]


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """Return the job's environment for a server with a single key."""
    (tmp_path / "app").write_text(
        "[default]\naws_access_key_id = app-id\naws_secret_access_key = app-secret\n"
    )
    return {
        "S3_ENDPOINT": "http://s3:9000",
        "S3_BUCKET": "mlflow",
        "AWS_DEFAULT_REGION": "us-east-1",
        "APP_KEY_FILE": str(tmp_path / "app"),
    }


def use(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def client(_: object, key: Any) -> Server:  # noqa: ANN401 - a class of the job's own
        server.keys.append(key.id)
        return server

    for module in (JOB, DVC, APP_KEY):
        monkeypatch.setattr(module, "s3_client", client)


@pytest.mark.parametrize(
    "buckets",
    [{}, {"dvc": {}}, {"dvc": {DVC.OWNER: OWN.encode(), "files/md5/ab/c": b"data"}}],
    ids=["missing", "empty", "own"],
)
def test_a_bucket_of_the_stack_must_carry_its_id(
    buckets: dict[str, dict[str, bytes]],
    environ: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(mlflow={"run": b"1"}, **buckets)
    use(server, monkeypatch)
    before = {**buckets.get("dvc", {})}
    assert DVC.main(environ, REQUEST) == 0
    assert server.buckets == {"mlflow": {"run": b"1"}, "dvc": {**before, DVC.OWNER: OWN.encode()}}
    # DVC's key is enough, where no other key is known.
    assert set(server.keys) == {"dvc-id"}


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ({"thesis.txt": b"mine"}, "holds objects, but is not one that mlflow-compose dvc init"),
        ({DVC.OWNER: OTHER.encode()}, f"belongs to the stack {OTHER}"),
        ({DVC.OWNER: b""}, "belongs to the stack of an empty id"),
    ],
)
def test_a_bucket_of_others_must_be_left_alone(
    objects: dict[str, bytes],
    reason: str,
    environ: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Server(dvc=dict(objects))
    use(server, monkeypatch)
    assert DVC.main(environ, REQUEST) == 1
    assert f"bucket-init: the bucket dvc (--bucket) {reason}" in capsys.readouterr().err
    assert server.buckets == {"dvc": objects}


def test_an_external_bucket_must_exist_unless_it_may_be_created(
    environ: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = Server()
    use(server, monkeypatch)
    assert DVC.main({**environ, "S3_BUCKET_CREATE": "false"}, REQUEST) == 1
    assert "the bucket dvc (--bucket) does not exist; create it" in capsys.readouterr().err
    assert server.buckets == {}


def test_minio_must_get_a_key_for_dvc_beside_that_of_the_application(
    environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.write_text("[default]\naws_access_key_id = root-id\naws_secret_access_key = root-secret\n")
    own, application = "mlflow-compose-dvc-dvc", "mlflow-compose-application"
    admin = Admin({application: ["app-id"], own: ["former-id"]})
    server = Server()
    use(server, monkeypatch)
    monkeypatch.setattr(APP_KEY, "works", lambda _: False)
    monkeypatch.setattr(job_module("app_key_minio"), "MinioAdmin", admin)
    monkeypatch.setattr(job_module("app_key_minio"), "works", lambda _: False)
    world = {**environ, "ROOT_KEY_FILE": str(root), "KEY_MAKER": "minio"}
    assert DVC.main(world, REQUEST) == 0
    assert admin.policies == {own: APP_KEY.policy("dvc")}
    assert "dvc-id" in admin.attached[own]
    assert admin.attached[application] == ["app-id"]
    assert admin.removed == ["former-id"]


def test_the_request_must_be_one_that_the_tool_sends() -> None:
    assert json.loads(json.dumps(REQUEST)) == REQUEST
    job = DVC.dvc_job(
        SERVER.Job("http://s3", "mlflow", "r", SERVER.Key("r", "1"), SERVER.Key("a", "2")), REQUEST
    )
    assert (job.bucket, job.holder, job.root.id, job.app.id) == ("dvc", "dvc-dvc", "r", "dvc-id")
