"""`serve --list` and `serve --stop`, and what both and `serve` know about served models."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.lifecycle import up
from mlflow_compose.actions.new_settings import with_values
from mlflow_compose.actions.plan import Plan
from mlflow_compose.engines import Engine
from mlflow_compose.errors import UsageError
from mlflow_compose.payloads import ModelState, NotServed, ServedList
from mlflow_compose.render import write
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings import Settings
from mlflow_compose.settings.served import Reference, ServedModel, reference, written
from mlflow_compose.stack.components.model_server import FOLDER_VARIABLE, VOLUME

VARIABLE = "STACK_MODELS"
READ_STATES = f'cat "${FOLDER_VARIABLE}"/models/*/served.json'
CLEAN = """
cd "$%s"/models
for found in *; do
    case " $* " in *" $found "*) ;; *) rm -r "$found" ;; esac
done
"""

EngineOf = Callable[[Plan], Engine]


def parsed(text: str) -> Reference:
    """Return the reference that a user typed.

    Raises:
        UsageError: It is not one.
    """
    found = reference(text)
    if not found:
        raise UsageError(
            f"{text} names no version of a model",
            hint="name it as MODEL@ALIAS or MODEL/VERSION, such as wine@champion or wine/3",
        )
    return found


def list_models(plan: Plan, engine: Engine) -> Result:
    """List the served models with their versions and health."""
    engine.check()
    models = model_states(plan, engine)
    lines = [_line(model) for model in models]
    none = "no model is served; mlflow-compose serve MODEL@ALIAS serves one"
    return Result(ServedList(models), lines or [none])


def stop_models(plan: Plan, engine_of: EngineOf, progress: Progress, text: str) -> Result:
    """Serve a model no longer: one version, or all versions of it.

    Raises:
        UsageError: It is not served.
        ServiceError: The rest of the stack does not start.
    """
    before = plan.loaded.settings.models
    stopped = [each for each in before if text in {each.reference.text, each.reference.model}]
    if not stopped:
        names = ", ".join(each.reference.text for each in before) or "none"
        raise UsageError(f"{text} is not served", hint=f"served models: {names}")
    rest = [each for each in before if each not in stopped]
    change, new = with_models(plan, rest)
    engine = engine_of(plan)
    engine.check()
    runs = bool(engine.status())
    change.apply()
    restart(new, engine_of, progress) if runs else write(new.rendering(), new.folder)
    if runs or not rest:
        clean(new, engine_of(new))
    gone = [each.reference.text for each in stopped]
    return Result(NotServed(gone), [f"no longer served: {', '.join(gone)}"])


def restart(plan: Plan, engine_of: EngineOf, progress: Progress, wait_timeout: float = 120) -> None:
    """Start what a plan adds to a running stack, and remove what it lacks."""
    engine = engine_of(plan)
    up(plan, engine, progress, wait_timeout=wait_timeout, prove=False, engine_of=engine_of)


def clean(plan: Plan, engine: Engine) -> None:
    """Delete the files of models that are not served any more; of all, with their environments."""
    services = [model.reference.service for model in plan.loaded.settings.models]
    if services:
        engine.run(services[0], ["sh", "-c", CLEAN % FOLDER_VARIABLE, "sh", *services])
    else:
        engine.remove_volumes({VOLUME})


def with_models(plan: Plan, models: Sequence[ServedModel]) -> tuple[EnvChange, Plan]:
    """Return the change of the env file for other models, and the plan after it.

    Raises:
        UsageError: The environment sets the variable.
        SettingsError: The new value is wrong.
    """
    return with_values(plan, {VARIABLE: written(models)}, "serve")


def model_states(plan: Plan, engine: Engine) -> tuple[ModelState, ...]:
    """Return the served models with their versions and health."""
    found = {status.name: status for status in engine.status()}
    served = states(plan.loaded.settings, engine) if found else {}
    models = []
    for model in plan.loaded.settings.models:
        name = model.reference.service
        models.append(
            ModelState(
                model.reference.model,
                model.reference.alias or None,
                served.get(name, {}).get("version"),
                name,
                plan.stack.urls[name],
                found[name].state if name in found else "",
                found[name].health if name in found else "",
            )
        )
    return tuple(models)


def states(settings: Settings, engine: Engine) -> Mapping[str, Mapping[str, Any]]:
    """Return what the servers of models wrote about themselves, by service."""
    if not settings.models:
        return {}
    outcome = engine.run(settings.models[0].reference.service, ["sh", "-c", READ_STATES])
    found = {}
    for line in outcome.stdout.decode(errors="replace").splitlines():
        with suppress(ValueError, KeyError):
            state = json.loads(line)
            found[state["service"]] = state
    return found


def replaced(models: Sequence[ServedModel], model: ServedModel) -> list[ServedModel]:
    """Return models with one that is new, or replaces one of the same reference."""
    return [*({each.reference: each for each in models} | {model.reference: model}).values()]


def _line(model: ModelState) -> str:
    version = f"version {model.version}" if model.version else "not started"
    alias = f" ({model.alias})" if model.alias else ""
    health = model.health or model.state or "not running"
    return f"{model.model:<16} {version + alias:<24} {health:<12} {model.url}"
