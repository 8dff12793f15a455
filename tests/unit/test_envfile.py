"""Every style of `.env` is read as intended, or rejected with the number of the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.settings.envfile import edit, parse
from mlflow_compose.settings.quoting import quote

# All text that UTF-8 can encode; the rules of settings reject NUL.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)
TRICKY = st.text("'\"\\$#%@ =\t\n\r`{}!é漢a", max_size=40)


@given(TEXTS | TRICKY)
def test_a_quoted_value_must_be_read_back_unchanged(value: str) -> None:
    assert parse(f"PG_PASSWORD={quote(value)}\n").values == {"PG_PASSWORD": value}


@given(st.lists(TRICKY, min_size=2, max_size=5))
def test_a_quoted_value_must_not_swallow_the_following_lines(values: list[str]) -> None:
    written = {f"VALUE_{number}": value for number, value in enumerate(values)}
    text = "".join(f"{name}={quote(value)}\n" for name, value in written.items())
    assert parse(text).values == written


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("A=", ""),
        ("A=''", ""),
        ("A = spaced ", "spaced"),
        ("A=two words", "two words"),
        ("A=value # a comment", "value"),
        ("A=value#no-comment", "value#no-comment"),
        ("A='value # no comment'", "value # no comment"),
        ("A='$HOME ${HOME}'", "$HOME ${HOME}"),
        ("A=$HOME", "$HOME"),
        ('A="tab\\tquote\\""', 'tab\tquote"'),
        ("A='tab\\t'", "tab\\t"),
        ("A='it\\'s'", "it's"),
        ("A=back\\slash", "back\\slash"),
        ("A='ends in \\\\'", "ends in \\"),
        ("A=a=b=c", "a=b=c"),
        ("export A=exported", "exported"),
        ("  A=indented", "indented"),
        ("A='two\nlines'", "two\nlines"),
    ],
)
def test_a_value_must_be_read_literally(line: str, value: str) -> None:
    assert parse(f"# above\n\n{line}\nZ=last\n").values == {"A": value, "Z": "last"}


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_endings_must_not_become_part_of_values(ends: str) -> None:
    assert parse(ends.join(["A=1", "", "B='2'", "C=3"])).values == {"A": "1", "B": "2", "C": "3"}


@pytest.mark.parametrize("value", ["two\nlines", "it's\n$x"])
def test_windows_line_endings_must_not_be_in_the_values(value: str) -> None:
    text = f"A=1\nB={quote(value)}\n".replace("\n", "\r\n")
    assert parse(text).values == {"A": "1", "B": value}
    edited = edit(text, {"A": value, "C": "a\r\nb"})
    assert parse(edited).values == {"A": value, "B": value, "C": "a\r\nb"}
    assert edited.count("\n") == edited.count("\r\n")


def test_a_byte_order_mark_and_windows_line_endings_must_be_noted() -> None:
    assert parse("A=1\n").notes == ()
    assert parse("\ufeffA=1\r\n").values == {"A": "1"}
    mark, ends = parse("\ufeffA=1\r\n", name="my.env").notes
    assert "my.env starts with a byte order mark" in mark
    assert "Windows line endings" in ends


def test_every_line_that_cannot_be_parsed_must_be_reported_with_its_number() -> None:
    file = parse("GOOD=1\n\n\nMLFLOW_PORT: 5000\nPG_PASSWORD='hunter2\n")
    assert file.values == {"GOOD": "1"}
    (port, port_said), (password, password_said) = file.problems
    assert (port, password) == (4, 5)
    assert port_said == "MLFLOW_PORT is followed by a colon; write MLFLOW_PORT=value"
    assert password_said.startswith("PG_PASSWORD cannot be parsed")
    assert "hunter2" not in password_said


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("MLFLOW_PORT", "MLFLOW_PORT has no value; write MLFLOW_PORT=value"),
        ("export MLFLOW_PORT: 5000", "write MLFLOW_PORT=value"),
        ("MLFLOW_PORT:5000", "write MLFLOW_PORT=value"),
        ("PG_PASSWORD: a=b", "write PG_PASSWORD=value"),
        ("PG_PASSWORD='a' b", "PG_PASSWORD cannot be parsed"),
        ('PG_PASSWORD="a', "PG_PASSWORD cannot be parsed"),
        ("=value", "this line cannot be parsed"),
        # The second line of a wrapped secret.
        ("c2VjcmV0LW9mLW1pbmU", "this line has no value"),
        ("ABCDEFGH234567", "this line has no value"),
        ("ABCDEFGH: 234567", "this line cannot be parsed"),
    ],
)
def test_the_error_for_an_invalid_line_must_show_how_to_write_it(line: str, message: str) -> None:
    ((number, found),) = parse(f"{line}\n").problems
    assert number == 1
    assert message in found
    assert not any(word in found for word in ("c2Vj", "ABCDEFGH"))


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("tail", ["5No=", "ab==", "Zm9vYmFyYmF6Zg==", "abcdefgHIJKLMNOPQRSTUVW="])
def test_the_end_of_a_wrapped_secret_must_be_reported_and_not_shown(width: int, tail: str) -> None:
    """openssl wraps its output after 64 characters, base64 after 76."""
    file = parse(f"PG_PASSWORD={'aB3+' * (width // 4)}\n{tail}\n")
    assert file.values.keys() == {"PG_PASSWORD"}
    ((number, found),) = file.problems
    assert number == 2
    assert found.startswith("this line looks like the end of the value above it; write each value")


@pytest.mark.parametrize("line", ["Auth0Secret=", "Serilog__Level0=", "KV_SEPARATOR==", "A=ab=="])
@pytest.mark.parametrize("above", ["# a comment", "ARTIFACT_STORE=local", "", f"A='{'x' * 64}'"])
def test_a_line_that_only_looks_like_base64_must_be_accepted(line: str, above: str) -> None:
    assert parse(f"{above}\n{line}\n").problems == ()


def test_a_name_that_is_set_twice_must_be_reported_with_both_line_numbers() -> None:
    file = parse("A=1\n# between\nA=2\n")
    assert file.values == {"A": "2"}
    assert file.lines == {"A": (1, 3)}


def test_the_repr_of_a_file_must_not_show_its_values() -> None:
    assert "hunter2" not in repr(parse("PG_PASSWORD=hunter2\n"))


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)


@given(st.dictionaries(NAMES, TRICKY, max_size=6), st.dictionaries(NAMES, TRICKY, max_size=6))
def test_an_edit_must_change_the_given_settings_and_nothing_else(
    before: dict[str, str], changes: dict[str, str]
) -> None:
    text = "".join(f"# about {name}\n{name}={quote(value)}\n" for name, value in before.items())
    assert parse(edit(text, changes)).values == {**before, **changes}


def test_an_edit_must_replace_settings_and_defaults_in_place() -> None:
    text = "# first\n#PORT=5000\n\n# second\n#HOST=a\nexport HOST='b\nc'\n\nLAST=1"
    edited = edit(text, {"PORT": "5001", "HOST": "d", "NEW": "x y"})
    assert edited == ("# first\nPORT=5001\n\n# second\n#HOST=a\nHOST=d\n\nLAST=1\nNEW='x y'\n")
