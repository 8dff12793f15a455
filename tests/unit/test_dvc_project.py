"""The configuration that `dvc init` writes into a project; tests/e2e has the real DVC read it."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.dvc import REMOTE, Project, Remote, config, find_dvc, open_project
from mlflow_compose.errors import DvcError, FilesError

OWN = Remote(
    "s3://dvc",
    "http://127.0.0.1:9000",
    "us-east-1",
    ("key-id", "key-secret"),
    stack="0123456789abcdef",
)
SECTION = config.remote(REMOTE)
# As a user wrote it, with a comment and an option of theirs.
USERS = """\
# Ours
[core]
    autostage = true
    remote = lab
['remote "lab"']
    url = s3://lab/data
"""
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / ".gitignore").write_text("/cache\n", encoding="utf-8")
    return Project(tmp_path)


def text_of(project: Project, name: str) -> str:
    return (project.root / ".dvc" / name).read_text(encoding="utf-8")


@given(TEXT)
def test_every_value_must_be_read_back_or_refused(value: str) -> None:
    try:
        text = config.with_options(USERS, SECTION, {"secret_access_key": value})
    except DvcError:
        return
    assert config.read(text)[SECTION] == {"secret_access_key": value}
    assert text.startswith(USERS)
    assert config.without(text, SECTION) == USERS


def test_a_value_that_dvc_would_replace_must_be_refused() -> None:
    for value in ("a %(b)s", "\n", "\"\"\"a'''"):
        with pytest.raises(DvcError):
            config.quoted("secret_access_key", value)


def test_an_option_must_be_replaced_and_the_others_kept() -> None:
    text = config.with_options(USERS, "core", {"remote": REMOTE})
    assert text == USERS.replace("    remote = lab\n", "").replace(
        "[core]\n", f"[core]\n    remote = {REMOTE}\n"
    )
    assert config.read(text)["core"] == {"remote": REMOTE, "autostage": "true"}


def test_the_key_must_only_be_in_a_file_that_git_ignores(project: Project) -> None:
    (project.root / ".dvc" / "config.local").write_text("[cache]\n    dir = /big\n")
    project.configure(OWN, force=False)
    shared, local = text_of(project, "config"), text_of(project, "config.local")
    assert config.read(shared) == {
        "core": {"remote": REMOTE},
        SECTION: {"url": OWN.url, "endpointurl": OWN.endpoint, "region": OWN.region},
    }
    assert config.read(local)[SECTION] == {
        "access_key_id": "key-id",
        "secret_access_key": "key-secret",
    }
    assert config.read(local)["cache"] == {"dir": "/big"}
    mode = (project.root / ".dvc" / "config.local").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert text_of(project, ".gitignore") == "/cache\n/config.local\n/tmp\n"
    assert "key-secret" not in repr(OWN)


def test_an_unfinished_file_with_the_key_must_be_where_git_ignores_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is left after `kill -9`, in a project that DVC itself created."""
    (project.root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    monkeypatch.setattr(Path, "replace", lambda *_: None)
    project.configure(OWN, force=False)
    subprocess.run(["git", "add", "--all"], cwd=project.root, check=True)
    left = [path for path in (project.root / ".dvc").rglob("*config.local*") if path.is_file()]
    assert "key-secret" in "".join(path.read_text(encoding="utf-8") for path in left)
    command = ["git", "cat-file", "--batch-all-objects", "--batch"]
    objects = subprocess.run(command, cwd=project.root, check=True, capture_output=True).stdout
    assert b"key-secret" not in objects


def test_a_file_that_git_tracks_must_never_get_the_key(project: Project) -> None:
    environ = {"PATH": "/usr/bin:/bin:/usr/local/bin"}
    project.check_ignored(environ)
    (project.root / ".dvc" / "config.local").touch()
    for command in (["init", "--quiet"], ["add", "--force", ".dvc/config.local"]):
        subprocess.run(["git", *command], cwd=project.root, check=True)
    with pytest.raises(DvcError, match=r"Git tracks .dvc/config.local"):
        project.check_ignored(environ)
    # Without Git, there is nothing to track it.
    project.check_ignored({"PATH": "/nonexistent"})


GIT = {"PATH": "/usr/bin:/bin:/usr/local/bin"}


@pytest.mark.parametrize("name", [".", "tmp", "config", "config.local", ".gitignore"])
def test_nothing_must_be_written_through_a_link(project: Project, name: str) -> None:
    """A repository of others may have one that leads to the user's own files."""
    elsewhere = project.root / "elsewhere"
    path = project.root / ".dvc" / name
    if path.exists():
        path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(DvcError, match="is a link"):
        project.check_files()


def test_a_later_line_of_gitignore_must_not_expose_the_key(project: Project) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    ignore = project.root / ".dvc" / ".gitignore"
    ignore.write_text("/config.local\n!/config.local\n", encoding="utf-8")
    with pytest.raises(DvcError, match="Git does not ignore"):
        project.check_ignored(GIT)


def test_git_that_does_not_answer_must_be_an_error(project: Project) -> None:
    """For example in a repository of another user, which Git refuses to read."""
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    (project.root / ".git" / "config").write_text("[core\n", encoding="utf-8")
    with pytest.raises(DvcError, match="Git does not say"):
        project.check_ignored(GIT)


def test_a_tracked_file_in_a_repository_of_another_user_must_never_get_the_key(
    project: Project,
) -> None:
    """Git then answers with the same exit code as outside of a repository."""
    (project.root / ".dvc" / "config.local").touch()
    for command in (["init", "--quiet"], ["add", "--force", ".dvc/config.local"]):
        subprocess.run(["git", *command], cwd=project.root, check=True)
    # Git's own switch for its tests. The user's configuration might trust every folder.
    others = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_NOSYSTEM": "1"}
    with pytest.raises(DvcError, match="dubious ownership"):
        project.check_ignored({**GIT, **others})


def test_a_remote_in_the_file_for_keys_must_be_kept(project: Project) -> None:
    """DVC merges both files, and this one takes precedence."""
    text = f"['{SECTION}']\nurl = s3://private\nendpointurl = http://other:9000\n"
    (project.root / ".dvc" / "config.local").write_text(text, encoding="utf-8")
    with pytest.raises(DvcError, match="s3://private at http://other:9000"):
        project.check_remote(OWN)
    project.configure(OWN, force=True)
    assert "private" not in text_of(project, "config.local")


def test_another_stack_at_the_same_address_must_not_be_taken_for_this_one(
    project: Project,
) -> None:
    """Stacks on several machines, or one after the other, have the same address."""
    project.configure(OWN, force=False)
    other = replace(OWN, stack="fedcba9876543210")
    with pytest.raises(DvcError, match=rf"of the stack {OWN.stack}, not .* of this stack"):
        project.check_remote(other)
    project.configure(other, force=True)
    project.check_remote(other)
    assert OWN.stack not in text_of(project, "config")


def test_a_new_port_of_the_stack_must_be_an_update(project: Project) -> None:
    project.configure(OWN, force=False)
    with (project.root / ".dvc" / "config").open("a", encoding="utf-8") as file:
        file.write("    jobs = 4\n")
    moved = replace(OWN, endpoint="http://127.0.0.1:9100")
    project.check_remote(moved)
    project.configure(moved, force=False)
    text = text_of(project, "config")
    assert config.read(text)[SECTION]["endpointurl"] == moved.endpoint
    assert config.read(text)[SECTION]["jobs"] == "4"
    assert text.count(OWN.stack) == 1
    for other in (replace(moved, url="s3://images"), replace(moved, endpoint="")):
        with pytest.raises(DvcError, match="not s3://"):
            project.check_remote(other)


@pytest.mark.parametrize("line", ["endpointurl = http://other:9000", "url = s3://private"])
def test_an_address_of_this_machine_must_be_kept(line: str, project: Project) -> None:
    """It would override the one of the stack, whatever id is next to that."""
    project.configure(OWN, force=False)
    with (project.root / ".dvc" / "config.local").open("a", encoding="utf-8") as file:
        file.write(f"    {line}\n")
    with pytest.raises(DvcError, match=r"private|other:9000"):
        project.check_remote(OWN)


def test_a_remote_without_an_id_must_be_known_by_its_address(project: Project) -> None:
    """`dvc remote modify` writes the file without comments."""
    project.configure(replace(OWN, stack=""), force=False)
    project.check_remote(OWN)
    project.configure(OWN, force=False)
    assert OWN.stack in text_of(project, "config")


def test_a_folder_that_cannot_be_used_must_not_keep_the_key(project: Project) -> None:
    (project.root / ".dvc" / "config.local").mkdir()
    with pytest.raises(FilesError):
        project._write_local("secret_access_key = key-secret")
    assert not [path for path in project.root.rglob("*") if path.is_file() and "key" in path.name]
    assert not (project.root / ".dvc" / "tmp" / "config.local").exists()


def test_a_file_in_place_of_the_temporary_folder_must_be_reported(project: Project) -> None:
    (project.root / ".dvc" / "tmp").touch()
    with pytest.raises(FilesError, match=r"config.local cannot be written: File exists"):
        project.configure(OWN, force=False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (USERS, r"the default remote of this project is lab \(s3://lab/data\)"),
        ("[core]\nremote = home\n", "the default remote of this project is home"),
        (
            f"['{SECTION}']\nurl = s3://images\nendpointurl = http://s3.lab\n",
            "is s3://images at http://s3.lab, not s3://dvc at http://127.0.0.1:9000",
        ),
    ],
)
def test_another_remote_must_be_kept(project: Project, text: str, reason: str) -> None:
    (project.root / ".dvc" / "config").write_text(text, encoding="utf-8")
    with pytest.raises(DvcError, match=reason):
        project.check_remote(OWN)
    project.configure(OWN, force=True)
    project.check_remote(OWN)
    found = config.read(text_of(project, "config"))
    assert found[SECTION] == {"url": OWN.url, "endpointurl": OWN.endpoint, "region": OWN.region}
    assert ('remote "lab"' in found) is ('remote "lab"' in text)


def test_a_default_of_this_machine_must_be_known(project: Project) -> None:
    """It overrides that of the file in Git."""
    (project.root / ".dvc" / "config.local").write_text("[core]\n    remote = disk\n")
    with pytest.raises(DvcError, match="is disk"):
        project.check_remote(OWN)
    project.configure(OWN, force=True)
    assert config.read(text_of(project, "config.local"))["core"] == {"remote": REMOTE}


def test_amazon_must_get_no_endpoint_and_a_private_ca_only_on_this_machine(
    project: Project,
) -> None:
    remote = Remote("s3://dvc", "", "eu-west-1", ("id", "secret"), ca_certs="/etc/lab.pem")
    project.configure(remote, force=False)
    assert config.read(text_of(project, "config"))[SECTION] == {
        "url": "s3://dvc",
        "region": "eu-west-1",
    }
    assert config.read(text_of(project, "config.local"))[SECTION]["ssl_verify"] == "/etc/lab.pem"
    assert remote.address == "s3://dvc"


def install(folder: Path, *lines: str) -> dict[str, str]:
    """Put a `dvc` on PATH that runs these lines."""
    program = folder / "dvc"
    program.write_text("\n".join(("#!/bin/sh", *lines, "")), encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["echo 'Supports: http (aiohttp = 3.14)'"], "installed without its plugin for S3"),
        (["echo 'ImportError: no module' >&2", "exit 1"], "dvc does not work: ImportError"),
    ],
)
def test_a_dvc_that_cannot_use_s3_must_be_reported(
    lines: list[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(DvcError, match=reason) as caught:
        find_dvc(tmp_path, install(tmp_path, *lines))
    assert caught.value.hint == 'pip install "dvc[s3]"'


def test_the_project_around_a_folder_must_be_used(project: Project) -> None:
    folder = project.root / "src" / "deep"
    folder.mkdir(parents=True)
    assert open_project(folder, "/nonexistent", {}) == project


def test_a_refusal_of_dvc_must_be_passed_on(tmp_path: Path) -> None:
    environ = install(tmp_path, "echo 'ERROR: failed to initiate DVC - no Git' >&2", "exit 1")
    with pytest.raises(DvcError, match="failed to initiate DVC - no Git") as caught:
        open_project(tmp_path, str(tmp_path / "dvc"), environ)
    assert "git init" in str(caught.value.hint)


def test_an_unreadable_configuration_must_be_reported(project: Project) -> None:
    (project.root / ".dvc" / "config").mkdir()
    with pytest.raises(FilesError, match="config cannot be read"):
        project.check_remote(OWN)
