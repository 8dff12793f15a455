"""The page of variables is written from the settings' declarations."""

from pathlib import Path

from mlflow_compose.settings import reference_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "variables.md"


def test_the_page_of_variables_must_say_what_the_settings_say(*, update_golden: bool) -> None:
    if update_golden:
        PAGE.write_text(reference_page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == reference_page()
