"""Check from inside the stack whether its parts work together."""

import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress

from mlflow_compose.checks.probe import artifacts, database
from mlflow_compose.checks.probe.links import BrokenLink, Request
from mlflow_compose.engines.inside import answer

# Seconds for all checks: a server may accept a connection and then never answer.
DEADLINE = 120


def prepare() -> None:
    """Import what the checks need, while the request is still unknown; errors are ignored."""
    # A check reports what is missing, if the stack needs it.
    with suppress(ImportError):
        from sqlalchemy.dialects.postgresql.psycopg2 import dialect

        dialect.import_dbapi()
    if os.environ.get("MLFLOW_S3_ENDPOINT_URL"):
        with suppress(ImportError):
            artifacts.client()


def check_network(request: Request) -> str:
    """Call the tracking server by the name that other containers use."""
    server = request["tracking"]
    url = f"{server}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        # Bypass the environment's proxy: it cannot resolve the names of this network.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as response:
            return f"{server} answered {response.status}"
    except urllib.error.HTTPError as error:
        if error.code == 401:  # noqa: PLR2004 - it answers, but requires a login
            return f"{server} answered 401: login is on"
        body = error.read().decode(errors="replace")
        cause = "host_refused" if "Host header" in body else "mlflow_error"
        raise BrokenLink(cause, f"{error.code}: {body[:200]}") from error
    except OSError as error:
        raise BrokenLink("mlflow_down", str(error)) from error


def clean(request: Request) -> str:
    """Delete everything that the verification created, permanently."""
    # Before the rows are deleted: they identify the objects of this verification.
    prefixes = database.prefixes(request)
    try:
        database.clean(request)
    finally:
        artifacts.clean(request, prefixes)
    return "nothing left"


CHECKS: Mapping[str, Callable[[Request], str]] = {
    "database": database.check,
    "bucket": artifacts.check,
    "isolation": artifacts.check_isolation,
    "network": check_network,
    "clean up": clean,
}


def outcome(check: Callable[[Request], str], request: Request) -> dict[str, object]:
    """Run one check; return its cause, detail and duration."""
    start, cause = time.perf_counter(), ""
    try:
        detail = check(request)
    except BrokenLink as error:
        cause, detail = error.cause, str(error)
    seconds = round(time.perf_counter() - start, 3)
    return {"cause": cause, "detail": detail, "seconds": seconds}


def main(request: Request) -> dict[str, dict[str, object]]:
    """Run the checks that the request names; return their outcomes."""
    found: dict[str, dict[str, object]] = {}

    def give_up() -> None:
        (name, *_) = (name for name in request["only"] if name not in found)
        answer.give_up(f"the check {name!r} had no answer within {DEADLINE} seconds")

    watchdog = threading.Timer(DEADLINE, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        for name in request["only"]:
            found[name] = outcome(CHECKS[name], request)
    finally:
        watchdog.cancel()
    return found
