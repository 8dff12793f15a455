"""Wait for MLflow's database, and end with one sentence if that refuses MLflow for good.

MLflow itself would try again for minutes, whatever the reason, before it says so.
"""

import sys
import time

import psycopg2

HOPELESS = ("password authentication failed", "does not exist")
# Seconds; after them, MLflow may say what is wrong.
PATIENCE, ASK_EVERY, SAY_AFTER = 300.0, 0.2, 20.0


def main(patience: float = PATIENCE) -> int:
    """Log in until it works or is refused; a database that does not answer may still come."""
    began, told = time.monotonic(), False
    while problem := refusal():
        if any(word in problem for word in HOPELESS):
            print(f"PostgreSQL refuses MLflow: {problem}", file=sys.stderr)
            return 1
        waited = time.monotonic() - began
        if waited > min(SAY_AFTER, patience) and not told:
            told = True
            print(f"waiting for PostgreSQL: {problem}", file=sys.stderr, flush=True)
        if waited > patience:
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
