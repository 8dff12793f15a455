"""A stack's name is its own: another folder with the same name must not touch it."""

from pathlib import Path

from .conftest import MakeStack
from .running import RunningStack, docker_only


@docker_only("stacks without containers are known by their folders")
def test_a_name_that_another_stack_has_must_be_refused(
    shared: RunningStack, make_stack: MakeStack
) -> None:
    """Neither started over it nor, worse, deleted with its data."""
    ids, volumes = shared.ids(), shared.volumes()
    twin = make_stack()
    twin.write(COMPOSE_PROJECT_NAME=shared.name)
    for command in (("up",), ("down", "--volumes", "--yes")):
        said = twin.tool(*command, code=1)
        said.shows(
            f"the name {shared.name} is that of another stack",
            str(shared.folder),
            "COMPOSE_PROJECT_NAME",
        )
    assert (shared.ids(), shared.volumes()) == (ids, volumes)


def test_a_stack_must_survive_the_renaming_of_its_folder(
    stack: RunningStack, tmp_path: Path
) -> None:
    stack.up()
    run = stack.log_run()
    moved = stack.folder.rename(tmp_path / "moved")
    try:
        home = stack.folder
        stack.folder, stack.env_file = moved, moved / ".env"
        stack.tool("up")
        stack.expect(run)
    finally:
        moved.rename(home)
        stack.folder, stack.env_file = home, home / ".env"
