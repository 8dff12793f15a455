"""What the teacher's page is called, and where it is reached."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Page:
    """A teacher's page.

    Attributes:
        title: Name of the class.
        password: The teacher's password.
        port: Port of this machine.
        hosts: Names and addresses by which browsers reach it, without ports; IPv6 addresses in
            brackets.
        pem: Certificates and private key in PEM form; empty for a page without TLS.
        look_every: Seconds between two looks at the seats.
    """

    title: str
    password: str = field(repr=False)
    port: int
    hosts: Sequence[str]
    pem: str = field(default="", repr=False)
    look_every: float = 5.0

    @property
    def scheme(self) -> str:
        """The scheme of its URL."""
        return "https" if self.pem else "http"

    @property
    def cookie(self) -> str:
        """The name of its cookie, which browsers also send to other ports of the same host."""
        return f"class_page_{self.port}"
