"""Allowed Host headers and CORS origins of the tracking server."""

from collections.abc import Mapping, Sequence

from mlflow_compose.settings import Settings
from mlflow_compose.stack.site import url_host

HTTP_PORT = 80


def allowed_hosts(settings: Settings, lan_names: Sequence[str]) -> list[str]:
    """Return the values of `--allowed-hosts`."""
    # The option replaces MLflow's defaults, so it repeats them; ports are part of a Host header.
    own = url_host(settings.stack_bind_address)
    names = dict.fromkeys(("mlflow", "localhost", "127.0.0.1", "[::1]", own, *lan_names))
    # In a pattern with a *, a bracket would start a character set (Python's fnmatch).
    hosts = [form for name in names for form in (name, name.replace("[", "[[]") + ":*")]
    return hosts + _comma_list(settings.mlflow_allowed_hosts)


def origin_options(settings: Settings, lan_names: Sequence[str]) -> Mapping[str, str]:
    """Return the option for the CORS origins of the tracking server."""
    # MLflow refuses a browser's POST from any origin but localhost, even from its own pages.
    # Browsers omit the default port of http.
    port = "" if settings.mlflow_port == HTTP_PORT else f":{settings.mlflow_port}"
    origins = [f"http://{name}{port}" for name in lan_names]
    origins += _comma_list(settings.mlflow_cors_origins)
    return {"--cors-allowed-origins": ",".join(origins)} if origins else {}


def _comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
