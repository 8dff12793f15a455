"""Settings that work on this machine, but not in containers."""

from collections.abc import Iterator

from mlflow_compose.stack import Stack
from mlflow_compose.stack.components.postgres import NAME as POSTGRES

# initdb, which creates the image's first user, rejects them (and with `"` prints the password).
REFUSED = frozenset("\"$'\\")
REFUSED_TEXT = " ".join(sorted(REFUSED))


def own_hosts(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield settings that point a container to itself, with their values."""
    for name, host in stack.site.servers.items():
        if host in {"localhost", "::1"} or host.startswith("127."):
            yield name, host


def impossible_user(stack: Stack) -> str:
    """Return the database's user if PostgreSQL's image cannot create it, otherwise nothing."""
    user = stack.service(POSTGRES).environment["POSTGRES_USER"] if stack.has(POSTGRES) else ""
    return user if REFUSED.intersection(user) else ""
