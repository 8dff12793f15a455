"""The files of a stack: written only if they differ, and never over a user's edits."""

import json
import os
from pathlib import Path

import pytest

from mlflow_compose.errors import FilesChangedError
from mlflow_compose.paths import StackPaths
from mlflow_compose.render import changes, render, write
from mlflow_compose.render.tree import Rendering
from tests.unit.conftest import User
from tests.unit.samples import SECRETS, stack


def rendering(**values: str) -> Rendering:
    return render(stack(**values))


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Return what a backup program compares: inode, time, mode and bytes of every file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            stat = path.stat()
            name = path.relative_to(folder).as_posix()
            found[name] = (stat.st_ino, stat.st_mtime_ns, stat.st_mode & 0o777, path.read_bytes())
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {name: found[3] for name, found in snapshot(folder).items()}


def test_rendering_twice_must_change_nothing_on_disk(user: User) -> None:
    user.has_env()
    first = user.types("render")
    before = snapshot(user.folder)
    second = user.types("render")
    assert "create  compose/docker-compose.yaml\n" in first.out
    assert first.out.count("create") == len(first.out.splitlines())
    assert (second.code, second.out, second.err) == (0, "", "")
    assert snapshot(user.folder) == before


def test_only_what_a_setting_changes_must_be_written(user: User) -> None:
    user.has_env("MLFLOW_PORT=5000")
    user.types("render")
    before = snapshot(user.folder / "compose")
    user.has_env("MLFLOW_PORT=5001")
    result = user.types("render")
    after = snapshot(user.folder / "compose")
    assert result.out == "update  compose/docker-compose.yaml\n"
    changed = {name for name in after if before[name] != after[name]}
    assert changed == {"docker-compose.yaml", ".manifest.json"}


def test_modes_must_keep_secrets_from_others_and_let_containers_read_them(user: User) -> None:
    os.umask(os.umask(0o022))
    user.has_env()
    user.types("render")
    compose = user.folder / "compose"
    assert compose.stat().st_mode & 0o777 == 0o755
    assert (compose / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (compose / "secrets").glob("[!.]*")} == {0o444}
    assert (compose / "docker-compose.yaml").stat().st_mode & 0o777 == 0o644
    assert (compose / "mlflow/entrypoint.sh").stat().st_mode & 0o777 == 0o755


def test_a_changed_mode_must_be_restored(user: User) -> None:
    user.has_env()
    user.types("render")
    (user.folder / "compose/secrets").chmod(0o755)
    (user.folder / "compose/secrets/pg_password").chmod(0o600)
    (user.folder / "compose/mlflow/entrypoint.sh").chmod(0o644)
    result = user.types("render")
    assert result.code == 0
    assert (user.folder / "compose/secrets").stat().st_mode & 0o777 == 0o700
    assert (user.folder / "compose/secrets/pg_password").stat().st_mode & 0o777 == 0o444
    assert (user.folder / "compose/mlflow/entrypoint.sh").stat().st_mode & 0o777 == 0o755


def test_a_file_edited_by_hand_must_be_reported_and_nothing_written(user: User) -> None:
    user.has_env()
    user.types("render")
    edited = user.compose_file.read_text(encoding="utf-8") + "# mine\n"
    user.compose_file.write_text(edited, encoding="utf-8")
    before = snapshot(user.folder / "compose")
    user.has_env("MLFLOW_PORT=5001", "PG_PASSWORD=another-password")
    result = user.types("render")
    assert result.code == 1
    assert result.err.startswith(
        "error: compose/docker-compose.yaml was edited by hand, and rendering would undo that\n"
        "hint: keep the change in compose/docker-compose.override.yaml"
    )
    assert snapshot(user.folder / "compose") == before


def test_every_file_edited_by_hand_must_be_named(user: User) -> None:
    user.has_env()
    user.types("render")
    for name in ("docker-compose.yaml", "mlflow/Dockerfile", "bucket-init/bucket_init.py"):
        with (user.folder / "compose" / name).open("a", encoding="utf-8") as file:
            file.write("# mine\n")
    result = user.types("render")
    for name in ("docker-compose.yaml", "mlflow/Dockerfile", "bucket-init/bucket_init.py"):
        assert f"compose/{name}" in result.err
    assert "were edited by hand" in result.err


def test_a_secret_edited_by_hand_must_be_reported_without_its_text(user: User) -> None:
    user.has_env()
    user.types("render")
    secret = user.folder / "compose/secrets/pg_password"
    secret.chmod(0o644)
    secret.write_text("hunter2", encoding="utf-8")
    for argv in (["render"], ["render", "--diff"], ["render", "--check"], ["render", "--json"]):
        result = user.types(*argv)
        assert "compose/secrets/pg_password" in result.out + result.err
        for text in ("hunter2", SECRETS["PG_PASSWORD"]):
            assert text not in result.out + result.err
    assert secret.read_text(encoding="utf-8") == "hunter2"


def test_a_foreign_file_must_not_be_overwritten(user: User) -> None:
    """A folder called compose with a docker-compose.yaml may belong to another project."""
    user.has_env()
    user.compose_file.parent.mkdir()
    user.compose_file.write_text("services: {}\n", encoding="utf-8")
    assert user.types("render").code == 1
    assert user.compose_file.read_text(encoding="utf-8") == "services: {}\n"


def test_an_edit_that_was_undone_must_be_forgotten(user: User) -> None:
    user.has_env()
    user.types("render")
    text = user.compose_file.read_text(encoding="utf-8")
    user.compose_file.write_text(text + "# mine\n", encoding="utf-8")
    assert user.types("render").code == 1
    user.compose_file.write_text(text, encoding="utf-8")
    assert user.types("render").code == 0


def test_a_file_removed_by_hand_must_be_written_again(user: User) -> None:
    user.has_env()
    user.types("render")
    user.compose_file.unlink()
    assert user.types("render").out == "create  compose/docker-compose.yaml\n"


def test_changed_line_endings_must_count_as_an_edit(user: User) -> None:
    user.has_env()
    user.types("render")
    script = user.folder / "compose/mlflow/entrypoint.sh"
    script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))
    assert user.types("render").code == 1


def test_the_override_file_must_be_left_alone_and_used(user: User) -> None:
    user.has_env()
    user.types("render")
    paths = StackPaths(user.env_file)
    assert list(paths.compose_files) == [user.compose_file]
    override = user.folder / "compose/docker-compose.override.yaml"
    override.write_text("services: {}\n", encoding="utf-8")
    user.has_env("MLFLOW_PORT=5001")
    assert user.types("render").code == 0
    assert override.read_text(encoding="utf-8") == "services: {}\n"
    assert list(paths.compose_files) == [user.compose_file, override]


def test_files_that_are_no_longer_needed_must_be_removed(user: User) -> None:
    user.has_env("MLFLOW_AUTH=basic")
    user.types("render")
    mine = user.folder / "compose/mlflow/notes.txt"
    user.has_env("MLFLOW_IMAGE=registry.example.org/mlflow:1")
    result = user.types("render")
    assert "remove  compose/mlflow/Dockerfile\n" in result.out
    assert "remove  compose/secrets/basic_auth.ini\n" in result.out
    assert not (user.folder / "compose/secrets/basic_auth.ini").exists()
    assert not (user.folder / "compose/mlflow").exists()
    user.has_env()
    user.types("render")
    mine.write_text("mine", encoding="utf-8")
    user.has_env("MLFLOW_IMAGE=registry.example.org/mlflow:1")
    assert user.types("render").code == 0
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]


def test_a_file_edited_by_hand_must_not_be_removed(user: User) -> None:
    user.has_env()
    user.types("render")
    dockerfile = user.folder / "compose/mlflow/Dockerfile"
    dockerfile.write_text("FROM scratch\n", encoding="utf-8")
    user.has_env("MLFLOW_IMAGE=registry.example.org/mlflow:1")
    assert user.types("render").code == 1
    assert dockerfile.read_text(encoding="utf-8") == "FROM scratch\n"


def test_the_exit_code_of_check_must_show_whether_files_differ(user: User) -> None:
    user.has_env()
    missing = user.types("render", "--check")
    assert missing.code == 1
    assert "create  compose/docker-compose.yaml\n" in missing.out
    assert "hint: mlflow-compose render writes them\n" in missing.err
    assert not (user.folder / "compose").exists()
    user.types("render")
    same = user.types("render", "--check")
    assert (same.code, same.out, same.err) == (0, "", "")
    user.has_env("PG_PASSWORD=another-password")
    changed = user.types("render", "--check")
    assert changed.code == 1
    assert changed.out.splitlines() == [
        "update  compose/secrets/mlflow_env",
        "update  compose/secrets/pg_client.conf",
        "update  compose/secrets/pg_password",
        "update  compose/secrets/pg_service.conf",
    ]


def test_check_and_diff_must_be_combinable(user: User) -> None:
    user.has_env()
    user.types("render")
    user.has_env("MLFLOW_PORT=5001")
    result = user.types("render", "--check", "--diff")
    assert result.code == 1
    assert '+      - "127.0.0.1:5001:5000"' in result.out.splitlines()


def test_check_must_notice_a_folder_of_secrets_that_is_open_to_others(user: User) -> None:
    user.has_env()
    user.types("render")
    (user.folder / "compose/secrets").chmod(0o755)
    result = user.types("render", "--check")
    assert result.code == 1
    assert "update  compose/secrets\n" in result.out


def test_check_must_mark_files_edited_by_hand(user: User) -> None:
    user.has_env()
    user.types("render")
    user.compose_file.write_text("mine", encoding="utf-8")
    assert "compose/docker-compose.yaml  (edited by hand)" in user.types("render", "--check").out


def test_diff_must_show_a_change_and_write_nothing(user: User) -> None:
    user.has_env()
    user.types("render")
    before = snapshot(user.folder / "compose")
    user.has_env("MLFLOW_PORT=5001", "PG_PASSWORD=hunter2-and-more")
    result = user.types("render", "--diff")
    assert result.code == 0
    lines = result.out.splitlines()
    assert '-      - "127.0.0.1:5000:5000"' in lines
    assert '+      - "127.0.0.1:5001:5000"' in lines
    assert "update  compose/secrets/pg_password" in lines
    assert snapshot(user.folder / "compose") == before


def test_diff_must_never_show_a_secret(user: User) -> None:
    user.has_env("MLFLOW_AUTH=basic", "PIP_INDEX_URL=https://u:index-secret@mirror/simple")
    shown = user.types("render", "--diff").out
    user.types("render")
    user.has_env(*(f"{name}=hunter2-{name.lower()}" for name in SECRETS), "MLFLOW_AUTH=basic")
    shown += user.types("render", "--diff").out
    assert "update  compose/secrets/basic_auth.ini" in shown
    for text in (*SECRETS.values(), "hunter2", "index-secret"):
        assert text not in shown


def test_another_folder_may_be_chosen(user: User) -> None:
    user.has_env("MINIO_VOLUME_PATH=data", "BUILD_CA_CERTS=certs.pem")
    (user.folder / "certs.pem").touch()
    assert user.types("render", "--output", "deep/er/tree").code == 0
    rendered = (user.folder / "deep/er/tree/docker-compose.yaml").read_text(encoding="utf-8")
    assert "source: ../../../data\n" in rendered
    assert "file: ../../../certs.pem\n" in rendered
    assert not (user.folder / "compose").exists()


def test_an_interrupted_write_must_leave_the_old_file_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(rendering(), tmp_path)
    before = contents(tmp_path)

    real = Path.replace

    def interrupt(path: Path, target: Path) -> Path:
        if Path(target).name == "docker-compose.yaml":
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(rendering(MLFLOW_PORT="5001"), tmp_path)
    after = contents(tmp_path)
    assert after["docker-compose.yaml"] == before["docker-compose.yaml"]
    assert after.keys() == before.keys()


@pytest.mark.parametrize("stop_at", range(4))
def test_an_interrupted_write_must_not_look_like_an_edit_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    """Whenever the power fails, the next render, with other settings, succeeds."""
    write(rendering(), tmp_path)
    real = Path.replace
    done: list[Path] = []

    def count(path: Path, target: Path) -> Path:
        if len(done) == stop_at:
            raise KeyboardInterrupt
        done.append(target)
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", count)
        with pytest.raises(KeyboardInterrupt):
            write(rendering(PYTHON_IMAGE="python:3.12", PG_PASSWORD="new-password"), tmp_path)
    last = rendering(MLFLOW_PORT="5001", PG_PASSWORD="newest-password")
    write(last, tmp_path)
    assert changes(last, tmp_path) == ()


def test_an_edit_during_an_interruption_must_still_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(rendering(), tmp_path)

    def interrupt(path: Path, target: Path) -> None:
        del path, target
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(rendering(MLFLOW_PORT="5001"), tmp_path)
    (tmp_path / "docker-compose.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(FilesChangedError):
        write(rendering(MLFLOW_PORT="5001"), tmp_path)


def test_no_temporary_file_must_be_left_behind(tmp_path: Path) -> None:
    write(rendering(), tmp_path)
    names = {path.name for path in tmp_path.rglob(".*")}
    assert names == {".manifest.json", ".dockerignore", ".env"}


def test_a_folder_in_place_of_a_file_must_be_reported(user: User) -> None:
    """Docker creates such a folder if a file that it should mount is missing."""
    user.has_env()
    (user.folder / "compose/secrets/pg_password").mkdir(parents=True)
    result = user.types("render")
    assert result.code == 1
    assert "compose/secrets/pg_password" in result.err
    assert "hint: " in result.err


def test_a_file_in_place_of_the_folder_must_be_reported(user: User) -> None:
    user.has_env()
    (user.folder / "compose").touch()
    result = user.types("render")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "compose" in result.err


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"files": []}', '{"files": {"x": 1}}', "<<<<<<< HEAD\n"]
)
def test_a_damaged_manifest_must_be_reported(user: User, text: str) -> None:
    user.has_env()
    user.types("render")
    (user.folder / "compose/.manifest.json").write_text(text, encoding="utf-8")
    user.has_env("MLFLOW_PORT=5001")
    result = user.types("render")
    assert result.code == 1
    assert ".manifest.json" in result.err


def test_check_must_notice_a_missing_manifest_only_if_it_matters(user: User) -> None:
    user.has_env()
    user.types("render")
    (user.folder / "compose/.manifest.json").unlink()
    assert user.types("render").code == 0
    assert (user.folder / "compose/.manifest.json").exists()


def test_json_must_list_the_changes(user: User) -> None:
    user.has_env()
    user.types("render")
    user.has_env("MLFLOW_PORT=5001")
    data = json.loads(user.types("render", "--json").out)["data"]
    assert data["changes"] == [{"path": "docker-compose.yaml", "action": "update"}]
    assert Path(data["folder"]).name == "compose"


def test_a_target_that_does_not_exist_must_be_refused(user: User) -> None:
    user.has_env()
    result = user.types("render", "--target", "stone")
    assert result.code == 2
    assert result.err.startswith(
        "error: --target must be compose, local, helm, systemd or terraform, got stone\n"
    )


def test_no_health_check_must_have_a_start_period(tmp_path: Path) -> None:
    """During one, Docker 25 and newer check every 5 seconds, which doubles the start time."""
    write(render(stack()), tmp_path)
    assert "start_period" not in (tmp_path / "docker-compose.yaml").read_text()
