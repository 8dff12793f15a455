"""`up` alone applies a change in `.env`, and stored data stays.

Changed secrets of S3 are proven in test_security_odd.py.
"""

import secrets
import time
from functools import partial

from .running import WAIT_TIMEOUT, RunningStack, local_only
from .security import refused_with


@local_only("on Docker, test_security_markers proves it, and that no secret shows")
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
    listing = partial(mended.s3(old).list_objects_v2, Bucket=mended.bucket)
    assert refused_with(listing) == "InvalidAccessKeyId"
    mended.expect(run)
    mended.is_well = True


@local_only("on Docker, test_plain_compose proves it, together with an override")
def test_a_changed_port_must_recreate_only_mlflow(mended: RunningStack, free_port: int) -> None:
    run, before, starts = mended.log_run(), mended.ids(), mended.starts()
    mended.write(MLFLOW_PORT=str(free_port))
    mended.up()
    after = mended.ids()
    assert {name for name, start in mended.starts().items() if start != starts[name]} == {"mlflow"}
    assert {name for name in after if after[name] != before[name]} == {"mlflow"}
    mended.expect(run)
    mended.is_well = True
