"""Another machine: a network namespace that reaches this one by a cable of its own."""

import os
import random
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from .security import other_addresses
from .tool import Output, environment, run

# Reserved for documentation, so that nothing uses it (RFC 5737); each machine gets a part of it.
RESERVED, PREFIX = IPv4Network("198.51.100.0/24"), 30
# `ip netns exec` mounts files in a namespace's folder over those in /etc.
MOUNTED = Path("/etc/netns")
NEEDED = ("ip", "iptables")


@dataclass(frozen=True)
class OtherMachine:
    """A network namespace, as a machine on which programs run.

    Attributes:
        name: Name of the namespace.
        gateway: Address of this machine for that one.
    """

    name: str
    gateway: str

    def run(self, *argv: str, code: int | None = 0, **variables: str) -> Output:
        """Run a command there."""
        env = environment(**variables)
        return run("ip", "netns", "exec", self.name, *argv, code=code, env=env)

    @contextmanager
    def dropping(self, port: int) -> Iterator[None]:
        """Drop its packets to a port without an answer, as many firewalls do."""
        rule = ("OUTPUT", "-p", "tcp", "--dport", str(port), "-j", "DROP")
        self.run("iptables", "-A", *rule)
        try:
            yield
        finally:
            self.run("iptables", "-D", *rule)

    @contextmanager
    def knowing(self, host: str, address: str) -> Iterator[None]:
        """Let a name resolve there."""
        hosts = MOUNTED / self.name / "hosts"
        hosts.write_text(f"{address} {host}\n", encoding="utf-8")
        try:
            yield
        finally:
            hosts.unlink()


def unused_network() -> IPv4Network:
    """Return two addresses that no other test has."""
    used = {IPv4Address(address) for address in other_addresses()}
    free = [part for part in RESERVED.subnets(new_prefix=PREFIX) if not used & {*part.hosts()}]
    # Another process may look at the same time.
    return random.choice(free)  # noqa: S311 - not a secret


@contextmanager
def other_machine() -> Iterator[OtherMachine]:
    """Connect another machine to this one while the block runs."""
    if os.geteuid() or not all(map(shutil.which, NEEDED)):
        pytest.skip("only root can create a network namespace")
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    # The prefix of virtual interfaces, which are not among this machine's addresses.
    here, there = f"veth{name[4:]}", "eth0"
    run("ip", "netns", "add", name)
    (MOUNTED / name).mkdir(parents=True)
    try:
        # Nothing listens there, so that names without an entry fail at once.
        (MOUNTED / name / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="utf-8")
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        gateway, address = map(str, unused_network().hosts())
        run("ip", "address", "add", f"{gateway}/{PREFIX}", "dev", here)
        run("ip", "link", "set", here, "up")
        machine = OtherMachine(name, gateway)
        machine.run("ip", "address", "add", f"{address}/{PREFIX}", "dev", there)
        machine.run("ip", "link", "set", there, "up")
        machine.run("ip", "link", "set", "lo", "up")
        machine.run("ip", "route", "add", "default", "via", gateway)
        yield machine
    finally:
        # With it, both ends of the cable.
        run("ip", "netns", "delete", name)
        shutil.rmtree(MOUNTED / name)
