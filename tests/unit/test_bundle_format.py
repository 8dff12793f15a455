"""A bundle of which any byte is missing or changed is refused, and so is anything unusual in it."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.bundle import opened
from mlflow_compose.bundle.inside.sealed import FORMAT, Damaged, check, chunks
from mlflow_compose.errors import BundleError
from tests.unit.bundles import WHEELS, entry, manifest, sealed, sha256, write_bundle


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "b.tar").read_bytes()


def refused(content: bytes, folder: Path) -> str:
    """Return why a bundle with this content is refused."""
    path = folder / "b.tar"
    path.write_bytes(content)
    with pytest.raises(Damaged) as raised:
        check(path)
    return str(raised.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("changed")


def test_a_whole_bundle_must_be_read(whole: bytes, folder: Path) -> None:
    path = folder / "b.tar"
    path.write_bytes(whole)
    seen: list[int] = []
    contents, found = opened(path, seen.append)
    assert found == manifest()
    assert contents.sha256 in whole[-10240:].decode()
    assert 0 < seen[-1] < len(whole)
    for content in WHEELS.values():
        assert b"".join(chunks(path, contents, f"wheels/{sha256(content)}")) == content


def test_every_tar_must_be_able_to_read_it(whole: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        names = tar.getnames()
        assert names[:3] == ["README.txt", "install.pyz", "manifest.json"]
        assert names[-1] == "SHA256"
        found = json.load(tar.extractfile("manifest.json") or io.BytesIO())
        for each in found["files"]:
            file = tar.extractfile(each["name"])
            assert file
            assert sha256(file.read()) == each["sha256"]
    listed = subprocess.run(["tar", "-tf", "-"], input=whole, capture_output=True, check=True)
    assert listed.stdout.decode().split() == names


@given(data=st.data())
def test_a_truncated_bundle_must_be_refused(
    whole: bytes, folder: Path, data: st.DataObject
) -> None:
    refused(whole[: data.draw(st.integers(0, len(whole) - 1))], folder)


def test_a_bundle_that_ends_after_any_block_must_be_refused(whole: bytes, folder: Path) -> None:
    for length in range(0, len(whole), 512):
        refused(whole[:length], folder)


@given(data=st.data(), bit=st.integers(0, 7))
def test_a_changed_byte_must_be_refused(
    whole: bytes, folder: Path, data: st.DataObject, bit: int
) -> None:
    position = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[position] ^= 1 << bit
    refused(bytes(changed), folder)


@given(more=st.binary(min_size=1, max_size=2048))
def test_more_bytes_at_the_end_must_be_refused(whole: bytes, folder: Path, more: bytes) -> None:
    refused(whole + more, folder)


def tar_of(name: str, kind: bytes, content: bytes = b"") -> bytes:
    """Return one member as Python's tarfile writes it."""
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, len(content), "/etc/passwd"
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(member, io.BytesIO(content))
    return file.getvalue()[: 512 + len(content) + -len(content) % 512]


@pytest.mark.parametrize(
    "hostile",
    [
        entry("../outside", b"x"),
        entry("wheels/../../outside", b"x"),
        entry("a/./b", b"x"),
        entry("..", b"x"),
        entry("a b", b"x"),
        tar_of("/etc/passwd", tarfile.REGTYPE, b"x"),
        tar_of("link", tarfile.SYMTYPE),
        tar_of("link", tarfile.LNKTYPE),
        tar_of("pipe", tarfile.FIFOTYPE),
        tar_of("device", tarfile.CHRTYPE),
        tar_of("folder", tarfile.DIRTYPE),
        tar_of("header", tarfile.XHDTYPE, b"20 path=../outside\n"),
        tar_of("long", tarfile.GNUTYPE_LONGNAME, b"../outside\0"),
        tar_of("sparse", tarfile.GNUTYPE_SPARSE),
        tar_of("plain", tarfile.REGTYPE, b"x"),
        entry("README.txt", b"again"),
        bytes(512),
    ],
)
def test_anything_but_the_files_of_a_bundle_must_be_refused(
    whole: bytes, folder: Path, hostile: bytes
) -> None:
    """Even if the digest at the end is right."""
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        end = tar.getmember("SHA256").offset
    refused(sealed(whole[:end], hostile), folder)
    refused(sealed(hostile, whole[:end]), folder)


def described(folder: Path, **changed: object) -> str:
    """Return why a bundle whose manifest says something else is refused."""
    files = [
        {"name": name, "size": 1, "sha256": sha256(b"x")} for name in ("README.txt", "install.pyz")
    ]
    text = json.dumps({"format": FORMAT, "files": files, **changed}).encode()
    content = (entry("README.txt", b"x"), entry("install.pyz", b"x"), entry("manifest.json", text))
    return refused(sealed(*content), folder)


def test_a_manifest_that_does_not_describe_the_file_must_be_refused(folder: Path) -> None:
    one = {"name": "README.txt", "size": 1, "sha256": sha256(b"x")}
    assert "not those in its manifest" in described(folder, files=[one])
    assert "does not contain nothing" in described(folder, files=[{**one, "name": "nothing"}])
    assert "cannot be read" in described(folder, files=[{}])
    assert "cannot be read" in described(folder, files=None)
    assert "newer mlflow-compose" in described(folder, format=FORMAT + 1)
    assert "cannot be read" in described(folder, format="x")
    assert "cannot be read" in described(folder, format=float("inf"))
    nested = entry("manifest.json", b"[" * 99999)
    content = (entry("README.txt", b"x"), entry("install.pyz", b"x"), nested)
    assert "cannot be read" in refused(sealed(*content), folder)


def test_a_manifest_in_another_shape_must_be_refused(tmp_path: Path) -> None:
    whole = write_bundle(tmp_path / "b.tar").read_bytes()
    path = tmp_path / "other.tar"
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        members = {name: (tar.extractfile(name) or io.BytesIO()).read() for name in tar.getnames()}
    found = json.loads(members.pop("manifest.json"))
    del members["SHA256"]
    found["sets"] = [{"name": 1}]
    text = json.dumps(found).encode()
    first = ("README.txt", "install.pyz")
    blocks = [
        *(entry(name, members.pop(name)) for name in first),
        entry("manifest.json", text),
        *(entry(name, content) for name, content in members.items()),
    ]
    path.write_bytes(sealed(*blocks))
    with pytest.raises(BundleError, match="its manifest is not in the format"):
        opened(path, lambda _: None)


@pytest.mark.parametrize("content", [b"", b"x", bytes(10240), b"PK\3\4" + bytes(600)])
def test_another_file_must_be_refused(content: bytes, folder: Path) -> None:
    refused(content, folder)


def test_content_that_changes_after_the_check_must_be_refused(tmp_path: Path) -> None:
    """Such as that of a failing USB stick."""
    path = write_bundle(tmp_path / "b.tar")
    contents, _ = opened(path, lambda _: None)
    name = f"wheels/{sha256(b'content of one')}"
    whole = bytearray(path.read_bytes())
    whole[contents.places[name].start] ^= 1
    path.write_bytes(whole)
    with pytest.raises(Damaged, match="has changed"):
        list(chunks(path, contents, name))


def installing(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the installer of a bundle as on a machine that has nothing else."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "install.pyz", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_installer_must_refuse_what_it_cannot_install(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b.tar", manifest(sets=()))
    subprocess.run(["tar", "-xf", path.name, "install.pyz"], cwd=tmp_path, check=True)
    for arguments in ((), ("",), ("b.tar", "server"), ("b.tar", "tool", "a", "b")):
        done = installing(tmp_path, *arguments)
        assert done.returncode == 2
        assert "python3 install.pyz BUNDLE" in done.stderr
    done = installing(tmp_path, "b.tar")
    assert done.returncode == 1
    assert "error: this bundle is for other uses; this is Python" in done.stderr
    path.write_bytes(path.read_bytes()[:-1])
    done = installing(tmp_path, "b.tar")
    assert done.returncode == 1
    assert "error: b.tar is damaged or incomplete: its digest" in done.stderr
    (tmp_path / "mlflow-client").mkdir()
    assert "mlflow-client exists already" in installing(tmp_path, "b.tar", "client").stderr
    assert "No such file" in installing(tmp_path, "nothing.tar").stderr
    assert {each.name for each in tmp_path.iterdir()} == {"b.tar", "install.pyz", "mlflow-client"}
