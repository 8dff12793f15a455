"""Who an S3 client is: never whom the user's AWS profiles name, which are for other servers."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.session import Session

# Where boto3 finds a role: of a pod, of a container, of a machine.
ROLES = ("assume-role-with-web-identity", "container-role", "iam-role")


def session(*, uses_role: bool) -> "Session":
    """Return a session without what is the user's; without a key, with nothing but a role."""
    import botocore.session

    nothing = (None, None, os.devnull, None)
    own: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": nothing,
        "credentials_file": nothing,
        "ignore_configured_endpoint_urls": (None, None, True, None),
    }
    found = botocore.session.Session(session_vars=own)
    if uses_role:
        chain = found.get_component("credential_provider")
        chain.providers = [each for each in chain.providers if each.METHOD in ROLES]
    return found
