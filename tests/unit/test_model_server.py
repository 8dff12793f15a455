"""Served models: their notation, their services, and what `serve` refuses."""

import pytest

from mlflow_compose.actions import load_plan, read_settings
from mlflow_compose.actions.served import parsed, replaced, stop_models, with_models
from mlflow_compose.actions.serving import explained
from mlflow_compose.errors import ServiceFailedError, SettingsError, UsageError
from mlflow_compose.paths import templates
from mlflow_compose.result import NoProgress
from mlflow_compose.settings.served import (
    LONGEST_NAME,
    Reference,
    ServedModel,
    reference,
    served_models,
    written,
)
from tests.unit.conftest import User
from tests.unit.fakes import FakeEngine
from tests.unit.samples import local_stack, settings, stack

TWO = "wine@champion=5100:1g fraud/3=5101"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("wine@champion", Reference("wine", "champion")),
        ("wine/3", Reference("wine", version=3)),
        ("price per m²@best", Reference("price per m²", "best")),
        ("a@b@c", Reference("a@b", "c")),
        ("wine", None),
        ("wine@", None),
        ("@champion", None),
        ("wine/0", None),
        ("wine/latest", None),
        ("a/b@c", None),
        ("a/b/3", None),
    ],
)
def test_a_reference_must_be_a_model_with_an_alias_or_a_version(
    typed: str, expected: Reference | None
) -> None:
    assert reference(typed) == expected
    if expected is None:
        with pytest.raises(UsageError, match="names no version of a model"):
            parsed(typed)


@pytest.mark.parametrize("typed", ["wine@champion", "wine/3", "a b@ü=", "50%@c", "a@b@c", "x:y/7"])
def test_any_name_must_survive_the_env_file(typed: str) -> None:
    found = reference(typed)
    assert found
    models = (ServedModel(found, 5100, "1g"), ServedModel(Reference("other", "x"), 5101))
    assert served_models(written(models)) == models


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("wine@champion", "model-wine-champion"),
        ("wine/3", "model-wine-v3"),
        ("Wine@champion", "model-wine-champion-40e5a7c3"),
        ("²@³", "model-4ae5b8e5"),
    ],
)
def test_a_service_must_be_named_after_its_model(typed: str, name: str) -> None:
    found = reference(typed)
    assert found
    assert found.service.rpartition("-")[0] == name.rpartition("-")[0]
    assert len(found.service) == len(name)


def test_long_names_must_fit_and_differ() -> None:
    names = {Reference("long " * 50, f"alias{number}").service for number in range(3)}
    assert len(names) == 3
    assert all(len(name) <= LONGEST_NAME for name in names)


@pytest.mark.parametrize(
    "wrong",
    ["wine", "wine@champion", "wine=5100", "wine@a=0", "wine@a=70000", "wine@a=5100:much", "w/x=1"],
)
def test_a_value_in_another_notation_must_be_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="STACK_MODELS  must be MODEL@ALIAS or MODEL/VERSION"):
        settings(STACK_MODELS=wrong)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a@b=5100 a@b=5101", "must not name a@b twice"),
        ("a-b@c=5100 a@b-c=5101", "would both be called model-a-b-c"),
        ("a@b=5100 c@d=5100", "must give c@d another port than a@b, got 5100"),
        ("a@b=5000", "must give a@b another port than MLFLOW_PORT, got 5000"),
    ],
)
def test_models_must_not_collide(value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(STACK_MODELS=value)
    assert said in caught.value.message


@pytest.mark.parametrize("make", [stack, local_stack])
def test_models_must_not_follow_the_stack_into_the_network(make: object) -> None:
    open_to_all = {"STACK_BIND_ADDRESS": "192.0.2.7", "MLFLOW_AUTH": "basic"}
    for more, address in (({}, "127.0.0.1"), ({"STACK_MODELS_ADDRESS": "192.0.2.7"}, "192.0.2.7")):
        found = make(STACK_MODELS=TWO, **open_to_all, **more)  # type: ignore[operator]
        ports = [port for service, port in found.ports if service.name.startswith("model-")]
        assert [(port.address, port.published) for port in ports] == [
            (address, 5100),
            (address, 5101),
        ]


def test_another_model_must_not_change_other_services() -> None:
    """Otherwise, serving a model would restart MLflow."""
    before, after = stack(STACK_MODELS="wine@champion=5100"), stack(STACK_MODELS=TWO)
    assert [after.service(each.name) for each in before.services[:-1]] == [*before.services[:-1]]


def test_the_login_must_be_in_a_file_only() -> None:
    found = stack(STACK_MODELS=TWO, MLFLOW_AUTH="basic").service("model-wine-champion")
    assert [secret.name for secret in found.secrets] == ["model_login.json"]
    assert not any("password-of" in value for value in found.environment.values())
    assert found.memory == "1g"
    assert (found.user, found.read_only, found.cap_drop) == ("10001:10001", True, ("ALL",))


def test_a_model_that_is_served_again_must_keep_its_place() -> None:
    before = served_models(TWO)
    again = ServedModel(Reference("wine", "champion"), 5200)
    assert replaced(before, again) == [again, before[1]]
    new = ServedModel(Reference("new", "x"), 5300)
    assert replaced(before, new) == [*before, new]


def test_only_the_variable_must_change_in_the_env_file(user: User) -> None:
    user.has_env("# mine", "MLFLOW_PORT=5001  # kept")
    plan = load_plan(*read_settings(user.env_file, {}), {})
    before = user.env_file.read_text(encoding="utf-8")
    change, new = with_models(plan, served_models(TWO))
    assert user.env_file.read_text(encoding="utf-8") == before
    assert new.stack.has("model-fraud-v3")
    change.apply()
    assert user.env_file.read_text(encoding="utf-8") == f"{before}STACK_MODELS='{TWO}'\n"
    change.undo()
    assert user.env_file.read_text(encoding="utf-8") == before


def test_a_value_from_the_environment_must_be_reported(user: User) -> None:
    user.has_env()
    environ = {"STACK_MODELS": "wine@champion=5100"}
    plan = load_plan(*read_settings(user.env_file, environ), environ)
    with pytest.raises(UsageError, match="STACK_MODELS is set in the environment"):
        with_models(plan, ())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "serve_model: MLflow does not return it",
            "w/3 cannot be served: MLflow does not return it",
        ),
        ("ImportError: no module x", "w/3 cannot be loaded: ImportError: no module x"),
        ("a.b.SomeException: it", "w/3 cannot be loaded: a.b.SomeException: it"),
    ],
)
def test_the_reason_of_a_server_must_replace_its_last_lines(line: str, said: str) -> None:
    model = ServedModel(Reference("w", version=3), 5100)
    message = (
        f"model-w-v3 keeps restarting; its last lines:\n  model-w-v3-1  | {line}\n  x-1  | next"
    )
    error = explained(ServiceFailedError(message, service="model-w-v3"), model)
    assert error.message == said
    assert error.service == "model-w-v3"
    other = ServiceFailedError(message, service="mlflow")
    assert explained(other, model) is other


def test_stopping_what_is_not_served_must_list_what_is(user: User) -> None:
    user.has_env(f"STACK_MODELS='{TWO}'")
    plan = load_plan(*read_settings(user.env_file, {}), {})
    with pytest.raises(UsageError, match="wine/1 is not served") as caught:
        stop_models(plan, lambda one: FakeEngine(one.stack), NoProgress(), "wine/1")
    assert caught.value.hint == "served models: wine@champion, fraud/3"


def test_models_must_be_installed_by_the_uv_that_is_pinned_for_the_image() -> None:
    """`make lock` updates the one, and must not forget the other."""
    compose = templates() / "compose"
    pinned = (compose / "mlflow" / "requirements-build.txt").read_text(encoding="utf-8").split()[0]
    script = (compose / "model-server" / "serve_model.py").read_text(encoding="utf-8")
    assert f'UV = "{pinned}"' in script
