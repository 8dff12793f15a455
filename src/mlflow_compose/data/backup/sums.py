"""The digests of a snapshot's files, in a form that `sha256sum --check` reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow_compose.data.backup.contents import digest

FILE = "SHA256SUMS"


def write_sums(folder: Path, names: Sequence[str]) -> None:
    """Write the digests of some files of a folder."""
    lines = [f"{digest(folder / name)}  {name}\n" for name in names]
    (folder / FILE).write_text("".join(lines), encoding="utf-8")


def wrong_sums(folder: Path) -> Iterator[str]:
    """Yield the names of files that are missing, or that differ from their digests."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    if not lines:
        yield FILE
    for line in lines:
        sha256, _, name = line.partition("  ")
        path = folder / Path(name).name
        if not path.is_file() or digest(path) != sha256:
            yield name
