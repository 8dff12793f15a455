"""The wheels of a bundle: this tool, MLflow's client, and servers that run without Docker."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from mlflow_compose.actions.plan import Plan
from mlflow_compose.bundle import (
    Packages,
    Part,
    Source,
    Target,
    Wheel,
    WheelSet,
    download,
    own_requirements,
    own_wheel,
    resolve,
)
from mlflow_compose.bundle.inside.install import CLIENT, TOOL
from mlflow_compose.bundle.parts import WHEELS
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.engines import run_uv, uv_environment
from mlflow_compose.paths import sources
from mlflow_compose.result import NoProgress, Progress
from mlflow_compose.stack import REQUIREMENTS, Build, wheels_key

# uv waits for the index most of the time.
AT_ONCE = 4
# Options that only matter when packages are installed.
INSTALLING = frozenset({"--compile-bytecode", "--require-hashes"})
# Where the local engine does not run.
CONTAINERS_ONLY = "windows/"


@dataclass(frozen=True)
class Wheels:
    """The wheels of a bundle: what is installed together, and the files."""

    sets: tuple[WheelSet, ...]
    parts: tuple[Part, ...]


def download_wheels(
    plan: Plan,
    wanted: tuple[Sequence[Target], Sequence[str]],
    folder: Path,
    progress: Progress,
    *,
    with_local: bool,
) -> Wheels:
    """Download all wheels of a bundle.

    Args:
        plan: The stack without Docker.
        wanted: The machines, and packages that the client gets besides MLflow's.
        folder: Folder of parts; wheels that are there already are not downloaded again.
        progress: Receiver of progress.
        with_local: Whether it is for machines without Docker.

    Raises:
        BundleError: There are no such packages for these machines, or one cannot be downloaded.
    """
    targets, client = wanted
    pairs = [
        (packages, target)
        for packages, target in product(_packages(plan, client), targets)
        if not packages.key or (with_local and not target.platform.startswith(CONTAINERS_ONLY))
    ]
    with progress.step(f"Resolving packages for {_described(targets)}"):
        found = _resolve(plan, pairs)
    wheels = {wheel.sha256: wheel for one in found for wheel in one}
    source = _source(_builds(plan)[0][1], plan)
    _download(list(wheels.values()), folder / WHEELS, source, progress)
    name, content = own_wheel()
    own = Wheel(name, "", hashlib.sha256(content).hexdigest(), len(content))
    parts = [Part(f"{WHEELS}/{sha256}", folder / WHEELS / sha256) for sha256 in sorted(wheels)]
    return Wheels(
        tuple(
            _wheel_set(*pair, (*one, own) if pair[0].name == TOOL else one)
            for pair, one in zip(pairs, found, strict=True)
        ),
        (*parts, Part(f"{WHEELS}/{own.sha256}", content)),
    )


def _resolve(plan: Plan, pairs: Sequence[tuple[Packages, Target]]) -> Sequence[tuple[Wheel, ...]]:
    environ = uv_environment(_builds(plan)[0][1], plan.folder, plan.environ)
    # Several at once, which would mix their progress.
    uv = partial(run_uv, environ, plan.stack.mask, NoProgress())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda pair: resolve(pair[0], pair[1], uv), pairs))


def _wheel_set(packages: Packages, target: Target, wheels: Sequence[Wheel]) -> WheelSet:
    names = {wheel.sha256: wheel.name for wheel in wheels}
    return WheelSet(packages.name, packages.key, target.platform, target.python, names)


def _download(wheels: Sequence[Wheel], folder: Path, source: Source, progress: Progress) -> None:
    rate, size = Rate(), sum(wheel.size or 0 for wheel in wheels)
    with progress.step(f"Downloading {len(wheels)} wheels, {size / 1e6:.0f} MB"):
        download(wheels, folder, source, lambda done: progress.detail(rate.text(done)))


def _packages(plan: Plan, client: Sequence[str]) -> Iterator[Packages]:
    required, installed = own_requirements()
    yield Packages(TOOL, _lines(required), constraints=_lines(installed))
    lock = sources("shared")[REQUIREMENTS]
    wanted = (f"mlflow-skinny=={plan.stack.mlflow_version}", "boto3", *client)
    yield Packages(CLIENT, _lines(wanted), constraints=_lines(pins(lock)))
    for name, build in _builds(plan):
        text = build.requirements + _lines(build.packages)
        options = tuple(each for each in build.install_options if each not in INSTALLING)
        yield Packages(name, text, key=wheels_key(build), options=options)


def _builds(plan: Plan) -> list[tuple[str, Build]]:
    return [(each.name, each.build) for each in plan.stack.built if each.build]


def pins(lock: str) -> Sequence[str]:
    """Return the versions in a lock, without hashes, except those of MLflow."""
    return re.findall(r"^(?!mlflow)[\w.-]+==[^\s\\]+(?: ;[^\n\\]+)?", lock, re.MULTILINE)


def _source(build: Build, plan: Plan) -> Source:
    index, certificates = "", ""
    for secret in build.secrets:
        if secret.file is None:
            index = secret.text
        else:
            certificates = str(plan.folder / secret.file)
    return Source(index, certificates)


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _described(targets: Sequence[Target]) -> str:
    return ", ".join(f"Python {target.python} on {target.platform}" for target in targets)
