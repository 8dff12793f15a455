"""The settings of a stack that are no secrets."""

from collections.abc import Mapping

from pydantic import SecretStr

from mlflow_compose.settings.model import Settings, declared
from mlflow_compose.settings.names import has_login, is_secret_variable


def without_secrets(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values of variables that are no secrets."""
    settings = {name: info.annotation is SecretStr for name, info in declared()}

    def is_secret(name: str, value: str) -> bool:
        # The name of a setting does not tell: STACK_TLS_KEY is the path of a file.
        if name in settings:
            return settings[name] or has_login(value)
        return is_secret_variable(name, value)

    return {name: value for name, value in values.items() if not is_secret(name, value)}


def public_values(settings: Settings) -> Mapping[str, str]:
    """Return the settings that are set and are no secrets, by variable, as they are written."""
    found = {
        name: value
        for name, _ in declared()
        if name.lower() in settings.model_fields_set
        and not isinstance(value := getattr(settings, name.lower()), SecretStr)
    }
    written = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in found.items()
    }
    server = {
        name: value
        for name, value in settings.server_variables.items()
        if not is_secret_variable(name, value)
    }
    return {**written, **server}
