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
    from python_on_whales.exceptions import NoSuchContainer

    while True:
        listed = client.container.list(all=True, filters=list(filters))
        try:
            return _inspect(client, "container", [each.id for each in listed])
        except NoSuchContainer:
            # One was removed between listing and inspecting.
            continue


def volumes(client: "DockerClient", *filters: "VolumeListFilter") -> list[Inspected]:
    """Return the volumes that match all filters."""
    from python_on_whales.exceptions import NoSuchVolume

    while True:
        listed = client.volume.list(filters=list(filters))
        try:
            return _inspect(client, "volume", [each.name for each in listed])
        except NoSuchVolume:
            continue


def _inspect(client: "DockerClient", kind: str, names: Sequence[str]) -> list[Inspected]:
    from python_on_whales.utils import run

    if not names:
        return []
    command = [*client.client_config.docker_cmd, kind, "inspect", *names]
    found: list[Inspected] = json.loads(str(run(command)))
    return found
