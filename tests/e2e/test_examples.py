"""The examples, copied and run as their READMEs say; what they log is read from the server."""

import json
import math
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks

from .docker_stack import docker
from .lessons import artifacts, content, follow, runs_of, type_in
from .running import RunningStack, docker_only, left_to_soak, local_only

MODELS = (
    "SELECT count(*) FROM logged_models JOIN experiments USING (experiment_id) "
    "WHERE experiments.name = 'example: autologging'"
)
TRACES = (
    "SELECT count(*) FROM trace_info JOIN experiments USING (experiment_id) "
    "WHERE experiments.name = 'example: tracing'"
)
SPANS = (
    "SELECT spans.name, count(*) FROM spans JOIN experiments USING (experiment_id) "
    "WHERE experiments.name = 'example: tracing' GROUP BY 1"
)
PNG = b"\x89PNG"
# Their clients run outside of the stack, and see the same server on both engines.
once = local_only("the examples only differ in the address of the server")


@pytest.fixture
def server_first(shared: RunningStack) -> str:
    """Return a PATH whose first python has the whole of MLflow: the stack's own."""
    program = "import sys; print(sys.executable)"
    python = shared.execute("mlflow", "python", "-c", program).strip()
    tool = ROOT / ".venv" / "bin"
    return os.pathsep.join([str(Path(python).parent), str(tool), os.environ["PATH"]])


@left_to_soak("the other examples use the same client")
@once
def test_runs_without_a_server_must_be_imported(
    shared: RunningStack, server_first: str, tmp_path: Path
) -> None:
    follow(shared, "no-server", tmp_path / "mine", PATH=server_first)
    runs = runs_of(shared.api, "example: no server")
    assert {*runs} == {"rate 0.05", "rate 0.2", "rate 0.6"}
    best = runs["rate 0.6"]
    assert best["params"] == {"rate": "0.6"}
    assert best["metrics"]["distance"] < 1e-9
    history = shared.api.get("metrics/get-history", run_id=best["id"], metric_key="distance")
    assert len(history["metrics"]) == 20
    name, _, value = content(shared.api, best, "result.txt").decode().partition(" = ")
    assert name == "x"
    assert float(value) == pytest.approx(3)


@left_to_soak("the other examples use the same client")
@once
def test_a_local_server_must_keep_its_run_in_files(
    shared: RunningStack, server_first: str, tmp_path: Path
) -> None:
    follow(shared, "local-server", tmp_path / "mine", PATH=server_first)
    data = tmp_path / "mine" / "data"
    with sqlite3.connect(data / "mlflow.db") as database:
        logged = database.execute("SELECT key, value FROM latest_metrics").fetchall()
    assert logged == [("answer", 42.0)]
    (note,) = data.glob("artifacts/*/*/artifacts/note.txt")
    assert note.read_text(encoding="utf-8") == "sent to the server\n"


@once
def test_the_notebook_must_log_curves_files_and_plots(shared: RunningStack, tmp_path: Path) -> None:
    follow(shared, "tracking", tmp_path / "mine")
    runs = runs_of(shared.api, "example: tracking")
    assert {*runs} == {"rate 0.1", "rate 0.5", "rate 2.0"}
    for run in runs.values():
        assert run["params"]["steps"] == "50"
        assert run["metrics"]["accuracy"] > 0.8
        history = shared.api.get("metrics/get-history", run_id=run["id"], metric_key="loss")
        losses = [point["value"] for point in history["metrics"]]
        assert len(losses) == 50
        assert losses[0] == pytest.approx(math.log(2))
        assert {"boundary.png", "weights.json"} <= {*artifacts(shared.api, run)}
    best = min(runs.values(), key=lambda run: run["metrics"]["loss"])
    assert content(shared.api, best, "comparison.png").startswith(PNG)
    assert len(json.loads(content(shared.api, best, "weights.json"))["weights"]) == 3


@left_to_soak("the other examples use the same client")
@once
def test_autologging_must_log_params_scores_and_models(
    shared: RunningStack, tmp_path: Path
) -> None:
    follow(shared, "autologging", tmp_path / "mine")
    runs = runs_of(shared.api, "example: autologging")
    assert runs["SVC"]["params"]["C"] == "0.5"
    assert runs["LogisticRegression"]["params"]["max_iter"] == "500"
    for name, run in runs.items():
        assert run["metrics"][f"{name}_score_unseen"] > 0.9
        assert run["metrics"]["training_accuracy_score"] > 0.9
    stored = shared.sql(MODELS)
    assert stored == ["2"]


@left_to_soak("the other examples use the same client")
@once
def test_a_search_must_log_each_trial_below_its_parent(
    shared: RunningStack, tmp_path: Path
) -> None:
    follow(shared, "tuning", tmp_path / "mine")
    runs = runs_of(shared.api, "example: tuning")
    parent = runs.pop("search")
    assert len(runs) == 24
    assert {run["tags"]["mlflow.parentRunId"] for run in runs.values()} == {parent["id"]}
    best = max(runs.values(), key=lambda run: run["metrics"]["accuracy"])
    assert parent["metrics"]["accuracy"] == best["metrics"]["accuracy"] > 0.85
    assert content(shared.api, parent, "trials.png").startswith(PNG)


@once
def test_a_report_must_have_the_runs_that_were_found(shared: RunningStack, tmp_path: Path) -> None:
    follow(shared, "history", tmp_path / "mine")
    runs = runs_of(shared.api, "example: history")
    report = runs.pop("report")
    assert len(runs) == report["metrics"]["runs"] == 4
    page = content(shared.api, report, "report.html").decode()
    assert page.count("<polyline") == 4
    assert all(name in page for name in runs)


@once
def test_the_better_version_must_become_the_champion(shared: RunningStack, tmp_path: Path) -> None:
    follow(shared, "registry", tmp_path / "mine")
    name = "example-diabetes"
    champion = shared.api.get("registered-models/alias", name=name, alias="champion")
    assert champion["model_version"]["version"] == "2"
    found = shared.api.get("model-versions/search", filter=f"name = '{name}'")["model_versions"]
    errors = {
        version["version"]: float(tag["value"])
        for version in found
        for tag in version["tags"]
        if tag["key"] == "error"
    }
    assert errors["2"] < errors["1"]


@left_to_soak("the other examples use the same client")
@once
def test_a_project_must_run_in_an_environment_of_its_own(
    shared: RunningStack, tmp_path: Path
) -> None:
    follow(shared, "projects", tmp_path / "mine", MLFLOW_ENV_ROOT=str(tmp_path / "environments"))
    (run,) = runs_of(shared.api, "example: projects").values()
    assert run["params"] == {"points": "20000"}
    assert run["metrics"]["pi"] == pytest.approx(math.pi, abs=0.05)
    assert run["tags"]["mlflow.project.env"] == "uv"


@pytest.fixture
def project_images() -> Iterator[None]:
    """Remove the images that running a project with Docker makes."""
    yield
    docker("image", "rm", "mlflow-stack", "example-docker", code=None)


@docker_only("it needs the stack's image")
@pytest.mark.usefixtures("project_images")
def test_a_project_must_run_in_the_image_of_the_stack(shared: RunningStack, tmp_path: Path) -> None:
    shared.tool("example", "projects", "--output", str(tmp_path / "mine"))
    first, second = (
        block.commands
        for block in blocks(tmp_path / "mine" / "README.md")
        if block.language == "bash"
    )
    commands = [
        one.replace("cd projects", f"cd {tmp_path / 'mine'}")
        for one in (first[0], *second)
        if not one.startswith("pip install ")
    ]
    type_in(shared.folder, commands)
    (run,) = runs_of(shared.api, "example: projects").values()
    assert run["metrics"]["pi"] == pytest.approx(math.pi, abs=0.05)
    assert run["tags"]["mlflow.project.env"] == "docker"


@once
def test_traces_and_prompts_must_be_on_the_server(shared: RunningStack, tmp_path: Path) -> None:
    follow(shared, "tracing", tmp_path / "mine")
    assert shared.sql(TRACES) == ["3"]
    assert {"answer|3", "complete|3", "look_up|3"} <= {*shared.sql(SPANS)}
    assert shared.sql("SELECT name FROM assessments WHERE name = 'useful'") == ["useful"]
    alias = "SELECT alias, version FROM registered_model_aliases WHERE name = 'example-answer'"
    assert shared.sql(alias) == ["production|2"]


@once
def test_the_rest_example_must_leave_what_it_says(shared: RunningStack, tmp_path: Path) -> None:
    follow(shared, "rest", tmp_path / "mine")
    (run,) = runs_of(shared.api, "example: REST").values()
    assert run["params"] == {"rate": "0.1", "depth": "3"}
    assert run["metrics"] == {"loss": pytest.approx(1 / 3), "accuracy": 0.9}
    assert run["tags"]["stage"] == "final"
    assert "obsolete" not in run["tags"]
    assert content(shared.api, run, "notes/hello.txt") == b"sent by HTTP\n"
    found = shared.api.get("registered-models/alias", name="example-rest", alias="champion")
    assert (found["model_version"]["version"], found["model_version"]["run_id"]) == ("1", run["id"])
    with pytest.raises(AssertionError, match="404"):
        shared.api.get("model-versions/get", name="example-rest", version="2")


def has_r() -> bool:
    """Tell whether R and the packages of its example are installed."""
    packages = "library(httr2); library(jsonlite)"
    return (
        bool(shutil.which("Rscript"))
        and not subprocess.run(
            ["Rscript", "-e", packages], check=False, capture_output=True
        ).returncode
    )


@once
def test_r_must_log_a_model_and_its_plot(shared: RunningStack, tmp_path: Path) -> None:
    if not has_r():
        pytest.skip("R with httr2 is not installed")
    follow(shared, "r", tmp_path / "mine")
    (run,) = runs_of(shared.api, "example: R").values()
    assert run["metrics"] == pytest.approx({"r.squared": 0.6511, "sigma": 15.38}, abs=0.01)
    assert float(run["params"]["speed"]) == pytest.approx(3.932, abs=0.001)
    assert b"<svg" in content(shared.api, run, "fit.svg")
