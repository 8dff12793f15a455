"""Wait until MLflow can log in to PostgreSQL; fail at once if the login is rejected for good.

MLflow itself retries for minutes before it reports an error, whatever the reason.
"""

import sys
import time

import psycopg2

HOPELESS = ("password authentication failed", "does not exist")
# Seconds. After PATIENCE, MLflow starts anyway and reports the error itself.
PATIENCE, RETRY_EVERY, REPORT_AFTER = 300.0, 0.2, 20.0


def main(patience: float = PATIENCE) -> int:
    """Log in until it works or is rejected; a database that does not answer may be starting."""
    start, reported = time.monotonic(), False
    while problem := login_error():
        if any(word in problem for word in HOPELESS):
            print(f"PostgreSQL rejected MLflow's login: {problem}", file=sys.stderr)
            return 1
        waited = time.monotonic() - start
        if waited > min(REPORT_AFTER, patience) and not reported:
            reported = True
            print(f"waiting for PostgreSQL: {problem}", file=sys.stderr, flush=True)
        if waited > patience:
            break
        time.sleep(RETRY_EVERY)
    return 0


def login_error() -> str:
    """Return why the login failed, nothing if it worked."""
    try:
        psycopg2.connect("service=mlflow connect_timeout=5").close()
    except psycopg2.OperationalError as error:
        return str(error).strip()
    return ""


if __name__ == "__main__":
    sys.exit(main())
