"""Download wheels, several at a time; what is there already is not downloaded again."""

import hashlib
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mlflow_compose.bundle.resolve import Wheel
from mlflow_compose.errors import BundleError

if TYPE_CHECKING:
    from requests import Session

CHUNK = 256 * 1024
AT_ONCE = 8
# Seconds without an answer.
TIMEOUT = 60
ATTEMPTS = 3


@dataclass(frozen=True)
class Source:
    """Where wheels come from.

    Attributes:
        index: URL of the package index if it has a login, which is also for its files.
        certificates: Path of CA certificates, empty for those of this machine.
    """

    index: str = field(default="", repr=False)
    certificates: str = ""


def download(
    wheels: Sequence[Wheel], folder: Path, source: Source, seen: Callable[[int], None]
) -> None:
    """Download wheels into a folder, where their names are their digests.

    Args:
        wheels: The wheels.
        folder: The folder.
        source: Where they come from.
        seen: Called with the number of bytes that were downloaded so far.

    Raises:
        BundleError: One of them cannot be downloaded; the others stay.
    """
    missing = [wheel for wheel in wheels if not is_whole(folder / wheel.sha256, wheel.sha256)]
    done, lock = 0, threading.Lock()

    def count(number: int) -> None:
        nonlocal done
        with lock:
            done += number
            seen(done)

    with _session(source) as session, ThreadPoolExecutor(AT_ONCE) as pool:
        get = partial(_download, session, folder, source, count)
        try:
            # In order: the first failure is reported, and ends the others.
            for _ in pool.map(get, missing):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def is_whole(path: Path, sha256: str) -> bool:
    """Tell whether a file exists and has the content with this digest."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _download(
    session: "Session", folder: Path, source: Source, count: Callable[[int], None], wheel: Wheel
) -> None:
    path = folder / wheel.sha256
    partial_path = path.with_suffix(".partial")
    digest = hashlib.sha256()
    with partial_path.open("wb") as file:
        for chunk in _chunks(session, source, wheel):
            digest.update(chunk)
            file.write(chunk)
            count(len(chunk))
    if digest.hexdigest() != wheel.sha256:
        raise BundleError(f"{wheel.name} is not the file that the package index describes")
    partial_path.replace(path)


def _chunks(session: "Session", source: Source, wheel: Wheel) -> Iterator[bytes]:
    from requests import RequestException

    parts = urlsplit(wheel.url)
    if not parts.scheme or parts.scheme == "file":
        yield from _file_chunks(Path(unquote(parts.path)))
        return
    try:
        auth = _login(source, parts.hostname)
        with session.get(wheel.url, stream=True, timeout=TIMEOUT, auth=auth) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(CHUNK)
    except RequestException as error:
        # Not its text, which may contain the index's password.
        code = getattr(error.response, "status_code", None)
        why = f"the server answered {code}" if code else type(error).__name__
        raise BundleError(
            f"{wheel.name} cannot be downloaded from {parts.hostname}: {why}",
            hint="run the same command again: what was downloaded is kept",
        ) from None


def _file_chunks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _login(source: Source, host: str | None) -> tuple[str, str] | None:
    """Return the login of the index for files that the same host has."""
    index = urlsplit(source.index)
    if not index.username or index.hostname != host:
        return None
    return unquote(index.username), unquote(index.password or "")


@contextmanager
def _session(source: Source) -> Iterator["Session"]:
    from requests import Session
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    with Session() as session:
        # As pip and uv do: the machine's own certificates, if it has any.
        known = ssl.get_default_verify_paths()
        session.verify = source.certificates or known.cafile or True
        retries = Retry(ATTEMPTS, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504))
        session.mount("https://", HTTPAdapter(pool_maxsize=AT_ONCE, max_retries=retries))
        yield session
