"""DVC with the stack's S3 server as its remote, in a repository of its own."""

import hashlib
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from .conftest import MakeStack
from .dvc_project import Project
from .outside import objects
from .running import RunningStack, docker_only, local_only, short_in_ci
from .security import refused_with

SAME = "the same code talks to the same servers on both engines, and this one starts faster"

# Object with the id of the stack that a bucket belongs to.
OWNER = ".mlflow-compose-stack"


@pytest.fixture(scope="module")
def project(
    shared: RunningStack, dvc: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """Return the example in a repository whose remote is in the session's stack."""
    bucket = f"dvc-{secrets.token_hex(4)}"
    found = Project(tmp_path_factory.mktemp("git") / "example", shared, dvc, bucket)
    found.create()
    found.init()
    yield found
    found.remove_bucket()


@short_in_ci
def test_data_must_come_back_from_the_bucket_and_runs_must_name_it(project: Project) -> None:
    """After cache and workspace were lost, as on another machine."""
    project.types("dvc", "repro")
    project.types("git", "add", "--all")
    project.types("git", "commit", "--quiet", "--message", "Train")
    made = {path: path.read_bytes() for path in files_of(project)}
    assert len(made) == 3
    project.types("dvc", "push")
    shutil.rmtree(project.root / ".dvc" / "cache")
    for folder in ("prepared", "model"):
        shutil.rmtree(project.root / folder)
    project.types("dvc", "pull")
    assert {path: path.read_bytes() for path in files_of(project)} == made

    (run,) = runs_of(project)
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["dvc.data/measurements.csv"] == md5(project.root / "data" / "measurements.csv")
    # The hash of a folder is that of a list of its files, which is an object, too.
    digest = tags["dvc.prepared"]
    assert f"files/md5/{digest[:2]}/{digest[2:]}" in project.stored()
    assert {"train_r2", "test_r2"} == {metric["key"] for metric in run["data"]["metrics"]}


def files_of(project: Project) -> list[Path]:
    found = [*(project.root / "prepared").iterdir(), *(project.root / "model").iterdir()]
    return sorted(found)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def runs_of(project: Project) -> list[dict[str, Any]]:
    api = project.stack.api
    name = "dvc example"
    experiment = api.get("experiments/get-by-name", experiment_name=name)["experiment"]
    found = api.post("runs/search", experiment_ids=[experiment["experiment_id"]])
    runs: list[dict[str, Any]] = found["runs"]
    return runs


def test_git_must_never_see_the_key(project: Project) -> None:
    """Neither in the working tree as Git would add it, nor in any object."""
    project.types("git", "add", "--all")
    objects = project.objects()
    assert b"url = s3://" in objects
    for text in (*project.key, *project.stack.app_key, project.stack.root_key[1]):
        assert text.encode() not in objects
    local = project.root / ".dvc" / "config.local"
    assert stat.S_IMODE(local.stat().st_mode) == 0o600


@short_in_ci
def test_a_second_init_must_change_nothing(project: Project) -> None:
    before, stored = project.contents(), project.stored()
    project.init()
    assert (project.contents(), project.stored()) == (before, stored)
    assert project.s3.list_objects_v2(Bucket=project.bucket)["KeyCount"] == len(stored)


@docker_only("without Docker, the S3 server has one key")
def test_the_keys_of_dvc_and_mlflow_must_be_refused_in_each_others_bucket(
    project: Project,
) -> None:
    stack, key = project.stack, f"{secrets.token_hex(4)}.txt"
    keys = {project.key: stack.bucket, stack.app_key: project.bucket}
    for owner, foreign in keys.items():
        s3 = stack.s3(owner)
        for request in (
            partial(s3.list_objects_v2, Bucket=foreign),
            partial(s3.get_object, Bucket=foreign, Key=key),
            partial(s3.put_object, Bucket=foreign, Key=key, Body=b"x"),
            partial(s3.delete_object, Bucket=foreign, Key=key),
        ):
            assert refused_with(request) == "AccessDenied"
    create = partial(project.s3.create_bucket, Bucket=f"new-{secrets.token_hex(4)}")
    assert refused_with(create) == "AccessDenied"


def test_another_owners_bucket_must_never_be_taken_over(project: Project) -> None:
    root, name = project.stack.s3(project.stack.root_key), f"foreign-{secrets.token_hex(4)}"
    root.create_bucket(Bucket=name)
    root.put_object(Bucket=name, Key="thesis.txt", Body=b"mine")
    before = project.contents()
    project.init("--force", bucket=name, code=1).shows(f"the bucket {name} (--bucket) holds")
    root.put_object(Bucket=name, Key=OWNER, Body=b"0123456789abcdef")
    project.init("--force", bucket=name, code=1).shows("belongs to the stack 0123456789abcdef")
    assert project.contents() == before
    other = replace(project, bucket=name)
    assert other.stored() == {"thesis.txt", OWNER}
    other.remove_bucket()


@local_only("it is about files of the project, whatever runs the stack")
def test_a_remote_of_the_user_must_be_kept_unless_forced(project: Project, tmp_path: Path) -> None:
    """The user's remote stays in the project even then."""
    other = replace(project, root=tmp_path / "other")
    other.create()
    other.types("dvc", "init", "--quiet")
    other.types("dvc", "remote", "add", "--default", "lab", "s3://lab/data")
    before = (other.root / ".dvc" / "config").read_bytes()
    other.init(code=1).shows("the default remote of this project is lab (s3://lab/data)")
    assert (other.root / ".dvc" / "config").read_bytes() == before
    local = other.root / ".dvc" / "config.local"
    local.touch()
    other.types("git", "add", "--force", str(local))
    other.init("--force", code=1).shows("Git tracks .dvc/config.local")
    assert local.read_bytes() == b""
    other.types("git", "rm", "--quiet", "--cached", str(local))
    other.init("--force")
    listed = [line.split() for line in other.types("dvc", "remote", "list").out.splitlines()]
    own = ["mlflow-compose", f"s3://{project.bucket}", "(default)"]
    assert listed == [["lab", "s3://lab/data"], own]
    assert other.key == project.key


@local_only("DVC refuses it on this machine, whatever runs the stack")
def test_a_folder_without_git_must_be_reported(project: Project, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    found = replace(project, root=tmp_path / "folder")
    found.init(code=1).shows("dvc init failed in", "is not tracked by any supported SCM tool")
    assert [*found.root.iterdir()] == []


def test_without_dvc_nothing_must_be_created(project: Project, tmp_path: Path) -> None:
    name = f"none-{secrets.token_hex(4)}"
    bare = replace(project, root=tmp_path / "bare", dvc_folder=tmp_path, bucket=name)
    bare.create()
    bare.init(code=1).shows("dvc is not installed", 'pip install "dvc[s3]"')
    assert not (bare.root / ".dvc").exists()
    buckets = project.stack.s3(project.stack.root_key).list_buckets()["Buckets"]
    assert name not in {bucket["Name"] for bucket in buckets}


@local_only(SAME)
def test_an_external_server_must_be_usable_with_a_key_of_its_own(
    outside: RunningStack, make_stack: MakeStack, dvc: Path, tmp_path: Path
) -> None:
    """The bucket must exist there, unless MLFLOW_BUCKET_CREATE allows to create it."""
    stack = make_stack(BACKEND_STORE="sqlite", **objects(outside))
    stack.up()
    found = Project(tmp_path / "example", stack, dvc, f"dvc-{secrets.token_hex(4)}")
    found.create()
    found.init(code=1).shows(f"the bucket {found.bucket} (--bucket) does not exist")
    outside.s3(outside.root_key).create_bucket(Bucket=found.bucket)
    key_file = tmp_path / "key"
    key_id, secret = outside.root_key
    key_file.write_text(
        f"[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n",
        encoding="utf-8",
    )
    output = found.init("--json", f"--key-file={key_file}")
    assert output.data["key_is_limited"]
    assert found.key == outside.root_key
    (found.root / "big.bin").write_bytes(bytes(range(256)) * 4096)
    found.types("dvc", "add", "--quiet", "big.bin")
    found.types("dvc", "push")
    digest = md5(found.root / "big.bin")
    stored = replace(found, stack=outside).stored()
    assert stored == {OWNER, f"files/md5/{digest[:2]}/{digest[2:]}"}
    # What DVC deletes as unused does not include the mark.
    (found.root / "big.bin.dvc").unlink()
    found.types("dvc", "gc", "--workspace", "--cloud", "--force")
    assert replace(found, stack=outside).stored() == {OWNER}
