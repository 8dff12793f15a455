"""The S3 servers that a stack can bundle, one record each.

`S3_PROVIDER` chooses one; service name, endpoint and variables stay the same. To add one, write a
module with its record, list it here and in the setting, and add a golden case.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mlflow_compose.settings import Settings
from mlflow_compose.stack.providers.minio import MINIO, is_withdrawn
from mlflow_compose.stack.providers.provider import PORT, Launch, Provider
from mlflow_compose.stack.providers.rclone import RCLONE
from mlflow_compose.stack.providers.rustfs import RUSTFS
from mlflow_compose.stack.providers.seaweedfs import SEAWEEDFS
from mlflow_compose.stack.providers.versitygw import VERSITYGW
from mlflow_compose.stack.site import Site

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (MINIO, VERSITYGW, RCLONE, SEAWEEDFS, RUSTFS)}
)

# Without containers, the default means rclone, too.
LOCAL_PROVIDERS = (MINIO.name, RCLONE.name)


def needs_docker(name: str) -> str:
    """Return why a server cannot run without containers."""
    return f"S3_PROVIDER {name} needs Docker: without it, the S3 server is rclone"


def provider_of(settings: Settings, site: Site) -> Provider:
    """Return the S3 server that a stack bundles."""
    return PROVIDERS[settings.s3_provider] if site.in_containers else RCLONE


__all__ = [
    "LOCAL_PROVIDERS",
    "PORT",
    "PROVIDERS",
    "Launch",
    "Provider",
    "is_withdrawn",
    "needs_docker",
    "provider_of",
]
