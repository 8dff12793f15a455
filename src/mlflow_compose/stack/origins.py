"""By which names the tracking server may be called, and from which pages."""

from collections.abc import Mapping, Sequence

from mlflow_compose.settings import Settings
from mlflow_compose.stack.site import url_host

HTTP_PORT = 80


def allowed_hosts(settings: Settings, lan_names: Sequence[str]) -> list[str]:
    """Return the names by which the server may be called, as `--allowed-hosts` has them."""
    # The option replaces MLflow's defaults, and a name is allowed with and without a port.
    own = url_host(settings.stack_bind_address)
    names = dict.fromkeys(("mlflow", "localhost", "127.0.0.1", "[::1]", own, *lan_names))
    # In a form with a * a bracket would begin a set of characters (Python's fnmatch).
    hosts = [form for name in names for form in (name, name.replace("[", "[[]") + ":*")]
    return hosts + _comma_list(settings.mlflow_allowed_hosts)


def origin_options(settings: Settings, lan_names: Sequence[str]) -> Mapping[str, str]:
    """Return the option for the origins of pages that may call the tracking server."""
    # MLflow refuses a browser's POST from any origin but localhost, its own pages included.
    # Browsers leave the port of http out.
    port = "" if settings.mlflow_port == HTTP_PORT else f":{settings.mlflow_port}"
    origins = [f"http://{name}{port}" for name in lan_names]
    origins += _comma_list(settings.mlflow_cors_origins)
    return {"--cors-allowed-origins": ",".join(origins)} if origins else {}


def _comma_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
