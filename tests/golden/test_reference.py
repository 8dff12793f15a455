"""The variables page is generated from the declared settings."""

from pathlib import Path

from mlflow_compose.settings import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "variables.md"


def test_the_variables_page_must_match_the_declared_settings(*, update_golden: bool) -> None:
    if update_golden:
        PAGE.write_text(reference_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == reference_page()
