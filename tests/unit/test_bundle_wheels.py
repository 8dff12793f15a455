"""The wheels of a bundle: how they are chosen and downloaded, and this tool as one."""

import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest

from mlflow_compose.actions import bundle, bundle_images, load_plan
from mlflow_compose.actions.bundle_images import check_images, loadable_name
from mlflow_compose.actions.bundle_wheels import pins
from mlflow_compose.bundle import (
    Packages,
    Source,
    Target,
    Wheel,
    download,
    own_requirements,
    own_wheel,
    resolve,
)
from mlflow_compose.bundle.parts import parts_folder, remove_parts
from mlflow_compose.bundle.resolve import parse_lock
from mlflow_compose.engines import NO_PACKAGE
from mlflow_compose.engines.docker import transfer
from mlflow_compose.errors import BuildError, BundleError, UsageError
from mlflow_compose.paths import StackPaths, sources
from tests.unit.bundles import sha256
from tests.unit.fakes import FakeEngine
from tests.unit.samples import ROOT, loaded, stack

LOCK = """
lock-version = "1.0"

[[packages]]
name = "one"
version = "1.0"
wheels = [
    { url = "https://h/one-1.0-py3-none-any.whl", size = 3, hashes = { sha256 = "aa" } },
    { url = "https://h/one-1.0%2Bcpu-cp313-cp313-linux_x86_64.whl", hashes = { sha256 = "bb" } },
]

[[packages]]
name = "two"
version = "2.0"
wheels = [{ path = "wheels/two-2.0-py3-none-any.whl", hashes = { sha256 = "cc" } }]
"""


def test_one_wheel_of_each_package_must_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text(LOCK, encoding="utf-8")
    one, two = parse_lock(tmp_path / "pylock.toml")
    assert one.name == "one-1.0+cpu-cp313-cp313-linux_x86_64.whl"
    assert (one.sha256, one.size) == ("bb", None)
    assert two.url == str(tmp_path / "wheels/two-2.0-py3-none-any.whl")


def test_sources_must_be_taken_of_a_package_without_wheels(tmp_path: Path) -> None:
    text = LOCK.replace("wheels = [{ path", "sdist = { path").replace('"cc" } }]', '"cc" } }')
    text = text.replace("two-2.0-py3-none-any.whl", "two-2.0.tar.gz")
    (tmp_path / "pylock.toml").write_text(text, encoding="utf-8")
    assert [wheel.name for wheel in parse_lock(tmp_path / "pylock.toml")][1] == "two-2.0.tar.gz"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('hashes = { sha256 = "cc" }', "size = 1", "no SHA-256 of two-2.0"),
        ("wheels = [{ path", "archive = [{ path", "two 2.0 has no wheel"),
        ("two-2.0-py3-none-any.whl", "two.egg", "no SHA-256 of two.egg"),
    ],
)
def test_a_package_that_cannot_be_bundled_must_be_named(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    (tmp_path / "pylock.toml").write_text(LOCK.replace(old, new), encoding="utf-8")
    with pytest.raises(BundleError, match=words):
        parse_lock(tmp_path / "pylock.toml")


class Files(ThreadingHTTPServer):
    """A server with files, which fails at some requests."""

    def __init__(self, files: dict[str, bytes], failing: set[str]) -> None:
        self.files, self.failing = files, failing
        self.requests: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Files)
        name = self.path.removeprefix("/")
        self.server.requests.append((name, self.headers.get("Authorization")))
        content = self.server.files[name]
        self.send_response(404 if name in self.server.failing else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Print nothing."""


@contextmanager
def serving(files: dict[str, bytes], failing: set[str]) -> Iterator[Files]:
    with Files(files, failing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


FILES = {f"{name}-1.0-py3-none-any.whl": name.encode() * 999 for name in ("one", "two", "three")}


def wheels_at(url: str) -> list[Wheel]:
    return [Wheel(name, f"{url}/{name}", sha256(text), len(text)) for name, text in FILES.items()]


def test_an_interrupted_download_must_be_continued(tmp_path: Path) -> None:
    failing = {"three-1.0-py3-none-any.whl"}
    with serving(FILES, failing) as server:
        with pytest.raises(BundleError, match=r"three-1\.0-.* cannot be .*answered 404") as raised:
            download(wheels_at(server.url), tmp_path, Source(), lambda _: None)
        assert "what was downloaded is kept" in (raised.value.hint or "")
        failing.clear()
        server.requests.clear()
        seen: list[int] = []
        download(wheels_at(server.url), tmp_path, Source(), seen.append)
        assert [name for name, _ in server.requests] == ["three-1.0-py3-none-any.whl"]
        assert seen[-1] == len(b"three" * 999)
    assert {sha256(path.read_bytes()): path.name for path in tmp_path.iterdir()} == {
        sha256(text): sha256(text) for text in FILES.values()
    }


def test_a_wheel_with_another_content_must_be_refused(tmp_path: Path) -> None:
    name = "one-1.0-py3-none-any.whl"
    with serving({name: b"other"}, set()) as server:
        wheel = Wheel(name, f"{server.url}/{name}", sha256(b"this"), None)
        with pytest.raises(BundleError, match="not the file that the package index describes"):
            download([wheel], tmp_path, Source(), lambda _: None)
    assert not (tmp_path / wheel.sha256).exists()


def test_the_login_of_the_index_must_only_be_sent_to_its_host(tmp_path: Path) -> None:
    with serving(FILES, set()) as server:
        for host, login in (("127.0.0.1", True), ("other.test", False)):
            folder = tmp_path / host
            folder.mkdir()
            source = Source(index=f"http://user:pass%40word@{host}:1/simple")
            download(wheels_at(server.url), folder, source, lambda _: None)
            assert all(bool(sent) == login for _, sent in server.requests)
            server.requests.clear()


def test_a_wheel_in_a_folder_must_be_copied(tmp_path: Path) -> None:
    (tmp_path / "one.whl").write_bytes(b"x")
    wheels = [Wheel("one.whl", str(tmp_path / "one.whl"), sha256(b"x"), None)]
    download(wheels, tmp_path, Source(), lambda _: None)
    assert (tmp_path / sha256(b"x")).read_bytes() == b"x"


def test_the_versions_in_a_lock_must_be_known_without_mlflow() -> None:
    found = pins(sources("shared")["requirements.txt"])
    assert any(pin.startswith("boto3==") for pin in found)
    assert not any(pin.startswith("mlflow") or "\\" in pin for pin in found)


def test_this_tool_as_a_wheel_must_have_all_its_files(tmp_path: Path) -> None:
    """`test_wheel.py` compares it with the one that is built."""
    name, content = own_wheel()
    assert own_wheel() == (name, content)
    (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / name) as archive:
        names = set(archive.namelist())
    for top, prefix in (("src/mlflow_compose", ""), ("templates", "templates/")):
        files = {
            f"mlflow_compose/{prefix}{path.relative_to(ROOT / top).as_posix()}"
            for path in (ROOT / top).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files <= names


def test_the_requirements_of_this_tool_must_be_those_that_it_runs_with() -> None:
    required, installed = own_requirements()
    assert any(each.startswith("uv>=") for each in required)
    assert f"uv=={metadata.version('uv')}" in installed
    assert not any(each.startswith("mlflow-compose==") for each in installed)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("postgres:18.4", "postgres:18.4"),
        (f"pgsty/silo:R1@sha256:{'ab' * 32}", "pgsty/silo:R1"),
        (f"host:5000/silo@sha256:{'ab' * 32}", "host:5000/silo:abababababab"),
    ],
)
def test_an_image_must_be_known_without_its_digest(image: str, name: str) -> None:
    """`docker load` does not bring the digest that a registry knows it by."""
    assert loadable_name(image) == name


def test_a_folder_that_was_not_created_here_must_not_be_used(tmp_path: Path) -> None:
    other = tmp_path / "b.tar.parts"
    other.mkdir()
    (other / "thesis.txt").touch()
    with pytest.raises(BundleError, match="in the way"):
        parts_folder(tmp_path / "b.tar")
    (tmp_path / "c.tar").touch()
    with pytest.raises(UsageError, match="exists already"):
        parts_folder(tmp_path / "c.tar")
    folder = parts_folder(tmp_path / "d.tar")
    assert parts_folder(tmp_path / "d.tar") == folder
    remove_parts(folder)
    assert not folder.exists()
    assert (other / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("hint", "shown"),
    [(NO_PACKAGE, "choose another --python or --platform"), ("make room", "make room")],
)
def test_packages_that_other_machines_cannot_have_must_be_named(hint: str, shown: str) -> None:
    """uv speaks of this machine, which is not the one that they are for."""

    def uv(*_: str) -> None:
        raise BuildError("the packages could not be installed:\n  no wheel of one", hint=hint)

    with pytest.raises(
        BundleError, match=r"packages of client for Python 3\.14 on macos"
    ) as raised:
        resolve(Packages("client", "one\n"), Target("macos/arm64", "3.14"), uv)
    assert "no wheel of one" in raised.value.message
    assert raised.value.hint == shown


def test_the_settings_of_images_must_be_without_digests(tmp_path: Path) -> None:
    """The default S3 server has one."""
    ours = f"registry.test/mlflow:1@sha256:{'ab' * 32}"
    values = {"POSTGRES_IMAGE": "mirror.test/postgres:18", "MLFLOW_IMAGE": ours}
    plan = load_plan(loaded(**values), StackPaths(tmp_path / ".env"), {})
    assert "@sha256:" in plan.stack.service("s3").image
    assert dict(bundle_images._renamed(plan)) == {
        "MLFLOW_IMAGE": "registry.test/mlflow:1",
        "MINIO_IMAGE": plan.stack.service("s3").image.partition("@")[0],
    }


def test_participants_of_a_class_must_not_be_in_the_file(tmp_path: Path) -> None:
    """It is also for the participants, each of whom would start all seats."""
    values = {"MLFLOW_AUTH": "basic", "CLASS_MODE": "seats", "CLASS_SEATS": "ada-lovelace=5201"}
    found = loaded(**values, CLASS_SECRET="s" * 32)
    plan = load_plan(found, StackPaths(tmp_path / ".env"), {})
    assert any("ada-lovelace" in file.text for file in plan.rendering().files.values())
    texts = [part.content for part in bundle._texts([plan]) if isinstance(part.content, bytes)]
    settings = bundle._settings(plan, bundle_images.Images(), ["docker", "local"], for_seats=True)
    assert b"ada-lovelace" not in b"".join(texts)
    assert "MLFLOW_AUTH" in settings
    assert not {"CLASS_MODE", "CLASS_SEATS"} & settings.keys()


@pytest.mark.parametrize("platform", ["linux/amd64", "windows/amd64", "macos/amd64"])
def test_images_must_be_of_the_processor_of_the_other_machines(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker runs Linux on all of them."""
    engine = FakeEngine(stack())
    monkeypatch.setattr(transfer, "containers_platform", lambda: "linux/amd64")
    check_images(engine, [Target(platform, "3.13")])
    with pytest.raises(UsageError, match="needs linux/arm64") as raised:
        check_images(engine, [Target(platform, "3.13"), Target("macos/arm64", "3.13")])
    assert "--engine local" in (raised.value.hint or "")
