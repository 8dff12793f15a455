"""DVC's buckets and keys in the stack's S3 server: how they are created, and moved."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlflow_compose.actions.job_script import run_beside
from mlflow_compose.actions.migration_plan import MigrationPlan
from mlflow_compose.actions.old_server import administrator
from mlflow_compose.actions.plan import Plan
from mlflow_compose.clients import Objects, ObjectsError
from mlflow_compose.data.migration import copy_objects
from mlflow_compose.engines import Engine
from mlflow_compose.errors import StoreError
from mlflow_compose.payloads import CopiedObjects
from mlflow_compose.record import read_record, write_record
from mlflow_compose.result import Progress
from mlflow_compose.stack import keys, migration
from mlflow_compose.stack.components import bucket_init, s3
from mlflow_compose.stack.model import MASK

# Module of bucket-init that creates the bucket.
MODULE = "dvc_bucket.py"
# The same as in that module: the object with the id of the stack that a bucket belongs to.
OWNER = ".mlflow-compose-stack"
APP_KEY = "MINIO_ACCESS_KEY and MINIO_SECRET_ACCESS_KEY"
CHOOSE = "--bucket chooses another bucket; if the server or its keys changed, run mlflow-compose up"


@dataclass(frozen=True)
class Access:
    """DVC's key.

    Attributes:
        key: Id and secret.
        settings: The settings or options that it comes from, for messages.
        note: What else it may do, empty if it may only use DVC's bucket.
    """

    key: tuple[str, str] = field(repr=False)
    settings: str
    note: str = ""


def create_bucket(plan: Plan, engine: Engine, bucket: str, access: Access) -> None:
    """Create DVC's bucket and key with bucket-init, which can use the root key, and record it.

    Raises:
        StoreError: The S3 server refuses it, or the bucket is not this stack's.
    """
    stack = plan.stack
    key_id, secret = access.key
    request = {
        "bucket": bucket,
        "identity": stack.identity,
        "key_id": key_id,
        "secret": secret,
        "key_settings": access.settings,
    }
    outcome = run_beside(engine, bucket_init.NAME, MODULE, request)
    if outcome.exit_code:
        reason = stack.mask(outcome.failure).replace(secret, MASK)
        raise StoreError(
            reason.removeprefix(f"{bucket_init.NAME}: "),
            hint=CHOOSE,
        )
    record = read_record(plan.paths).with_dvc_bucket(stack.site.engine, bucket)
    write_record(record, plan.paths)


def own_access(plan: Plan, bucket: str) -> Access:
    """Return DVC's key for a bucket without options: one of its own if the server can limit it.

    Raises:
        StoreError: The stack has no key: AWS gives it a role.
    """
    stack, settings = plan.stack, plan.loaded.settings
    if stack.stores.uses_role:
        raise StoreError(
            "DVC needs an S3 key, and the stack has none: S3_CREDENTIALS is role",
            hint="mlflow-compose dvc init --key-file FILE takes a key of AWS",
        )
    if stack.key_is_limited:
        return Access(keys.dvc_key(settings, bucket), "MINIO_ROOT_PASSWORD, derived for DVC")
    if stack.has_one_key:
        server = stack.stores.artifacts.facts["provider"]
        note = f"the S3 server {server} has one key for everything: DVC uses it, too"
    else:
        note = "DVC uses MLflow's key (MINIO_ACCESS_KEY); --key-file gives it another one"
    return Access(stack.app_key, APP_KEY, note)


def copy_buckets(
    move: MigrationPlan, engine: Engine, progress: Progress
) -> Mapping[str, CopiedObjects]:
    """Copy DVC's buckets from a bundled S3 server to the new one.

    Args:
        move: The migration.
        engine: Engine of the intermediate stack, with both servers.
        progress: Receiver of progress.

    Raises:
        ObjectsError: One of the servers refused a request, or did not answer.
        StoreError: A bucket cannot be created, or differs after copying.
    """
    old, new = move.old, move.new
    if not old.stack.has(s3.NAME):
        return {}
    source = administrator(old)
    known = {*read_record(old.paths).dvc_buckets.get(old.stack.site.engine, ())}
    copied = {}
    for name in sorted(known & {*source.buckets()}):
        with progress.step(f"Copying the bucket {name}"):
            try:
                target = _target(move, engine, name)
            except (ObjectsError, StoreError) as error:
                progress.note(f"the bucket {name} is not copied: {error}")
                continue
            one = replace(source, bucket=name)
            own = new.stack.has(s3.NAME) and not new.stack.folders
            copied[name] = copy_objects(one, target, progress, own=own)
    return copied


def _target(move: MigrationPlan, engine: Engine, name: str) -> Objects:
    """Return DVC's bucket on the new server, created if it is missing.

    Raises:
        ObjectsError: The server refused a request, or did not answer.
        StoreError: The bucket cannot be created, or is not this stack's.
    """
    new = move.new
    if new.stack.has(s3.NAME):
        create_bucket(move.intermediate, engine, name, own_access(new, name))
        url = migration.objects_url(move.old.stack, new.stack, move.port)
        return replace(administrator(new), endpoint=url, bucket=name)
    # Which key DVC has there, the user says later: `dvc init --key-file`.
    target = replace(Objects.of(new.stack), bucket=name)
    is_new = new.loaded.settings.mlflow_bucket_create and target.create_bucket()
    if not target.has("") and is_new:
        # At once, so that an interrupted copy can be resumed.
        target.put(OWNER, new.stack.identity.encode())
    if not _is_own(target, new.stack.identity):
        raise StoreError("a bucket of that name is there, which is not this stack's")
    return target


def _is_own(target: Objects, identity: str) -> bool:
    # An empty bucket may be anybody's: on Amazon, names are global.
    return target.has(OWNER) and target.get(OWNER) == identity.encode()
