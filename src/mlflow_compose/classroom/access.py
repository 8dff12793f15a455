"""What the people of a seat need in order to use it."""

from dataclasses import dataclass, field

from mlflow_compose.people import Person


@dataclass(frozen=True)
class Access:
    """How the people of one seat reach their tracking server.

    Attributes:
        seat: Name of the seat.
        people: Who works there: one person, or a team.
        url: URL of the tracking server, from the network if it is meant for the network.
        user: User name.
        password: Password.
        experiment: Experiment of their own on a server that the class shares, empty if the server
            is theirs alone, or if they have a workspace.
        workspace: Workspace of their own on a server that the class shares, empty if there is none.
        ca_certs: CA certificates in PEM form that the server's certificate is verified with, empty
            if it has none, or one that every client trusts.
    """

    seat: str
    people: tuple[Person, ...]
    url: str
    user: str
    password: str = field(repr=False)
    experiment: str = ""
    workspace: str = ""
    ca_certs: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """Where what they store is: their server, or their place on one that the class shares."""
        return self.workspace or self.experiment or self.seat

    @property
    def names(self) -> str:
        """The names of its people, or the seat's if they are not known."""
        return ", ".join(person.name for person in self.people) or self.seat
