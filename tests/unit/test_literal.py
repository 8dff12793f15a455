"""YAML and Compose read every rendered value back unchanged."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_compose.render.literal import literal

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
YAML_WORDS = st.text(
    "$0123456789.:-+_eExXoOnNaAiIfFyYtTrRuUsSlL~=<!&*?|>%@`{}[]#,'\" \n", max_size=12
)


@given(TEXTS | YAML_WORDS)
@example("$HOME ${HOME} $$")
@example(".5")
@example(".inf")
@example(".NaN")
@example("a: b")
@example("trailing:")
@example("\u2028\ufeff\x85\x7f\ufffe")
def test_yaml_must_read_any_text_back_with_each_dollar_doubled(text: str) -> None:
    doubled = text.replace("$", "$$")
    assert yaml.safe_load(f"x: {literal(text)}") == {"x": doubled}
    assert yaml.safe_load(f"- {literal(text)}") == [doubled]
    assert yaml.safe_load(f"x: {literal(text)}  # why") == {"x": doubled}


@given(TEXTS | YAML_WORDS)
def test_a_text_must_stay_on_its_line(text: str) -> None:
    assert len(literal(text).splitlines()) == 1


WORDS = "true False YES no On off null ~ y N 1 0x1f 1e3 .5 1:30 2026-11-21 - = << 9000:9000"


@pytest.mark.parametrize("word", ["", " a", "a ", "a #b", *WORDS.split()])
def test_a_text_that_yaml_reads_as_another_type_must_be_quoted(word: str) -> None:
    assert literal(word) == f'"{word}"'


@pytest.mark.parametrize(
    "word", ["mlflow", "/data", "./secrets/pg_password", "http://s3:9000", "postgres:18.4", "a@b"]
)
def test_a_plain_word_must_stay_plain_for_the_reader(word: str) -> None:
    assert literal(word) == word


@pytest.mark.parametrize(
    ("value", "text"), [(5, '"5"'), ("$HOME", '"$$HOME"'), ("a\\b", '"a\\\\b"')]
)
def test_other_values_must_be_written_as_text(value: object, text: str) -> None:
    assert literal(value) == text
