"""Stacks for scenarios: created when first needed, always removed, with logs kept on failure."""

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.summary import KEPT

from .classroom import Classroom, open_classroom
from .cluster import Cluster, Namespace
from .docker_calls import DockerCalls
from .docker_stack import DockerStack
from .dvc_project import installed_dvc
from .images import build_mlflow
from .local_stack import LocalStack
from .mlruns import Mlruns, write_mlruns
from .outside import SETTINGS
from .running import RunningStack
from .security import lan_address
from .small import SMALLEST
from .tool import CHECKOUT, SCRIPT, Output
from .waiting import free_ports

MakeStack = Callable[..., RunningStack]
LOGS = CHECKOUT / ".logs"
ENGINES: dict[str, type[RunningStack]] = {"docker": DockerStack, "local": LocalStack}

# All stacks that are not removed yet, and the cluster.
LIVE: list[RunningStack] = []
CLUSTERS: list[Cluster] = []


class ColdStart(NamedTuple):
    """A stack and the output of its first start."""

    stack: RunningStack
    output: Output


def pytest_configure(config: pytest.Config) -> None:
    """Give all stacks the profile that was asked for, instead of a single worker."""
    if profile := config.getoption("--stack-profile"):
        RunningStack.defaults = {"STACK_PROFILE": profile}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the logs of all stacks that exist when a test fails, and optionally its stacks."""
    del call
    report = yield
    if report.failed:
        folder = LOGS / re.sub(r"[^\w.-]+", "-", item.nodeid.removeprefix("tests/e2e/")).strip("-")
        for stack in LIVE:
            stack.keep_logs(folder / stack.name)
        if uses_cluster(item):
            for cluster in CLUSTERS:
                cluster.keep_logs(folder / "kubernetes")
        if report.longreprtext:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{report.when}.txt").write_text(report.longreprtext, encoding="utf-8")
        if item.config.getoption("--keep-failed"):
            kept = [stack for stack in LIVE if stack.is_used_by(item)]
            for stack in kept:
                stack.is_kept = True
            report.user_properties.append((KEPT, "\n".join(map(how_to_inspect, kept))))
    return report


def order(item: pytest.Item) -> int:
    """Return whether a test is one of the first, as a number.

    One process runs all that use the cluster: if it did not begin with them, the others would wait
    for it. First of all, the tool copies an image into the cluster.
    """
    if not uses_cluster(item):
        return 2
    return 0 if item.path.stem == "test_to_cluster" else 1


def uses_cluster(item: pytest.Item | None) -> bool:
    """Tell whether a test uses the cluster."""
    return "cluster" in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the cluster after its last test: a session's fixtures would keep it to the end."""
    if uses_cluster(item) and not uses_cluster(nextitem):
        for cluster in CLUSTERS:
            cluster.stop()


def how_to_inspect(stack: RunningStack) -> str:
    """Return the commands to inspect a kept stack and to remove it."""
    return (
        f"kept the stack {stack.name} on {stack.engine}\n"
        f"  cd {stack.folder} && {SCRIPT} status\n"
        f"  cd {stack.folder} && {SCRIPT} down --volumes --yes && rm -r {stack.folder}"
    )


OTHER = {"docker": "local_only", "local": "docker_only"}
# Session-scoped stack fixtures; a test is grouped by the first one that it uses.
SESSION_STACKS = ("cold_start", "outside", "smallest", "classroom", "composed")
# Those of the results of MLflow's own client, which pytest does not know: see clients/watch.py.
CLIENT_STACKS = {"docker": "cold_start", "local": "outside"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip scenarios on engines they exclude, and run those that share a stack in one process."""
    for item in items:
        if uses_cluster(item):
            item.add_marker(pytest.mark.kubernetes)
            item.add_marker(pytest.mark.xdist_group("kubernetes"))
        call = getattr(item, "callspec", None)
        engine = call.params.get("engine") if call else None
        if engine is None:
            continue
        if marker := item.get_closest_marker(OTHER[engine]):
            item.add_marker(pytest.mark.skip(reason=f"not on {engine}: {marker.args[0]}"))
        names = {*getattr(item, "fixturenames", ())}
        if "seen" in names:
            names.add(CLIENT_STACKS[engine])
        used = [name for name in SESSION_STACKS if name in names]
        item.add_marker(pytest.mark.xdist_group(f"{engine}-{[*used, item.path.stem][0]}"))
    items.sort(key=order)


@pytest.fixture(scope="session", params=[pytest.param("docker", marks=pytest.mark.docker), "local"])
def engine(request: pytest.FixtureRequest) -> str:
    """Return the engine that runs the stacks: every scenario runs on each engine."""
    return str(request.param)


def _stacks(engine: str, folders: Callable[[], Path], *, is_shared: bool) -> Iterator[MakeStack]:
    made: list[tuple[RunningStack, Path]] = []

    def make(**settings: str) -> RunningStack:
        folder = folders()
        stack = ENGINES[engine](folder, settings)
        stack.is_shared = is_shared
        LIVE.append(stack)
        made.append((stack, folder))
        return stack

    yield make
    for stack, folder in made:
        LIVE.remove(stack)
        if not stack.is_kept:
            stack.discard()
            shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _make_for_session(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    yield from _stacks(engine, lambda: tmp_path_factory.mktemp("stack"), is_shared=True)


@pytest.fixture(scope="module")
def _make_for_module(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    yield from _stacks(engine, lambda: tmp_path_factory.mktemp("stack"), is_shared=True)


@pytest.fixture
def make_stack(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    """Return a function that creates a stack for one test with given settings, not started."""
    yield from _stacks(engine, lambda: tmp_path_factory.mktemp("stack"), is_shared=False)


@pytest.fixture
def stack(make_stack: MakeStack) -> RunningStack:
    """Return a stack for one test, not started."""
    return make_stack()


@pytest.fixture(scope="session")
def first_calls(engine: str, tmp_path_factory: pytest.TempPathFactory) -> DockerCalls | None:
    """Return the docker commands of the first start of the session's stack."""
    folder = tmp_path_factory.mktemp("docker") / "calls"
    return DockerCalls(folder) if engine == "docker" else None


@pytest.fixture(scope="session")
def cold_start(_make_for_session: MakeStack, first_calls: DockerCalls | None) -> ColdStart:
    """Return the session's stack with the output of its first `up --json`."""
    stack = _make_for_session(MLFLOW_WORKERS="2")
    path = first_calls.path if first_calls else os.environ["PATH"]
    return ColdStart(stack, stack.tool("up", "--json", PATH=path))


@pytest.fixture(scope="session")
def shared(cold_start: ColdStart) -> RunningStack:
    """Return a running stack for tests that only read, or that clean up after themselves."""
    return cold_start.stack


@pytest.fixture(scope="module")
def _reused(_make_for_module: MakeStack) -> RunningStack:
    return _make_for_module()


@pytest.fixture
def mended(_reused: RunningStack) -> RunningStack:
    """Return a running stack that tests may break in ways that `up` repairs.

    A test that repairs the stack itself sets `is_well` at the end, which saves the next test an
    `up`.
    """
    if not _reused.is_well:
        _reused.mend()
    _reused.is_well = False
    return _reused


@pytest.fixture(scope="session")
def smallest(_make_for_session: MakeStack) -> RunningStack:
    """Return a running stack of one service, for tests that only add their own runs."""
    stack = _make_for_session(**SMALLEST)
    stack.up()
    return stack


@pytest.fixture(scope="session")
def outside(_make_for_session: MakeStack) -> RunningStack:
    """Return a stack whose database and S3 server other stacks use as external servers."""
    stack = _make_for_session(STACK_BIND_ADDRESS=lan_address(), **SETTINGS)
    stack.up()
    return stack


@pytest.fixture(scope="session")
def classroom(engine: str, _make_for_session: MakeStack) -> Classroom:
    """Return a stack with login and odd secrets that is published on the network."""
    return open_classroom(_make_for_session, engine)


@pytest.fixture(scope="session")
def composed(_make_for_session: MakeStack) -> DockerStack:
    """Return a stack that plain Docker Compose started; tests break it as with `mended`."""
    stack = _make_for_session()
    assert isinstance(stack, DockerStack)
    stack.tool("render")
    stack.compose("config", "--quiet")
    stack.compose("up", "--detach", "--wait")
    stack.is_well = True
    return stack


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return the running cluster of the session; its tests run in one process."""
    started = Cluster(tmp_path_factory.mktemp("cluster")).start()
    CLUSTERS.append(started)
    yield started
    CLUSTERS.remove(started)
    started.stop()


@pytest.fixture(scope="session")
def mlflow_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the image of MLflow that Docker has built from this checkout, for the cluster."""
    stack = DockerStack(tmp_path_factory.mktemp("image"), {})
    stack.tool("render")
    return build_mlflow(stack.compose_folder)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """Return an empty namespace for one test, with the Pod Security Standard `restricted`."""
    with cluster.namespace() as made:
        yield made


@pytest.fixture(scope="session")
def dvc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the real `dvc` command, in an environment of its own."""
    return installed_dvc(tmp_path_factory)


@pytest.fixture(scope="session")
def small_source(tmp_path_factory: pytest.TempPathFactory) -> Mlruns:
    """Return a folder with one run and its artifact to import."""
    return write_mlruns(tmp_path_factory.mktemp("source") / "mlruns")


@pytest.fixture
def stack_in(engine: str) -> Iterator[Callable[..., RunningStack]]:
    """Return a function that creates a stack in a given folder, not started."""
    made: list[RunningStack] = []

    def make(folder: Path, **settings: str) -> RunningStack:
        folder.mkdir(parents=True)
        made.append(ENGINES[engine](folder, settings))
        LIVE.append(made[-1])
        return made[-1]

    yield make
    for stack in made:
        LIVE.remove(stack)
        if not stack.is_kept:
            stack.purge()


@pytest.fixture
def free_port() -> int:
    """Return a free port of this machine."""
    return free_ports(1)[0]
