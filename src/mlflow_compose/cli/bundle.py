"""Commands for machines without a network: one file with everything that a stack needs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlflow_compose.cli.context import Context, choices, context_of
from mlflow_compose.errors import UsageError

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan
    from mlflow_compose.bundle import Target
    from mlflow_compose.engines import Engine

app = typer.Typer()
ALL = "all"
IMAGES, WHEELS = "images", "wheels"
# What each engine needs.
PARTS = {"docker": {IMAGES}, "local": {WHEELS}, ALL: {IMAGES, WHEELS}}

Platforms = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        metavar="PLATFORM",
        help="linux/amd64, linux/arm64, macos/arm64 or windows/amd64; may be repeated. "
        "Default: that of this machine.",
    ),
]
Pythons = Annotated[
    list[str] | None,
    typer.Option(
        "--python",
        metavar="VERSION",
        help="Version of Python on the other machines, such as 3.13; may be repeated. "
        "Default: that of this machine.",
    ),
]
EngineName = Annotated[
    str, typer.Option(metavar="ENGINE", help="Engine on these machines: docker, local or all.")
]
Client = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="PACKAGE",
        help="Package that the participants' client gets, too; may be repeated.",
    ),
]


@app.command(epilog="Example: mlflow-compose bundle classroom.tar --for-seats")
def bundle(  # noqa: PLR0913, PLR0917 - independent options
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="New file. Default: mlflow-compose-PLATFORM.tar."),
    ] = None,
    platforms: Platforms = None,
    pythons: Pythons = None,
    engine: EngineName = ALL,
    client: Client = None,
    for_seats: Annotated[
        bool,
        typer.Option("--for-seats", help="Give each stack that is made from it its own name."),
    ] = False,
) -> None:
    """Write everything that a stack needs without a network into one file.

    It has the images, the wheels of servers and clients, this tool and its examples, but no
    secrets and no data. Run the same command again after an interruption: it continues.
    """
    from mlflow_compose.actions import bundle as actions
    from mlflow_compose.targets import LOCAL

    if engine not in PARTS:
        raise UsageError(f"--engine must be {choices(*PARTS)}, got {engine}")
    context, targets = context_of(ctx), _targets(platforms or [], pythons or [])
    default = f"mlflow-compose-{'-'.join(dict.fromkeys(one.platform for one in targets))}.tar"
    path = file or Path(default.replace("/", "-"))
    with context.locked():
        local = context.plan(LOCAL)
        wanted = actions.Wanted(path, targets, for_seats, client or [], datetime.now(UTC))
        docker = _docker(context, engine)
        with_local = WHEELS in PARTS[engine] and actions.runs_locally(local, context.console)
        engines = actions.Engines(local, with_local, docker)
        result = actions.bundle(wanted, engines, context.console)
    context.show(result)


def _targets(platforms: list[str], pythons: list[str]) -> "list[Target]":
    from itertools import product

    from mlflow_compose.bundle import PLATFORMS, PYTHONS, Target
    from mlflow_compose.bundle.inside.install import this_platform, this_python

    chosen = platforms or [this_platform()]
    for platform in chosen:
        if platform not in PLATFORMS:
            raise UsageError(f"--platform must be {choices(*PLATFORMS)}, got {platform}")
    versions = pythons or [this_python()]
    for version in versions:
        if version not in PYTHONS:
            raise UsageError(f"--python must be {choices(*PYTHONS)}, got {version}")
    return [Target(*each) for each in product(chosen, versions)]


def _docker(context: Context, engine: str) -> "tuple[Plan, Engine] | None":
    """Return the stack with Docker and its engine, None to leave out the images."""
    from mlflow_compose.engines import docker_problem
    from mlflow_compose.targets import COMPOSE

    if IMAGES not in PARTS[engine]:
        return None
    if engine == ALL and (problem := docker_problem()):
        context.console.note(f"the images are left out: {problem.message}")
        return None
    plan = context.plan(COMPOSE)
    return plan, context.engine(plan)


@app.command(epilog="Example: mlflow-compose load classroom.tar")
def load(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.", readable=False)],
    engine: EngineName = ALL,
) -> None:
    """Provide what is in a bundle, so that up needs no network.

    Loads images into Docker, puts wheels into the cache, and creates .env with random secrets if
    there is none.
    """
    from mlflow_compose.actions.load import load as load_bundle

    if engine not in PARTS:
        raise UsageError(f"--engine must be {choices(*PARTS)}, got {engine}")
    context = context_of(ctx)
    result = load_bundle(
        file,
        context.env_file,
        context.environ,
        context.console,
        parts=PARTS[engine],
    )
    context.show(result)
