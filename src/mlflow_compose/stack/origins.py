"""Allowed Host headers and CORS origins of the tracking server."""

from collections.abc import Mapping, Sequence

from mlflow_compose.settings import Settings
from mlflow_compose.stack.site import url_host
from mlflow_compose.stack.tls import own_names
from mlflow_compose.tls import Certificate

DEFAULT_PORTS = {"http": 80, "https": 443}


def allowed_hosts(
    settings: Settings, lan_names: Sequence[str], certificate: Certificate
) -> list[str]:
    """Return the values of `--allowed-hosts`."""
    # The option replaces MLflow's defaults, so it repeats them; ports are part of a Host header.
    own = url_host(settings.stack_bind_address)
    names = dict.fromkeys(
        ("mlflow", "localhost", "127.0.0.1", "[::1]", own, *lan_names, *_certified(certificate))
    )
    # In a pattern with a *, a bracket would start a character set (Python's fnmatch).
    hosts = [form for name in names for form in (name, name.replace("[", "[[]") + ":*")]
    return hosts + _comma_list(settings.mlflow_allowed_hosts)


def origin_options(
    settings: Settings, lan_names: Sequence[str], certificate: Certificate
) -> Mapping[str, str]:
    """Return the option for the CORS origins of the tracking server."""
    # MLflow refuses a browser's POST from any origin but localhost, even from its own pages.
    scheme = "https" if settings.uses_tls else "http"
    # Browsers omit the default port of a scheme.
    port = "" if settings.mlflow_port == DEFAULT_PORTS[scheme] else f":{settings.mlflow_port}"
    names = dict.fromkeys((*lan_names, *_certified(certificate)))
    origins = [f"{scheme}://{name}{port}" for name in names]
    origins += _comma_list(settings.mlflow_cors_origins)
    return {"--cors-allowed-origins": ",".join(origins)} if origins else {}


def _certified(certificate: Certificate) -> Sequence[str]:
    """Return the names of the user's certificate, which are names of this server."""
    return () if certificate.is_own else own_names(certificate)


def _comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
