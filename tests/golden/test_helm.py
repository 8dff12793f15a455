"""The manifests of charts, as Helm makes them, are what `manifests.yaml` of each case says.

A case is a folder `helm-NAME` with a `.env` (`test_trees.py` compares its files), with
`values.override.yaml` for the chart of `helm-defaults`, or with both. Each of the chart's examples
is a case, too. `manifests.yaml` has what differs from the manifests of the default case. Texts of
the chart's own files are replaced by their names.

All of it passes `helm lint --strict`, and is checked against the schemas of Kubernetes 1.34 and of
the custom resources.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlflow_compose.paths import PACKAGE, sources, templates
from mlflow_compose.targets import HELM
from tests.e2e.tool import run
from tests.golden.test_trees import HERE, render_case
from tests.kubernetes import kubeconform, program

pytestmark = pytest.mark.helm

OVERRIDE = HELM.override
# A version that the chart supports; without a cluster, Helm assumes the one that it was built with.
KUBERNETES = "1.34.0"
DEFAULTS = "helm-defaults"
EXAMPLES = {
    f"helm-example-{path.stem}": path
    for path in sorted((templates() / HELM.folder / "examples").glob("*.yaml"))
}
CASES = sorted({*EXAMPLES, *(path.name for path in HERE.glob("helm-*"))})

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for rendered charts."""
    return tmp_path_factory.mktemp("charts")


def chart_of(case: str, folder: Path) -> tuple[Path, list[str]]:
    """Render the chart of a case; return its folder, and the options that name its values."""
    base = case if (HERE / case / ".env").exists() else DEFAULTS
    chart = folder / base / HELM.folder
    if not chart.exists():
        render_case(base, folder / base)
    given = EXAMPLES.get(case, HERE / case / OVERRIDE)
    return chart, [f"--values={given}"] if given.exists() else []


@cache
def manifests_of(case: str, folder: Path) -> str:
    """Return the manifests of a case as Helm prints them."""
    chart, values = chart_of(case, folder)
    options = ("--namespace=team", f"--kube-version={KUBERNETES}", *values)
    return run(program("helm"), "template", "mlflow", str(chart), *options).out


@cache
def file_names() -> Mapping[str, str]:
    """Return the name of each file of the chart, by its text."""
    folders = {"": HELM.folder, **{f"{name}/": source for name, source in HELM.copies.items()}}
    found = {
        text.strip(): f"{prefix}{path}"
        for prefix, source in folders.items()
        for path, text in sources(source).items()
    }
    shipped = {name for names in HELM.modules.values() for name in names}
    modules = {name: (PACKAGE / name).read_text(encoding="utf-8") for name in sorted(shipped)}
    return {**found, **{text.strip(): name for name, text in modules.items()}}


def short(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """Return a value with the names of files in place of their texts."""
    if isinstance(value, dict):
        return {name: short(each) for name, each in value.items()}
    if isinstance(value, list):
        return [short(each) for each in value]
    if isinstance(value, str) and (name := file_names().get(value.strip())):
        return f"<{name}>"
    return value


@cache
def resources(text: str) -> dict[str, Manifest]:
    """Return manifests by kind and name."""
    documents = [short(found) for found in yaml.load_all(text, yaml.CSafeLoader) if found]
    named = {f"{each['kind']} {each['metadata']['name']}": each for each in documents}
    assert len(named) == len(documents)
    return named


def golden_text(case: str, folder: Path) -> str:
    """Return what `manifests.yaml` of a case must be."""
    found = resources(manifests_of(case, folder))
    known = {} if case == DEFAULTS else resources(manifests_of(DEFAULTS, folder))
    missing = [f"# not: {name}\n" for name in sorted(known.keys() - found.keys())]
    changed = [found[name] for name in sorted(found) if found[name] != known.get(name)]
    return "".join(missing) + yaml.dump_all(changed, Dumper=yaml.CSafeDumper, sort_keys=False)


@pytest.mark.parametrize("case", CASES)
def test_a_case_must_have_the_expected_manifests(
    case: str, folder: Path, *, update_golden: bool
) -> None:
    text, expected = golden_text(case, folder), HERE / case / "manifests.yaml"
    if update_golden:
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    chart, values = chart_of(case, folder)
    run(program("helm"), "lint", "--strict", "--quiet", str(chart), *values)


def test_kubernetes_must_accept_all_cases(folder: Path, tmp_path: Path) -> None:
    """All at once: reading the schemas takes a second."""
    for case in CASES:
        manifests = tmp_path / f"{case}.yaml"
        manifests.write_text(manifests_of(case, folder), encoding="utf-8")
    secrets = [path / "secrets" / "secrets.yaml" for path in folder.glob(f"*/{HELM.folder}")]
    assert secrets
    run(*kubeconform(*sorted(tmp_path.iterdir()), *secrets))


def test_there_must_be_enough_cases_and_all_must_differ() -> None:
    assert len(CASES) >= 12
    texts = [(HERE / case / "manifests.yaml").read_text(encoding="utf-8") for case in CASES]
    assert len({*texts}) == len(texts)
