"""PostgreSQL's data folder: which major version wrote it, and a place aside for the old one.

A server only reads the data of its own major version. The old folder stays on the same volume under
another name, so that it is back with one rename.
"""

import re
from dataclasses import dataclass

from mlflow_compose.engines import Engine
from mlflow_compose.errors import UpgradeError
from mlflow_compose.stack.components.postgres import NAME as POSTGRES

LOOK = 'cat "$PGDATA/PG_VERSION" 2>/dev/null || echo 0; postgres --version'
# A rename is all or nothing; `put_back` can be repeated after it was killed.
SET_ASIDE = '[ -d "$PGDATA-old" ] || mv "$PGDATA" "$PGDATA-old"'
PUT_BACK = 'if [ -d "$PGDATA-old" ]; then rm -rf "$PGDATA" && mv "$PGDATA-old" "$PGDATA"; fi'
DELETE_OLD = 'rm -rf "$PGDATA-old"'


@dataclass(frozen=True)
class Majors:
    """Major versions of PostgreSQL.

    Attributes:
        data: The version that wrote the data, 0 if there is none.
        server: The version of the image.
    """

    data: int
    server: int

    @property
    def differ(self) -> bool:
        """Whether the server cannot read the data."""
        return self.data not in {0, self.server}


def majors(engine: Engine) -> Majors:
    """Return the major versions of the bundled server's data and of its image.

    Raises:
        UpgradeError: They cannot be found out.
    """
    data, _, server = _run(engine, LOOK).partition("\n")
    version = re.search(r"\(PostgreSQL\) (\d+)", server)
    if not data.isdigit() or version is None:
        raise UpgradeError(
            "POSTGRES_IMAGE is no image of PostgreSQL: its command `postgres --version` does not "
            "print a version",
            hint="set another POSTGRES_IMAGE in .env",
        )
    return Majors(int(data), int(version[1]))


def set_aside(engine: Engine) -> None:
    """Move the data folder aside, so that the next start creates a new one."""
    _run(engine, SET_ASIDE)


def put_back(engine: Engine) -> None:
    """Replace the data folder by the one that was set aside, if there is one."""
    _run(engine, PUT_BACK)


def delete_old(engine: Engine) -> None:
    """Delete the data folder that was set aside, if there is one."""
    _run(engine, DELETE_OLD)


def _run(engine: Engine, script: str) -> str:
    outcome = engine.run(POSTGRES, ("sh", "-c", script))
    if outcome.exit_code:
        reason = engine.stack.mask(outcome.failure)
        raise UpgradeError(f"PostgreSQL's data folder cannot be used: {reason}")
    return outcome.stdout.decode()
