"""`serve`: run a registered model as a service of the stack, and prove that it answers."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mlflow_compose.actions.envfile import EnvChange
from mlflow_compose.actions.plan import Plan
from mlflow_compose.actions.served import (
    EngineOf,
    clean,
    model_states,
    replaced,
    restart,
    states,
    with_models,
)
from mlflow_compose.checks import check_owner
from mlflow_compose.clients import ModelError, ModelServer, Tracking, TrackingError, Unreachable
from mlflow_compose.engines import Engine, holder_of, is_taken
from mlflow_compose.errors import (
    MlflowComposeError,
    PortTakenError,
    ServiceError,
    ServiceFailedError,
    UsageError,
)
from mlflow_compose.payloads import Served
from mlflow_compose.render import write
from mlflow_compose.result import Progress, Result
from mlflow_compose.settings.served import MAX_PORT, Reference, ServedModel

FIRST_PORT = 5100
SHOWN_CHARACTERS = 200
# Prefix of the sentence with which the server of a model reports a failure.
PREFIX = "serve_model: "
# The last line of a traceback.
EXCEPTION = re.compile(r"(\w+\.)*\w*(Error|Exception): .*")
HINT_REGISTER = "correct that, and register a new version"
HINT_LOG_AGAIN = (
    "log it again with pip_requirements that mlflow.pyfunc.load_model needs in a new environment"
)
UNKNOWN = frozenset({400, 404})


@dataclass(frozen=True)
class ServeRequest:
    """What to serve, and how.

    Attributes:
        reference: Which version of which model.
        port: Port on this machine; None to keep it, or for the next that is free.
        memory: Memory limit in Compose notation, empty for none; None to keep it.
        wait_timeout: Seconds until the model must be served.
    """

    reference: Reference
    port: int | None
    memory: str | None
    wait_timeout: float


def serve(plan: Plan, engine_of: EngineOf, progress: Progress, request: ServeRequest) -> Result:
    """Serve a model, and send it its input example; if that fails, restore the env file.

    Raises:
        UsageError: MLflow does not know the model, or the environment sets STACK_MODELS.
        PortTakenError: The port is in use.
        ServiceError: MLflow is not running, or the model cannot be served.
    """
    engine = engine_of(plan)
    engine.check()
    version = _registered(engine, request.reference)
    model = _model(plan, engine, request)
    before = plan.loaded.settings.models
    change, new = with_models(plan, replaced(before, model))
    if _serves_another(plan, engine, model, version):
        # The alias has moved: only a new start looks it up again.
        engine.stop_service(model.reference.service)
    change.apply()
    with _restored(plan, change, engine_of, progress):
        try:
            restart(new, engine_of, progress, request.wait_timeout)
            answer = _prove(new, engine_of(new), model, progress)
        except ServiceError as error:
            raise explained(error, model) from None
    return _result(new, engine_of(new), model, answer)


def _registered(engine: Engine, wanted: Reference) -> str:
    """Return the number of a registered version.

    Raises:
        UsageError: It does not exist.
        ServiceError: MLflow is not running.
    """
    try:
        check_owner(engine)
        client = Tracking.of(engine.stack)
        try:
            return _version(client, wanted)
        except TrackingError as error:
            if error.status not in UNKNOWN:
                raise
            raise _unknown(client, wanted) from None
    except Unreachable:
        raise ServiceError(
            "the stack is not running, so there is no model to serve",
            service="mlflow",
            hint="mlflow-compose up starts the stack",
        ) from None
    except TrackingError as error:
        raise ServiceError(
            f"MLflow does not return the model: {error}",
            service="mlflow",
            hint="mlflow-compose verify shows more",
        ) from None


def _version(client: Tracking, wanted: Reference) -> str:
    if wanted.alias:
        answer = client.get("registered-models/alias", name=wanted.model, alias=wanted.alias)
    else:
        answer = client.get("model-versions/get", name=wanted.model, version=wanted.version)
    return str(answer["model_version"]["version"])


def _unknown(client: Tracking, wanted: Reference) -> UsageError:
    """Return the error about a version that does not exist, with those that do."""
    try:
        found = client.get("registered-models/get", name=wanted.model)["registered_model"]
    except TrackingError:
        return UsageError(
            f"MLflow has no registered model {wanted.model}",
            hint="register it first, or look up its name on the page Models of MLflow",
        )
    latest = max((int(each["version"]) for each in found.get("latest_versions", ())), default=0)
    if not wanted.alias:
        return UsageError(
            f"the model {wanted.model} has no version {wanted.version}",
            hint=f"its latest version is {latest}" if latest else "it has no versions",
        )
    aliases = [each["alias"] for each in found.get("aliases", ())]
    return UsageError(
        f"the model {wanted.model} has no alias {wanted.alias}",
        hint=f"its aliases are {', '.join(aliases)}" if aliases else "it has no aliases",
    )


def _model(plan: Plan, engine: Engine, request: ServeRequest) -> ServedModel:
    """Return the model with its port and its limit: given, as before, or default."""
    models = {each.reference: each for each in plan.loaded.settings.models}
    before = models.get(request.reference)
    memory = request.memory if request.memory is not None else before.memory if before else ""
    if before and request.port in {None, before.port}:
        return ServedModel(request.reference, before.port, memory)
    address = plan.loaded.settings.stack_models_address
    if request.port is None:
        used = {port.published for _, port in engine.stack.ports}
        free = (
            n for n in range(FIRST_PORT, MAX_PORT) if n not in used and not is_taken(address, n)
        )
        return ServedModel(request.reference, next(free), memory)
    if is_taken(address, request.port):
        owner = holder_of(engine, request.port) or "another process"
        raise PortTakenError(
            f"port {request.port} is already in use by {owner}",
            hint="without --port, the next free one is used",
        )
    return ServedModel(request.reference, request.port, memory)


def _serves_another(plan: Plan, engine: Engine, model: ServedModel, version: str) -> bool:
    """Tell whether the model is served already, but in another version."""
    if all(each.reference != model.reference for each in plan.loaded.settings.models):
        return False
    state = states(plan.loaded.settings, engine).get(model.reference.service, {})
    return str(state.get("version", version)) != version


@contextmanager
def _restored(
    plan: Plan, change: EnvChange, engine_of: EngineOf, progress: Progress
) -> Iterator[None]:
    """Restore the env file, the rendered files and the services if the block fails."""
    try:
        yield
    except BaseException as error:
        change.undo()
        if isinstance(error, MlflowComposeError):
            # It may be another model that does not start.
            with suppress(ServiceError):
                restart(plan, engine_of, progress)
                clean(plan, engine_of(plan))
        else:
            write(plan.rendering(), plan.folder)
        raise


def _prove(plan: Plan, engine: Engine, model: ServedModel, progress: Progress) -> str | None:
    """Return the answer to the model's input example, as JSON; None if it has none.

    Raises:
        ServiceFailedError: There are none, although it has one.
    """
    name = model.reference.service
    server = ModelServer(plan.stack.urls[name])
    with progress.step(f"Proving: {model.reference.text} answers its input example"):
        try:
            server.ping()
            path = states(plan.loaded.settings, engine).get(name, {}).get("example")
            if not path:
                return None
            return json.dumps(server.predict(engine.run(name, ["cat", path]).stdout))
        except ModelError as error:
            raise ServiceFailedError(
                f"{model.reference.text} is loaded, but fails with its own input example: {error}",
                service=name,
                hint="log the model again with an input example that it accepts",
            ) from None


def explained(error: ServiceError, model: ServedModel) -> ServiceError:
    """Return an error with the reason, which is among the last lines of the model's server."""
    if error.service != model.reference.service:
        return error
    name, lines = model.reference.text, error.message.splitlines()
    if reasons := [line.partition(PREFIX)[2] for line in lines if PREFIX in line]:
        message, hint = f"{name} cannot be served: {reasons[-1]}", HINT_REGISTER
    elif raised := [found[0] for line in lines if (found := EXCEPTION.search(line))]:
        message, hint = f"{name} cannot be loaded: {raised[-1]}", HINT_LOG_AGAIN
    else:
        return error
    return type(error)(message, service=error.service, hint=hint)


def _result(plan: Plan, engine: Engine, model: ServedModel, answer: str | None) -> Result:
    name = model.reference.service
    state = next(each for each in model_states(plan, engine) if each.service == name)
    proof = "it has no input example, so only GET /ping was checked"
    if answer is not None:
        proof = f"answer to its input example: {answer[:SHOWN_CHARACTERS]}"
    lines = [
        f"{state.model} version {state.version} is served at {state.url}/invocations",
        proof,
        f"mlflow-compose serve --stop {model.reference.text} stops it",
    ]
    return Result(Served(state, answer), lines)
