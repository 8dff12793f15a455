"""What this machine is called by others, for the hosts that MLflow answers to."""

import pytest

from mlflow_compose.machine import is_outward, lan_names, own_addresses
from tests.unit.samples import ANY_ADDRESS

ADDRESSES = ("198.51.100.7", "192.0.2.10")


@pytest.mark.parametrize("bind", [ANY_ADDRESS, "::"])
def test_all_addresses_must_count_where_all_are_listened_on(bind: str) -> None:
    assert lan_names(bind, "Lab-7", ADDRESSES) == (
        "lab-7",
        "lab-7.local",
        "192.0.2.10",
        "198.51.100.7",
    )


def test_one_address_must_count_where_one_is_listened_on() -> None:
    names = lan_names("192.0.2.10", "lab.example.org", ADDRESSES)
    assert names == ("lab.example.org", "192.0.2.10")


def test_an_ipv6_address_must_be_spelled_as_in_a_url() -> None:
    assert lan_names("2001:db8::1", "lab", ()) == ("lab", "lab.local", "[2001:db8::1]")


def test_the_order_of_addresses_must_not_matter() -> None:
    """Else a render would differ from the last one for no reason."""
    assert lan_names("::", "lab", ADDRESSES) == lan_names("::", "lab", ADDRESSES[::-1])


@pytest.mark.parametrize(
    ("interface", "address", "outward"),
    [
        ("eth0", "192.0.2.10", True),
        ("wlan0", "192.0.2.11", True),
        ("lo", "127.0.0.1", False),
        ("docker0", "172.17.0.1", False),
        ("br-0123456789ab", "172.18.0.1", False),
        ("veth01", "169.254.0.1", False),
    ],
)
def test_bridges_of_containers_must_not_count(
    interface: str, address: str, *, outward: bool
) -> None:
    """They come and go with other stacks."""
    assert is_outward(interface, address) is outward


def test_the_addresses_of_this_machine_must_be_those_that_others_reach() -> None:
    assert not any(address.startswith("127.") for address in own_addresses())
