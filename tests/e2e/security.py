"""Helpers of the security scenarios: S3 administration, addresses, refusals."""

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import pytest
from botocore.exceptions import ClientError
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from urllib3 import PoolManager, Retry, Timeout

from .running import RunningStack

REGION = "us-east-1"
# In the network reserved for documentation; connecting a UDP socket sends nothing.
NOWHERE = ("192.0.2.254", 9)


def administration(stack: RunningStack, key: tuple[str, str]) -> MinioAdmin:
    """Return a client of the S3 server's admin API with one key."""
    return MinioAdmin(
        endpoint=urlsplit(stack.s3_url).netloc,
        credentials=StaticProvider(*key),
        region=REGION,
        secure=False,
        http_client=PoolManager(timeout=Timeout(10), retries=Retry(0)),
    )


def refused_with(request: Callable[[], object]) -> str:
    """Return the error code with which S3 refuses a request, as it must."""
    with pytest.raises(ClientError) as caught:
        request()
    return str(caught.value.response["Error"]["Code"])


def other_addresses() -> list[str]:
    """Return this machine's IPv4 addresses except loopback."""
    return [
        found.address
        for addresses in psutil.net_if_addrs().values()
        for found in addresses
        if found.family == socket.AF_INET and not found.address.startswith("127.")
    ]


def lan_address() -> str:
    """Return this machine's address on the network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(NOWHERE)
        except OSError:
            pytest.skip("this machine is not on a network")
        return str(probe.getsockname()[0])


def answers(address: str, port: int) -> bool:
    """Tell whether a process listens on a port."""
    try:
        with socket.create_connection((address, port), timeout=3):
            return True
    except OSError:
        return False
