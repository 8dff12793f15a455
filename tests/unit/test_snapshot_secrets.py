"""The secrets of a stack in a snapshot, and `init --from` a snapshot."""

import io
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_compose.data.backup import check
from mlflow_compose.data.backup.fingerprint import fingerprint
from mlflow_compose.data.backup.manifest import read_manifest
from mlflow_compose.data.backup.sealed import seal, unseal
from mlflow_compose.data.backup.snapshot import Snapshot
from mlflow_compose.data.backup.sums import write_sums
from mlflow_compose.errors import SnapshotError
from mlflow_compose.result import NoProgress
from mlflow_compose.settings.envfile import parse
from tests.unit.conftest import User
from tests.unit.samples import SECRETS, env_text
from tests.unit.test_snapshots import make

VARIABLE = "STACK_BACKUP_PASSPHRASE"
PASSPHRASE = "four words and ünïcode"
ENV = env_text("# my stack", "MLFLOW_PORT=5012", "PG_PASSWORD='s3cret of the snapshot'")
KEY = "ab" * 32


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PASSPHRASE)


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """Return an env file and a key, encrypted; deriving the key takes a second."""
    return seal({".env": ENV.encode(), ".mlflow-compose/key": f"{KEY}\n".encode()}, PASSPHRASE)


def with_secrets(snapshot: Snapshot, sealed: bytes, **settings: str) -> Snapshot:
    """Return a snapshot with secrets and settings added."""
    changed = replace(snapshot.manifest, has_secrets=bool(sealed), settings=settings)
    if sealed:
        (snapshot.folder / "secrets.age").write_bytes(sealed)
    (snapshot.folder / "manifest.json").write_text(changed.text, encoding="utf-8")
    write_sums(snapshot.folder, changed.files)
    return Snapshot(snapshot.folder, read_manifest(snapshot.folder))


@pytest.fixture
def taken(tmp_path: Path, sealed: bytes) -> Snapshot:
    return with_secrets(make(tmp_path / "backups", "taken"), sealed, MLFLOW_PORT="5012")


def test_secrets_must_be_read_with_the_passphrase_only(sealed: bytes) -> None:
    assert b"s3cret" not in sealed
    assert unseal(sealed, PASSPHRASE)[".env"].decode() == ENV
    with pytest.raises(SnapshotError, match="passphrase is wrong"):
        unseal(sealed, PASSPHRASE.upper())


def test_secrets_must_be_covered_by_the_digests(taken: Snapshot) -> None:
    check(taken, NoProgress())
    subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=taken.folder, check=True)
    file = taken.folder / "secrets.age"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(SnapshotError, match=r"damaged: secrets\.age"):
        check(taken, NoProgress())


def test_a_snapshot_without_the_new_keys_must_still_be_read(tmp_path: Path) -> None:
    snapshot = make(tmp_path, "old")
    file = snapshot.folder / "manifest.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    del found["has_secrets"], found["fingerprint"]
    file.write_text(json.dumps(found), encoding="utf-8")
    assert not read_manifest(snapshot.folder).has_secrets


def test_a_fingerprint_must_tell_keys_apart_and_exist_only_beside_encrypted_values() -> None:
    assert fingerprint("keys", {"runs": 5, "webhooks": 0}) is None
    found, other = (fingerprint("keys", {"webhooks": 1}) for _ in range(2))
    assert found
    assert other
    assert found.fits("keys")
    assert not found.fits("other keys")
    assert found.digest != other.digest


def test_init_must_write_the_env_file_of_the_snapshot_with_given_values(
    user: User, taken: Snapshot
) -> None:
    given = ("--set", "MLFLOW_PORT=5013")
    result = user.types("init", "--from", str(taken.folder), *given, "--json")
    assert result.code == 0
    assert json.loads(result.out)["data"] == {"env_file": ".env", "secrets": True}
    assert user.env_file.read_text(encoding="utf-8") == ENV.replace("5012", "5013")
    key = user.folder / ".mlflow-compose" / "key"
    assert key.read_text(encoding="utf-8").strip() == KEY
    assert {stat.S_IMODE(path.stat().st_mode) for path in (user.env_file, key)} == {0o600}


@pytest.mark.parametrize("option", [[], ["--new-secrets"]])
def test_without_secrets_new_ones_must_be_generated(
    user: User, tmp_path: Path, sealed: bytes, option: list[str]
) -> None:
    snapshot = make(tmp_path / "backups", "plain")
    with_secrets(snapshot, sealed if option else b"", MLFLOW_PORT="5012", PG_HOST="db.example.org")
    result = user.types("init", "--from", str(snapshot.folder), *option)
    assert result.code == 0
    found = parse(user.env_file.read_text(encoding="utf-8")).values
    assert (found["MLFLOW_PORT"], found["PG_HOST"]) == ("5012", "db.example.org")
    assert len({found[name] for name in SECRETS}) == len(SECRETS)
    assert "set PG_PASSWORD in .env" in result.out
    assert not (user.folder / ".mlflow-compose").exists()


def test_a_wrong_passphrase_must_write_nothing(user: User, taken: Snapshot, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("not the passphrase\n", encoding="utf-8")
    result = user.types("init", "--from", str(taken.folder), "--passphrase-file", str(file))
    assert result.code == 1
    assert "not the passphrase" not in result.err
    assert list(user.folder.iterdir()) == []


def test_without_a_terminal_the_passphrase_must_be_given(
    user: User, taken: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    result = user.types("init", "--from", str(taken.folder))
    assert (result.code, list(user.folder.iterdir())) == (2, [])
    assert "STACK_BACKUP_PASSPHRASE" in result.err


def test_an_existing_env_file_must_not_be_changed(user: User, taken: Snapshot) -> None:
    user.env_file.write_text("mine", encoding="utf-8")
    assert user.types("init", "--from", str(taken.folder)).code == 2
    assert user.env_file.read_text(encoding="utf-8") == "mine"
    assert not (user.folder / ".mlflow-compose").exists()


def test_the_key_of_another_stack_must_not_be_replaced(user: User, taken: Snapshot) -> None:
    state = user.folder / ".mlflow-compose"
    state.mkdir()
    text = "cd" * 32
    (state / "key").write_text(text, encoding="ascii")
    result = user.types("init", "--from", str(taken.folder))
    assert result.code == 1
    assert "belongs to another stack" in result.err
    assert not user.env_file.exists()
    assert [path.read_text(encoding="ascii") for path in state.iterdir()] == [text]


def test_a_short_passphrase_must_be_refused(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    user.has_env()
    monkeypatch.setenv(VARIABLE, "elevenchars")
    result = user.types("backup", "--with-secrets")
    assert result.code == 2
    assert "at least 12 characters, got 11" in result.err


def typed(user: User, *answers: str, argv: list[str]) -> tuple[int, str]:
    """Run a command on a terminal, and answer its questions; return exit code and screen."""
    pexpect = pytest.importorskip("pexpect", reason="terminals are different on Windows")
    script = str(Path(sys.executable).with_name("mlflow-compose"))
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    child = pexpect.spawn(script, argv, cwd=user.folder, env=environ, encoding="utf-8", timeout=60)
    screen = ""
    for answer in answers:
        child.expect(": ")
        screen += child.before
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, screen + child.before


def test_a_passphrase_must_be_typed_without_echo(user: User, taken: Snapshot) -> None:
    code, screen = typed(user, PASSPHRASE, argv=["init", "--from", str(taken.folder)])
    assert code == 0
    assert PASSPHRASE not in screen
    assert user.env_file.read_text(encoding="utf-8") == ENV


def test_a_new_passphrase_must_be_typed_twice(user: User) -> None:
    user.has_env()
    code, screen = typed(user, PASSPHRASE, PASSPHRASE[::-1], argv=["backup", "--with-secrets"])
    assert code == 2
    assert "the passphrases differ" in screen
    assert PASSPHRASE not in screen
