"""Named queries, and how rows are shown."""

import pytest

from mlflow_compose.errors import UsageError
from mlflow_compose.queries import LAYOUTS, QUERIES, query_of
from mlflow_compose.queries.named import spelled


@pytest.mark.parametrize("name", QUERIES)
def test_every_argument_of_a_named_query_must_be_used(name: str) -> None:
    query = QUERIES[name]
    number = len(query.needed) + len(query.optional)
    text, arguments = query_of([name, *["x"] * number], postgres=True)
    assert len(arguments) == number
    assert all(f"argument_{n}'" in text for n in range(1, number + 1))
    assert f"argument_{number + 1}" not in text


@pytest.mark.parametrize("postgres", [True, False])
def test_nothing_must_be_left_of_the_common_spelling(postgres: bool) -> None:  # noqa: FBT001
    for query in QUERIES.values():
        text = spelled(query.text, postgres=postgres)
        assert "UTC(" not in text
        assert "VALUE(" not in text
        assert "WORKSPACE(" not in text


def test_only_a_stack_with_workspaces_must_be_asked_for_them() -> None:
    """Databases of older MLflow versions have no such column."""
    for query in QUERIES.values():
        assert "workspace" not in spelled(query.text, postgres=True)
    models = spelled(QUERIES["models"].text, postgres=True, workspaces=True)
    assert "(a.workspace, a.name) = (v.workspace, v.name)" in models


@pytest.mark.parametrize(
    "given", [["params-of"], ["params-of", "a", "b"], ["best-run"], ["no such", "query"]]
)
def test_a_wrong_name_or_number_of_arguments_must_be_refused(given: list[str]) -> None:
    with pytest.raises(UsageError):
        query_of(given, postgres=True)


def test_a_statement_must_be_passed_on_as_it_is() -> None:
    assert query_of(["SELECT ':1'"], postgres=True) == ("SELECT ':1'", ())


def test_a_table_must_be_aligned_and_stay_narrow() -> None:
    rows: list[list[str | int | None]] = [["a", 1], ["long\nkey", None], ["x" * 99, 22]]
    lines = [*LAYOUTS["table"].lines(["key", "value"], rows)]
    assert lines == [
        f"{'key':<60}  value",
        f"{'-' * 60}  -----",
        f"{'a':<60}      1",
        "long key",
        f"{'x' * 59}…     22",
    ]
