"""An image in a bundle may have no name but the one that it loses after it was loaded."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlflow_compose.bundle.image_names import check_names
from mlflow_compose.bundle.inside.sealed import Damaged, Place

NAME, OTHER = "mlflow-compose-bundle:0123456789abcdef", "postgres:18.4"
REPOSITORY, TAG = NAME.split(":")
# In front of the image and behind it, as in a bundle.
AROUND = b"\xff" * 777


def archive(files: Mapping[str, object], *, link: str = "") -> bytes:
    """Return an image's file, with a link to `elsewhere` if wanted."""
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as tar:
        for name, value in files.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "elsewhere"
            tar.addfile(info)
    return found.getvalue()


def tags(*names: str) -> list[object]:
    """Return the content of manifest.json."""
    return [{"Config": "c.json", "RepoTags": [*names], "Layers": ["a/layer.tar"]}]


def index(*pairs: tuple[str, str]) -> dict[str, object]:
    """Return the content of index.json, from full names and tags."""
    keys = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    return {"manifests": [{"annotations": dict(zip(keys, pair, strict=True))} for pair in pairs]}


def check(folder: Path, content: bytes) -> None:
    path = folder / "bundle"
    path.write_bytes(AROUND + content + AROUND)
    check_names(path, Place(len(AROUND), len(content)), NAME)


@pytest.mark.parametrize(
    "files",
    [
        {
            "a/layer.tar": b"x" * 99999,
            "manifest.json": tags(NAME),
            "repositories": {REPOSITORY: {TAG: "a"}},
        },
        {"manifest.json": tags(NAME), "index.json": index((f"docker.io/library/{NAME}", TAG))},
        {"index.json": {"manifests": [*index((NAME, TAG))["manifests"], {"digest": "x"}]}},  # type: ignore[misc]
    ],
)
def test_what_docker_writes_must_be_accepted(tmp_path: Path, files: Mapping[str, object]) -> None:
    check(tmp_path, archive(files))


@pytest.mark.parametrize(
    "content",
    [
        archive({"manifest.json": tags(NAME, OTHER)}),
        archive({"manifest.json": [*tags(NAME), *tags(OTHER)]}),
        archive({"manifest.json": tags(OTHER)}),
        archive({"manifest.json": tags()}),
        archive({"manifest.json": tags(NAME), "./manifest.json": tags(OTHER)}),
        archive({"manifest.json": tags(NAME), "a/manifest.json": tags(OTHER)}),
        archive({"manifest.json": tags(NAME), "repositories": {"postgres": {"18.4": "a"}}}),
        archive({"manifest.json": tags(NAME), "index.json": index((OTHER, "18.4"))}),
        archive({"manifest.json": tags(NAME), "index.json": index((NAME, OTHER))}),
        archive({"manifest.json": tags(NAME), "elsewhere": tags(OTHER)}, link="index.json"),
        archive({"manifest.json": b"[" * 9999}),
        archive({"manifest.json": {"not": "a list"}}),
        archive({}),
        b"\x1f\x8b no tar",
    ],
)
def test_an_image_with_another_name_must_be_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Damaged):
        check(tmp_path, content)
