"""Secrets with any characters: the servers accept exactly the value in `.env`."""

import time
import uuid
from functools import partial
from pathlib import Path

import pytest

from .classroom import ADMIN, LONG, ODD, UNICODE, Classroom, odd_secret
from .dvc_project import Project
from .running import WAIT_TIMEOUT, RunningStack, left_to_soak, local_only
from .security import refused_with
from .tracking import Api

# Reads a password and prints whether the database accepts it from another host.
LOG_IN = """
import psycopg2, sys
user, database = sys.argv[1:]
try:
    psycopg2.connect("service=mlflow", user=user, dbname=database, password=sys.stdin.read())
except psycopg2.OperationalError as error:
    print("refused" if "password authentication failed" in str(error) else error)
else:
    print("accepted")
"""


@pytest.fixture
def odd(classroom: Classroom) -> RunningStack:
    """Return a proven stack whose secrets and names are as odd as allowed."""
    return classroom.stack


def test_the_database_must_accept_exactly_an_odd_password(odd: RunningStack) -> None:
    assert odd.settings["PG_PASSWORD"] == LONG
    assert log_in(odd, LONG) == "accepted"
    assert log_in(odd, LONG[:-1]) == "refused"


def test_an_odd_user_must_be_the_only_one_and_use_an_odd_database(odd: RunningStack) -> None:
    user, database = odd.settings["PG_USER"], odd.settings["PG_DATABASE"]
    names = odd.sql("SELECT rolname FROM pg_roles WHERE rolcanlogin")
    # Besides the role that can only read, which pgAdmin has.
    assert [name for name in names if not name.startswith("mlflow_reader_")] == [user]
    assert odd.sql("SELECT current_user, current_database()") == [f"{user}|{database}"]


def test_mlflow_must_accept_exactly_an_odd_admin_password(classroom: Classroom) -> None:
    """It must work for REST calls and for artifacts, which MLflow authenticates differently."""
    stack, admin = classroom.stack, classroom.admin
    stack.expect(stack.log_run(admin), admin)
    clipped = Api(stack.url, (ADMIN[0], ADMIN[1][:-1]))
    assert clipped.call("GET", "/version").status_code == 401


@local_only("settings are checked before an engine is involved")
@pytest.mark.parametrize("name", ["MLFLOW_ADMIN_USERNAME", "MLFLOW_ADMIN_PASSWORD"])
def test_a_login_that_mlflow_does_not_support_must_be_refused(
    stack: RunningStack, name: str
) -> None:
    """MLflow accepts non-ASCII logins for runs but refuses them for artifacts."""
    stack.write(MLFLOW_AUTH="basic", **{name: UNICODE})
    assert name in stack.tool("config", code=2).err


def test_s3_must_accept_exactly_odd_secrets(odd: RunningStack) -> None:
    expect_keys(odd, application=odd_secret(odd.engine), root=UNICODE)


@left_to_soak("test_providers.py replaces a key")
def test_changed_secrets_of_s3_must_replace_the_old_ones_however_odd(
    classroom: Classroom, dvc: Path, tmp_path: Path
) -> None:
    """Both the application's key and, if the S3 server has one, the root key.

    Without Docker, the first attempt also changes the database's password, which must be reported
    and not block the other changes; on Docker, test_security_markers proves that. A DVC project
    gets the new key when it asks for it.
    """
    stack, run = classroom.stack, classroom.stack.log_run(classroom.admin)
    project = Project(tmp_path / "project", stack, dvc)
    project.create()
    project.init()
    project.s3.put_object(Bucket=project.bucket, Key="data", Body=b"data")
    old = (stack.app_key, stack.root_key)
    changed = LONG if not stack.one_key else LONG.replace(",", "")
    stack.write(MINIO_SECRET_ACCESS_KEY=changed, MINIO_ROOT_PASSWORD=ODD)
    if stack.engine == "local":
        expect_refused_database(stack)
    stack.up()
    expect_keys(stack, application=changed, root=ODD)
    for key in old:
        expect_mismatch(stack, key)
    expect_new_key(project)
    assert run.key in stack.objects()
    stack.expect(run, classroom.admin)
    stack.expect(stack.log_run(classroom.admin), classroom.admin)


def log_in(stack: RunningStack, password: str) -> str:
    """Return whether the database accepts a password from MLflow's environment."""
    names = (stack.settings["PG_USER"], stack.settings["PG_DATABASE"])
    return stack.execute("mlflow", "python", "-c", LOG_IN, *names, given=password).strip()


def expect_refused_database(stack: RunningStack) -> None:
    """Change the database's password, which keeps its initial one, in `.env` for one start."""
    with stack.changed(PG_PASSWORD=uuid.uuid4().hex):
        start = time.monotonic()
        output = stack.up(code=1)
        assert time.monotonic() - start < WAIT_TIMEOUT / 3
    output.shows("PostgreSQL refuses PG_PASSWORD")


def expect_keys(stack: RunningStack, *, application: str, root: str) -> None:
    """Assert that S3 accepts exactly these secrets for the two keys."""
    keys = [(stack.app_key, application)]
    if not stack.one_key:
        keys.append((stack.root_key, root))
    for (key_id, found), expected in keys:
        assert found == expected
        stack.s3((key_id, expected)).list_objects_v2(Bucket=stack.bucket)
        expect_mismatch(stack, (key_id, expected[:-1]))


def expect_new_key(project: Project) -> None:
    """Assert that DVC keeps its data, and that its old key only works until it has a new one."""
    old, stack = project.key, project.stack
    if not stack.one_key:
        assert stack.s3(old).list_objects_v2(Bucket=project.bucket)["KeyCount"] == 2
    project.init()
    new = project.read_key()
    assert stack.s3(new).get_object(Bucket=project.bucket, Key="data")["Body"].read() == b"data"
    with_old = partial(stack.s3(old).list_objects_v2, Bucket=project.bucket)
    assert refused_with(with_old) in {"InvalidAccessKeyId", "SignatureDoesNotMatch"}


def expect_mismatch(stack: RunningStack, key: tuple[str, str]) -> None:
    """Assert that S3 knows a key but refuses this secret."""
    listing = partial(stack.s3(key).list_objects_v2, Bucket=stack.bucket)
    assert refused_with(listing) == "SignatureDoesNotMatch"
