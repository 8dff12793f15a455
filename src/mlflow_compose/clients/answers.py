"""Read what went wrong with an HTTP request."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import Response

SHOWN_CHARACTERS = 300


def was_refused(error: Exception) -> bool:
    """Tell whether a connection was refused, rather than interrupted."""
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    reason = error.args[0] if error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def tls_reason(error: Exception) -> str:
    """Return what is wrong with a certificate, in OpenSSL's words."""
    found = re.search(r"certificate verify failed: ([^()]+)", str(error))
    return found[1].strip() if found else "the TLS handshake failed"


def was_silent(error: Exception) -> bool:
    """Tell whether there was no response: a timeout, or a closed connection."""
    from requests import Timeout
    from urllib3.exceptions import ProtocolError

    reason = error.args[0] if error.args else None
    cut = isinstance(reason, ProtocolError) and isinstance(reason.args[-1], ConnectionError)
    return cut or isinstance(error, Timeout)


def reason_of(response: "Response") -> str:
    """Return why a server refused a request, in its own words."""
    try:
        body = response.json()
    except ValueError:
        body = None
    text = body.get("message") if isinstance(body, Mapping) else response.text
    return " ".join(str(text).split())[:SHOWN_CHARACTERS]
