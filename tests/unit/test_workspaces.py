"""Names of workspaces, and what a role gives access to."""

import pytest

from mlflow_compose.actions.workspaces import check_name
from mlflow_compose.clients.workspaces import level_of
from mlflow_compose.errors import UsageError


@pytest.mark.parametrize("name", ["ab", "vision", "jose-nandu", "3d", "a" * 63])
def test_a_name_that_mlflow_accepts_must_be_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "a", "Vision", "-a", "a-", "a_b", "a b", "vision\n", "größe", "default", "api", "a" * 64],
)
def test_a_name_that_mlflow_refuses_must_be_refused(name: str) -> None:
    with pytest.raises(UsageError, match="must be 2 to 63 lowercase letters"):
        check_name(name)


@pytest.mark.parametrize(
    ("grants", "level"),
    [
        ([], ""),
        ([("workspace", "*", "USE")], "USE"),
        ([("workspace", "*", "USE"), ("workspace", "*", "MANAGE")], "MANAGE"),
        ([("experiment", "*", "MANAGE")], ""),
        ([("experiment", "1", "MANAGE"), ("workspace", "*", "USE")], "USE"),
        ([("workspace", "*", "NO_PERMISSIONS")], ""),
    ],
)
def test_only_a_grant_on_the_whole_workspace_must_count(
    grants: list[tuple[str, str, str]], level: str
) -> None:
    names = ("resource_type", "resource_pattern", "permission")
    assert (
        level_of({"permissions": [dict(zip(names, one, strict=True)) for one in grants]}) == level
    )
