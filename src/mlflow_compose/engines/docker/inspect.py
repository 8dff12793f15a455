"""Inspect many objects of Docker with one command; python-on-whales runs one for each."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from python_on_whales import DockerClient
    from python_on_whales.components.container.cli_wrapper import ContainerListFilter
    from python_on_whales.components.volume.cli_wrapper import VolumeListFilter

# What `docker inspect` prints about an object.
Inspected: TypeAlias = Mapping[str, Any]


def containers(client: "DockerClient", *filters: "ContainerListFilter") -> list[Inspected]:
    """Return the containers that match all filters, stopped ones too."""
    listed = client.container.list(all=True, filters=list(filters))
    return _inspect(client, "container", [each.id for each in listed])


def volumes(client: "DockerClient", *filters: "VolumeListFilter") -> list[Inspected]:
    """Return the volumes that match all filters."""
    listed = client.volume.list(filters=list(filters))
    return _inspect(client, "volume", [each.name for each in listed])


def _inspect(client: "DockerClient", kind: str, names: Sequence[str]) -> list[Inspected]:
    """Inspect objects; one that is gone meanwhile, or that Docker cannot inspect, is left out."""
    from python_on_whales.exceptions import NoSuchContainer, NoSuchVolume
    from python_on_whales.utils import run

    if not names:
        return []
    command = [*client.client_config.docker_cmd, kind, "inspect", *names]
    try:
        found: list[Inspected] = json.loads(str(run(command)))
    except (NoSuchContainer, NoSuchVolume):
        if len(names) == 1:
            return []
        return [each for name in names for each in _inspect(client, kind, [name])]
    return found
