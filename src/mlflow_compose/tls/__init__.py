"""Certificates: those of the stack's own CA, and the checks of the user's.

It is the only room that knows X.509. Files of the user are read here, and the stack's own CA is
kept in the state folder; everything else receives PEM texts.
"""

from mlflow_compose.tls.authority import keep_own, own_certificate
from mlflow_compose.tls.certificate import Certificate, covers, expiry
from mlflow_compose.tls.files import problems_of_files, read_files

__all__ = [
    "Certificate",
    "covers",
    "expiry",
    "keep_own",
    "own_certificate",
    "problems_of_files",
    "read_files",
]
