"""A DVC project of the user."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_compose.dvc import config
from mlflow_compose.dvc.git import NO, YES, ask_git
from mlflow_compose.errors import DvcError, FilesError
from mlflow_compose.files import write_whole

REMOTE = "mlflow-compose"
FOLDER, SHARED, LOCAL = ".dvc", "config", "config.local"
KEYS = f"{FOLDER}/{LOCAL}"
# DVC's own folder for temporary files.
TEMPORARY = "tmp"
IGNORED = (f"/{LOCAL}", f"/{TEMPORARY}")
# Files and folders in FOLDER that are written, or written to.
WRITTEN = (SHARED, LOCAL, TEMPORARY, ".gitignore")
# Comment with the id of the stack, since DVC allows no options of others. It is lost when
# `dvc remote modify` writes the file; then, the address has to do.
OWNER = "# Stack"
ADDRESS = ("url", "endpointurl")
# Like Git's own files; the key is only for its owner.
SHARED_MODE, LOCAL_MODE = 0o644, 0o600


@dataclass(frozen=True)
class Remote:
    """Where DVC keeps data, and the key for it.

    Attributes:
        url: URL of the bucket.
        endpoint: URL of the S3 server, empty for Amazon's.
        region: Region of requests.
        key: Access key: id and secret.
        ca_certs: File of CA certificates to verify the server with, empty for the system's.
        stack: Id of the stack that it belongs to.
    """

    url: str
    endpoint: str
    region: str
    key: tuple[str, str] = field(repr=False)
    ca_certs: str = ""
    stack: str = ""

    @property
    def address(self) -> str:
        """Bucket and server, worded for users."""
        return f"{self.url} at {self.endpoint}" if self.endpoint else self.url

    @property
    def shared(self) -> Mapping[str, str]:
        """The options that belong into Git."""
        endpoint = {"endpointurl": self.endpoint} if self.endpoint else {}
        return {"url": self.url, **endpoint, "region": self.region}

    @property
    def local(self) -> Mapping[str, str]:
        """The options of this machine, with the key."""
        key_id, secret = self.key
        verify = {"ssl_verify": self.ca_certs} if self.ca_certs else {}
        return {"access_key_id": key_id, "secret_access_key": secret, **verify}


@dataclass(frozen=True)
class Project:
    """A folder with DVC's configuration."""

    root: Path

    def check_files(self) -> None:
        """Make sure that what will be written is in this project: links may lead elsewhere.

        Raises:
            DvcError: One of the files or folders is a link.
        """
        folder = self.root / FOLDER
        for path in (folder, *(folder / name for name in WRITTEN)):
            if path.is_symlink():
                raise DvcError(
                    f"{path} is a link, and would be written through",
                    hint="replace it with a file or folder of its own",
                )

    def check_ignored(self, environ: Mapping[str, str]) -> None:
        """Make sure that the key does not get into Git.

        Raises:
            DvcError: Git tracks the file for the key, would add it, or does not say.
        """
        self._ignore()
        # Whether a file that does not exist would be added, too.
        if ask_git(self.root, environ, "check-ignore", "--quiet", "--no-index", KEYS) == NO:
            raise DvcError(
                f"Git does not ignore {KEYS}, where DVC keeps keys",
                hint=f"remove the line of a .gitignore that names it: git check-ignore --verbose "
                f"--non-matching {KEYS}",
            )
        if ask_git(self.root, environ, "ls-files", "--error-unmatch", KEYS) == YES:
            raise DvcError(
                f"Git tracks {KEYS}, where DVC keeps keys",
                hint=f"git rm --cached {KEYS}, and commit; then run the command again",
            )

    def check_remote(self, remote: Remote) -> None:
        """Make sure that no remote of the user's would be replaced.

        Raises:
            DvcError: The project has another default remote, or another one of this name.
        """
        own = self._remote(REMOTE)
        if own and not self._is_same(remote):
            found = [own[name] for name in ADDRESS if name in own]
            where = " at ".join(found) or "one without a URL"
            wanted = remote.address
            if self._owner not in {"", remote.stack}:
                where, wanted = f"{where} of the stack {self._owner}", f"{wanted} of this stack"
            raise DvcError(
                f'the remote "{REMOTE}" of this project is {where}, not {wanted}',
                hint="--force replaces it",
            )
        if (default := self.default) not in {"", REMOTE}:
            url = self._remote(default).get("url", "")
            raise DvcError(
                f"the default remote of this project is {f'{default} ({url})' if url else default}",
                hint=f"--force makes the stack's bucket the default; {default} stays a remote",
            )

    @property
    def default(self) -> str:
        """Name of the default remote, empty if there is none."""
        found = [config.read(self._text(name)).get(config.CORE, {}) for name in (LOCAL, SHARED)]
        return next((core["remote"] for core in found if core.get("remote")), "")

    def configure(self, remote: Remote, *, force: bool) -> None:
        """Make this the default remote, with its key in a file that Git ignores.

        Args:
            remote: The remote.
            force: Whether to replace another remote of the same name completely.

        Raises:
            FilesError: A file cannot be written.
        """
        section = config.remote(REMOTE)
        shared, local = self._text(SHARED), self._text(LOCAL)
        if force and not self._is_same(remote):
            shared, local = config.without(shared, section), config.without(local, section)
        default = {"remote": REMOTE}
        shared = config.with_options(shared, config.CORE, default)
        shared = config.with_options(shared, section, remote.shared)
        if remote.stack:
            shared = config.with_note(shared, section, OWNER, remote.stack)
        if "remote" in config.read(local).get(config.CORE, {}):
            # There, it would override the other file.
            local = config.with_options(local, config.CORE, default)
        # First, so that Git never sees the key.
        self._ignore()
        self._write_local(config.with_options(local, section, remote.local))
        self._write(SHARED, shared, self._mode(SHARED))

    def _remote(self, name: str) -> Mapping[str, str]:
        """Return the options of a remote, as DVC merges them."""
        section = config.remote(name)
        shared, local = (config.read(self._text(file)) for file in (SHARED, LOCAL))
        return {**shared.get(section, {}), **local.get(section, {})}

    @property
    def _owner(self) -> str:
        """Id of the stack that the remote belongs to, empty if it is not known."""
        return config.note(self._text(SHARED), config.remote(REMOTE), OWNER)

    def _is_same(self, remote: Remote) -> bool:
        """Tell whether the remote in the configuration is this one, maybe on another port."""
        own = self._remote(REMOTE)
        found, wanted = (own.get("url"), own.get("endpointurl", "")), (remote.url, remote.endpoint)
        if not self._owner:
            return found == wanted
        local = config.read(self._text(LOCAL)).get(config.remote(REMOTE), {})
        # Those would stay, and override what is written.
        is_free = local.keys().isdisjoint(ADDRESS) and all(found) == all(wanted)
        return self._owner == remote.stack and (
            found == wanted or (is_free and found[0] == wanted[0])
        )

    def _ignore(self) -> None:
        lines = self._text(".gitignore").splitlines()
        if missing := [line for line in IGNORED if line not in lines]:
            text = "\n".join((*lines, *missing, ""))
            self._write(".gitignore", text, self._mode(".gitignore"))

    def _write_local(self, text: str) -> None:
        # Completed in a folder that Git ignores: after kill -9, a part of it may be left.
        path = self.root / FOLDER / LOCAL
        new = self.root / FOLDER / TEMPORARY / LOCAL
        try:
            new.parent.mkdir(exist_ok=True)
            self._write(f"{TEMPORARY}/{LOCAL}", text, LOCAL_MODE)
            try:
                new.replace(path)
            except OSError:
                new.unlink()
                raise
        except OSError as error:
            raise FilesError(f"{path} cannot be written: {error.strerror}") from None

    def _mode(self, name: str) -> int:
        path = self.root / FOLDER / name
        return stat.S_IMODE(path.stat().st_mode) if path.exists() else SHARED_MODE

    def _text(self, name: str) -> str:
        path = self.root / FOLDER / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise FilesError(f"{path} cannot be read: {error}") from None

    def _write(self, name: str, text: str, mode: int) -> Path:
        path = self.root / FOLDER / name
        try:
            write_whole(path, text, mode)
        except OSError as error:
            raise FilesError(f"{path} cannot be written: {error.strerror}") from None
        return path
