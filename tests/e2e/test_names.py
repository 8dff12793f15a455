"""A stack owns its name: a stack in another folder with the same name must not touch it."""

from .conftest import MakeStack
from .running import RunningStack, docker_only


@docker_only("stacks without containers are identified by their folders")
def test_a_name_in_use_by_another_stack_must_be_refused(
    shared: RunningStack, make_stack: MakeStack
) -> None:
    """Neither `up` nor, worse, `down --volumes` affects the other stack."""
    ids, volumes = shared.ids(), shared.volumes()
    twin = make_stack()
    twin.write(COMPOSE_PROJECT_NAME=shared.name)
    for command in (("up",), ("down", "--volumes", "--yes")):
        output = twin.tool(*command, code=1)
        output.shows(
            f"another stack is already named {shared.name}",
            str(shared.folder),
            "COMPOSE_PROJECT_NAME",
        )
    assert (shared.ids(), shared.volumes()) == (ids, volumes)
