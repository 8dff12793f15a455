"""Which services a stack may have, in the order in which they start."""

from collections.abc import Sequence
from dataclasses import replace

from mlflow_compose.stack.components.bucket_init import BUCKET_INIT
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.components.mlflow import MLFLOW
from mlflow_compose.stack.components.postgres import POSTGRES
from mlflow_compose.stack.components.s3 import S3
from mlflow_compose.stack.service import Service

KINDS: Sequence[Kind] = (POSTGRES, S3, BUCKET_INIT, MLFLOW)


def known_volumes() -> frozenset[str]:
    """Return the names of volumes that stacks have.

    What else carries a stack's name belongs to services that its owner added.
    """
    return frozenset(name for kind in KINDS for name in kind.volumes)


def services(around: Surroundings) -> tuple[Service, ...]:
    """Return every service that the settings want."""
    wanted = [(kind, name) for kind in KINDS for name in kind.names(around)]
    told = replace(
        around,
        servers=tuple(name for kind, name in wanted if not kind.is_job),
        jobs=tuple(name for kind, name in wanted if kind.is_job),
    )
    return tuple(
        (kind.in_container if around.site.in_containers else kind.on_machine)(told, name)
        for kind, name in wanted
    )
