"""Read everything from a tracking server as rows of MLflow's tables."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from mlflow_compose.clients import Tracking, TrackingError, Unreachable, Workspaces
from mlflow_compose.data.importing import rows
from mlflow_compose.data.importing.source import Source
from mlflow_compose.data.inside.row_mapping import normalize
from mlflow_compose.data.inside.shared import PARALLEL_REQUESTS
from mlflow_compose.errors import SourceError
from mlflow_compose.result import Progress

UNAUTHORIZED, FORBIDDEN = 401, 403
# Statuses of an unknown endpoint, and of one with another method.
UNSUPPORTED = (404, 405)
PAGE, MODELS_PAGE, POINTS_PAGE = 1000, 50, 25_000
# Prompts are registered models that a search only returns with this filter.
PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
LOGIN_HINT = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


class Owner(NamedTuple):
    """What an artifact location belongs to.

    Attributes:
        kind: run or model.
        id: Its id.
        server: Client for requests for its workspace.
    """

    kind: str
    id: str
    server: Tracking


# By artifact location.
Owners = dict[str, Owner]


def connect(source: Source) -> Tracking:
    """Return a client of a source that is an MLflow server.

    Raises:
        SourceError: The server does not answer like MLflow, or rejects the login.
    """
    tracking = Tracking(
        source.url, source.login, token=source.token, elsewhere=True, verify=source.verify
    )
    try:
        tracking.post("experiments/search", max_results=1, view_type="ALL")
    except Unreachable:
        raise SourceError(
            f"nothing answers at {source.url}", hint="start that server, or use another URL"
        ) from None
    except TrackingError as error:
        if error.status in {UNAUTHORIZED, FORBIDDEN}:
            raise SourceError(f"{source.url} rejects the login", hint=LOGIN_HINT) from None
        raise SourceError(
            f"{source.url} does not respond like an MLflow server: {error}",
            hint="it must be MLflow 2.0 or newer, at the URL of its web page",
        ) from None
    return tracking


class Reading:
    """Reads all entities of a server.

    Attributes:
        owners: Runs and models by artifact location.
        skipped: What the API does not return, one sentence each.
    """

    def __init__(self, tracking: Tracking, file: TextIO, progress: Progress) -> None:
        self._tracking = tracking
        self._workspace: rows.Json = {}
        self._file = file
        self._progress = progress
        self.owners: Owners = {}
        self.skipped: list[str] = []

    def read_all(self) -> None:
        """Write every row of every workspace to the file."""
        server = self._tracking
        if not server.capabilities().get("workspaces_enabled"):
            self._read()
            return
        for found in Workspaces(server).all():
            self._tracking = server.within(found.name)
            self._workspace = {"workspace": found.name}
            about = {"name": found.name, "description": found.about}
            self._write(iter((("workspaces", about),)))
            self._read()

    def _read(self) -> None:
        search = {"view_type": "ALL", "max_results": PAGE}
        call = partial(self._tracking.post, "experiments/search", **search)
        found = list(_pages(call, "experiments"))
        for number, entity in enumerate(found, 1):
            self._progress.detail(f"experiment {number} of {len(found)}: {entity['name']}")
            self._write(rows.experiment(entity))
            self._runs(entity["experiment_id"])
            self._logged_models(entity["experiment_id"])
            self._traces(entity)
        self._progress.detail("registered models")
        self._registry()

    def _write(self, found: Iterator[rows.TableRow]) -> None:
        for table, values in found:
            self._file.write(json.dumps((table, {**values, **self._workspace})) + "\n")

    def _own(self, kind: str, id_: str, info: rows.Json) -> None:
        self.owners[normalize(info["artifact_uri"])] = Owner(kind, id_, self._tracking)

    def _runs(self, experiment: str) -> None:
        body = {"experiment_ids": [experiment], "run_view_type": "ALL", "max_results": PAGE}
        call = partial(self._tracking.post, "runs/search", **body)
        with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
            for entity in _pages(call, "runs"):
                info = entity["info"]
                self._own("run", info["run_id"], info)
                self._write(rows.run(entity))
                keys = [metric["key"] for metric in entity.get("data", {}).get("metrics", ())]
                history = partial(self._history, info["run_id"])
                for points in pool.map(history, keys):
                    self._write(iter(points))

    def _history(self, run_id: str, key: str) -> list[rows.TableRow]:
        parameters = {"run_id": run_id, "metric_key": key, "max_results": POINTS_PAGE}
        call = partial(self._tracking.get, "metrics/get-history", **parameters)
        return [
            ("metrics", {"run_uuid": run_id, **rows.point(entity)})
            for entity in _pages(call, "metrics")
        ]

    def _logged_models(self, experiment: str) -> None:
        body = {"experiment_ids": [experiment], "max_results": MODELS_PAGE}
        call = partial(self._tracking.post, "logged-models/search", **body)
        for entity in _pages(_if_supported(call), "models"):
            info = entity["info"]
            self._own("model", info["model_id"], info)
            self._write(rows.logged_model(entity))

    def _traces(self, experiment: dict[str, Any]) -> None:
        """Report traces, which cannot be imported through the API."""
        call = partial(self._tracking.get, "traces", experiment_ids=experiment["experiment_id"])
        if _if_supported(partial(call, max_results=1))().get("traces"):
            self.skipped.append(f"the traces of experiment {experiment['name']}")

    def _registry(self) -> None:
        call = partial(self._tracking.get, "registered-models/search", max_results=PAGE)
        models = {entity["name"]: entity for entity in _pages(call, "registered_models")}
        found = _pages(_if_supported(partial(call, filter=PROMPTS)), "registered_models")
        prompts = {entity["name"]: entity for entity in found}
        for name, entity in (models | prompts).items():
            self._write(rows.registered_model(entity))
            quote = '"' if "'" in name else "'"
            named = f"name={quote}{name}{quote}"
            # A search for versions leaves out those of prompts, too.
            chosen = f"{named} AND {PROMPTS}" if name in prompts else named
            parameters = {"filter": chosen, "max_results": PAGE}
            search = partial(self._tracking.get, "model-versions/search", **parameters)
            for version in _pages(search, "model_versions"):
                self._write(rows.model_version(version, self._location(version)))

    def _location(self, version: dict[str, Any]) -> str:
        parameters = {"name": version["name"], "version": version["version"]}
        found = self._tracking.get("model-versions/get-download-uri", **parameters)
        return str(found.get("artifact_uri") or version.get("source", ""))


def read(tracking: Tracking, file: Path, progress: Progress) -> Reading:
    """Write all rows of a server to a JSON Lines file.

    Raises:
        SourceError: The server stopped answering, or its responses are not MLflow's.
    """
    try:
        with file.open("w", encoding="utf-8") as lines:
            reading = Reading(tracking, lines, progress)
            reading.read_all()
    except (Unreachable, TrackingError) as error:
        raise SourceError(
            f"the source stopped answering: {error}", hint="run the same command again to continue"
        ) from None
    except (KeyError, TypeError) as error:
        raise SourceError(f"the response of {tracking.url} is not MLflow's: {error!r}") from None
    # The service runs as another user.
    file.chmod(0o644)
    return reading


def _pages(call: Callable[..., dict[str, Any]], field: str) -> Iterator[dict[str, Any]]:
    """Yield the items under `field` of all pages."""
    response = call()
    yield from response.get(field, ())
    while token := response.get("next_page_token"):
        response = call(page_token=token)
        yield from response.get(field, ())


def _if_supported(call: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wrap a call to return an empty response if the server is too old for it."""

    def wrapped(**parameters: object) -> dict[str, Any]:
        try:
            return call(**parameters)
        except TrackingError as error:
            if error.status in UNSUPPORTED:
                return {}
            raise

    return wrapped
