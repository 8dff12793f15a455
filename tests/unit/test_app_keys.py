"""The application's key in servers other than MinIO: which requests create it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError

from tests.unit.job import job_module

SERVER = job_module("s3_server")
APP_KEY = job_module("app_key")
VERSITYGW = job_module("app_key_versitygw")
ROOT = SERVER.Key("root-id", "root-secret")
POLICY = "mlflow-compose-application"
APP = SERVER.Key("app@id+1", 'app <&"> secret')


def job(maker: str, bucket: str = "data") -> Any:  # noqa: ANN401 - a class of the job's own
    return SERVER.Job(
        endpoint="http://s3:9000",
        bucket=bucket,
        region="eu-west-1",
        root=ROOT,
        app=APP,
        key_maker=maker,
    )


@dataclass(frozen=True)
class Answer:
    status: int = 200
    data: bytes = b""


@dataclass
class Requests:
    """Records requests and returns the given responses, status 200 by default."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    sent: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def request(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=root-id/")
        assert "/eu-west-1/s3/aws4_request" in headers["Authorization"]
        assert "root-secret" not in f"{url}{headers}"
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.sent.append((f"{method} {parts.path}", query, body))
        return self.answers.get(f"{method} {parts.path}", Answer())

    @property
    def names(self) -> list[str]:
        return [name.rpartition("/")[2] for name, _, _ in self.sent]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    found = Requests()
    monkeypatch.setattr(SERVER, "http", lambda: found)
    return found


class Buckets:
    """An S3 client of a server with these buckets and their policies."""

    def __init__(self, policies: Mapping[str, str]) -> None:
        self.policies = dict(policies)

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in ("data", "former", "foreign", "my-data")]}

    def get_bucket_policy(self, *, Bucket: str) -> dict[str, str]:  # noqa: N803 - boto3's
        if Bucket not in self.policies:
            raise ClientError({"Error": {"Code": "NoSuchBucketPolicy"}}, "GetBucketPolicy")
        return {"Policy": self.policies[Bucket]}

    def put_bucket_policy(self, *, Bucket: str, Policy: str) -> None:  # noqa: N803 - boto3's
        self.policies[Bucket] = Policy

    def delete_bucket_policy(self, *, Bucket: str) -> None:  # noqa: N803 - boto3's
        del self.policies[Bucket]


def own_policy(bucket: str, user: str) -> str:
    found = VERSITYGW.bucket_policy(job("versitygw", bucket))
    for part in found["Statement"]:
        part["Principal"] = {"AWS": [user]}
    return json.dumps(found)


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    found = Buckets({"foreign": '{"Statement": [{"Principal": "*"}]}'})
    monkeypatch.setattr(VERSITYGW, "s3_client", lambda *_: found)
    return found


def texts(body: bytes) -> dict[str, str | None]:
    return {child.tag: child.text for child in ET.fromstring(body)}  # noqa: S314 - our own


# --- Versity S3 Gateway


def test_versitygw_must_get_a_user_that_may_only_use_the_bucket(
    requests: Requests, buckets: Buckets
) -> None:
    result = APP_KEY.make_app_key(job("versitygw"))
    assert result == "application key limited to bucket data"
    ((name, query, body),) = requests.sent
    assert (name, query) == ("PATCH /create-user", {})
    assert texts(body) == {"Access": APP.id, "Secret": APP.secret, "Role": "user"}
    found = json.loads(buckets.policies["data"])
    assert {json.dumps(part["Principal"]) for part in found["Statement"]} == {
        json.dumps({"AWS": [APP.id]})
    }
    assert [part["Resource"] for part in found["Statement"]] == [
        ["arn:aws:s3:::data"],
        ["arn:aws:s3:::data/*"],
    ]


def test_an_existing_user_must_get_the_current_secret(requests: Requests, buckets: Buckets) -> None:
    requests.answers = {"PATCH /create-user": Answer(409, b"XAdminUserExists")}
    buckets.policies["data"] = own_policy("data", APP.id)
    assert APP_KEY.make_app_key(job("versitygw")) == "application key limited to bucket data"
    assert requests.names == ["create-user", "update-user"]
    _, query, body = requests.sent[1]
    assert query == {"access": APP.id}
    assert texts(body) == {"Secret": APP.secret}


def test_former_keys_and_former_buckets_must_lose_their_access(
    requests: Requests, buckets: Buckets
) -> None:
    """Policies that other people wrote stay."""
    buckets.policies["data"] = own_policy("data", "old-id")
    buckets.policies["former"] = own_policy("former", "older-id")
    result = APP_KEY.make_app_key(job("versitygw"))
    assert result == "application key limited to bucket data; former keys deleted: 2"
    dropped = [query["access"] for name, query, _ in requests.sent if "delete-user" in name]
    assert sorted(dropped) == ["old-id", "older-id"]
    assert set(buckets.policies) == {"data", "foreign"}
    assert "old-id" not in buckets.policies["data"]


# --- RustFS


def test_rustfs_must_get_a_user_with_the_policy(requests: Requests) -> None:
    admin = "/rustfs/admin/v3"
    known = {
        APP.id: {"policyName": POLICY},
        "old-id": {"policyName": f"another,{POLICY}"},
        "stranger": {"policyName": "another"},
        "nobody": {},
    }
    requests.answers = {f"GET {admin}/list-users": Answer(200, json.dumps(known).encode())}
    result = APP_KEY.make_app_key(job("rustfs"))
    assert result == "application key limited to bucket data; former keys deleted: 1"
    policy, user, attached, _, removed = requests.sent
    assert policy[:2] == (f"PUT {admin}/add-canned-policy", {"name": POLICY})
    assert json.loads(policy[2]) == APP_KEY.policy("data")
    assert user[:2] == (f"PUT {admin}/add-user", {"accessKey": APP.id})
    assert json.loads(user[2]) == {"secretKey": APP.secret, "status": "enabled"}
    assert attached[1] == {
        "policyName": POLICY,
        "userOrGroup": APP.id,
        "isGroup": "false",
    }
    assert removed[:2] == (f"DELETE {admin}/remove-user", {"accessKey": "old-id"})


# --- DVC's key


def dvc_job(maker: str, bucket: str = "my-data") -> Any:  # noqa: ANN401 - see job
    return replace(job(maker, bucket), holder=f"dvc-{bucket}")


def test_versitygw_must_keep_the_policies_of_all_holders_apart(
    requests: Requests, buckets: Buckets
) -> None:
    """Names that differ only in a hyphen or a dot are different buckets."""
    buckets.policies["data"] = own_policy("data", "application")
    before = dict(buckets.policies)
    names = ("my-data", "my.data", "mydata")
    assert len({VERSITYGW.mark(dvc_job("versitygw", name)) for name in names}) == len(names)
    result = APP_KEY.make_app_key(dvc_job("versitygw"))
    assert result == "dvc-my-data key limited to bucket my-data"
    assert requests.names == ["create-user"]
    found = json.loads(buckets.policies.pop("my-data"))
    assert {part["Sid"] for part in found["Statement"]} == {f"MlflowComposeDvc{b'my-data'.hex()}"}
    assert buckets.policies == before
    # The other way round, the application's key does not touch DVC's policy.
    buckets.policies["my-data"] = json.dumps(found)
    APP_KEY.make_app_key(job("versitygw"))
    assert json.loads(buckets.policies["my-data"]) == found


def test_rustfs_must_give_dvc_a_policy_of_its_own(requests: Requests) -> None:
    list_users = "GET /rustfs/admin/v3/list-users"
    known = {
        APP.id: {"policyName": "mlflow-compose-dvc-my-data"},
        "former": {"policyName": "mlflow-compose-dvc-my-data"},
        "application": {"policyName": POLICY},
        "other": {"policyName": "mlflow-compose-dvc-my-data-2"},
    }
    requests.answers = {list_users: Answer(200, json.dumps(known).encode())}
    APP_KEY.make_app_key(dvc_job("rustfs"))
    removed = [query["accessKey"] for name, query, _ in requests.sent if "remove-user" in name]
    assert removed == ["former"]
    assert json.loads(requests.sent[0][2]) == APP_KEY.policy("my-data")


@pytest.mark.parametrize(
    ("maker", "refused"),
    [("versitygw", "PATCH /create-user"), ("rustfs", "PUT /rustfs/admin/v3/add-user")],
)
def test_a_rejected_request_must_be_reported_without_secrets(
    requests: Requests, buckets: Buckets, maker: str, refused: str
) -> None:
    assert buckets
    requests.answers = {refused: Answer(403, b"<Code>AccessDenied</Code>")}
    with pytest.raises(SERVER.JobError) as caught:
        APP_KEY.make_app_key(job(maker))
    assert f"{refused}: 403 <Code>AccessDenied</Code>" in str(caught.value)
    assert APP.secret not in str(caught.value)


def test_every_provider_must_have_the_module_that_creates_its_key() -> None:
    from mlflow_compose.stack import PROVIDERS

    for provider in PROVIDERS.values():
        if provider.key_maker:
            assert callable(job_module(f"app_key_{provider.key_maker}").make)
