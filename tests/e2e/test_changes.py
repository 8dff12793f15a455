"""`up` alone applies a change in `.env`, and stored data stays."""

import secrets
import time

import pytest
from botocore.exceptions import ClientError

from .running import WAIT_TIMEOUT, RunningStack


def test_changed_secrets_of_s3_must_replace_the_old_ones(mended: RunningStack) -> None:
    """Both the application's key and, if the S3 server has one, the root key."""
    run, old, root = mended.log_run(), mended.app_key, mended.root_key
    new = {
        name: secrets.token_hex(20) for name in ("MINIO_SECRET_ACCESS_KEY", "MINIO_ROOT_PASSWORD")
    }
    mended.write(**new)
    mended.up()
    assert refused(mended, old) == "SignatureDoesNotMatch"
    assert refused(mended, root) == "SignatureDoesNotMatch"
    assert run.key in mended.objects()
    mended.expect(run)
    mended.is_well = True


def test_a_changed_database_password_must_be_reported_and_not_block_other_changes(
    mended: RunningStack,
) -> None:
    """The database keeps its initial password; a new S3 key revokes the old one."""
    run, old = mended.log_run(), mended.app_key
    mended.write(MINIO_ACCESS_KEY=secrets.token_hex(10))
    with mended.changed(PG_PASSWORD=secrets.token_hex(12)):
        start = time.monotonic()
        output = mended.up(code=1)
        assert time.monotonic() - start < WAIT_TIMEOUT / 3
        output.shows("PostgreSQL refuses PG_PASSWORD")
    mended.up()
    assert refused(mended, old) == "InvalidAccessKeyId"
    mended.expect(run)
    mended.is_well = True


def test_a_changed_port_must_recreate_only_mlflow(mended: RunningStack, free_port: int) -> None:
    run, before, starts = mended.log_run(), mended.ids(), mended.starts()
    mended.write(MLFLOW_PORT=str(free_port))
    mended.up()
    after = mended.ids()
    assert {name for name, start in mended.starts().items() if start != starts[name]} == {"mlflow"}
    assert {name for name in after if after[name] != before[name]} == {"mlflow"}
    mended.expect(run)
    mended.is_well = True


def refused(stack: RunningStack, key: tuple[str, str]) -> str:
    """Return the error code with which S3 rejects a key."""
    with pytest.raises(ClientError) as caught:
        stack.s3(key).list_objects_v2(Bucket=stack.bucket)
    return str(caught.value.response["Error"]["Code"])
