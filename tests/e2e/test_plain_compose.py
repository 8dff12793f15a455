"""What is rendered belongs to its owner: plain Docker Compose runs it, and an override counts."""

import yaml

from .docker_stack import DockerStack
from .running import docker_only

pytestmark = docker_only("it is about Docker Compose")


def test_rendered_files_must_work_with_no_tool_involved(stack: DockerStack) -> None:
    stack.tool("render")
    stack.compose("config", "--quiet")
    stack.compose("up", "--detach")
    stack.wait_until_healthy(seconds=120)
    stack.verify()
    ids = stack.ids()
    stack.up()
    assert stack.ids() == ids, "the tool and plain Compose mean different things"


def test_the_owners_override_must_be_used_and_left_alone(mended: DockerStack) -> None:
    text = yaml.safe_dump({"services": {"mlflow": {"labels": {"owner": "me"}}}})
    before = mended.ids()
    mended.override(text)
    mended.up()
    assert mended.containers()["mlflow"]["Config"]["Labels"]["owner"] == "me"
    assert {name for name, id_ in mended.ids().items() if id_ != before[name]} == {"mlflow"}
    override = mended.compose_folder / "docker-compose.override.yaml"
    assert override.read_text(encoding="utf-8") == text
