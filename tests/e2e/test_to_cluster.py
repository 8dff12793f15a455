"""A stack moves from one machine into a cluster without losing a run, as the how-to says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT

from .cluster import Cluster, Namespace
from .conftest import LIVE
from .docker_stack import DockerStack
from .howto import Reader
from .images import known_images
from .moves import contents
from .running import WAIT_TIMEOUT, Run
from .tracking import Api

PAGE = ROOT / "docs" / "how-to" / "one-machine-to-a-cluster.md"
MOVE = "4. Move"
RUNS = 40
ROWS = "SELECT count(*) FROM {}"
TABLES = ("runs", "metrics", "latest_metrics", "params", "tags", "experiments", "model_versions")

pytestmark = pytest.mark.docker


def reader_of(stack: DockerStack, cluster: Cluster, namespace: str) -> Reader:
    """Return a reader of the page who moves a stack into a namespace."""
    typed = {
        "KUBE_NAMESPACE=mlflow": f"KUBE_NAMESPACE={namespace}",
        "--namespace mlflow": f"--namespace {namespace}",
        "namespaces/mlflow/": f"namespaces/{namespace}/",
        "--to kubernetes": f"--to kubernetes --wait-timeout={WAIT_TIMEOUT}",
        "mlflow-compose up": f"mlflow-compose up --wait-timeout={WAIT_TIMEOUT}",
    }
    return Reader(PAGE, stack.folder, cluster.environment(), typed)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[DockerStack]:
    """Return a stack on Docker, not started, that is deleted at the end."""
    made = DockerStack(tmp_path, {})
    LIVE.append(made)
    yield made
    LIVE.remove(made)
    made.purge()


def logged(stack: DockerStack) -> list[Run]:
    """Log runs with metrics and artifacts, and register a model."""
    runs = [stack.log_run() for _ in range(RUNS)]
    stack.api.post("registered-models/create", name="fraud")
    source = f"mlflow-artifacts:/{runs[0].experiment_id}/{runs[0].id}/artifacts/model"
    stack.api.post("model-versions/create", name="fraud", source=source, run_id=runs[0].id)
    return runs


def test_a_stack_must_move_into_a_cluster_as_the_page_says(
    stack: DockerStack, cluster: Cluster
) -> None:
    images = known_images()
    stack.up()
    cluster.load(images["POSTGRES_IMAGE"], images["MINIO_IMAGE"])
    # The tool itself copies what was built on this machine, which is all of the cluster.
    image = stack.image("mlflow")
    assert image not in cluster.images()
    runs = logged(stack)
    objects = contents(stack, stack.app_key, stack.bucket)
    rows = {table: stack.sql(ROWS.format(table)) for table in TABLES}
    volumes = stack.volumes()
    with cluster.namespace() as there:
        reader = reader_of(stack, cluster, there.name)
        sections = reader.sections()
        move = sections.index(MOVE)
        reader.follows(*sections[:move])
        expect_restored(stack, reader, there)
        moved = reader.follows(MOVE)
        assert image in cluster.images()
        assert f"{len(objects)} objects" in moved
        assert f"{RUNS} runs" in moved

        # Nothing runs here any more, and nothing was deleted.
        assert stack.ids() == {}
        assert stack.volumes() == volumes
        assert stack.settings["STACK_ENGINE"] == "kubernetes"
        assert rows_in(there) == rows
        reader.follows(*sections[move + 1 :])
        assert len(there.get("pods", "--selector=app.kubernetes.io/name=mlflow")["items"]) == 2
        expect(there, runs)


def expect_restored(stack: DockerStack, reader: Reader, there: Namespace) -> None:
    """Assert that a move which fails changes neither the stack on this machine nor its `.env`."""
    before, starts = stack.env_file.read_text(), stack.starts()
    override = stack.folder / "helm" / "values.override.yaml"
    kept = override.read_text()
    override.write_text(kept.replace("postgres: {", "postgres: {image: not-there:1, "))
    failed = reader.types("mlflow-compose migrate-store --to kubernetes", code=1)
    failed.shows("postgres", "not-there:1")
    override.write_text(kept)
    assert stack.env_file.read_text() == before
    stack.wait_until_healthy("postgres", "s3", "mlflow")
    # MLflow was never stopped.
    assert stack.starts() == starts
    assert there.get("pods")["items"] == []


def rows_in(there: Namespace) -> dict[str, list[str]]:
    """Return the number of rows of some tables, as the server in the cluster counts them."""
    psql = ("exec", "postgres-0", "--", "psql", "-XAt", "-U", "mlflow", "mlflow", "-c")
    return {table: there.kubectl(*psql, ROWS.format(table)).out.splitlines() for table in TABLES}


def expect(there: Namespace, runs: list[Run]) -> None:
    """Assert that MLflow in the cluster has the metrics and artifacts of runs."""
    with there.forward("service/mlflow", 5000) as url:
        api = Api(url)
        for each in runs:
            found = api.get("runs/get", run_id=each.id)["run"]["data"]["metrics"]
            assert [(one["key"], one["value"]) for one in found] == [("loss", each.loss)]
            assert api.artifact("GET", each.key).content == each.artifact
