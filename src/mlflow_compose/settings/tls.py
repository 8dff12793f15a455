"""The settings of the proxy that encrypts connections."""

from typing import Literal

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import OneLine, PortOffset, setting
from mlflow_compose.settings.sections import TLS


class TlsSettings(BaseSettings):
    """Whether and how clients connect with TLS."""

    stack_tls: Literal["off", "internal", "files"] = setting(
        "off",
        "TLS: off, internal (a CA of the stack, which clients must trust) or files (your own).",
        section=TLS,
    )
    stack_tls_cert: OneLine = setting(
        "",
        "Certificate (PEM file, with intermediate ones), if STACK_TLS is files.",
        section=TLS,
    )
    stack_tls_key: OneLine = setting(
        "", "Private key of STACK_TLS_CERT (PEM file, without a passphrase).", section=TLS
    )
    stack_tls_ca: OneLine = setting(
        "",
        "CA certificates (PEM file) that signed STACK_TLS_CERT; empty: clients trust it already.",
        section=TLS,
    )
    stack_tls_offset: PortOffset = setting(
        10000,
        "Without Docker, servers behind TLS listen on 127.0.0.1, on their port plus this number.",
        section=TLS,
    )

    @property
    def uses_tls(self) -> bool:
        """Whether a proxy encrypts connections."""
        return self.stack_tls != "off"
