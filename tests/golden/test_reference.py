"""The pages about variables, commands and JSON are generated from the declarations."""

from collections.abc import Callable

import pytest

from mlflow_compose import errors
from mlflow_compose.cli.reference import commands_page
from mlflow_compose.payloads.page import json_page
from mlflow_compose.settings import reference_page
from tests.unit.samples import ROOT


def error_codes() -> dict[str, tuple[int, str]]:
    """Return the exit code and the meaning of each error, by its code."""
    found = (value for value in vars(errors).values() if isinstance(value, type))
    base = errors.MlflowComposeError
    known = [one for one in found if issubclass(one, base) and one is not base]
    # The base class and those without a code only group others.
    own = [one for one in known if "code" in vars(one)]
    return {one.code: (one.exit_code, (one.__doc__ or "").splitlines()[0]) for one in own}


PAGES: dict[str, Callable[[], str]] = {
    "variables": reference_page,
    "commands": commands_page,
    "json": lambda: json_page(error_codes()),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_must_match_the_declarations(name: str, *, update_golden: bool) -> None:
    page = ROOT / "docs" / "reference" / f"{name}.md"
    if update_golden:
        page.write_text(PAGES[name](), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == PAGES[name]()
