"""The same work for many items at once."""

from mlflow_compose.data.parallel import AHEAD, in_parallel


def test_results_must_be_in_the_order_of_the_items() -> None:
    assert list(in_parallel(lambda item: 2 * item, range(3 * AHEAD))) == [*range(0, 6 * AHEAD, 2)]


def test_items_must_not_all_be_in_memory() -> None:
    """A bucket may have millions of objects."""
    items = iter(range(3 * AHEAD))
    results = in_parallel(lambda item: item, items)
    assert next(results) == 0
    assert next(items) <= AHEAD
