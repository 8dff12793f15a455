"""The programs of a chart that take backups, run as in a pod: without the rest of the tool."""

import ast
import fcntl
import gzip
import json
import os
import resource
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlflow_compose.clients import Objects
from mlflow_compose.data.backup import check, find
from mlflow_compose.data.backup.fingerprint import KEYS, keys_in
from mlflow_compose.data.backup.rows import RowCounter
from mlflow_compose.data.backup.snapshot import describe, latest, new
from mlflow_compose.paths import templates
from mlflow_compose.result import NoProgress
from mlflow_compose.stack import keys
from mlflow_compose.targets import HELM
from tests.unit.conftest import User
from tests.unit.s3 import KEY, running_s3
from tests.unit.samples import SOURCE, settings
from tests.unit.test_snapshots import DUMPED

NOW = datetime(2026, 11, 30, 2, 0, 5, tzinfo=UTC)
NAME = "2026-11-30T02-00-05Z"
STACK_ID = "0123456789abcdef"
ENCRYPTED = b"COPY public.webhooks (id) FROM stdin;\n1\n\\.\n"
PRIVATE = dict.fromkeys(KEYS, "a-key-of-the-stack")
# Without `site`, whose files would add this checkout to the path.
RUN = "import runpy, sys; sys.path += [sys.argv.pop(1)]; sys.argv.pop(0); "
RUN += "sys.path.insert(0, sys.argv.pop(0)); runpy.run_path(sys.argv[0], run_name='__main__')"


@dataclass(frozen=True)
class Job:
    """The job of a chart, whose volume is a folder.

    Attributes:
        programs: What the chart has for it.
        bucket: The stack's bucket, on a real server.
        top: The volume with the snapshots.
        dumped: What the steps before have written.
    """

    programs: Path
    bucket: Objects
    top: Path
    dumped: Path

    def dumps(self, when: datetime, text: bytes = DUMPED, **facts: object) -> None:
        """Write what the steps before the last one write, and what else the first has found."""
        counter = RowCounter()
        counter.read(text)
        facts = {
            "created": when.isoformat(),
            "mlflow": "3.17.2",
            "namespace": "public",
            "server": "18.4",
            "tables": sorted(counter.rows),
            "revisions": counter.schema,
        } | facts
        self.dumped.mkdir(exist_ok=True)
        (self.dumped / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        (self.dumped / "database.dump").write_bytes(b"PGDMP")
        (self.dumped / "rows.gz").write_bytes(gzip.compress(text))

    @property
    def kept(self) -> list[str]:
        """Names of the snapshots."""
        return sorted(each.name for each in self.top.iterdir() if each.name.startswith("2026"))

    def runs(
        self,
        *,
        keep: int = 7,
        code: int = 0,
        variables: Mapping[str, str] | None = None,
        largest: int = resource.RLIM_INFINITY,
    ) -> dict[str, Any]:
        """Run the last step; return the last line that it prints.

        Args:
            keep: Number of snapshots to keep.
            code: Its exit code.
            variables: More of its environment.
            largest: Bytes that a file can have, in place of a full volume.
        """
        about = self.dumped / "about.json"
        known = {"stack": "lab", "stack_id": STACK_ID, "images": {}, "settings": {"PG_PORT": "1"}}
        about.write_text(json.dumps(known), encoding="utf-8")
        options = {
            "--backups": self.top,
            "--folder": self.dumped,
            "--about": about,
            "--bucket": self.bucket.bucket,
            "--keep": keep,
        }
        site, program = sysconfig.get_path("purelib"), self.programs / "take_snapshot.py"
        arguments = [f"{name}={value}" for name, value in options.items()]
        done = subprocess.run(
            [sys.executable, "-S", "-c", RUN, site, self.programs, program, *arguments],
            env={
                "AWS_ACCESS_KEY_ID": KEY[0],
                "AWS_SECRET_ACCESS_KEY": KEY[1],
                "AWS_DEFAULT_REGION": "us-east-1",
                "MLFLOW_S3_ENDPOINT_URL": self.bucket.endpoint or "",
                **(variables or {}),
            },
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest, largest)),
        )
        assert (done.returncode, done.stderr) == (code, "")
        assert all(secret not in done.stdout for secret in (*KEY, *PRIVATE.values()))
        last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return last


@pytest.fixture
def job(user: User, tmp_path: Path) -> Iterator[Job]:
    user.has_env()
    assert user.types("render", "--target", "helm").code == 0
    top = tmp_path / "volume"
    # As a new volume has it.
    (top / "lost+found").mkdir(parents=True)
    programs = user.folder / HELM.folder / "files" / "backup"
    with running_s3(tmp_path, "artifacts") as bucket:
        yield Job(programs, bucket, top, tmp_path / "dumped")


def test_a_job_must_take_a_snapshot_that_the_tool_reads(job: Job) -> None:
    job.bucket.put("1/a/artifacts/one.txt", b"one")
    job.bucket.put("1/b/artifacts/copy.txt", b"one")
    job.dumps(NOW, DUMPED + ENCRYPTED)
    done = job.runs(variables=PRIVATE)["done"]
    assert (done["snapshot"], done["objects"], done["read"], done["deleted"]) == (NAME, 2, 2, [])
    snapshot = find(job.top, NAME)
    check(snapshot, NoProgress())
    found = snapshot.manifest
    assert (found.stack, found.stack_id, found.engine) == ("lab", STACK_ID, "kubernetes")
    assert (found.mlflow, found.database.server, found.database.namespace) == (
        *("3.17.2", "18.4"),
        "public",
    )
    assert found.when == NOW
    assert found.database.schema == {"alembic_version": "dc11669786a5"}
    assert found.database.rows == {"alembic_version": 1, "order": 0, "tags": 3, "webhooks": 1}
    assert found.settings == {"PG_PORT": "1"}
    assert found.fingerprint
    assert found.fingerprint.fits(keys_in(PRIVATE))
    assert latest(job.top, STACK_ID) == snapshot


def test_a_later_job_must_link_what_has_not_changed_and_delete_the_oldest(job: Job) -> None:
    job.bucket.put("1/a/artifacts/one.txt", b"one")
    for hours in range(3):
        job.bucket.put(f"1/a/artifacts/{hours}.txt", b"%d" % hours)
        job.dumps(NOW + timedelta(hours=hours))
        done = job.runs(keep=2)["done"]
        assert (done["objects"], done["read"]) == (hours + 2, 2 if hours == 0 else 1)
    assert done["deleted"] == [NAME]
    second, third = sorted(each for each in job.top.iterdir() if each.name.startswith("2026"))
    for each in (second, third):
        check(find(job.top, each.name), NoProgress())
    inodes = [{path.stat().st_ino for path in each.glob("objects/*/*")} for each in (second, third)]
    assert inodes[0] < inodes[1]


def test_only_what_jobs_of_this_stack_have_taken_must_be_deleted(job: Job) -> None:
    job.dumps(NOW)
    job.runs()
    taken = find(job.top, NAME).manifest
    others = {
        # Of another stack, and copied to here under a name of its own.
        "2026-11-29T02-00-05Z": replace(taken, stack_id="f" * 16),
        "before-the-course": taken,
    }
    for name, manifest in others.items():
        with new(job.top, name) as folder:
            (folder / "database.dump").write_bytes(b"PGDMP")
            (folder / "objects.jsonl").touch()
            when = (NOW - timedelta(days=1)).isoformat()
            describe(folder, replace(manifest, name=name, created=when))
    (job.top / f".partial-{STACK_ID}.killed").mkdir()
    job.dumps(NOW + timedelta(hours=1))
    assert job.runs(keep=1)["done"]["deleted"] == [NAME]
    kept = {each.name for each in job.top.iterdir() if each.name[0] != "."}
    assert kept == {*others, "2026-11-30T03-00-05Z", "lost+found"}
    assert not [*job.top.glob(".partial-*")]


def test_a_job_that_fails_must_leave_nothing_behind_and_say_why(job: Job) -> None:
    job.bucket.put("1/a/artifacts/one.txt", b"one")
    job.dumps(NOW)
    failed = job.runs(code=1, variables={"AWS_SECRET_ACCESS_KEY": "wrong-secret"})["failed"]
    assert failed["message"].startswith("the artifacts cannot be read: list_objects_v2 was refused")
    assert [each.name for each in job.top.iterdir() if "2026" in each.name] == []


def test_a_job_must_wait_for_another_one_of_the_same_stack(job: Job) -> None:
    """Otherwise it would delete the other's incomplete snapshot."""
    job.dumps(NOW)
    with ThreadPoolExecutor() as pool:
        with (job.top / f".lock-{STACK_ID}").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            waiting = pool.submit(job.runs)
            with pytest.raises(TimeoutError):
                waiting.result(2)
            assert not [*job.top.glob("*2026*")]
        assert waiting.result(20)["done"]["snapshot"] == NAME


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"tables": ["alembic_version", "order", "tags", "traces"]}, "only one of them has traces"),
        ({"tables": ["alembic_version", "tags"]}, "only one of them has order"),
        (
            {"revisions": {"alembic_version": "0a1b2c3d4e5f"}},
            "a migration has changed: alembic_version at 0a1b2c3d4e5f, now alembic_version at dc",
        ),
    ],
)
def test_a_migration_during_a_backup_must_fail_it(
    job: Job, found: Mapping[str, Any], sentence: str
) -> None:
    """The tables are chosen before they are dumped: some may be missing in the dump."""
    job.dumps(NOW, **found)
    assert sentence in job.runs(code=1)["failed"]["message"]
    assert job.kept == []


RUNS = b"COPY public.runs (run_uuid) FROM stdin;\n1\n\\.\n"


@pytest.mark.parametrize("lost", ["runs", "artifacts"])
def test_the_snapshots_of_lost_data_must_not_be_deleted(job: Job, lost: str) -> None:
    """For example, if the claims of the stores were deleted, and the chart installed again."""
    job.bucket.put("1/a/artifacts/one.txt", b"one")
    for hours in range(2):
        job.dumps(NOW + timedelta(hours=hours), DUMPED + RUNS)
        job.runs(keep=2)
    good = job.kept
    if lost == "artifacts":
        job.bucket.delete("1/a/artifacts/one.txt")
    for hours in range(2, 5):
        job.dumps(NOW + timedelta(hours=hours), DUMPED + (RUNS if lost == "artifacts" else b""))
        done = job.runs(keep=2)["done"]
        assert done["deleted"] == []
    (note,) = done["notes"]
    assert note == (
        f"no snapshot was deleted, because 2026-11-30T06-00-05Z has no {lost}, and older ones have "
        f"some: {', '.join(good)}"
    )
    assert {*good} < {*job.kept}
    job.bucket.put("1/b/artifacts/two.txt", b"two")
    job.dumps(NOW + timedelta(hours=5), DUMPED + RUNS)
    done = job.runs(keep=2)["done"]
    assert (len(done["deleted"]), done["notes"]) == (4, [])


def test_a_full_volume_must_be_freed_by_keeping_fewer_snapshots(job: Job) -> None:
    for hours in range(3):
        job.dumps(NOW + timedelta(hours=hours))
        job.runs()
    newest = job.kept[-1]
    job.dumps(NOW + timedelta(hours=3))
    (job.dumped / "database.dump").write_bytes(b"PGDMP" * 20_000)
    message = job.runs(keep=1, code=1, largest=50_000)["failed"]["message"]
    # The new one, and not where the dump was read.
    assert message == (
        f"{job.top}/.partial-{STACK_ID}.2026-11-30T05-00-05Z/database.dump cannot be written: "
        "File too large"
    )
    assert job.kept == [newest]


def test_a_snapshot_of_the_future_must_not_count(job: Job) -> None:
    """It was taken while a clock was wrong."""
    job.bucket.put("1/a/artifacts/one.txt", b"one")
    job.dumps(NOW + timedelta(days=20))
    job.runs()
    (future,) = job.kept
    for hours in range(3):
        job.dumps(NOW + timedelta(hours=hours))
        done = job.runs(keep=2)["done"]
        assert done["read"] == (1 if hours == 0 else 0)
        (note,) = done["notes"]
        assert future in note
    assert done["deleted"] == [NAME]
    assert job.kept == ["2026-11-30T03-00-05Z", "2026-11-30T04-00-05Z", future]


def test_the_keys_of_a_fingerprint_must_be_those_that_the_stack_derives() -> None:
    assert {*KEYS} <= {*keys.derived(settings(), "")}
    assert keys_in({KEYS[0]: "only one of them"}) == ""


# --- the step before


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder of programs in place of PostgreSQL's, which print what they are given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write_program(folder / "pg_dump", 'for word in "$@"; do echo "$word"; done >database.dump')
    write_program(folder / "pg_restore", 'for word in "$@"; do echo "$word"; done >rows')
    return folder


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def dump(folder: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    """Run the second step."""
    script = templates() / "helm" / "files" / "backup" / "dump.sh"
    arguments = ["--format=custom", '--table="odd name"."a $table"', "postgresql:///?service=x"]
    (folder / "arguments").write_text("\n".join([*arguments, ""]), encoding="utf-8")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(script), str(folder)],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_a_dump_must_be_of_the_chosen_tables_and_be_read_again(
    tmp_path: Path, programs: Path
) -> None:
    for _ in range(2):
        done = dump(tmp_path, programs)
        assert (done.returncode, done.stderr) == (0, "")
    options = (tmp_path / "database.dump").read_text(encoding="utf-8").splitlines()
    assert options == [
        *("--file=database.dump", "--format=custom"),
        *('--table="odd name"."a $table"', "postgresql:///?service=x"),
    ]
    rows = gzip.decompress((tmp_path / "rows.gz").read_bytes()).decode()
    assert rows.splitlines() == ["--data-only", "--file=rows", "database.dump"]


@pytest.mark.parametrize("name", ["pg_dump", "pg_restore"])
def test_a_dump_that_fails_must_fail_the_job(tmp_path: Path, programs: Path, name: str) -> None:
    write_program(programs / name, "echo broken >&2; exit 3")
    done = dump(tmp_path, programs)
    assert (done.returncode, done.stderr) == (3, "broken\n")


# --- what is shipped


def imported(text: str) -> set[str]:
    """Return the files of this package that a module imports, except for type checking."""
    tree = ast.parse(text)
    checked = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    skipped = {id(inner) for node in checked for inner in ast.walk(node)}
    return {
        file_of(node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and id(node) not in skipped
        if node.module and node.module.startswith("mlflow_compose")
        for alias in node.names
    }


def file_of(module: str, name: str) -> str:
    """Return the file that has a name of a module, which may be a module itself."""
    path = module.replace(".", "/")
    possible = (f"{path}/{name}.py", f"{path}.py", f"{path}/__init__.py")
    return next(each for each in possible if (SOURCE.parent / each).exists())


@pytest.mark.parametrize("folder", sorted(HELM.modules))
def test_the_chart_must_have_all_that_its_programs_import_and_nothing_else(
    user: User, folder: str
) -> None:
    user.has_env()
    assert user.types("render", "--target", "helm").code == 0
    top = user.folder / HELM.folder / folder
    paths = {path.relative_to(top).as_posix(): path for path in top.rglob("*.py")}
    used = {name for name in paths if "/" not in name}
    todo = [*used]
    while todo:
        found = imported(paths[todo.pop()].read_text(encoding="utf-8")) - used
        assert found <= paths.keys()
        used |= found
        todo += found
    assert used == {*paths}
