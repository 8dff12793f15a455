"""`dvc init`: a bucket and a key for DVC in the stack's S3 server, and a remote that uses them."""

import configparser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_compose.actions.dvc_buckets import MODULE, Access, create_bucket, own_access
from mlflow_compose.actions.plan import Plan
from mlflow_compose.dvc import REMOTE, Project, Remote, find_dvc, open_project
from mlflow_compose.engines import Engine
from mlflow_compose.engines.base import RUNNING
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.payloads import DvcRemote
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings.validators import bucket as checked
from mlflow_compose.stack import Stack, keys
from mlflow_compose.stack.components import bucket_init


@dataclass(frozen=True)
class Request:
    """What the user asks for.

    Attributes:
        folder: Folder of the DVC project, or one that becomes a DVC project.
        bucket: Bucket for the data.
        key_file: Credentials file with DVC's key for an external S3 server, None for the
            application's key.
        force: Whether to replace the remote that the project has.
    """

    folder: Path
    bucket: str
    key_file: Path | None = None
    force: bool = False


def init_dvc(plan: Plan, engine: Engine, progress: Progress, request: Request) -> Result:
    """Give DVC a bucket in the stack's S3 server, and make it the project's default remote.

    Args:
        plan: The stack.
        engine: Engine of the stack.
        progress: Receiver of progress.
        request: What the user asks for.

    Raises:
        UsageError: The stack is not running or has no S3 server, or an option does not fit it.
        DvcError: `dvc` is not installed, or the project has another remote.
        StoreError: The bucket cannot be created, or is not this stack's.
    """
    stack = plan.stack
    _check_bucket(plan, request)
    access = _access(plan, request)
    _check_runs(plan, engine)
    with progress.step("Checking dvc and the project"):
        program = find_dvc(request.folder, plan.environ)
        project = open_project(request.folder, program, plan.environ)
    remote = Remote(
        f"s3://{request.bucket}",
        stack.s3_url or "",
        stack.region,
        access.key,
        _certificates(stack),
        stack.identity,
    )
    project.check_files()
    project.check_ignored(plan.environ)
    if not request.force:
        project.check_remote(remote)
    with progress.step(f"Creating the bucket {request.bucket} and its key"):
        create_bucket(plan, engine, request.bucket, access)
    project.configure(remote, force=request.force)
    if access.note:
        progress.note(access.note)
    return _result(project, remote, access)


def _check_bucket(plan: Plan, request: Request) -> None:
    stack = plan.stack
    if not stack.stores.uses_s3:
        raise UsageError(
            "DVC needs an S3 server, but ARTIFACT_STORE is local",
            hint="mlflow-compose migrate-store --to provider=minio moves the artifacts to one",
        )
    try:
        checked(request.bucket)
    except ValueError as error:
        raise UsageError(f"--bucket {error}, got {request.bucket}") from None
    if not stack.s3_url and request.bucket == keys.DVC_BUCKET:
        raise UsageError(
            f"--bucket must name a bucket of yours: on Amazon S3, {keys.DVC_BUCKET} is taken",
            hint="mlflow-compose dvc init --bucket NAME",
        )
    if request.bucket == stack.stores.bucket:
        raise UsageError(
            f"--bucket must differ from MLFLOW_BUCKET_NAME, got {request.bucket}",
            hint="MLflow's key may use that bucket, and DVC's must not",
        )
    if stack.keys_are_fixed and request.bucket != keys.DVC_BUCKET:
        raise UsageError(
            f"--bucket must be {keys.DVC_BUCKET} for S3_PROVIDER={stack.s3_provider}, whose keys "
            f"are set when it starts, got {request.bucket}"
        )


def _access(plan: Plan, request: Request) -> Access:
    if request.key_file is None:
        return own_access(plan, request.bucket)
    if plan.stack.stores.bundles_s3:
        raise UsageError("--key-file is for an external S3 server, but this stack runs its own")
    return Access(_read_key(request.key_file), f"--key-file {request.key_file}")


def _read_key(path: Path) -> tuple[str, str]:
    """Return the key in an AWS credentials file."""
    # Raw: a secret may contain a %.
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        profile: Mapping[str, str] = parser["default"]
        key = profile["aws_access_key_id"], profile["aws_secret_access_key"]
    except (OSError, ValueError) as error:
        raise FilesError(f"{path} cannot be read: {error}") from None
    except (configparser.Error, KeyError):
        # Their messages quote lines of the file.
        key = ("", "")
    if not all(key):
        raise UsageError(
            f"--key-file must be a credentials file with a profile [default], got {path}",
            hint="it has the lines aws_access_key_id = … and aws_secret_access_key = …",
        )
    return key


def _check_runs(plan: Plan, engine: Engine) -> None:
    engine.check()
    if not any(status.state == RUNNING for status in engine.status()):
        raise UsageError("the stack is not running", hint="mlflow-compose up starts it")
    if not (plan.folder / bucket_init.NAME / MODULE).exists():
        raise UsageError(
            "the stack was started by an earlier version of mlflow-compose",
            hint="mlflow-compose up updates its files; then run the same command again",
        )


def _certificates(stack: Stack) -> str:
    # DVC reads it from the project's folder.
    return str(Path(stack.ca_certs).absolute()) if stack.ca_certs else ""


def _result(project: Project, remote: Remote, access: Access) -> Result:
    data = DvcRemote(
        project=str(project.root),
        remote=REMOTE,
        url=remote.url,
        endpoint=remote.endpoint or None,
        region=remote.region,
        key_is_limited=not access.note,
    )
    lines = [
        f"Remote     {REMOTE}: {remote.address}",
        f"Key        in {project.root / '.dvc' / 'config.local'}, which Git ignores",
        "Next       git add .dvc, git commit, dvc add DATA, dvc push",
    ]
    return Result(data, lines)
