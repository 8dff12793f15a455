"""Find the wheels of a set of packages for another platform and version of Python.

uv resolves for machines other than its own, and writes the wheels that fit them with their
addresses, sizes and digests (https://peps.python.org/pep-0751).
"""

import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_compose.bundle.inside.install import PACKAGE_FILE
from mlflow_compose.engines import NO_PACKAGE
from mlflow_compose.errors import BuildError, BundleError

# uv's names: https://docs.astral.sh/uv/reference/cli. Linux from 2018 on has glibc 2.28. Not Macs
# with Intel's processors, for which there are no wheels of cryptography any more.
PLATFORMS: Mapping[str, str] = {
    "linux/amd64": "x86_64-manylinux_2_28",
    "linux/arm64": "aarch64-manylinux_2_28",
    "macos/arm64": "aarch64-apple-darwin",
    "windows/amd64": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PURE = "-none-any.whl"
# Key of a package's sources in a lock file.
SOURCES = "sdist"
# Runs uv with a command line.
RunUv = Callable[..., None]


@dataclass(frozen=True)
class Target:
    """Machines that packages are for: their platform, and their version of Python."""

    platform: str
    python: str


@dataclass(frozen=True)
class Packages:
    """Packages that are installed together.

    Attributes:
        name: Name of the set.
        requirements: Text of the requirements file.
        key: Key by which the local engine finds them.
        constraints: Versions to use of packages that are not in it.
        options: Options that choose among wheels and sources, and whether dependencies are added.
    """

    name: str
    requirements: str = field(repr=False)
    key: str = ""
    constraints: str = field(default="", repr=False)
    options: tuple[str, ...] = ("--only-binary", ":all:")


@dataclass(frozen=True)
class Wheel:
    """A wheel, or the sources of a package that has none.

    Attributes:
        name: File name.
        url: Address, or the path of a file.
        sha256: Digest of its content.
        size: Size in bytes, None if it is not known.
    """

    name: str
    url: str = field(repr=False)
    sha256: str
    size: int | None


def resolve(packages: Packages, target: Target, uv: RunUv) -> tuple[Wheel, ...]:
    """Return the wheels of a set of packages for other machines.

    Args:
        packages: The packages.
        target: The machines.
        uv: Runs uv with a command line.

    Raises:
        BundleError: There are no such packages for these machines.
    """
    with tempfile.TemporaryDirectory() as found:
        folder = Path(found)
        requirements, constraints = folder / "requirements.txt", folder / "constraints.txt"
        requirements.write_text(packages.requirements, encoding="utf-8")
        constraints.write_text(packages.constraints, encoding="utf-8")
        options = (
            *("--python-version", target.python),
            *("--python-platform", PLATFORMS[target.platform]),
            *("--constraints", str(constraints)),
            *("--no-header", "--no-annotate"),
            *packages.options,
        )
        lock = folder / "pylock.toml"
        try:
            uv("pip", "compile", "--quiet", *options, "--output-file", str(lock), str(requirements))
        except BuildError as error:
            raise _unresolved(packages, target, error) from None
        return parse_lock(lock)


def _unresolved(packages: Packages, target: Target, error: BuildError) -> BundleError:
    """Return why packages cannot be resolved, from what uv reported about this machine."""
    _, _, output = error.message.partition("\n")
    return BundleError(
        f"the packages of {packages.name} for Python {target.python} on {target.platform} cannot "
        f"be resolved:\n{output}",
        hint="choose another --python or --platform" if error.hint == NO_PACKAGE else error.hint,
    )


def parse_lock(path: Path) -> tuple[Wheel, ...]:
    """Return one wheel of each package in a lock file that was resolved for one machine.

    For a package that is installed from its sources, these are returned.

    Raises:
        BundleError: A package has no file, or one without a digest.
    """
    packages = tomllib.loads(path.read_text(encoding="utf-8")).get("packages", [])
    found = []
    for package in packages:
        files = package.get("wheels") or [package[name] for name in (SOURCES,) if name in package]
        wheels = [_wheel(each, path.parent) for each in files]
        if not wheels:
            raise BundleError(f"{package['name']} {package.get('version', '')} has no wheel")
        found.append(best(wheels))
    return tuple(found)


def best(wheels: Sequence[Wheel]) -> Wheel:
    """Return one of several wheels of a package, all of which fit: the compiled one, if any."""
    compiled = [wheel for wheel in wheels if not wheel.name.endswith(PURE)]
    return (compiled or list(wheels))[0]


def _wheel(found: Mapping[str, object], folder: Path) -> Wheel:
    size, hashes, path = found.get("size"), found.get("hashes"), found.get("path")
    url = str(folder / str(path)) if path else str(found.get("url", ""))
    name = str(found.get("name") or unquote(urlsplit(url).path.rpartition("/")[2]))
    sha256 = str(hashes.get("sha256", "")) if isinstance(hashes, Mapping) else ""
    if not PACKAGE_FILE.fullmatch(name) or not sha256:
        raise BundleError(f"the package index has no SHA-256 of {name}, which a bundle needs")
    return Wheel(name, url, sha256, size if isinstance(size, int) else None)
