"""`config`: the settings of a stack and their sources."""

from pydantic import SecretStr

from mlflow_compose.actions.notes import key_notes
from mlflow_compose.actions.plan import Plan
from mlflow_compose.payloads import Config, DeclaredSetting, Setting, SettingsList
from mlflow_compose.result import Result
from mlflow_compose.settings import Loaded, declared
from mlflow_compose.settings.example import default_text
from mlflow_compose.settings.fields import generated_of
from mlflow_compose.settings.names import is_secret_variable
from mlflow_compose.stack.model import MASK


def config(plan: Plan) -> Result:
    """Show every setting with its source; secrets masked."""
    loaded = plan.loaded
    shown = {**_own(loaded), **_server(loaded)}
    width = max(map(len, shown))
    lines = [f"{name:<{width}}  {value:<28}  {source}" for name, (value, source) in shown.items()]
    if loaded.foreign:
        lines += ["", f"not used by the stack: {', '.join(loaded.foreign)}"]
    data = Config(
        settings={name: Setting(*found) for name, found in shown.items()},
        foreign=loaded.foreign,
        s3_key_is_limited=plan.stack.key_is_limited if plan.stack.s3_provider else None,
    )
    return Result(data, [*lines, *loaded.notes, *key_notes(plan.stack)])


def list_settings() -> Result:
    """List all settings with their defaults and descriptions."""
    found = {
        name: ("random" if generated_of(info) else default_text(info), str(info.description))
        for name, info in declared()
    }
    width = max(map(len, found))
    lines = [
        line
        for name, (default, about) in found.items()
        for line in (f"{name:<{width}}  {about}", f"{'':<{width}}  default: {default or 'empty'}")
    ]
    data = SettingsList({name: DeclaredSetting(*known) for name, known in found.items()})
    return Result(data, lines)


def _own(loaded: Loaded) -> dict[str, tuple[str, str]]:
    return {
        name: (_text(getattr(loaded.settings, name.lower())), loaded.sources[name])
        for name, _ in declared()
    }


def _server(loaded: Loaded) -> dict[str, tuple[str, str]]:
    return {
        name: (MASK if is_secret_variable(name, value) else value, loaded.sources[name])
        for name, value in loaded.settings.server_variables.items()
    }


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
