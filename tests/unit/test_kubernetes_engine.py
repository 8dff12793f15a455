"""The engine for a cluster: where it is, whose it is, and what it refuses."""

import json
import os
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
import typer

from mlflow_compose import actions
from mlflow_compose.actions import Plan
from mlflow_compose.actions.changed import changed, places_of
from mlflow_compose.actions.notes import notes
from mlflow_compose.actions.screen import where
from mlflow_compose.actions.versions import check_mlflow
from mlflow_compose.cli.app import app
from mlflow_compose.cli.run import run
from mlflow_compose.connect import client_environment
from mlflow_compose.engines import Access
from mlflow_compose.engines.kubernetes import forward
from mlflow_compose.engines.kubernetes.availability import problem
from mlflow_compose.engines.kubernetes.cluster import Cluster, reason_of
from mlflow_compose.engines.kubernetes.contexts import locate
from mlflow_compose.engines.kubernetes.engine import KubernetesEngine
from mlflow_compose.engines.kubernetes.images import is_on
from mlflow_compose.engines.kubernetes.install import unlock, upgrade
from mlflow_compose.engines.kubernetes.loaders import Identity, Node, loader_of
from mlflow_compose.engines.kubernetes.ownership import Item, Release, check
from mlflow_compose.engines.kubernetes.unsupported import UNSUPPORTED
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.errors import EngineError, UpgradeError, UsageError
from mlflow_compose.identity import keep_identity
from mlflow_compose.paths import StackPaths
from mlflow_compose.record import Record, write_record
from mlflow_compose.stack import KUBERNETES, Stack
from mlflow_compose.targets import HELM
from tests.kubernetes import home
from tests.unit.fakes import FakeScreen
from tests.unit.samples import IDENTITY, built, env_text, settings

# Those that work in a cluster, or do not concern a running stack.
SUPPORTED = {
    *("up", "down", "status", "logs", "verify", "env", "open", "sql", "user", "workspace"),
    *("init", "render", "config", "plan", "diagram", "example", "completion", "load"),
    *("snapshots", "bundle", "migrate-store"),
}
ARGUMENTS = {
    "restore": ["one", "--yes"],
    "reset": ["--yes"],
    "import": ["mlruns"],
    "serve": ["wine@champion"],
    "service": ["install"],
    "class": ["up"],
    "dvc": ["init"],
}
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def cluster_stack(**values: str) -> Stack:
    """Return a stack in a cluster with these settings."""
    chosen = {"STACK_ENGINE": KUBERNETES, "KUBE_CONTEXT": "lab", **values}
    return built(settings(**chosen), HELM)


def cluster(**values: str) -> Cluster:
    found = cluster_stack(**values)
    assert found.site.namespace
    return Cluster(found, found.site.namespace, {"PATH": os.environ["PATH"]})


def engine(**values: str) -> KubernetesEngine:
    return KubernetesEngine(cluster_stack(**values), StackPaths(Path("/srv/.env")), {})


def test_every_command_must_either_work_in_a_cluster_or_tell_what_to_do_instead() -> None:
    assert {*UNSUPPORTED} | SUPPORTED == {*COMMANDS}
    assert not {*UNSUPPORTED} & SUPPORTED


@pytest.mark.parametrize("command", sorted(UNSUPPORTED))
def test_a_command_that_a_cluster_does_not_have_must_be_refused(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before kubectl is asked for anything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(env_text(f"STACK_ENGINE={KUBERNETES}"), encoding="utf-8")
    experiment = tmp_path / "mlruns" / "1"
    experiment.mkdir(parents=True)
    text = f"experiment_id: '1'\nname: one\nartifact_location: {experiment}\n"
    (experiment / "meta.yaml").write_text(text, encoding="utf-8")
    assert run([command, *ARGUMENTS.get(command, []), "--json"]) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert f"mlflow-compose {command} cannot be used" in error["message"]
    assert error["hint"] == UNSUPPORTED[command]


def test_a_snapshot_that_was_copied_here_must_be_verified_without_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(env_text(f"STACK_ENGINE={KUBERNETES}"), encoding="utf-8")
    assert run(["backup", "--verify", "lab.tar", "--json"]) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["message"] == "there is no archive lab.tar"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a kubectl with two contexts, the first of which is current."""
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")]
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps({"contexts": contexts, "current-context": "one"}), encoding="utf-8")
    return {"PATH": f"{home()}/bin{os.pathsep}{os.environ['PATH']}", "KUBECONFIG": str(path)}


@pytest.mark.helm
def test_only_the_current_context_must_be_asked_for(kubeconfig: dict[str, str]) -> None:
    """Not one that is set, nor the one in which the stack was started."""
    found = locate(settings(), {}, kubeconfig)
    assert found.settings == {"kube_context": "one"}
    assert "current context one, namespace mlflow" in found.question
    assert found.answer == "KUBE_CONTEXT=one"
    again = locate(settings(), {"KUBE_CONTEXT": "two"}, kubeconfig)
    assert (again.settings, again.question) == ({"kube_context": "two"}, "")
    named = locate(settings(KUBE_CONTEXT="two"), {}, kubeconfig)
    assert (named.settings, named.question) == ({}, "")


@pytest.mark.helm
def test_a_kubectl_without_a_current_context_must_be_reported(kubeconfig: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="no current context"):
        locate(settings(), {}, {**kubeconfig, "KUBECONFIG": "/nonexistent"})
    with pytest.raises(EngineError, match="kubectl is not in PATH"):
        locate(settings(), {}, {"PATH": "/nonexistent"})


@pytest.mark.helm
def test_a_server_out_of_reach_must_be_reported_with_its_context(
    kubeconfig: dict[str, str],
) -> None:
    """kubectl itself prints the sentences, which its next version may change."""
    for name, words in (("three", "no context three"), ("one", "the context one")):
        place = cluster_stack(KUBE_CONTEXT=name).site.namespace
        assert place
        argv = [*place.kubectl, *place.within, "get", "pods", "--server=https://127.0.0.1:1"]
        done = subprocess.run(
            argv, env=kubeconfig, capture_output=True, text=True, check=False, timeout=60
        )
        assert words in problem(place, Outcome(done.returncode, b"", done.stderr)).message


def test_every_call_must_name_context_and_namespace() -> None:
    """In the words of each program; nothing else may decide where it goes."""
    found = cluster(KUBE_NAMESPACE="team")
    assert found.kubectl("get")[:5] == ["kubectl", "--context", "lab", "--namespace", "team"]
    assert found.helm("list")[:5] == ["helm", "--kube-context", "lab", "--namespace", "team"]
    other = {"HELM_KUBEAPISERVER": "https://other", "HELM_NAMESPACE": "other", "HOME": "/root"}
    assert Cluster(found.stack, found.place, other).environment == {"HOME": "/root"}


def test_what_kubectl_reports_must_be_one_line_without_logs_and_secrets() -> None:
    text = 'E1129 12:00:00.0 1 memcache.go:1] "x"\nError from server (NotFound): no such pod\n\n'
    assert reason_of(text) == "Error from server (NotFound): no such pod"
    found = cluster()
    secret = found.stack.sensitive[0]
    failed = found.failed(found.helm("upgrade", "x"), Outcome(1, b"", f"Error: {secret} is wrong"))
    assert failed.message == "helm upgrade failed: ******** is wrong"


OWN = (Item("Secret", "mlflow", IDENTITY), Item("PersistentVolumeClaim", "s3-data", IDENTITY))


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([Item("Deployment", "web", "f" * 16)], "holds another stack"),
        ([Item("Deployment", "mlflow", "")], "does not belong to this stack"),
        ([Item("Secret", "postgres-login", "")], "does not belong to this stack"),
    ],
)
def test_what_is_not_the_stacks_must_not_be_touched(items: list[Item], words: str) -> None:
    with pytest.raises(EngineError, match=words) as error:
        check(cluster(), (*OWN, *items), None)
    assert "KUBE_NAMESPACE" in str(error.value.hint)


def test_other_things_in_the_namespace_must_not_matter() -> None:
    check(cluster(), (*OWN, Item("Deployment", "web", ""), Item("Secret", "login", "")), None)


def test_a_release_of_another_chart_must_be_refused() -> None:
    with pytest.raises(EngineError, match=r"another chart \(mlflow-1\.2\.3\)"):
        check(cluster(), (), Release("mlflow-1.2.3", "deployed", 1))


THIS = Identity("installation", "kernel")
SAME = {"machineID": THIS.machine, "bootID": THIS.boot}
CONTAINERD = {
    **SAME,
    "containerRuntimeVersion": "containerd://2.1.4",
    "kubeletVersion": "v1.34.1",
}
K3S = {
    **CONTAINERD,
    "containerRuntimeVersion": "containerd://2.1.4-k3s1",
    "kubeletVersion": "v1.34.1+k3s1",
}


def machine(*, labels: dict[str, str] | None = None, **status: object) -> Node:
    return {"metadata": {"labels": labels or {}}, "status": status}


@pytest.mark.parametrize(
    ("context", "nodes", "command"),
    [
        ("kind-lab", [], "kind load docker-image IMAGE --name lab"),
        ("k3d-lab", [], "k3d image import IMAGE --cluster lab"),
        ("minikube", [], "minikube image load IMAGE --profile minikube"),
        (
            "x",
            [machine(labels={"minikube.k8s.io/name": "p"})],
            "minikube image load IMAGE --profile p",
        ),
        ("default", [machine(nodeInfo=K3S)], "docker save IMAGE | k3s ctr images import -"),
        (
            "x",
            [machine(nodeInfo=CONTAINERD)],
            "docker save IMAGE | ctr --namespace=k8s.io images import -",
        ),
        ("x", [machine(nodeInfo={**CONTAINERD, "bootID": "other"})], None),
        # A node of kind, whatever its context is called.
        ("x", [machine(nodeInfo={**CONTAINERD, "machineID": "other"})], None),
        ("x", [machine(nodeInfo=K3S), machine(nodeInfo={**K3S, "machineID": "other"})], None),
        (
            "x",
            [machine(nodeInfo={**CONTAINERD, "containerRuntimeVersion": "cri-o://1.34.0"})],
            None,
        ),
        # They have a containerd of their own, that of RKE2 by the name of k3s.
        ("x", [machine(nodeInfo={**K3S, "kubeletVersion": "v1.34.1+rke2r1"})], None),
        ("x", [machine(nodeInfo={**CONTAINERD, "kubeletVersion": "v1.34.1+k0s"})], None),
        ("x", [machine(labels={"microk8s.io/cluster": "true"}, nodeInfo=CONTAINERD)], None),
        ("x", [machine()], None),
        ("x", [], None),
    ],
)
def test_an_image_must_get_into_a_cluster_on_this_machine(
    context: str, nodes: list[Node], command: str | None
) -> None:
    loader = loader_of(context, nodes, THIS)
    found = loader and " | ".join(map(" ".join, loader.commands("IMAGE")))
    assert found == command


def test_a_machine_without_an_identity_must_not_be_that_of_a_cluster() -> None:
    assert loader_of("x", [machine(nodeInfo=CONTAINERD)], None) is None


def test_an_image_must_be_on_all_machines() -> None:
    def having(*names: str) -> Node:
        return machine(images=[{"names": [*names]}])

    assert is_on([having("docker.io/library/x:1")], "x:1")
    assert not is_on([having("docker.io/library/x:1"), having("y:1")], "x:1")
    assert not is_on([], "x:1")


FORWARD = "port-forward service/mlflow 5000:5000"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"kubectl --context lab --namespace mlflow {FORWARD}", True),
        (f"/bin/kubectl --context=lab --namespace=mlflow {FORWARD} --address=127.0.0.1", True),
        (f"C:\\bin\\kubectl.exe --context lab -n mlflow {FORWARD}", True),
        ("kubectl port-forward --context lab -nmlflow svc/mlflow 5000:5000 9000:9000", True),
        (f"kubectl --namespace mlflow {FORWARD}", True),
        (f"kubectl --context lab --namespace other {FORWARD}", False),
        (f"kubectl --context other --namespace mlflow {FORWARD}", False),
        (f"kubectl --context other --namespace mlflow {FORWARD} --pod-running-timeout lab", False),
        (f"kubectl --context lab --namespace other {FORWARD} mlflow", False),
        (f"kubectl --context lab {FORWARD}", False),
        ("kubectl --context lab -n mlflow port-forward service/mlflow 5001:5000", False),
        ("kubectl --context lab -n mlflow port-forward service/mlflow 5000:8080", False),
        ("kubectl --context lab -n mlflow port-forward service/other 5000:5000", False),
        ("kubectl --context lab -n mlflow port-forward pod/mlflow 5000:5000", False),
        (f"kubectl --context lab -n mlflow --kubeconfig /tmp/other {FORWARD}", False),
        (f"kubectl --context lab -n mlflow --address 192.0.2.1 {FORWARD}", False),
        (f"kubectl-trap --context lab --namespace mlflow {FORWARD}", False),
        (f"python --context lab --namespace mlflow {FORWARD}", False),
        ("kubectl", False),
    ],
)
def test_only_a_port_forward_to_the_stack_must_count_as_its_port(
    command: str,
    expected: bool,  # noqa: FBT001 - parameters of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever else listens there would be sent a login."""
    monkeypatch.setattr(forward, "current", lambda _: "lab")
    found = cluster()
    port = next(each for _, each in found.stack.ports if each.name == "mlflow")
    assert forward.is_forward(command.split(), found, "mlflow", port) == expected


def test_a_port_forward_to_the_current_context_must_not_count_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forward, "current", lambda _: "production")
    found = cluster()
    port = next(each for _, each in found.stack.ports if each.name == "mlflow")
    words = f"kubectl --namespace mlflow {FORWARD}".split()
    assert not forward.is_forward(words, found, "mlflow", port)


def test_a_port_forward_of_another_user_must_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anyone on this machine can give a process any command line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        found = cluster(MLFLOW_PORT=str(number))
        port = next(each for _, each in found.stack.ports if each.name == "mlflow")
        words = f"kubectl --context lab -n mlflow port-forward svc/mlflow {number}:{port.target}"
        monkeypatch.setattr(psutil.Process, "cmdline", lambda _: words.split())
        assert forward.forwards(found, "mlflow", port)
        users = iter(["ada", "eve"])
        monkeypatch.setattr(psutil.Process, "username", lambda _: next(users))
        assert not forward.forwards(found, "mlflow", port)


def test_only_the_ports_that_clients_need_must_be_used() -> None:
    """S3 has one on this machine only if clients connect to it themselves."""
    names = {"mlflow": 5000, "s3": 9000, "console": 9001}
    assert engine().held_ports() == {names["s3"], names["console"]}
    direct = engine(MLFLOW_ARTIFACT_ACCESS="direct")
    assert direct.held_ports() == {names["console"]}


def test_the_users_values_must_be_used(tmp_path: Path) -> None:
    found = cluster()
    assert "--values" not in upgrade(found, tmp_path, 60)
    (tmp_path / "values.override.yaml").write_text("{}", encoding="utf-8")
    values = tmp_path / "values.override.yaml"
    words = " ".join(upgrade(found, tmp_path, 60))
    assert f"--values {values}" in words
    assert words.endswith("--wait --wait-for-jobs --timeout=60s")


@pytest.mark.parametrize("status", ["deployed", "failed"])
def test_a_release_that_can_be_changed_must_not_be_unlocked(status: str) -> None:
    screen = FakeScreen()
    unlock(cluster(), Release("mlflow-compose-1", status, 1), screen)
    assert screen.shown == []


def test_clients_must_be_told_what_is_true_where_they_run() -> None:
    found = cluster_stack(KUBE_NAMESPACE="team")
    here, inside = (client_environment(found, place, "", {}) for place in ("host", "container"))
    assert here.values(secrets=False)["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"
    forward = "kubectl --context lab --namespace team port-forward service/mlflow 5000:5000"
    assert here.notes == (f"let this run meanwhile: {forward}",)
    assert inside.values(secrets=False)["MLFLOW_TRACKING_URI"] == "http://mlflow.team:5000"
    assert inside.notes == ()
    with pytest.raises(UsageError, match="Ingress"):
        client_environment(found, "lan", "192.0.2.1", {})


def test_the_screen_must_show_what_has_to_run() -> None:
    lines = where(cluster_stack(), Access({"mlflow": "http://here"}, ["kubectl", "port-forward"]))
    assert lines[:2] == [
        "MLflow     http://here",
        "           while this runs: kubectl port-forward",
    ]
    assert lines[2].startswith("Runs")
    assert "claim postgres-data of the namespace mlflow" in lines[2]


def plan_of(folder: Path, *lines: str) -> Plan:
    """Return the plan of a stack in a cluster."""
    text = env_text(f"STACK_ENGINE={KUBERNETES}", "KUBE_CONTEXT=lab", *lines)
    (folder / ".env").write_text(text, encoding="utf-8")
    (folder / ".env").chmod(0o600)
    loaded, paths = actions.read_settings(folder / ".env", {})
    return actions.load_plan(loaded, paths, {}, HELM)


def test_another_context_or_namespace_must_not_hide_data(tmp_path: Path) -> None:
    """They locate the data as much as the settings of its servers do."""
    plan = plan_of(tmp_path)
    record = Record(places={KUBERNETES: places_of(plan)})
    assert changed(plan, record) is None
    for name, value in (("kube_context", "production"), ("kube_namespace", "other")):
        change = changed(plan.with_settings({name: value}), record)
        assert change
        assert change.runs
        assert change.artifacts
        assert [*change.names] == [name.upper()]


def test_a_newer_mlflow_must_be_announced_because_the_cluster_migrates_by_itself(
    tmp_path: Path,
) -> None:
    """`upgrade` does not work there; data of a newer MLflow is refused as on other engines."""
    plan = plan_of(tmp_path)
    keep_identity(plan.identity, plan.paths)
    for version, is_newer in (("3.0.0", True), (plan.loaded.settings.mlflow_version, False)):
        places = {KUBERNETES: places_of(plan)}
        versions = {KUBERNETES: {"MLFLOW_VERSION": version}}
        write_record(Record(places=places, versions=versions), plan.paths)
        check_mlflow(plan)
        assert any("cannot be undone" in note for note in notes(plan)) == is_newer
    versions = {KUBERNETES: {"MLFLOW_VERSION": "99.0.0"}}
    write_record(Record(places=places, versions=versions), plan.paths)
    with pytest.raises(UpgradeError, match=r"99\.0\.0"):
        check_mlflow(plan)


def test_settings_about_this_machine_must_be_named(tmp_path: Path) -> None:
    found = [*notes(plan_of(tmp_path, "JUPYTER=true", "PG_PUBLISH=true"))]
    assert [note for note in found if note.startswith("PG_PUBLISH, JUPYTER have no effect")]
