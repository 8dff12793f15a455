"""Copies an example and runs what its README says, as its reader would."""

import json
import os
import re
from pathlib import Path
from typing import Any

from .running import RunningStack
from .tool import Output, environment, run
from .tracking import Api

# What a reader's environment has anyway, and what this machine lacks.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MPLBACKEND": "agg",
    # Otherwise MLflow starts a Python process for each autologged model to infer its imports.
    "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
}
INSTALLED = ("pip install ", "Rscript -e ")


def follow(stack: RunningStack, name: str, folder: Path, **more: str) -> Output:
    """Copy an example to `folder` and run the commands that the tool prints.

    The packages are those of the tests. `more` is added to the environment.
    """
    copied = stack.tool("example", name, "--json", "--output", str(folder)).data
    commands = [typed(folder, one) for one in copied["commands"]]
    assert any(commands)
    return type_in(stack.folder, commands, **more)


def type_in(folder: Path, commands: list[str], **more: str) -> Output:
    """Run shell commands, of which each must succeed."""
    return run(
        *("bash", "-euo", "pipefail", "-c", "\n".join(commands)),
        folder=folder,
        env=environment(**QUIET, **proxied_packages(), **more),
    )


def typed(folder: Path, command: str) -> str:
    """Return what is typed for a command: nothing to install, and no browser."""
    if command.startswith(INSTALLED):
        return ""
    if notebook := re.fullmatch(r"jupyter lab (\S+)\.ipynb", command):
        cells_as_program(folder / f"{notebook[1]}.ipynb")
        return f"python {notebook[1]}.py"
    return command


def cells_as_program(notebook: Path) -> None:
    """Write the code cells of a notebook as one program beside it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert code
    notebook.with_suffix(".py").write_text("\n\n".join(code), encoding="utf-8")


def proxied_packages() -> dict[str, str]:
    """Return this machine's settings for installing packages."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in names if name in os.environ}


def runs_of(api: Api, experiment: str) -> dict[str, dict[str, Any]]:
    """Return the runs of an experiment by their names: id, params, last metrics and tags."""
    found = api.get("experiments/get-by-name", experiment_name=experiment)["experiment"]
    searched = api.post("runs/search", experiment_ids=[found["experiment_id"]], max_results=1000)
    return {run["info"]["run_name"]: _plain(run) for run in searched.get("runs", [])}


def _plain(run: dict[str, Any]) -> dict[str, Any]:
    assert run["info"]["status"] == "FINISHED"
    values = {
        kind: {one["key"]: one["value"] for one in run["data"].get(kind, [])}
        for kind in ("params", "metrics", "tags")
    }
    return {"id": run["info"]["run_id"], "uri": run["info"]["artifact_uri"], **values}


def artifacts(api: Api, run: dict[str, Any]) -> dict[str, int]:
    """Return the sizes of the files at the top of a run's artifacts."""
    listed = api.get("artifacts/list", run_id=run["id"]).get("files", [])
    return {file["path"]: file["file_size"] for file in listed if not file["is_dir"]}


def content(api: Api, run: dict[str, Any], path: str) -> bytes:
    """Return an artifact of a run."""
    return api.artifact("GET", f"{run['uri'].removeprefix('mlflow-artifacts:/')}/{path}").content
