"""This machine's addresses, and its folders for caches and sockets."""

import errno
import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from mlflow_compose import machine
from mlflow_compose.machine import (
    LONGEST_SOCKET,
    cache_folder,
    is_outward,
    is_root,
    lan_names,
    main_address,
    own_addresses,
    python_tag,
    socket_path,
    what_shows_why,
)
from tests.unit.samples import ANY_ADDRESS

ADDRESSES = ("198.51.100.7", "192.0.2.10")


@pytest.mark.parametrize("bind", [ANY_ADDRESS, "::"])
def test_all_addresses_must_count_if_the_server_listens_on_all(bind: str) -> None:
    assert lan_names(bind, "Lab-7", ADDRESSES) == (
        "lab-7",
        "lab-7.local",
        "192.0.2.10",
        "198.51.100.7",
    )


def test_one_address_must_count_if_the_server_listens_on_one() -> None:
    names = lan_names("192.0.2.10", "lab.example.org", ADDRESSES)
    assert names == ("lab.example.org", "192.0.2.10")


def test_an_ipv6_address_must_be_spelled_as_in_a_url() -> None:
    assert lan_names("2001:db8::1", "lab", ()) == ("lab", "lab.local", "[2001:db8::1]")


def test_the_order_of_addresses_must_not_matter() -> None:
    """Otherwise a render would differ from the last one for no reason."""
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
    """They appear and disappear with other stacks."""
    assert is_outward(interface, address) is outward


def test_the_addresses_of_this_machine_must_be_those_that_others_can_reach() -> None:
    assert not any(address.startswith("127.") for address in own_addresses())


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the tests run as an unprivileged user."""
    monkeypatch.setattr(machine, "is_root", lambda: False)
    monkeypatch.setenv("HOME", "/home/student")


@pytest.mark.usefixtures("ordinary_user")
@pytest.mark.parametrize("environ", [{}, {"XDG_CACHE_HOME": ""}])
def test_the_cache_must_be_in_the_systems_cache_folder(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder(environ) == Path("/home/student/.cache/mlflow-compose")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder(environ) == Path("/home/student/Library/Caches/mlflow-compose")


@pytest.mark.usefixtures("ordinary_user")
def test_the_cache_must_be_in_the_users_chosen_folder() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/scratch"}) == Path("/scratch/mlflow-compose")


@pytest.mark.usefixtures("ordinary_user")
def test_the_path_of_the_cache_must_be_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts that contain its path run from another folder."""
    monkeypatch.chdir(tmp_path)
    assert cache_folder({"XDG_CACHE_HOME": "here"}) == tmp_path / "here" / "mlflow-compose"


def test_the_cache_of_root_must_be_accessible_to_the_databases_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root's home folder is closed to others, wherever it is."""
    monkeypatch.setattr(machine, "is_root", lambda: True)
    wanted = {"XDG_CACHE_HOME": "/root/.cache"}
    assert cache_folder(wanted) == cache_folder({}) == Path("/var/cache/mlflow-compose")


def test_root_must_be_the_user_with_uid_0() -> None:
    assert is_root() is (os.geteuid() == 0)


NAME = "run/supervisor.sock"
ID = "0123456789abcdef"


def folder_for(length: int, letter: str = "x") -> Path:
    """Return a folder in which the socket's path has at most `length` bytes."""
    room = length - len(f"//{NAME}")
    return Path("/" + letter * (room // len(letter.encode())))


@pytest.mark.parametrize("length", [30, LONGEST_SOCKET - 1, LONGEST_SOCKET])
def test_a_socket_must_be_in_the_stacks_folder_if_its_path_fits(length: int) -> None:
    assert len(str(folder_for(length) / NAME)) == length
    assert socket_path(folder_for(length), NAME, ID) == NAME


@pytest.mark.parametrize(
    "folder",
    [
        folder_for(LONGEST_SOCKET + 1),
        folder_for(400),
        # Bytes count, not characters.
        folder_for(LONGEST_SOCKET + 2, "é"),
    ],
    ids=["just", "much", "letters"],
)
def test_a_socket_must_be_elsewhere_if_its_path_would_be_too_long(folder: Path) -> None:
    """In a folder of this user, with a name unique to the stack."""
    path = socket_path(folder, NAME, ID)
    assert path == f"/tmp/mlflow-compose-{os.getuid()}/{ID}.sock"  # noqa: S108 - nothing is created
    assert path == socket_path(folder / "moved", NAME, ID)


def test_a_socket_must_not_depend_on_another_terminals_tmpdir(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = socket_path(folder_for(400), NAME, ID)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert socket_path(folder_for(400), NAME, ID) == before


@pytest.mark.parametrize("length", [LONGEST_SOCKET, 400])
def test_a_sockets_path_must_fit_the_systems_limit(length: int) -> None:
    """Also on macOS, and with the pid that supervisord appends while it creates the socket."""
    folder = folder_for(length)
    path = folder / socket_path(folder, NAME, ID)
    assert len(f"{path}.{2**22}") < 104


def test_the_tag_must_distinguish_pythons_with_different_packages() -> None:
    tag = python_tag()
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    assert tag.startswith(f"{sys.implementation.name}-{version}-")
    assert os.uname().machine in tag
    assert tag == python_tag()
    assert "/" not in tag
    assert " " not in tag


def test_the_main_address_must_be_that_of_the_default_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others, such as that of a VPN, come first in the order of their digits."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(machine.ELSEWHERE)
        except OSError:
            pytest.skip("this machine is not on a network")
        routed = str(probe.getsockname()[0])
    monkeypatch.setattr(machine, "own_addresses", lambda: ("0.1.2.3", routed))
    assert main_address() == routed
    monkeypatch.setattr(machine, "own_addresses", lambda: ("0.1.2.3",))
    assert main_address() == "0.1.2.3"
    monkeypatch.setattr(machine, "own_addresses", tuple)
    assert main_address() == socket.gethostname()


def test_a_full_disk_must_not_be_blamed_on_owners() -> None:
    folder = Path("/srv/class")
    for number in (errno.ENOSPC, errno.EROFS):
        hint = what_shows_why(OSError(number, os.strerror(number)), folder)
        assert hint == "df -h /srv/class shows the file system and its free space"
    assert what_shows_why(PermissionError(errno.EACCES, "denied"), folder).startswith("ls -ld")
