"""End with one sentence where MLflow cannot log in to its database and never will.

MLflow itself would try again for minutes, whatever the reason, before it says so.
"""

import sys

import psycopg2

HOPELESS = ("password authentication failed", "does not exist")


def main() -> int:
    """Log in once; only a refusal counts, since a database that is not there yet may come."""
    try:
        psycopg2.connect("service=mlflow connect_timeout=5").close()
    except psycopg2.OperationalError as error:
        if any(word in str(error) for word in HOPELESS):
            print(f"PostgreSQL refuses MLflow: {error}".strip(), file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
