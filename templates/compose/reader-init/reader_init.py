"""Creates the role that can only read, with which pgAdmin connects, and lets it read the tables.

The packages next to this file are modules of mlflow-compose.
"""

import configparser
import os
import sys
from contextlib import closing

import psycopg2

from mlflow_compose.engines.inside.answer import Failure
from mlflow_compose.queries.inside import role


def main() -> int:
    """Create the role or bring it up to date; return the exit code."""
    logins = configparser.ConfigParser(interpolation=None)
    logins.read(os.environ["READER_FILE"], encoding="utf-8")
    login = logins["reader"]
    try:
        with closing(role.connect()) as owner:
            reader, _ = role.log_in(owner, login["user"], login["password"])
        reader.close()
    except (Failure, psycopg2.Error) as error:
        # What helps is not logged: it may contain the role's password as the server stores it.
        print(f"reader-init: {str(error).strip()}", file=sys.stderr)
        print("reader-init: mlflow-compose sql 'SELECT 1' shows what helps", file=sys.stderr)
        return 1
    print(f"reader-init: the role {login['user']} can read the tables of runs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
