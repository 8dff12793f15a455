"""The chart: what is in its files, what its schema refuses, and how it is installed."""

import base64
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

import mlflow_compose
from mlflow_compose.data.garbage import collector
from mlflow_compose.engines import remote
from mlflow_compose.paths import sources, templates
from mlflow_compose.settings.server import PINNED_MLFLOW
from mlflow_compose.stack import namespace_of, release_of
from mlflow_compose.targets import HELM
from mlflow_compose.targets.helm import COLLECTOR
from tests.documents import PAGES, blocks
from tests.e2e.certificates import make_certificates
from tests.e2e.tool import run
from tests.kubernetes import program
from tests.unit.conftest import User
from tests.unit.samples import SECRETS, settings

SECRETS_FILE = "secrets/secrets.yaml"
WAIT = "--reset-values --wait --wait-for-jobs"
IN_CLUSTER = ("--kube-version=1.34.0", "--namespace=team")
HOST = {"enabled": True, "host": "mlflow.example.com", "tlsSecret": "tls"}
# What `helm template` does not print, as a manifest.
NOTES = 'notes: {{ include (print .Template.BasePath "/NOTES.txt") . | quote }}'
# Values with which all of the templates render something; in several steps, since some of them
# exclude each other.
EVERYTHING: tuple[Mapping[str, Any], ...] = (
    {
        "externalSecrets": {"enabled": True, "store": {"name": "vault"}},
        "ingress": HOST,
        "gateway": {**HOST, "className": "envoy"},
        "networkPolicy": {"clients": [{"podSelector": {}}]},
        "serviceMonitor": {"enabled": True},
        "gc": {"enabled": True},
        "backup": {"enabled": True},
    },
    {
        "externalSecrets": {"store": {"name": "vault"}},
        "ingress": {**HOST, "enabled": False},
        "gateway": {**HOST, "enabled": False},
        "mlflow": {"autoscaling": {"enabled": True}},
        "postgres": {"kind": "cloudnativepg"},
    },
)


@pytest.fixture
def chart(user: User) -> Path:
    """Return the folder of a chart for the sample settings."""
    user.has_env("MLFLOW_AUTH=basic")
    assert user.types("render", "--target", "helm").code == 0
    return user.folder / HELM.folder


def template(chart: Path, *arguments: str, code: int | None = 0) -> str:
    """Return what `helm template` prints."""
    command = (program("helm"), "template", "mlflow", str(chart), *IN_CLUSTER)
    return run(*command, *arguments, code=code).text


def values_in(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    return found


def secrets_in(chart: Path) -> dict[str, dict[str, str]]:
    """Return the texts of the Secrets by their names.

    They are in `data`: a text that leaves `stringData` would stay in the cluster.
    """
    documents = yaml.safe_load_all((chart / SECRETS_FILE).read_text(encoding="utf-8"))
    return {
        each["metadata"]["name"]: {
            name: base64.b64decode(text, validate=True).decode()
            for name, text in each["data"].items()
        }
        for each in documents
    }


def test_only_the_file_of_secrets_must_contain_any(chart: Path) -> None:
    files = {path: path.read_text(encoding="utf-8") for path in chart.rglob("*") if path.is_file()}
    del files[chart / SECRETS_FILE]
    secret = str(secrets_in(chart))
    unused = {"JUPYTER_TOKEN", "PGADMIN_PASSWORD", "CLASS_SECRET", "CLASS_PASSWORD"}
    for name in SECRETS.keys() - unused:
        assert SECRETS[name] in secret, name
        assert [str(path) for path, text in files.items() if SECRETS[name] in text] == [], name


def test_only_the_user_must_be_able_to_read_the_secrets(chart: Path) -> None:
    modes = [path.stat().st_mode & 0o777 for path in (chart / "secrets", chart / SECRETS_FILE)]
    assert modes == [0o700, 0o600]


def test_the_secrets_must_have_the_files_that_the_values_list(chart: Path) -> None:
    written = {name: [*files] for name, files in secrets_in(chart).items()}
    assert written == values_in(chart)["secrets"]
    values = values_in(chart)
    for name in ("mlflow", "bucketInit", "postgres", "s3"):
        assert values[name]["secret"] in written


def test_certificates_of_the_user_must_be_part_of_the_secrets(user: User, tmp_path: Path) -> None:
    """Pods cannot mount a file of this machine."""
    made = make_certificates(tmp_path, "db.example.com")
    user.has_env(
        "PG_HOST=db.example.com", "PG_SSLMODE=verify-full", f"PG_SSLROOTCERT={made.authority}"
    )
    assert user.types("render", "--target", "helm").code == 0
    secret = secrets_in(user.folder / HELM.folder)["mlflow"]
    assert secret["pg_ca_certs"] == made.authority.read_text(encoding="utf-8")
    assert "sslrootcert=/secrets/pg_ca_certs\n" in secret["pg_service.conf"]


def test_a_certificate_that_cannot_be_read_must_be_named(user: User) -> None:
    user.has_env("PG_HOST=db", "PG_SSLMODE=verify-full", "PG_SSLROOTCERT=ca.pem")
    (user.folder / "ca.pem").write_bytes(b"\xff")
    result = user.types("render", "--target", "helm")
    assert result.code == 1
    assert f"{user.folder}/ca.pem cannot be read: it is not text" in result.err


@pytest.mark.helm
def test_a_package_must_contain_neither_secrets_nor_the_users_values(chart: Path) -> None:
    (chart / HELM.override).write_text("mlflow: {}\n", encoding="utf-8")
    run(program("helm"), "package", str(chart), "--destination", str(chart.parent))
    (package,) = chart.parent.glob("*.tgz")
    with tarfile.open(package) as archive:
        names = {name.removeprefix("mlflow-compose/") for name in archive.getnames()}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "files/log_a_run.py"} < names
    unwanted = ("secrets", "examples", ".", HELM.override)
    assert [name for name in names if name.startswith(unwanted)] == []


def test_the_versions_must_be_those_of_the_tool_and_of_mlflow() -> None:
    found = yaml.safe_load(sources(HELM.folder)["Chart.yaml"])
    assert found["version"] == mlflow_compose.__version__
    assert found["appVersion"] == PINNED_MLFLOW


@pytest.mark.helm
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("mlflow.replicas=-1", "at '/mlflow/replicas': minimum: got -1, want 0"),
        ("mlflow.replica=2", "at '/mlflow': additional properties 'replica' not allowed"),
        ("mlflow.env.NUMBER=1", "at '/mlflow/env/NUMBER': got number, want string"),
        ("mlflow.user=0", "at '/mlflow/user': minimum: got 0, want 1"),
        ("mlflow.resources.limits.memory=1GB", "at '/mlflow/resources/limits/memory'"),
        ("mlflow.service.type=Ingress", "at '/mlflow/service/type': value must be one of"),
        ("mlflow.image=", "at '/mlflow/image': minLength: got 0, want 1"),
        ("postgres.kind=mysql", "at '/postgres/kind': value must be one of"),
        ("postgres.storage.size=big", "at '/postgres/storage/size'"),
        ("s3.ports.s3=90000", "at '/s3/ports/s3': maximum: got 90,000, want 65,535"),
        ("ingress.enabled=true", "at '/ingress/host': minLength: got 0, want 1"),
        ("gateway.enabled=true", "at '/gateway/host': minLength: got 0, want 1"),
        ("externalSecrets.enabled=true", "at '/externalSecrets/store/name': minLength"),
        ("pods.imagePullPolicy=Sometimes", "at '/pods/imagePullPolicy': value must be one of"),
        ("stackId=1", "at '/stackId': got number, want string"),
        ("backups=true", "at '': additional properties 'backups' not allowed"),
        ("backup.deadlineSeconds=0", "at '/backup/deadlineSeconds': minimum: got 0, want 1"),
        ("backup.keep=0", "at '/backup/keep': minimum: got 0, want 1"),
        ("backup.schedule=", "at '/backup/schedule': minLength: got 0, want 1"),
        ("backup.storage.size=big", "at '/backup/storage/size'"),
        ("backup.stack.settings.PG_PORT=1", "at '/backup/stack/settings/PG_PORT': got number"),
        (
            "mlflow.autoscaling.minReplicas=9",
            "mlflow.autoscaling.minReplicas must be at most maxReplicas (6), got 9",
        ),
    ],
)
def test_a_wrong_value_must_be_refused(chart: Path, argument: str, message: str) -> None:
    assert message in template(chart, f"--set={argument}", code=1)


def manifests(chart: Path, *arguments: str) -> list[dict[str, Any]]:
    """Return the manifests of a chart."""
    return [each for each in yaml.safe_load_all(template(chart, *arguments)) if each]


@pytest.mark.helm
def test_what_helm_deletes_by_its_name_must_have_a_name_that_nothing_else_has(user: User) -> None:
    """Before it runs a hook, it deletes the object of that name, even if others created it."""
    user.has_env("PG_HOST=db.example.com")
    user.types("render", "--target", "helm")
    hooks = [
        each["metadata"]["name"]
        for each in manifests(user.folder / HELM.folder)
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    ]
    assert sorted(hooks) == ["mlflow-compose-migrate", "mlflow-compose-test"]


@pytest.mark.helm
@pytest.mark.parametrize(
    ("auth", "allowed"), [("none", {"stack", "namespace"}), ("basic", {"everybody"})]
)
def test_other_namespaces_must_only_reach_mlflow_if_it_has_a_login(
    user: User, auth: str, allowed: set[str]
) -> None:
    user.has_env(f"MLFLOW_AUTH={auth}")
    user.types("render", "--target", "helm")
    (policy,) = (
        each
        for each in manifests(user.folder / HELM.folder)
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "mlflow"
    )
    (rule,) = policy["spec"]["ingress"]
    sources = rule.get("from", ["everybody"])
    names = {"{'podSelector': {}}": "namespace", "everybody": "everybody"}
    assert {names.get(str(each), "stack") for each in sources} == allowed


@pytest.mark.helm
@pytest.mark.parametrize(
    ("auth", "more", "warned"),
    [
        ("none", {}, set()),
        ("none", {"ingress": HOST}, {"login", "policy"}),
        ("none", {"gateway": HOST}, {"login", "policy"}),
        ("none", {"mlflow": {"service": {"type": "NodePort"}}}, {"login", "policy"}),
        ("none", {"ingress": HOST, "networkPolicy": {"clients": []}}, {"login"}),
        ("none", {"ingress": HOST, "networkPolicy": {"enabled": False}}, {"login"}),
        (
            "none",
            {"ingress": HOST, "networkPolicy": {"clients": [{"namespaceSelector": {}}]}},
            {"login"},
        ),
        ("basic", {"ingress": HOST}, set()),
    ],
)
def test_the_notes_must_warn_about_access_without_a_login(
    user: User, auth: str, more: Mapping[str, Any], warned: set[str]
) -> None:
    user.has_env(f"MLFLOW_AUTH={auth}")
    user.types("render", "--target", "helm")
    chart = user.folder / HELM.folder
    (chart / "templates" / "notes.yaml").write_text(NOTES, encoding="utf-8")
    file = user.folder / "more.json"
    file.write_text(json.dumps(more), encoding="utf-8")
    notes = template(chart, f"--values={file}", "--show-only=templates/notes.yaml")
    words = {"login": "MLFLOW_AUTH=none", "policy": "networkPolicy.clients"}
    assert {name for name, word in words.items() if word in notes} == warned


@pytest.mark.helm
def test_several_servers_must_not_run_the_same_jobs(user: User) -> None:
    user.has_env("MLFLOW_JOBS=true")
    user.types("render", "--target", "helm")
    message = "mlflow.replicas must be 1, without autoscaling, when MLFLOW_JOBS is true"
    chart = user.folder / HELM.folder
    assert "kind: Deployment" in template(chart)
    assert message in template(chart, "--set=mlflow.replicas=2", code=1)
    assert message in template(chart, "--set=mlflow.autoscaling.enabled=true", code=1)


@pytest.mark.helm
def test_backups_of_a_database_elsewhere_must_have_an_image_with_pg_dump(user: User) -> None:
    user.has_env("PG_HOST=db.example.com", "POSTGRES_IMAGE=postgres:17")
    user.types("render", "--target", "helm")
    chart, on = user.folder / HELM.folder, "--set=backup.enabled=true"
    assert 'image: "postgres:17"' in template(chart, on)
    message = "backup.image must be an image of PostgreSQL"
    assert message in template(chart, on, "--set=backup.image=", code=1)


@pytest.mark.helm
@pytest.mark.parametrize("own", [(), ("--set=mlflow.secret=own",)])
def test_pg_dump_must_only_be_given_the_login_of_the_database(
    chart: Path, own: Sequence[str]
) -> None:
    """Its image is PostgreSQL's, or one that the user chose: it needs none of MLflow's secrets."""
    (job,) = (
        each["spec"]["jobTemplate"]["spec"]
        for each in manifests(chart, "--set=backup.enabled=true", *own)
        if each["kind"] == "CronJob" and each["metadata"]["name"] == "backup"
    )
    assert job["activeDeadlineSeconds"] == 24 * 60 * 60
    pod = job["template"]["spec"]
    containers = {each["name"]: each for each in (*pod["initContainers"], *pod["containers"])}
    mounted = {
        name: [each["name"] for each in found["volumeMounts"] if each["mountPath"] == "/secrets"]
        for name, found in containers.items()
    }
    assert mounted == {"tables": ["secrets"], "dump": ["login"], "backup": ["secrets"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    parts = [each["secret"] for each in volumes["login"]["projected"]["sources"]]
    secret = volumes["secrets"]["secret"]["secretName"]
    assert {each["name"] for each in parts} == {secret}
    files = {item["path"]: each.get("optional") for each in parts for item in each["items"]}
    # A database without verified TLS has no certificates.
    assert files == {"pg_service.conf": None, "pg_ca_certs": True}


@pytest.mark.helm
def test_snapshots_must_have_the_settings_that_have_no_effect_in_a_cluster(user: User) -> None:
    """They are those of the stack, which may be restored on a machine."""
    user.has_env("JUPYTER=true", "MLFLOW_PORT=5005")
    user.types("render", "--target", "helm")
    chart = user.folder / HELM.folder
    (found,) = (
        each
        for each in manifests(chart, "--set=backup.enabled=true", "--set=s3.image=own:1")
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "backup"
    )
    about = json.loads(found["data"]["about.json"])
    assert about["settings"] == {"JUPYTER": "true", "MLFLOW_PORT": "5005"}
    assert {*about["images"]} == {"mlflow", "bucket-init", "postgres", "s3"}
    assert about["images"]["s3"] == "own:1"


def leaves(values: Mapping[str, Any], *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each value with its path; maps of any names are values, too."""
    for name, value in values.items():
        if isinstance(value, dict) and value and not {"env", "parameters"} & {name}:
            yield from leaves(value, *path, name)
        else:
            yield (*path, name), value


def marked(value: Any, number: int) -> Any:  # noqa: ANN401 - any YAML
    """Return another value of the same type, in which a number can be found."""
    match value:
        case bool():
            return not value
        case int():
            return number
        case list():
            return [*value, f"added-{number}"]
        case dict():
            return {**value, "added": f"added-{number}"}
    if unit := re.fullmatch(r"\d+(\D+)", value):
        return f"{number}{unit[1]}"
    return ONE_OF.get(value, f"{value}added-{number}")


# Other words of values that are one of several, and values that several texts are made of.
ONE_OF = {
    "ClusterIP": "NodePort",
    "ClusterSecretStore": "SecretStore",
    "IfNotPresent": "Always",
    "cloudnativepg": "external",
    "statefulset": "external",
}
OBJECTS = {"clients", "imagePullSecrets", "tolerations"}


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of both, of the second if both have one."""
    both = {name: merged(one[name], other[name]) for name in one.keys() & other.keys()
            if isinstance(one[name], dict) and isinstance(other[name], dict)}  # fmt: skip
    return {**one, **other, **both}


def other_values(chart: Path) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return another value for each of the chart's, by its path."""
    found = {}
    for number, (path, value) in enumerate(leaves(values_in(chart)), 10_001):
        other = marked(value, number)
        if path == ("stackId",):
            other = f"{number:016}"
        elif path[-1] in OBJECTS:
            other = [{"name": f"added-{number}"}]
        elif path == ("mlflow", "autoscaling", "cpu"):
            other = 99
        for name in reversed(path):
            other = {name: other}
        found[path] = other
    return found


@pytest.mark.helm
def test_every_value_must_change_something(chart: Path, tmp_path: Path) -> None:
    """A value that no template reads would be a promise that is not kept."""
    file, unused = tmp_path / "values.json", other_values(chart)

    def rendered(values: Mapping[str, Any]) -> str:
        file.write_text(json.dumps(values), encoding="utf-8")
        return template(chart, f"--values={file}")

    # Those that can be found by their number, all at once.
    texts = [other for other in unused.values() if re.search(r"10\d{3}", json.dumps(other))]
    shown = "".join(rendered(reduce(merged, [*texts, extra])) for extra in EVERYTHING)
    for path in [path for path, other in unused.items() if number_in(other) in shown]:
        del unused[path]
    assert len(unused) < 30
    for extra in EVERYTHING:
        before = rendered(extra)
        for path in [*unused]:
            if rendered(merged(extra, unused[path])) != before:
                del unused[path]
    assert [*unused] == []


def number_in(value: Mapping[str, Any]) -> str:
    """Return the number by which a value is found, or what no text contains."""
    found = re.search(r"10\d{3}", json.dumps(value))
    return found[0] if found else "\0"


@pytest.mark.helm
def test_a_release_may_have_a_number_as_its_name(chart: Path) -> None:
    found = run(program("helm"), "template", "2026", str(chart), "--kube-version=1.34.0").out
    for document in yaml.safe_load_all(found):
        labels = document["metadata"]["labels"]
        assert all(isinstance(value, str) for value in labels.values())
        assert labels["app.kubernetes.io/instance"] == "2026"


def test_the_collector_must_have_all_modules_that_the_command_runs() -> None:
    modules = (*remote.COMMON, *collector.MODULES)
    names = [module.__name__.removeprefix("mlflow_compose.") for module in modules]
    assert sorted(COLLECTOR) == sorted(f"{name.replace('.', '/')}.py" for name in names)


@pytest.mark.parametrize(
    ("project", "release"),
    [("mlflow", "mlflow"), ("my_team-2", "my-team-2"), ("a_", "a"), ("x" * 60, "x" * 53)],
)
def test_names_must_be_valid_in_kubernetes(project: str, release: str) -> None:
    chosen = settings(COMPOSE_PROJECT_NAME=project)
    assert (release_of(chosen), namespace_of(chosen)) == (release, release)
    chosen = settings(COMPOSE_PROJECT_NAME=project, KUBE_NAMESPACE="team")
    assert (release_of(chosen), namespace_of(chosen)) == (release, "team")


def test_render_must_print_how_the_chart_is_installed(user: User) -> None:
    user.has_env("COMPOSE_PROJECT_NAME=team_blue", "KUBE_NAMESPACE=blue")
    folder = user.folder / "my charts"
    result = user.types("render", "--target", "helm", "--output", str(folder), "--json")
    data = json.loads(result.out)["data"]
    assert data["install"] == [
        "kubectl create namespace blue",
        f"kubectl apply --server-side --namespace blue --filename '{folder}/secrets/secrets.yaml'",
        f"helm upgrade --install team-blue '{folder}' --namespace blue {WAIT}",
    ]
    assert user.types("render", "--target", "helm", "--output", str(folder), "--check").code == 0
    user.has_env("COMPOSE_PROJECT_NAME=team_blue", "MLFLOW_REPLICAS=2")
    assert user.types("render", "--target", "helm", "--output", str(folder), "--check").code == 1


def test_the_printed_commands_must_name_the_context_and_the_users_values(user: User) -> None:
    user.has_env("KUBE_CONTEXT=lab cluster")
    folder = user.folder / HELM.folder
    folder.mkdir()
    (folder / HELM.override).write_text("mlflow: {}\n", encoding="utf-8")
    result = user.types("render", "--target", "helm", "--json")
    create, apply, install = json.loads(result.out)["data"]["install"]
    kubectl, secrets = "kubectl --context 'lab cluster'", f"--filename {folder}/{SECRETS_FILE}"
    assert create == f"{kubectl} create namespace mlflow"
    assert apply == f"{kubectl} apply --server-side --namespace mlflow {secrets}"
    assert install == (
        f"helm --kube-context 'lab cluster' upgrade --install mlflow {folder} --namespace mlflow "
        f"--values {folder}/{HELM.override} {WAIT}"
    )


def test_an_image_that_the_cluster_must_get_must_be_named(user: User) -> None:
    user.has_env("STACK_REGISTRY=ghcr.io/lab")
    result = user.types("render", "--target", "helm")
    assert "the cluster needs the image ghcr.io/lab/mlflow_server:" in result.out
    user.has_env("MLFLOW_IMAGE=ghcr.io/lab/own:1")
    assert "the cluster needs" not in user.types("render", "--target", "helm").out


def test_settings_without_an_effect_must_be_named(user: User) -> None:
    user.has_env("STACK_BIND_ADDRESS=192.0.2.10", "MLFLOW_AUTH=basic", "JUPYTER=true")
    result = user.types("render", "--target", "helm")
    assert "STACK_BIND_ADDRESS, JUPYTER have no effect in a cluster" in result.out
    assert "jupyter" not in (user.folder / HELM.folder / "values.yaml").read_text(encoding="utf-8")
    user.has_env()
    assert "no effect" not in user.types("render", "--target", "helm").out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("BACKEND_STORE=sqlite", "BACKEND_STORE must be postgres in a Kubernetes cluster"),
        ("ARTIFACT_STORE=local", "ARTIFACT_STORE must be s3 in a Kubernetes cluster"),
    ],
)
def test_stores_that_pods_cannot_share_must_be_refused(user: User, line: str, message: str) -> None:
    user.has_env(line)
    result = user.types("render", "--target", "helm")
    assert (result.code, message in result.err) == (2, True)
    assert not (user.folder / HELM.folder).exists()


def test_the_users_own_values_must_stay(user: User, chart: Path) -> None:
    (chart / HELM.override).write_text("mlflow:\n  replicas: 2\n", encoding="utf-8")
    user.has_env("MLFLOW_REPLICAS=3", "MLFLOW_AUTH=basic")
    assert user.types("render", "--target", "helm").code == 0
    assert (chart / HELM.override).read_text(encoding="utf-8") == "mlflow:\n  replicas: 2\n"
    assert values_in(chart)["mlflow"]["replicas"] == 3


def test_an_edited_file_must_not_be_overwritten(user: User, chart: Path) -> None:
    with (chart / "values.yaml").open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    user.has_env("MLFLOW_REPLICAS=3", "MLFLOW_AUTH=basic")
    result = user.types("render", "--target", "helm")
    assert result.code == 1
    assert f"keep the change in helm/{HELM.override}" in result.err


def test_every_declared_value_must_be_in_the_schema(chart: Path) -> None:
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    missing = []
    for path, _ in leaves(values_in(chart)):
        part = schema
        for name in path:
            known = part.get("properties", {})
            if name not in known:
                if not isinstance(part.get("additionalProperties"), dict):
                    missing.append(".".join(path))
                break
            part = known[name]
            if "$ref" in part:
                part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    assert missing == []


def test_examples_must_only_set_values_that_exist(chart: Path) -> None:
    """Those of the chart, and those in the documentation."""
    known = {path for path, _ in leaves(values_in(chart))}
    examples = (templates() / HELM.folder / "examples").glob("*.yaml")
    texts = {path.name: path.read_text(encoding="utf-8") for path in examples}
    shown = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]
    assert len(shown) >= 4
    texts |= {block.where: block.text for block in shown}
    for name, text in texts.items():
        for path, _ in leaves(yaml.safe_load(text)):
            prefixes = {path[:length] for length in range(1, len(path) + 1)}
            assert prefixes & known, f"{name}: {'.'.join(path)}"
