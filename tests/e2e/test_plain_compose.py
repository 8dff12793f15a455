"""Rendered files belong to the user: plain Docker Compose runs them and applies an override."""

import yaml

from .docker_stack import DockerStack
from .running import docker_only

pytestmark = docker_only("it is about Docker Compose")


def test_rendered_files_must_work_with_plain_compose_and_the_users_override(
    composed: DockerStack, free_port: int
) -> None:
    """A changed port and an override of MLflow recreate only MLflow."""
    stack = composed
    run, ids, starts = stack.log_run(), stack.ids(), stack.starts()
    stack.expect(run)
    stack.up()
    assert stack.ids() == ids, "the tool and plain Compose mean different things"
    text = yaml.safe_dump({"services": {"mlflow": {"labels": {"owner": "me"}}}})
    stack.override(text)
    stack.write(MLFLOW_PORT=str(free_port))
    stack.up()
    assert stack.containers()["mlflow"]["Config"]["Labels"]["owner"] == "me"
    assert {name for name, id_ in stack.ids().items() if id_ != ids[name]} == {"mlflow"}
    assert {name for name, start in stack.starts().items() if start != starts[name]} == {"mlflow"}
    stack.expect(run)
    override = stack.compose_folder / "docker-compose.override.yaml"
    assert override.read_text(encoding="utf-8") == text, "the override must not be changed"
