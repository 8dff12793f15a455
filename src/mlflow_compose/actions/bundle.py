"""`bundle`: one file with everything that a stack needs on a machine without a network."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlflow_compose import __version__
from mlflow_compose.actions.bundle_images import Images, check_images, save_images
from mlflow_compose.actions.bundle_wheels import download_wheels
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.restore_into import external_places
from mlflow_compose.bundle import Manifest, Part, Target, write_archive
from mlflow_compose.bundle.parts import parts_folder, remove_parts
from mlflow_compose.data.backup.rate import Rate
from mlflow_compose.engines import Engine
from mlflow_compose.errors import FilesError, UsageError
from mlflow_compose.paths import examples
from mlflow_compose.payloads import Bundled
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings import example_text, public_values
from mlflow_compose.stack import LOCAL_PROVIDERS, needs_docker

MB = 1_000_000
INSTALL = "tar -xf {0} install.pyz && python3 install.pyz {0}"
# Settings that only matter where packages are downloaded. The base image stays: the names of images
# that are built depend on it.
LEFT_OUT = frozenset({"BUILD_CA_CERTS", "PIP_INDEX_URL"})
# A class is created in the room; the file is for participants, too, and must not have their names.
NO_CLASS: Mapping[str, object] = {"class_mode": "none", "class_seats": ""}
CLASS = frozenset(name.upper() for name in NO_CLASS)


@dataclass(frozen=True)
class Wanted:
    """A bundle that was asked for.

    Attributes:
        file: Its path.
        targets: The machines that it is for.
        for_seats: Whether each stack that it becomes gets a name of its own.
        client: Packages that the participants' client gets besides MLflow's.
        now: The time.
    """

    file: Path
    targets: Sequence[Target]
    for_seats: bool
    client: Sequence[str]
    now: datetime


@dataclass(frozen=True)
class Engines:
    """What a bundle is made with.

    Attributes:
        local: The stack without Docker, with which packages are installed.
        has_local: Whether it is for machines without Docker.
        docker: The stack with Docker and its engine, None to leave out the images.
    """

    local: Plan
    has_local: bool
    docker: tuple[Plan, Engine] | None

    @property
    def plans(self) -> Mapping[str, Plan]:
        """The stacks that machines run, by engine."""
        found = {self.docker[1].name: self.docker[0]} if self.docker else {}
        return {**found, **({self.local.stack.site.engine: self.local} if self.has_local else {})}


def bundle(wanted: Wanted, engines: Engines, progress: Progress) -> Result:
    """Write a bundle of a stack.

    Args:
        wanted: What was asked for.
        engines: What it is made with.
        progress: Receiver of progress.

    Raises:
        UsageError: The file exists, the stack's data is in servers that seats would share, or
            the machines need images of another platform.
        BundleError: A package cannot be downloaded.
        EngineError: An image cannot be provided.
        FilesError: The bundle cannot be written.
    """
    local = engines.local
    if wanted.for_seats and (used := external_places(local.loaded.settings)):
        raise UsageError(
            f"all seats would have their data in {', '.join(sorted(used))}",
            hint="leave out --for-seats, or use the stack's own servers",
        )
    if engines.docker:
        check_images(engines.docker[1], wanted.targets)
    folder = parts_folder(wanted.file)
    images = save_images(*engines.docker, folder, progress) if engines.docker else Images()
    wheels = download_wheels(
        local, (wanted.targets, wanted.client), folder, progress, with_local=engines.has_local
    )
    manifest = Manifest(
        tool=__version__,
        created=wanted.now.isoformat(timespec="seconds"),
        stack=local.stack.name,
        for_seats=wanted.for_seats,
        settings=_settings(local, images, [*engines.plans], for_seats=wanted.for_seats),
        images=images.files,
        sets=wheels.sets,
    )
    parts = (*_texts(engines.plans.values()), *wheels.parts, *images.parts)
    return _written(wanted, manifest, parts, folder, progress)


def runs_locally(plan: Plan, progress: Progress) -> bool:
    """Tell whether a stack can run without Docker, and say so if it cannot."""
    provider = plan.loaded.settings.s3_provider
    if not plan.loaded.settings.bundles_s3 or provider in LOCAL_PROVIDERS:
        return True
    progress.note(f"the wheels are left out: {needs_docker(provider)}")
    return False


def _written(
    wanted: Wanted, manifest: Manifest, parts: Sequence[Part], folder: Path, progress: Progress
) -> Result:
    rate = Rate()
    with progress.step(f"Writing {wanted.file.name}"):
        sha256 = write_archive(
            wanted.file, manifest, parts, lambda done: progress.detail(rate.text(done))
        )
    remove_parts(folder)
    try:
        size = wanted.file.stat().st_size
    except OSError as error:
        raise FilesError(f"{wanted.file} cannot be read: {error.strerror}") from None
    machines = [f"{target.platform}, Python {target.python}" for target in wanted.targets]
    names = sorted(name for image in manifest.images for name in image.names)
    name = wanted.file.name
    lines = [
        f"wrote {wanted.file}: {size / MB:.0f} MB for {'; '.join(machines)}",
        *([f"images     {', '.join(names)}"] if names else []),
        f"SHA-256    {sha256}",
        f"Next       on the other machine: {INSTALL.format(name)}",
    ]
    data = Bundled(str(wanted.file), size, sha256, machines, names, manifest.for_seats)
    return Result(data, lines)


def _settings(
    plan: Plan, images: Images, engines: Sequence[str], *, for_seats: bool
) -> dict[str, str]:
    """Return the settings of the stacks that the bundle becomes."""
    left_out = LEFT_OUT | CLASS | ({"COMPOSE_PROJECT_NAME"} if for_seats else frozenset())
    found = {
        name: value
        for name, value in public_values(plan.loaded.settings).items()
        if name not in left_out
    }
    if not for_seats:
        found["COMPOSE_PROJECT_NAME"] = plan.stack.name
    if len(engines) == 1:
        found["STACK_ENGINE"] = engines[0]
    return {**found, **images.settings}


def _texts(plans: Iterable[Plan]) -> Iterator[Part]:
    """Yield the files that are there to be read: settings, rendered files, examples."""
    yield Part("env.example", example_text().encode())
    for plan in plans:
        for name, file in plan.with_settings(NO_CLASS).rendering().files.items():
            yield Part(f"rendered/{plan.folder.name}/{name}", file.text.encode())
    top = examples()
    for path in sorted(top.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield Part(f"examples/{path.relative_to(top).as_posix()}", path)
