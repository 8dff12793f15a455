"""The pages of variables and commands are generated from the declared ones."""

from collections.abc import Callable

import pytest

from mlflow_compose.cli.reference import commands_page
from mlflow_compose.settings import reference_page
from tests.unit.samples import ROOT

PAGES: dict[str, Callable[[], str]] = {"variables": reference_page, "commands": commands_page}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_must_match_what_is_declared(name: str, *, update_golden: bool) -> None:
    page = ROOT / "docs" / "reference" / f"{name}.md"
    if update_golden:
        page.write_text(PAGES[name](), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == PAGES[name]()
