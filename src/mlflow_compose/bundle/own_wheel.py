"""This tool as a wheel, made from its own files: nothing has to be built or downloaded."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata

from mlflow_compose.paths import PACKAGE, examples, templates

NAME, MODULE = "mlflow-compose", "mlflow_compose"
WHEEL = "Wheel-Version: 1.0\nGenerator: mlflow-compose\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# Files of its metadata that are taken over.
COPIED = ("METADATA", "entry_points.txt", "licenses/LICENSE")
# Names by which a checkout or an installation has files that are not part of it.
LEFT_OUT = frozenset({"__pycache__", "templates", "examples"})
# The oldest time that a zip archive can have: equal files give equal wheels.
TIME = (1980, 1, 1, 0, 0, 0)
MODE = 0o644 << 16


def own_wheel() -> tuple[str, bytes]:
    """Return this tool as a wheel: its file name and its content."""
    found = metadata.distribution(NAME)
    info = f"{MODULE}-{found.version}.dist-info"
    texts = {name: found.read_text(name) for name in COPIED}
    files = dict(_files())
    files |= {f"{info}/{name}": text.encode() for name, text in texts.items() if text}
    files[f"{info}/WHEEL"] = WHEEL.encode()
    record = f"{info}/RECORD"
    lines = [_record(name, content) for name, content in files.items()]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    return f"{MODULE}-{found.version}-py3-none-any.whl", _zipped(files)


def own_requirements() -> tuple[Sequence[str], Sequence[str]]:
    """Return what this tool requires, and the versions that it runs with here."""
    required = metadata.requires(NAME) or []
    installed = sorted(
        f"{each.name}=={each.version}" for each in metadata.distributions() if each.name != NAME
    )
    return required, installed


def _files() -> Iterator[tuple[str, bytes]]:
    for folder, top in (
        (PACKAGE, MODULE),
        (templates(), f"{MODULE}/templates"),
        (examples(), f"{MODULE}/examples"),
    ):
        left_out = LEFT_OUT if folder == PACKAGE else {"__pycache__"}
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not {parts[0], *parts[-2:]} & left_out:
                yield f"{top}/{'/'.join(parts)}", path.read_bytes()


def _record(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def _zipped(files: dict[str, bytes]) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, TIME)
            info.external_attr, info.compress_type = MODE, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return found.getvalue()
