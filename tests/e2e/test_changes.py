"""What is changed in `.env` takes effect by `up` alone, and what was stored stays."""

import secrets

import pytest
from botocore.exceptions import ClientError

from .running import RunningStack, docker_only


def test_a_changed_application_secret_must_replace_the_old_one(mended: RunningStack) -> None:
    run, old = mended.log_run(), mended.app_key
    mended.write(MINIO_SECRET_ACCESS_KEY=secrets.token_hex(20))
    mended.up()
    assert refused(mended, old) == "SignatureDoesNotMatch"
    mended.expect(run)


def test_a_changed_application_key_must_revoke_the_old_one(mended: RunningStack) -> None:
    run, old = mended.log_run(), mended.app_key
    mended.write(MINIO_ACCESS_KEY=secrets.token_hex(10))
    mended.up()
    assert refused(mended, old) == "InvalidAccessKeyId"
    mended.expect(run)


@docker_only("the other S3 server has no root")
def test_a_changed_root_password_must_replace_the_old_one(mended: RunningStack) -> None:
    run, old = mended.log_run(), mended.root_key
    mended.write(MINIO_ROOT_PASSWORD=secrets.token_hex(20))
    mended.up()
    assert refused(mended, old) == "SignatureDoesNotMatch"
    assert run.key in mended.objects()
    mended.expect(run)


def refused(stack: RunningStack, key: tuple[str, str]) -> str:
    """Return with which code S3 refuses a key."""
    with pytest.raises(ClientError) as caught:
        stack.s3(key).list_objects_v2(Bucket=stack.bucket)
    return str(caught.value.response["Error"]["Code"])
