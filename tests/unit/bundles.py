"""Small bundles."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mlflow_compose import __version__
from mlflow_compose.bundle import Manifest, Part, WheelSet, write_archive
from mlflow_compose.bundle.inside.install import this_platform, this_python
from mlflow_compose.bundle.inside.sealed import BLOCK, ending, header

WHEELS = {"one-1.0-py3-none-any.whl": b"content of one", "two-2.0-py3-none-any.whl": b"of two" * 99}
KEY = "0a1b2c3d"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_set(
    files: Mapping[str, bytes] = WHEELS,
    *,
    name: str = "mlflow",
    key: str = KEY,
    platform: str = "",
    python: str = "",
) -> WheelSet:
    """Return a set of wheels, by default for this machine."""
    names = {sha256(content): wheel for wheel, content in files.items()}
    return WheelSet(name, key, platform or this_platform(), python or this_python(), names)


def manifest(**changed: object) -> Manifest:
    """Return a manifest with one set of wheels."""
    values: dict[str, object] = {
        "tool": __version__,
        "created": "2026-11-29T12:00:00+00:00",
        "stack": "class",
        "for_seats": False,
        "settings": {"MLFLOW_PORT": "5123", "COMPOSE_PROJECT_NAME": "class"},
        "images": (),
        "sets": (wheel_set(),),
        **changed,
    }
    return Manifest(**values)  # type: ignore[arg-type]


def write_bundle(path: Path, found: Manifest | None = None, **more: bytes) -> Path:
    """Write a bundle with WHEELS and more files."""
    parts = [Part(f"wheels/{sha256(content)}", content) for content in WHEELS.values()]
    parts += [Part(name, content) for name, content in more.items()]
    write_archive(path, found or manifest(), parts, lambda _: None)
    return path


def sealed(*blocks: bytes) -> bytes:
    """Return an archive of these blocks with the right digest, whatever they are."""
    content = b"".join(blocks)
    return content + ending(len(content), sha256(content))


def entry(name: str, content: bytes) -> bytes:
    """Return a file as in a bundle."""
    return header(name, len(content)) + content + bytes(-len(content) % BLOCK)
