"""`dvc init`: what it refuses before anything is created, and the keys that it gives."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mlflow_compose.actions import Plan, load_plan, read_settings
from mlflow_compose.actions.dvc import Request, init_dvc
from mlflow_compose.actions.dvc_buckets import MODULE, create_bucket, own_access
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.errors import DvcError, FilesError, StoreError, UsageError
from mlflow_compose.record import Record, read_record
from mlflow_compose.stack import credentials, keys
from mlflow_compose.targets import COMPOSE, LOCAL
from tests.unit.fakes import ALL_WELL, FakeEngine, FakeScreen
from tests.unit.samples import env_text, settings, stack

SEAWEEDFS = "S3_PROVIDER=seaweedfs"
EXTERNAL = "MINIO_HOST=objects.lab"
AMAZON = ("MINIO_HOST=aws",)


def plan(folder: Path, *lines: str) -> Plan:
    """Return the plan of a stack whose rendered files include the job's module."""
    env_file = folder / ".env"
    env_file.write_text(env_text(*lines), encoding="utf-8")
    # Without `dvc` on PATH.
    environ = {"PATH": str(folder)}
    loaded, paths = read_settings(env_file, environ)
    target = LOCAL if loaded.settings.stack_engine == LOCAL.name else COMPOSE
    found = load_plan(loaded, paths, environ, target)
    (found.folder / "bucket-init").mkdir(parents=True)
    (found.folder / "bucket-init" / MODULE).touch()
    return found


def init(found: Plan, bucket: str = "dvc", key_file: Path | None = None) -> None:
    request = Request(found.paths.root, bucket, key_file)
    init_dvc(found, FakeEngine(found.stack, ALL_WELL), FakeScreen(), request)


@pytest.mark.parametrize(
    ("lines", "bucket", "rule"),
    [
        ((), "mlflow", "--bucket must differ from MLFLOW_BUCKET_NAME, got mlflow"),
        ((), "My Data", "--bucket must be a valid S3 bucket name: .*, got My Data"),
        ((SEAWEEDFS,), "images", "--bucket must be dvc for S3_PROVIDER=seaweedfs"),
        (AMAZON, "dvc", "on Amazon S3, dvc is taken"),
        (("ARTIFACT_STORE=local",), "dvc", "needs an S3 server, but ARTIFACT_STORE is local"),
    ],
)
def test_a_bucket_that_dvc_cannot_have_must_be_refused(
    lines: Sequence[str], bucket: str, rule: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rule):
        init(plan(tmp_path, *lines), bucket)


def test_a_missing_dvc_must_be_reported_with_its_installation(tmp_path: Path) -> None:
    with pytest.raises(DvcError, match="dvc is not installed") as caught:
        init(plan(tmp_path))
    assert 'pip install "dvc[s3]"' in str(caught.value.hint)


def test_a_stack_that_is_stopped_or_outdated_must_be_refused(tmp_path: Path) -> None:
    found = plan(tmp_path)
    engine = FakeEngine(found.stack)
    with pytest.raises(UsageError, match="the stack is not running"):
        init_dvc(found, engine, FakeScreen(), Request(tmp_path, "dvc"))
    (found.folder / "bucket-init" / MODULE).unlink()
    with pytest.raises(UsageError, match="started by an earlier version"):
        init(found)


# --- the key


def test_dvc_must_get_a_key_that_mlflow_cannot_know(tmp_path: Path) -> None:
    """It depends on the root password and the bucket, and on nothing that MLflow reads."""
    found = settings()
    key = keys.dvc_key(found, "dvc")
    assert [len(text) for text in key] == [20, 40]
    assert keys.dvc_key(settings(MINIO_SECRET_ACCESS_KEY="changed-secret"), "dvc") == key
    others = [
        keys.dvc_key(found, "images"),
        keys.dvc_key(settings(MINIO_ROOT_PASSWORD="another-password"), "dvc"),
    ]
    assert len({text for pair in (key, *others) for text in pair}) == 6
    access = own_access(plan(tmp_path), "dvc")
    assert (access.key, access.note) == (key, "")
    assert key[1] not in repr(access)


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("S3_PROVIDER=rclone", "the S3 server rclone has one key for everything"),
        ("STACK_ENGINE=local", "the S3 server rclone has one key for everything"),
        (EXTERNAL, "--key-file gives it another one"),
    ],
)
def test_a_key_that_is_not_limited_must_be_reported(line: str, note: str, tmp_path: Path) -> None:
    found = plan(tmp_path, line)
    access = own_access(found, "dvc")
    assert access.key == found.stack.app_key
    assert note in access.note


def test_seaweedfs_must_start_with_a_key_for_dvc() -> None:
    """It cannot create one later, and no key may use both buckets."""
    found = settings(S3_PROVIDER="seaweedfs")
    identities = json.loads(credentials.seaweedfs_identities(found).text)["identities"]
    rights = {one["name"]: one["actions"] for one in identities}
    assert rights["dvc"] == ["Read:dvc", "Write:dvc", "List:dvc"]
    assert rights["application"] == ["Read:mlflow", "Write:mlflow", "List:mlflow"]
    key_id, secret = keys.dvc_key(found, "dvc")
    assert identities[-1]["credentials"] == [{"accessKey": key_id, "secretKey": secret}]
    same = settings(S3_PROVIDER="seaweedfs", MLFLOW_BUCKET_NAME="dvc")
    identities = json.loads(credentials.seaweedfs_identities(same).text)["identities"]
    assert [one["name"] for one in identities] == ["root", "application"]


@pytest.mark.parametrize(
    "text",
    [
        "aws_secret_access_key = hunter22",
        "[default]\naws_secret_access_key = hunter22\n",
        "[default]\naws_access_key_id =\naws_secret_access_key = hunter22\n",
        "[default]\naws_access_key_id = id\naws_secret_access_key =\n",
        "",
    ],
)
def test_a_file_without_a_key_must_be_reported_without_its_content(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"profile \[default\]") as caught:
        init(plan(tmp_path, EXTERNAL), key_file=file)
    assert "hunter22" not in caught.value.message


def test_a_key_file_must_exist_and_be_of_use(tmp_path: Path) -> None:
    found = plan(tmp_path, EXTERNAL)
    with pytest.raises(FilesError, match="missing cannot be read"):
        init(found, key_file=tmp_path / "missing")
    with pytest.raises(UsageError, match="--key-file is for an external S3 server"):
        init(replace(found, stack=stack()), key_file=tmp_path / "missing")


# --- the job


@dataclass
class Job(FakeEngine):
    """An engine whose job ends in a given way."""

    end: Outcome = field(default_factory=lambda: Outcome(0, b"", ""))
    commands: list[tuple[str, Sequence[str], dict[str, str]]] = field(default_factory=list)

    def run(self, service: str, command: Sequence[str], **options: Any) -> Outcome:  # noqa: ANN401 - unused
        self.commands.append((service, command, json.load(options["stdin"])))
        return self.end


def test_the_key_must_only_be_passed_on_standard_input_and_the_bucket_recorded(
    tmp_path: Path,
) -> None:
    """Backups and migrations read the record."""
    found = plan(tmp_path)
    engine = Job(found.stack)
    access = own_access(found, "images")
    create_bucket(found, engine, "images", access)
    create_bucket(found, engine, "dvc", own_access(found, "dvc"))
    service, command, request = engine.commands[0]
    assert (service, command) == ("bucket-init", ("python", "/bucket-init/dvc_bucket.py"))
    assert (request["key_id"], request["secret"]) == access.key
    assert (request["bucket"], request["identity"]) == ("images", found.stack.identity)
    assert read_record(found.paths).dvc_buckets == {"docker": ["dvc", "images"]}


def test_a_failed_job_must_be_reported_without_the_secret(tmp_path: Path) -> None:
    found = plan(tmp_path)
    access = own_access(found, "dvc")
    message = f"bucket-init: the bucket dvc is not yours ({access.key[1]})\n"
    engine = Job(found.stack, end=Outcome(1, b"", message))
    with pytest.raises(StoreError) as caught:
        create_bucket(found, engine, "dvc", access)
    assert caught.value.message == "the bucket dvc is not yours (********)"
    assert read_record(found.paths).dvc_buckets == {}


def test_a_deleted_volume_must_no_longer_be_recorded_as_having_a_bucket() -> None:
    record = Record(dvc_buckets={"docker": ["dvc"], "local": ["dvc"]})
    assert record.without_volumes("docker", elsewhere=False).dvc_buckets == {"local": ["dvc"]}
    # The bucket may be on an external server.
    kept = record.without_volumes("docker", elsewhere=True)
    assert kept.dvc_buckets == record.dvc_buckets
