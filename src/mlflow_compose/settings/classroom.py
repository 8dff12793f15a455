"""The settings of a class."""

from typing import Literal

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import (
    Cpus,
    Generated,
    LoginPassword,
    OptionalPort,
    Port,
    PortRange,
    Seats,
    WorkerMemory,
    setting,
)
from mlflow_compose.settings.seats import Seat, seats_of
from mlflow_compose.settings.sections import CLASSROOM, MEMORY


class ClassSettings(BaseSettings):
    """Who takes part in a class, and with what; `class create` writes these settings."""

    class_mode: Literal["none", "seats", "shared"] = setting(
        "none",
        "A class: seats (a server, database and bucket for each), shared (one server) or none.",
        section=CLASSROOM,
    )
    class_seats: Seats = setting(
        "", "The seats, such as ada=5201 alan=5202; class add adds one.", section=CLASSROOM
    )
    class_seat_ports: PortRange = setting(
        "5201-5400", "Ports that new seats get, in this order.", section=CLASSROOM
    )
    class_tls_port: OptionalPort = setting(
        "",
        "With STACK_TLS, one port for all seats, each at /NAME/; empty: a port for each seat.",
        section=CLASSROOM,
    )
    class_secret: LoginPassword = setting(
        Generated(32, required=False),
        "Secret that passwords and keys of the seats are derived from.",
        section=CLASSROOM,
    )
    class_port: Port = setting(5200, "Port of the teacher's page (class serve).", section=CLASSROOM)
    class_password: LoginPassword = setting(
        Generated(20, required=False), "Password of the teacher's page.", section=CLASSROOM
    )
    class_seat_memory: WorkerMemory = setting(
        "1g",
        "Memory limit of each seat's server; without Docker (on Linux), it restarts beyond it.",
        section=MEMORY,
    )
    class_seat_cpus: Cpus = setting(
        "1.0",
        "Processor cores that each seat's server may use (with Docker); empty: all.",
        section=MEMORY,
    )

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The seats that have a server of their own."""
        return seats_of(self.class_seats) if self.class_mode == "seats" else ()

    @property
    def seats_port(self) -> int | None:
        """The port of the proxy that all seats share, None if each has its own."""
        has_seats = self.class_mode == "seats"
        return int(self.class_tls_port) if has_seats and self.class_tls_port else None
