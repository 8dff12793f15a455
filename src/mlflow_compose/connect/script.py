"""The program with which another machine checks its connection to the stack."""

from collections.abc import Mapping
from pprint import pformat

from mlflow_compose.connect.variables import ClientEnvironment
from mlflow_compose.stack import Stack

CALL = """

if __name__ == "__main__":
    raise SystemExit(main({stack}))
"""
# What writes the program again.
ENV = "mlflow-compose env --for lan --check FILE"


def check_script(
    source: str, stack: Stack, environment: ClientEnvironment, *, secrets: bool
) -> str:
    """Return the program: `templates/client/check_client.py`, called with facts about the stack.

    Args:
        source: Text of that file.
        stack: The stack.
        environment: Variables of clients on other machines.
        secrets: Whether the program contains their secret values; if not, it takes them from its
            environment, or asks.
    """
    facts = {
        "name": stack.name,
        "id": stack.identity,
        "login": stack.login is not None,
        "bucket": stack.stores.bucket,
        "variables": dict(environment.values(secrets=secrets)),
        "secret": [*environment.hidden(secrets=False)],
        "ca": stack.certificate.ca if stack.certificate else "",
        "again": ENV,
    }
    return check_program(source, facts)


def check_program(source: str, facts: Mapping[str, object]) -> str:
    """Return the program, called with facts.

    Args:
        source: Text of `templates/client/check_client.py`.
        facts: What its `main` needs.
    """
    return source + CALL.format(stack=pformat(dict(facts), sort_dicts=False))
