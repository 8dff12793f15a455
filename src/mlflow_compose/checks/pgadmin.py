"""Check that pgAdmin reads the database, and only for those who know its password."""

from collections.abc import Callable
from functools import partial

from mlflow_compose.checks.proof import Mismatch
from mlflow_compose.clients import PgAdmin, PgAdminError, Unreachable, trusted
from mlflow_compose.engines import Engine

NAME = "pgadmin"
QUERY = "SELECT count(*) FROM runs"


def pgadmin_steps(engine: Engine) -> tuple[tuple[str, Callable[[], str]], ...]:
    """Return the step that checks pgAdmin, if the stack has it."""
    return ((NAME, partial(check_pgadmin, engine)),) if engine.stack.has(NAME) else ()


def check_pgadmin(engine: Engine) -> str:
    """Be refused without the login, log in, and query the listed database.

    Raises:
        Mismatch: Something else happened; it names the cause.
    """
    stack = engine.stack
    port = next(port.published for _, port in stack.ports if port.name == NAME)
    if not engine.listens_on(port) or not stack.pgadmin_login:
        # The password is only sent to this stack.
        raise Mismatch(f"port {port} is not the stack's", "pgadmin_down")
    try:
        return _check(PgAdmin(stack.urls[NAME], verify=trusted(stack)), *stack.pgadmin_login)
    except Unreachable as error:
        raise Mismatch(str(error), "pgadmin_down") from None
    except PgAdminError as error:
        raise Mismatch(str(error), "pgadmin_error") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Mismatch(f"this is not an answer of pgAdmin: {error!r}", "pgadmin_error") from None


def _check(client: PgAdmin, email: str, password: str) -> str:
    if client.has_page():
        raise Mismatch("its page is shown without a login", "pgadmin_open")
    with client.login(email, password) as is_accepted:
        if not is_accepted:
            raise Mismatch(f"it refuses {email}", "pgadmin_password")
        return _read(client)


def _read(client: PgAdmin) -> str:
    for server in client.servers():
        try:
            ((runs,),) = client.query(server, QUERY)
        except PgAdminError as error:
            raise Mismatch(str(error), "pgadmin_database") from None
        return f"{runs} runs read with the login, refused without"
    raise Mismatch("it lists no database", "pgadmin_database")
