"""Read many objects of Docker with one command; python-on-whales runs one for each."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from python_on_whales import DockerClient
    from python_on_whales.components.container.cli_wrapper import ContainerListFilter

# What `docker inspect` prints about an object.
Inspected: TypeAlias = Mapping[str, Any]


def containers(client: "DockerClient", *filters: "ContainerListFilter") -> list[Inspected]:
    """Return the containers that match all filters, stopped ones too."""
    listed = client.container.list(all=True, filters=list(filters))
    return _inspect(client, [each.id for each in listed])


def volumes(client: "DockerClient", part: str, label: str) -> dict[str, str]:
    """Return a label of the volumes with `part` in their names, by name; empty without it."""
    from python_on_whales.utils import run

    # JSON, in which a label with a line break cannot look like another volume's line.
    shown = f'[{{{{json .Name}}}},{{{{json (.Label "{label}")}}}}]'
    command = ["volume", "list", "--filter", f"name={part}", "--format", shown]
    lines = str(run([*client.client_config.docker_cmd, *command])).split("\n")
    return dict(json.loads(line) for line in lines if line)


def has_images(client: "DockerClient", names: Sequence[str]) -> bool:
    """Tell whether all these images exist."""
    from python_on_whales.exceptions import NoSuchImage
    from python_on_whales.utils import run

    try:
        run([*client.client_config.docker_cmd, "image", "inspect", *names])
    except NoSuchImage:
        return False
    return True


def _inspect(client: "DockerClient", names: Sequence[str]) -> list[Inspected]:
    """Inspect containers; one that is gone meanwhile is left out."""
    from python_on_whales.exceptions import NoSuchContainer
    from python_on_whales.utils import run

    if not names:
        return []
    command = [*client.client_config.docker_cmd, "container", "inspect", *names]
    try:
        found: list[Inspected] = json.loads(str(run(command)))
    except NoSuchContainer:
        if len(names) == 1:
            return []
        return [each for name in names for each in _inspect(client, [name])]
    return found
