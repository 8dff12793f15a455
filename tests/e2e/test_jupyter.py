"""JupyterLab: notebooks that are connected to the stack, and closed to strangers."""

import os
import re
import zipfile
from pathlib import Path

import pytest
from websocket import WebSocketBadStatusException

from mlflow_compose.machine import is_root

from .browser import open_browser
from .conftest import MakeStack
from .docker_stack import DockerStack, docker
from .local_stack import LocalStack
from .markers import Markers, Processes
from .notebooks import PACKAGE, Lab
from .running import ON_DOCKER_IN_CI, docker_only, left_to_soak
from .tracking import Api
from .waiting import free_ports, wait_until

pytestmark = ON_DOCKER_IN_CI

FORBIDDEN = 403
# Prints the versions of a package in all folders.
VERSIONS = """
import importlib.metadata
print(*(one.version for one in importlib.metadata.distributions(name="tabulate")))
"""
# Leaves options behind, with a token of its own.
EVIL = """
import os, pathlib
folder = pathlib.Path(os.environ["JUPYTER_CONFIG_DIR"])
folder.mkdir(exist_ok=True)
(folder / "jupyter_server_config.py").write_text("c.IdentityProvider.token = 'evil'")
"""
SECRETS = ("JUPYTER_TOKEN", "MLFLOW_ADMIN_PASSWORD")
# Neither root nor the user of the stack's other containers.
OWNER = 4321


@pytest.fixture(scope="module")
def markers() -> Markers:
    """Return the secrets of the stack."""
    return Markers(*SECRETS)


@pytest.fixture(scope="module")
def lab(markers: Markers, _make_for_module: MakeStack) -> Lab:
    """Return the JupyterLab of a running stack with login."""
    stack = _make_for_module(
        JUPYTER="true",
        JUPYTER_PORT=str(free_ports(1)[0]),
        JUPYTER_PACKAGES=PACKAGE,
        MLFLOW_AUTH="basic",
        BACKEND_STORE="sqlite",
        **markers.texts,
    )
    if is_root() and isinstance(stack, DockerStack):
        # As if an ordinary user had made it.
        (stack.folder / "notebooks").mkdir()
        os.chown(stack.folder / "notebooks", OWNER, OWNER)
    stack.up()
    return Lab(stack)


@pytest.fixture
def api(lab: Lab, markers: Markers) -> Api:
    """Return MLflow's REST API, as the admin."""
    return Api(lab.stack.url, ("admin", markers["MLFLOW_ADMIN_PASSWORD"]))


def owner(path: Path) -> int:
    """Return the user that owns a file."""
    return path.stat().st_uid


@pytest.mark.parametrize("token", ["", "wrong", "x" * 40])
def test_strangers_must_be_refused(lab: Lab, token: str) -> None:
    for path in ("api/contents", "api/kernels", "api/terminals", "api/sessions"):
        assert lab.call("GET", path, token).status_code == FORBIDDEN
        assert lab.call("POST", path, token).status_code == FORBIDDEN
    page = lab.call("GET", "lab", token)
    assert page.is_redirect
    assert "/login" in page.headers["Location"]


def test_the_token_must_open_the_page(lab: Lab) -> None:
    assert lab.call("GET", "lab").ok
    assert lab.call("GET", f"lab?token={lab.token}", "").ok


@docker_only("without containers, only the address that it listens on is answered")
def test_any_name_of_this_machine_must_work(lab: Lab) -> None:
    """As on a network, or behind a proxy; pages of other origins must not reach kernels."""
    name = f"classroom:{lab.stack.settings['JUPYTER_PORT']}"
    cookie = lab.cookie(name)
    with lab.kernel(name, f"http://{name}", cookie) as kernel:
        assert kernel.run("print(1)") == "1\n"
    with (
        pytest.raises(WebSocketBadStatusException, match="403"),
        lab.kernel(name, "http://elsewhere.example", cookie),
    ):
        pass


def test_the_first_notebook_must_log_a_run_with_a_link_that_browsers_can_open(
    lab: Lab, api: Api
) -> None:
    printed = lab.run(*lab.cells("first-run.ipynb"))
    (experiment, run) = re.findall(
        rf"at: {re.escape(lab.stack.url)}/#/experiments/(\d+)/runs/([0-9a-f]+)\n", printed
    )[0]
    found = api.get("runs/get", run_id=run)["run"]
    assert found["info"]["experiment_id"] == experiment
    assert found["info"]["status"] == "FINISHED"
    assert {param["key"] for param in found["data"]["params"]} == {"alpha", "eta0", "epochs"}
    history = api.get("metrics/get-history", run_id=run, metric_key="r2")["metrics"]
    assert [metric["step"] for metric in history] == [*range(20)]
    picture = api.artifact("GET", f"{experiment}/{run}/artifacts/r2.png").content
    assert picture.startswith(b"\x89PNG")
    # The first impression of a beginner.
    assert "WARNING" not in printed


@left_to_soak("another scenario opens the link")
def test_a_person_must_get_from_the_token_to_the_run_in_mlflow(
    lab: Lab, markers: Markers, tmp_path: Path
) -> None:
    """Log in, open the first notebook, run all cells, follow the link."""
    with open_browser(tmp_path) as browser:
        # Otherwise the browser would ask for the login when the link is opened.
        password = markers["MLFLOW_ADMIN_PASSWORD"]
        browser.open(lab.stack.url.replace("://", f"://admin:{password}@"))
        browser.open(lab.url)
        browser.type("#password_input", lab.token)
        # Until the kernel is connected, JupyterLab would ask which one to use.
        browser.open_notebook("first-run.ipynb")
        browser.click(".lm-MenuBar-item", "Run")
        browser.click(".lm-Menu-item[data-command='runmenu:run-all']:not(.lm-mod-disabled)")
        link = browser.find(".jp-OutputArea a[href*='/runs/']")
        browser.find(".jp-OutputArea img")
        run = str(link.get_attribute("href")).rpartition("/")[2]
        browser.keep_screenshot("jupyter-notebook")
        link.click()
        browser.switch_to_new_tab()
        browser.find("body", run)
        browser.find("body", "eta0")
        browser.keep_screenshot("jupyter-run-in-mlflow")


def test_a_notebook_must_reach_the_bucket_directly(lab: Lab) -> None:
    stack = lab.stack
    run = stack.log_run(Api(stack.url, ("admin", stack.settings["MLFLOW_ADMIN_PASSWORD"])))
    code = (
        "import boto3\n"
        f"found = boto3.client('s3').get_object(Bucket={stack.bucket!r}, Key={run.key!r})\n"
        "print(len(found['Body'].read()))"
    )
    assert lab.run(code) == f"{len(run.artifact)}\n"


def test_files_must_belong_to_the_owner_of_the_folder(lab: Lab) -> None:
    """In both directions: what is made in a notebook, and what its owner puts there."""
    lab.run("import os; os.mkdir('deep')", "open('deep/a.txt', 'w').write('1')")
    expected = owner(lab.folder)
    found = [lab.folder / "deep", lab.folder / "deep/a.txt", lab.folder / "first-run.ipynb"]
    assert [owner(path) for path in found] == [expected] * 3
    (lab.folder / "deep/a.txt").write_text("2", encoding="utf-8")
    assert lab.run("print(open('deep/a.txt').read())") == "2\n"
    lab.run("import shutil; shutil.rmtree('deep')")
    assert not found[0].exists()


@docker_only("without containers, JupyterLab may do what the user may")
def test_the_container_must_only_write_to_its_volumes(lab: Lab) -> None:
    stack = lab.stack
    assert isinstance(stack, DockerStack)
    container = stack.containers()["jupyter"]
    expected = OWNER if is_root() else os.getuid()
    assert container["Config"]["User"].partition(":")[0] == str(expected)
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    tries = "for path in ('/opt/x', '/etc/x', '/run/secrets/x'):\n    open(path, 'w')"
    with pytest.raises(AssertionError, match="Read-only file system"):
        lab.run(tries)


def test_the_users_packages_must_be_installed(lab: Lab) -> None:
    name, version = PACKAGE.split("==")
    code = f"import importlib.metadata, {name}; print(importlib.metadata.version({name!r}))"
    assert lab.run(code) == f"{version}\n"


def test_pip_in_a_notebook_must_install_for_this_stack_only(lab: Lab) -> None:
    """The packages of JupyterLab are read-only, or belong to other stacks as well."""
    write_wheel(lab.folder / "own_package-1.0-py3-none-any.whl")
    # Another version of a package that is there.
    write_wheel(lab.folder / "tabulate-1.0-py3-none-any.whl", "tabulate")
    other = "%pip install --quiet --no-index ./tabulate-1.0-py3-none-any.whl"
    assert lab.run(other, "import tabulate; print(tabulate.ANSWER)").endswith("42\n")
    assert "0.9.0" in lab.run(VERSIONS)
    install = "%pip install --quiet --no-index ./own_package-1.0-py3-none-any.whl"
    place = lab.run("import pandas", install, "import own_package; print(own_package.__file__)")
    home = "/home/jupyter/" if isinstance(lab.stack, DockerStack) else str(lab.stack.folder)
    assert place.splitlines()[-1].startswith(home)
    assert lab.run("import own_package; print(own_package.ANSWER)") == "42\n"


def write_wheel(path: Path, name: str = "own_package") -> None:
    """Write a package."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "ANSWER = 42\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)


def test_notebooks_and_settings_must_survive_a_restart(lab: Lab) -> None:
    lab.run("%store -r", "kept = 42", "%store kept", "open('kept.txt', 'w').write('kept')", EVIL)
    lab.stack.kill("jupyter")
    # Docker reports a killed container as healthy until it has noticed.
    wait_until(lambda: not is_healthy(lab), seconds=20, what="the end is noticed", poll=0.02)
    lab.stack.wait_until_healthy("jupyter")
    assert lab.run("%store -r", "print(kept, open('kept.txt').read())") == "42 kept\n"
    assert lab.call("GET", "api/contents", "evil").status_code == FORBIDDEN


def is_healthy(lab: Lab) -> bool:
    """Tell whether the engine considers JupyterLab healthy."""
    return lab.stack.health("jupyter") == "healthy"


def is_up(lab: Lab) -> bool:
    """Tell whether JupyterLab answers."""
    try:
        return lab.call("GET", "api", "").ok
    except OSError:
        return False


def test_no_secret_must_show(lab: Lab, markers: Markers) -> None:
    """Neither in logs nor in any command line, and outside of the server in no environment."""
    stack, seen = lab.stack, Processes()
    assert lab.call("GET", f"api/contents?token={lab.token}", "").ok
    assert lab.call("GET", f"api/nothing?token={lab.token}", "").status_code
    with lab.kernel() as kernel:
        kernel.run("import mlflow")
        seen.look(markers)
    assert seen.command_lines == set()
    texts = [stack.tool("logs", "jupyter").text, stack.tool("config", "--json").text]
    texts.append(stack.tool("status").text)
    if isinstance(stack, DockerStack):
        container = stack.ids()["jupyter"]
        texts += [docker("inspect", container).text, docker("logs", container).text]
        texts += [docker("history", "--no-trunc", stack.image("jupyter")).text]
        texts += [stack.compose("config").text]
        assert seen.environments == set()
    else:
        assert isinstance(stack, LocalStack)
        texts.append((stack.local_folder / "logs/jupyter.log").read_text(encoding="utf-8"))
        # The login of MLflow's client, which reads it from there.
        assert seen.environments == {"MLFLOW_ADMIN_PASSWORD"}
    assert any("GET /api/nothing" in text for text in texts)
    assert markers.found_in(*texts) == set()


@left_to_soak("it waits for a broken server")
def test_verify_must_prove_the_page_and_name_what_is_broken(lab: Lab) -> None:
    """`up` repairs it, here with another token; the notebooks stay."""
    steps = lab.stack.tool("verify", "--json").data["steps"]
    assert [step["ok"] for step in steps if step["name"] == "jupyter"] == [True]
    lab.stack.stop("jupyter")
    output = lab.stack.tool("verify", code=1)
    output.shows("JupyterLab does not answer", "mlflow-compose logs jupyter")
    old, new = lab.token, Markers("token")["token"]
    (lab.folder / "mine.txt").write_text("mine", encoding="utf-8")
    lab.stack.write(JUPYTER_TOKEN=new)
    lab.stack.up()
    assert lab.call("GET", "api/contents", old).status_code == FORBIDDEN
    assert lab.call("GET", "api/contents/mine.txt", new).ok


def test_notebooks_must_survive_down_with_volumes(lab: Lab) -> None:
    """The last test of this stack: what was made in it stays the user's."""
    (lab.folder / "first-run.ipynb").unlink()
    (lab.folder / "mine.ipynb").write_text("{}", encoding="utf-8")
    lab.stack.tool("down", "--volumes", "--yes")
    assert not is_up(lab)
    assert (lab.folder / "mine.ipynb").read_text(encoding="utf-8") == "{}"
    assert not {"jupyter_home", "jupyter_tmp"} & lab.stack.volumes()
    lab.stack.tool("render")
    # Only an empty folder gets a first notebook.
    assert not (lab.folder / "first-run.ipynb").exists()
