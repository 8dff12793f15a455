"""No secret shows anywhere: each contains a marker that is searched in everything visible."""

import stat
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .markers import Markers, Processes, watched_processes
from .running import WAIT_TIMEOUT, RunningStack, docker_only, short_in_ci
from .security import administration, refused_with
from .test_verify import expect_broken
from .tool import SCRIPT, Output, environment, run
from .tracking import Api

pytestmark = docker_only("it looks into containers and images")

SETTINGS = (
    *("PG_PASSWORD", "MLFLOW_ADMIN_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_ACCESS_KEY"),
    *("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "PIP_INDEX_URL"),
)
# MLflow reads it from its environment only.
SERVER_SECRET = "MLFLOW_FLASK_SERVER_SECRET_KEY"
# Secrets of other programs that read the same file.
FOREIGN = ("AWS_SECRET_ACCESS_KEY", "OTHER_PROGRAMS_PASSWORD")
SHOWN = "********"

# Allowed in container environments: MLflow reads one there, and PostgreSQL's entry point, which
# is third-party code, exports the other from the secret file.
INSIDE = {SERVER_SECRET, "PG_PASSWORD"}

# Commands that start and use the stack, and others.
WATCHED = ("up --no-verify", "verify", "logs", "status")
COMMANDS = (*WATCHED, "config", "render", "render --check", "render --diff")


class Marked(NamedTuple):
    """A running stack with a marker in every secret, and what was observed during its start.

    Attributes:
        stack: Running stack.
        markers: Markers in its secrets.
        outputs: Output of the watched commands.
        processes: Processes observed meanwhile.
    """

    stack: DockerStack
    markers: Markers
    outputs: dict[str, Output]
    processes: Processes

    def expect_no_secret(self, *texts: str) -> None:
        """Assert that the texts are not empty and contain no marker."""
        assert any(text.strip() for text in texts)
        assert self.markers.found_in(*texts) == set()


@pytest.fixture(scope="module")
def marked(shared: RunningStack, _make_for_module: MakeStack) -> Marked:
    """Return the stack; it uses the image of `shared`, since its package index does not exist."""
    assert shared.ids()
    markers = Markers(*SETTINGS, SERVER_SECRET, *FOREIGN)
    values = {name: markers[name] for name in (*SETTINGS, SERVER_SECRET)}
    values["PIP_INDEX_URL"] = index_url(markers["PIP_INDEX_URL"])
    stack = _make_for_module(MLFLOW_AUTH="basic", **values)
    assert isinstance(stack, DockerStack)
    stack.write(**{name: markers[name] for name in FOREIGN})
    with watched_processes(markers) as processes:
        outputs = {command: stack.tool(*command.split()) for command in WATCHED}
    return Marked(stack, markers, outputs, processes)


# --- on the screen


@pytest.mark.parametrize("option", ["", "--json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_must_print_no_secret(marked: Marked, command: str, option: str) -> None:
    output = marked.outputs.get(f"{command} {option}".strip())
    output = output or marked.stack.tool(*f"{command} {option}".split())
    if "render" not in command or option:
        assert output.out.strip()
    assert marked.markers.found_in(output.text) == set()


def test_config_must_show_a_mask_for_every_secret(marked: Marked) -> None:
    found = marked.stack.tool("config", "--json").data
    shown = {name: found["settings"][name]["value"] for name in (*SETTINGS, SERVER_SECRET)}
    assert shown == dict.fromkeys(shown, SHOWN)
    assert set(FOREIGN) <= set(found["foreign"])


def test_changed_secrets_must_not_show_in_the_diff(marked: Marked) -> None:
    new = Markers(*SETTINGS)
    values = {**new.texts, "PIP_INDEX_URL": index_url(new["PIP_INDEX_URL"])}
    with marked.stack.changed(**values):
        outputs = [
            marked.stack.tool("render", "--diff"),
            marked.stack.tool("render", "--diff", "--json"),
            marked.stack.tool("render", "--check", code=1),
            marked.stack.tool("render", "--check", "--json", code=1),
        ]
    assert "secrets/pg_password" in outputs[0].out
    for output in outputs:
        marked.expect_no_secret(output.text)
        assert new.found_in(output.text) == set()


def test_a_secret_file_edited_by_hand_must_not_show(marked: Marked) -> None:
    file, new = marked.stack.compose_folder / "secrets" / "pg_password", Markers("edited")
    before = file.read_text(encoding="utf-8")
    file.unlink()
    file.write_text(new["edited"], encoding="utf-8")
    try:
        outputs = [marked.stack.tool("render", "--diff"), marked.stack.tool("up", code=1)]
    finally:
        file.write_text(before, encoding="utf-8")
        file.chmod(0o444)
    for output in outputs:
        marked.expect_no_secret(output.text)
        assert new.found_in(output.text) == set()


# --- in the engine


def test_the_engine_must_show_no_secret(marked: Marked) -> None:
    stack = marked.stack
    label = f"label=com.docker.compose.project={stack.name}"
    containers = docker("ps", "--all", "--quiet", "--filter", label).out.split()
    assert len(containers) == 4
    marked.expect_no_secret(docker("inspect", *containers).text)
    networks = docker("network", "ls", "--quiet", "--filter", label).out.split()
    marked.expect_no_secret(docker("network", "inspect", *networks).text)
    volumes = docker("volume", "ls", "--quiet", "--filter", label).out.split()
    marked.expect_no_secret(docker("volume", "inspect", *volumes).text)
    marked.expect_no_secret(stack.compose("config").text)
    marked.expect_no_secret(docker("ps", "--all", "--no-trunc").text)


def test_the_image_must_show_no_secret(marked: Marked) -> None:
    image = marked.stack.image("mlflow")
    marked.expect_no_secret(docker("image", "inspect", image).text)
    marked.expect_no_secret(docker("history", "--no-trunc", image).text)


def test_the_servers_logs_must_contain_no_secret(marked: Marked) -> None:
    for container in marked.stack.ids().values():
        marked.expect_no_secret(docker("logs", container).text)


# --- in processes


def test_no_process_must_show_a_secret_while_the_stack_is_started_and_used(marked: Marked) -> None:
    assert marked.processes.looks > 10
    assert marked.processes.command_lines == set()
    assert marked.processes.environments == set()
    assert marked.processes.inside <= INSIDE


@pytest.mark.usefixtures("engine")
def test_the_watch_must_detect_a_secret_that_a_command_shows() -> None:
    """Otherwise the absence of findings above would prove nothing."""
    markers = Markers("argument", "variable")
    argv = (sys.executable, "-c", "import time; time.sleep(1)", markers["argument"])
    with watched_processes(markers) as processes:
        run(*argv, env=environment(SECRET=markers["variable"]))
    assert processes.command_lines == {"argument"}
    assert processes.environments == {"variable"}


# --- on disk


def test_rendered_files_outside_secrets_must_contain_none(marked: Marked) -> None:
    folder = marked.stack.compose_folder
    files = [file for file in folder.rglob("*") if file.is_file()]
    outside = [file for file in files if folder / "secrets" not in file.parents]
    assert len(outside) > 5
    marked.expect_no_secret(*(file.read_text(encoding="utf-8") for file in outside))


def test_files_with_secrets_must_be_closed_to_others(marked: Marked) -> None:
    secrets = marked.stack.compose_folder / "secrets"
    assert mode(marked.stack.env_file) == 0o600
    assert mode(secrets) == 0o700
    given = [file for file in secrets.iterdir() if not file.name.startswith(".")]
    assert {file.name: mode(file) for file in given} == dict.fromkeys(
        [file.name for file in given], 0o444
    )
    texts = [file.read_text(encoding="utf-8") for file in given]
    assert marked.markers.found_in(*texts) == {*SETTINGS, SERVER_SECRET}


# --- when something fails


@short_in_ci
def test_a_changed_database_password_must_be_reported_and_not_block_other_changes(
    marked: Marked,
) -> None:
    """The database keeps its initial password; a new S3 key revokes the old one.

    No secret shows, neither the rejected one nor those of the stack.
    """
    stack, new = marked.stack, Markers("PG_PASSWORD", "MINIO_ACCESS_KEY")
    admin = Api(stack.url, ("admin", marked.markers["MLFLOW_ADMIN_PASSWORD"]))
    run, old = stack.log_run(admin), stack.app_key
    stack.write(MINIO_ACCESS_KEY=new["MINIO_ACCESS_KEY"])
    with stack.changed(PG_PASSWORD=new["PG_PASSWORD"]):
        start = time.monotonic()
        outputs = run_failing(marked, new, "up")
        assert time.monotonic() - start < WAIT_TIMEOUT / 3
        outputs[0].shows("PostgreSQL refuses PG_PASSWORD")
        run_failing(marked, new, "up --json", "verify")
    stack.up()
    listing = partial(stack.s3(old).list_objects_v2, Bucket=stack.bucket)
    assert refused_with(listing) == "InvalidAccessKeyId"
    stack.expect(run, admin)


def test_a_secret_that_s3_rejects_must_be_reported_and_not_show(marked: Marked) -> None:
    """The application's secret is changed outside the stack, in the S3 server."""
    stack, another = marked.stack, Markers("another secret")
    root, (key, secret) = administration(stack, stack.root_key), stack.app_key
    root.user_add(key, another["another secret"])
    try:
        output = expect_broken(stack, "S3 refuses the application's key", hint="mlflow-compose up")
        assert another.found_in(output.text) == set()
        marked.expect_no_secret(output.text)
        (shown,) = run_failing(marked, another, "verify")
        assert "MINIO_SECRET_ACCESS_KEY" in shown.err
    finally:
        root.user_add(key, secret)


def run_failing(marked: Marked, more: Markers, *commands: str) -> list[Output]:
    """Run commands that must all fail, and assert that no secret shows anywhere."""
    outputs = [marked.stack.tool(*command.split(), code=1) for command in commands]
    # Not with `tool`: a server's log may contain tracebacks.
    logs = run(str(SCRIPT), "logs", folder=marked.stack.folder)
    texts = [output.text for output in (*outputs, logs, marked.stack.tool("status", "--json"))]
    for container in marked.stack.ids().values():
        texts += [docker("logs", container).text, docker("inspect", container).text]
    for text in texts:
        marked.expect_no_secret(text)
    assert more.found_in(*texts) == set()
    return outputs


def index_url(password: str) -> str:
    """Return the URL of a package index that does not exist."""
    return f"http://user:{password}@index.invalid/simple"


def mode(path: Path) -> int:
    """Return a file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)
