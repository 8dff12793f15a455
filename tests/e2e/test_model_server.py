"""`serve` runs registered models as services that answer like the model itself."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from .docker_stack import DockerStack
from .registered import BROKEN, LINE, ODD, register
from .running import RunningStack
from .small import SMALLEST
from .tracking import Api
from .waiting import free_ports

INPUTS = {"dataframe_split": {"columns": ["x"], "data": [[0.5], [1.0], [2.5]]}}


@dataclass
class Serving:
    """A stack with login, and registered models.

    Attributes:
        stack: The stack, which its own fixture starts and removes.
        port: Free port of this machine.
        predictions: Predictions for INPUTS, by version of LINE.
    """

    stack: RunningStack
    port: int
    predictions: Mapping[str, Any]

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

    def predict(self, inputs: object = INPUTS) -> Any:  # noqa: ANN401
        """Return the predictions of LINE as any client gets them."""
        return predict(f"http://127.0.0.1:{self.port}", inputs)


def predict(url: str, inputs: object) -> Any:  # noqa: ANN401
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/invocations", json=inputs, timeout=60)
    assert answer.ok, answer.text
    return answer.json()["predictions"]


@pytest.fixture(scope="module")
def serving(
    _make_for_module: Callable[..., RunningStack], tmp_path_factory: pytest.TempPathFactory
) -> Serving:
    """Return a running stack with registered models, none of them served."""
    stack = _make_for_module(**SMALLEST, MLFLOW_AUTH="basic")
    stack.up()
    serving = Serving(stack, free_ports(1)[0], {})
    serving.predictions = register(stack, tmp_path_factory.mktemp("models"), serving.login)
    return serving


@pytest.fixture(scope="module")
def champion(serving: Serving) -> Serving:
    """Return the same stack, serving the alias of the model."""
    port = str(serving.port)
    served = serving.stack.tool(
        "serve", f"{LINE}@champion", "--port", port, "--memory", "1g", "--json"
    )
    answer = json.loads(served.data["answer"])["predictions"]
    assert answer == pytest.approx(serving.predictions["1"])
    return serving


def test_a_served_model_must_answer_like_the_model(champion: Serving) -> None:
    assert champion.predict() == pytest.approx(champion.predictions["1"])
    found = champion.listed()[LINE]
    assert (found["version"], found["alias"], found["health"]) == ("1", "champion", "healthy")
    assert found["url"] == f"http://127.0.0.1:{champion.port}"


def test_a_served_model_must_be_confined(champion: Serving) -> None:
    """With Docker: not root, nothing writable but its volume, and a memory limit."""
    if not isinstance(champion.stack, DockerStack):
        pytest.skip("without a container, a model runs as the user who starts the stack")
    box = champion.stack.containers()[f"model-{LINE}-champion"]
    assert box["Config"]["User"] == "10001:10001"
    assert box["HostConfig"]["ReadonlyRootfs"]
    assert box["HostConfig"]["Memory"] == 1024**3
    assert champion.login[1] not in json.dumps(box)


def test_a_moved_alias_must_be_served_when_asked_again(champion: Serving) -> None:
    champion.point_alias_to("2")
    assert champion.predict() == pytest.approx(champion.predictions["1"])
    champion.stack.tool("serve", f"{LINE}@champion")
    assert champion.predict() == pytest.approx(champion.predictions["2"])
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


def test_a_model_that_cannot_be_installed_must_leave_nothing(champion: Serving) -> None:
    before = champion.stack.env_file.read_bytes()
    failed = champion.stack.tool("serve", f"{BROKEN}/1", code=1).err
    assert "its requirements cannot be installed" in failed
    assert "skops==0.0.0.1" in failed
    assert champion.stack.env_file.read_bytes() == before
    assert [*champion.listed()] == [LINE]
    assert champion.predict() == pytest.approx(champion.predictions["2"])


def test_models_must_come_back_with_the_stack_and_go_one_by_one(champion: Serving) -> None:
    stack = champion.stack
    served = stack.tool("serve", f"{ODD}/1", "--json").data
    assert served["answer"] is None
    champion.point_alias_to("1")
    stack.tool("down")
    stack.up()
    assert champion.predict() == pytest.approx(champion.predictions["1"])
    words = {"dataframe_split": {"columns": ["word"], "data": [["a"], ["abc"]]}}
    assert predict(served["model"]["url"], words) == [1, 3]
    stack.tool("serve", "--stop", LINE)
    with pytest.raises(requests.ConnectionError):
        champion.predict()
    assert [*champion.listed()] == [ODD]
    stack.tool("serve", "--stop", f"{ODD}/1")
    assert stack.tool("serve", "--list", "--json").data["models"] == []
