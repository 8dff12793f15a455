"""`serve` runs registered models as services that answer like the model itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from .docker_stack import DockerStack
from .registered import BROKEN, LACKING, LINE, register
from .running import ON_DOCKER_IN_CI, RunningStack, docker_only, left_to_soak
from .small import SMALLEST, rendered
from .tracking import Api
from .waiting import free_ports

pytestmark = ON_DOCKER_IN_CI

INPUTS = {"dataframe_split": {"columns": ["x"], "data": [[0.5], [1.0], [2.5]]}}


TRIPLED = [1.5, 3.0, 7.5]
# Lists the bytecode of a package that the models import.
COMPILED = (
    'ls "$SERVING_FOLDER"/environments/*/lib/python3*/site-packages/pandas/core/__pycache__/*.pyc'
)


@dataclass
class Serving:
    """A stack with login, and registered models.

    Attributes:
        stack: The stack, which its own fixture starts and removes.
        port: Free port of this machine.
        doubled: Predictions of the first version for INPUTS.
    """

    stack: RunningStack
    port: int
    doubled: list[float]

    @property
    def login(self) -> tuple[str, str]:
        """Name and password of the admin."""
        return "admin", self.stack.settings["MLFLOW_ADMIN_PASSWORD"]

    def point_alias_to(self, version: str) -> None:
        api = Api(self.stack.url, self.login)
        api.post("registered-models/alias", name=LINE, alias="champion", version=version)

    def listed(self) -> dict[str, Any]:
        """Return what `serve --list` reports, by model."""
        models = self.stack.tool("serve", "--list", "--json").data["models"]
        return {model["model"]: model for model in models}

    def predictions(self) -> list[float]:
        """Return the predictions for INPUTS as any client gets them."""
        with requests.Session() as session:
            session.trust_env = False
            url = f"http://127.0.0.1:{self.port}/invocations"
            answer = session.post(url, json=INPUTS, timeout=60)
        assert answer.ok, answer.text
        found: list[float] = answer.json()["predictions"]
        return found


@pytest.fixture(scope="module")
def serving(
    _make_for_module: Callable[..., RunningStack], tmp_path_factory: pytest.TempPathFactory
) -> Serving:
    """Return a running stack with registered models, none of them served."""
    stack = _make_for_module(**SMALLEST, MLFLOW_AUTH="basic")
    stack.up()
    serving = Serving(stack, free_ports(1)[0], [])
    serving.doubled = register(stack, tmp_path_factory.mktemp("models"), serving.login)
    return serving


@pytest.fixture(scope="module")
def champion(serving: Serving) -> Serving:
    """Return the same stack, serving the alias of the model."""
    port = str(serving.port)
    served = serving.stack.tool(
        "serve", f"{LINE}@champion", "--port", port, "--memory", "1g", "--json"
    )
    assert json.loads(served.data["answer"])["predictions"] == pytest.approx(serving.doubled)
    return serving


def test_a_served_model_must_answer_like_the_model(champion: Serving) -> None:
    assert champion.predictions() == pytest.approx(champion.doubled)
    found = champion.listed()[LINE]
    assert (found["version"], found["alias"], found["health"]) == ("1", "champion", "healthy")
    assert found["url"] == f"http://127.0.0.1:{champion.port}"


def test_a_served_model_must_be_confined(champion: Serving) -> None:
    """With Docker: not root, nothing writable but its volume, and a memory limit."""
    if not isinstance(champion.stack, DockerStack):
        pytest.skip("without a container, a model runs as the user who starts the stack")
    box = champion.stack.containers()[champion.listed()[LINE]["service"]]
    assert box["Config"]["User"] == "10001:10001"
    assert box["HostConfig"]["ReadonlyRootfs"]
    assert box["HostConfig"]["Memory"] == 1024**3
    assert champion.login[1] not in json.dumps(box)


def test_what_a_model_imports_must_be_compiled_once(champion: Serving) -> None:
    """Compiling pandas takes longer than the rest of a start."""
    assert champion.stack.execute(champion.listed()[LINE]["service"], "sh", "-c", COMPILED)


@left_to_soak("it starts each model again")
def test_a_moved_alias_must_be_served_when_asked_again(champion: Serving) -> None:
    champion.point_alias_to("2")
    assert champion.predictions() == pytest.approx(champion.doubled)
    # It has no input example.
    assert champion.stack.tool("serve", f"{LINE}@champion", "--json").data["answer"] is None
    assert champion.predictions() == pytest.approx(TRIPLED)
    assert champion.listed()[LINE]["version"] == "2"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("nothing@champion", "no registered model nothing"),
        (f"{LINE}@best", "has no alias best"),
        (f"{LINE}/9", "has no version 9"),
        (LINE, "names no version of a model"),
    ],
)
def test_a_version_that_does_not_exist_must_change_nothing(
    champion: Serving, wrong: str, said: str
) -> None:
    before = champion.stack.env_file.read_bytes()
    assert said in champion.stack.tool("serve", wrong, code=2).err
    assert champion.stack.env_file.read_bytes() == before


@left_to_soak("a version that does not exist is refused alike")
@docker_only("the same steps take longer")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (BROKEN, ["its requirements cannot be installed", "skops==0.0.0.1"]),
        (LACKING, ["cannot be loaded: ", "No module named 'skops'"]),
    ],
)
def test_a_model_that_cannot_be_served_must_leave_nothing(
    champion: Serving, name: str, said: list[str]
) -> None:
    before, answer = champion.stack.env_file.read_bytes(), champion.predictions()
    champion.stack.tool("serve", f"{name}/1", code=1).shows(*said)
    assert champion.stack.env_file.read_bytes() == before
    assert [*champion.listed()] == [LINE]
    assert champion.predictions() == answer


def test_models_must_come_back_with_the_stack_until_they_are_stopped(champion: Serving) -> None:
    """A start looks the alias up."""
    stack = champion.stack
    champion.point_alias_to("1")
    stack.tool("down")
    stack.up()
    assert champion.predictions() == pytest.approx(champion.doubled)
    stack.tool("serve", "--stop", LINE)
    with pytest.raises(requests.ConnectionError):
        champion.predictions()
    assert champion.listed() == {}
    assert not any("model" in path for path in rendered(stack))
