"""Wait for MLflow's database, and end with one sentence if that refuses MLflow for good.

MLflow itself would try again for minutes, whatever the reason, before it says so.
"""

import sys
import time

import psycopg2

HOPELESS = ("password authentication failed", "does not exist")
# Seconds; after them, MLflow may say what is wrong.
PATIENCE, ASK_EVERY = 60.0, 0.2


def main(patience: float = PATIENCE) -> int:
    """Log in once; only a refusal counts, since a database that is not there yet may come."""
    deadline = time.monotonic() + patience
    while problem := refusal():
        if any(word in problem for word in HOPELESS):
            print(f"PostgreSQL refuses MLflow: {problem}", file=sys.stderr)
            return 1
        if time.monotonic() > deadline:
            print(f"PostgreSQL does not answer: {problem}", file=sys.stderr)
            break
        time.sleep(ASK_EVERY)
    return 0


def refusal() -> str:
    """Return why the database cannot be used, nothing if it can."""
    try:
        psycopg2.connect("service=mlflow connect_timeout=5").close()
    except psycopg2.OperationalError as error:
        return str(error).strip()
    return ""


if __name__ == "__main__":
    sys.exit(main())
