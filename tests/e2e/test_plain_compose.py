"""Rendered files belong to the user: plain Docker Compose runs them and applies an override."""

import yaml

from .docker_stack import DockerStack
from .running import docker_only

pytestmark = docker_only("it is about Docker Compose")


def test_rendered_files_must_work_with_plain_compose_and_the_users_override(
    stack: DockerStack,
) -> None:
    stack.tool("render")
    stack.compose("config", "--quiet")
    stack.compose("up", "--detach", "--wait")
    stack.verify()
    ids = stack.ids()
    stack.up()
    assert stack.ids() == ids, "the tool and plain Compose mean different things"
    text = yaml.safe_dump({"services": {"mlflow": {"labels": {"owner": "me"}}}})
    stack.override(text)
    stack.up()
    assert stack.containers()["mlflow"]["Config"]["Labels"]["owner"] == "me"
    assert {name for name, id_ in stack.ids().items() if id_ != ids[name]} == {"mlflow"}
    override = stack.compose_folder / "docker-compose.override.yaml"
    assert override.read_text(encoding="utf-8") == text, "the override must not be changed"
