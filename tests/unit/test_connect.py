"""What a client must set, by where it runs, in each syntax."""

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from io import StringIO
from types import SimpleNamespace

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from mlflow_compose.connect import FORMATS, ClientEnvironment, Variable, client_environment, written
from mlflow_compose.connect.formats import PLAIN
from mlflow_compose.errors import UsageError

from .samples import ANY_ADDRESS, SECRETS, local_stack, stack

LAN = "10.1.2.3"
OPEN = {"STACK_BIND_ADDRESS": ANY_ADDRESS, "MLFLOW_AUTH": "basic"}
DIRECT = {"MLFLOW_ARTIFACT_ACCESS": "direct"}
KEY = {
    "AWS_ACCESS_KEY_ID": SECRETS["MINIO_ACCESS_KEY"],
    "AWS_SECRET_ACCESS_KEY": SECRETS["MINIO_SECRET_ACCESS_KEY"],
    "AWS_DEFAULT_REGION": "us-east-1",
}
LOGIN = {
    "MLFLOW_TRACKING_USERNAME": "admin",
    "MLFLOW_TRACKING_PASSWORD": SECRETS["MLFLOW_ADMIN_PASSWORD"],
}


def s3_at(url: str) -> dict[str, str]:
    return {"MLFLOW_S3_ENDPOINT_URL": url, "AWS_ENDPOINT_URL_S3": url, **KEY}


@pytest.mark.parametrize(
    ("settings", "place", "expected"),
    [
        ({}, "host", {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"}),
        ({}, "container", {"MLFLOW_TRACKING_URI": "http://mlflow:5000"}),
        (
            {},
            "direct",
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000", **s3_at("http://127.0.0.1:9000")},
        ),
        (
            {**OPEN, "MLFLOW_PORT": "5001"},
            "lan",
            {"MLFLOW_TRACKING_URI": f"http://{LAN}:5001", **LOGIN},
        ),
        (
            {**OPEN, **DIRECT},
            "lan",
            {
                "MLFLOW_TRACKING_URI": f"http://{LAN}:5000",
                **LOGIN,
                **s3_at(f"http://{LAN}:9000"),
            },
        ),
        (
            {**OPEN, **DIRECT},
            "container",
            {"MLFLOW_TRACKING_URI": "http://mlflow:5000", **LOGIN, **s3_at("http://s3:9000")},
        ),
        (
            {**DIRECT, "MINIO_HOST": "s3.lab.example", "MINIO_STORAGE_USE_HTTPS": "true"},
            "host",
            {
                "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
                **s3_at("https://s3.lab.example:9000"),
            },
        ),
        (
            {**DIRECT, "MINIO_HOST": "aws"},
            "host",
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000", **KEY},
        ),
        (
            {**DIRECT, "BACKEND_STORE": "sqlite", "ARTIFACT_STORE": "local"}
            | {"MLFLOW_ARTIFACT_ACCESS": "proxied"},
            "host",
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"},
        ),
    ],
)
def test_a_client_must_be_told_what_is_right_where_it_runs(
    settings: Mapping[str, str], place: str, expected: Mapping[str, str]
) -> None:
    lan_host = LAN if "STACK_BIND_ADDRESS" in settings else ""
    found = client_environment(stack(**settings), place, lan_host)
    assert dict(found.values(secrets=True)) == expected


def test_a_stack_that_only_this_machine_reaches_must_say_so() -> None:
    with pytest.raises(UsageError) as caught:
        client_environment(stack(), "lan", "")
    assert "STACK_BIND_ADDRESS" in caught.value.message


def test_a_stack_without_docker_must_not_name_a_container_network() -> None:
    with pytest.raises(UsageError):
        client_environment(local_stack(), "container", "")


def test_secrets_must_be_left_out_and_named() -> None:
    found = client_environment(stack(**OPEN, **DIRECT), "lan", LAN)
    for name, chosen in FORMATS.items():
        text = "\n".join(written(found, name, secrets=False))
        assert not [secret for secret in SECRETS.values() if secret in text]
        assert ("MLFLOW_TRACKING_PASSWORD" in text) == chosen.has_comments
        assert SECRETS["MLFLOW_ADMIN_PASSWORD"] in "\n".join(written(found, name, secrets=True))


# What an environment variable can hold.
VALUES = st.lists(
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=0, max_size=30
    )
    | st.sampled_from(
        ["$HOME", "it's", '"', "\\", "\\'", "a\nb", "%", "`id`", "$(id)", "{x}", "\u2018\u2019"]
    ),
    min_size=1,
    max_size=6,
)


def environment(values: list[str]) -> ClientEnvironment:
    return ClientEnvironment(tuple(Variable(f"V{n}", value) for n, value in enumerate(values)))


def read_by_shell(shell: str) -> Callable[[str], dict[str, str]]:
    def read(text: str) -> dict[str, str]:
        done = subprocess.run(
            [shell, "-c", 'eval "$1"; env -0', shell, text],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        pairs = (item.split("=", 1) for item in done.stdout.decode().split("\0") if item)
        return dict(pairs)

    return read


def read_by_python(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    exec(text.replace("import os", "pass"), {"os": SimpleNamespace(environ=found)})  # noqa: S102
    return found


def read_by_dotenv(text: str) -> dict[str, str]:
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def read_powershell(text: str) -> dict[str, str]:
    """Read single-quoted strings as PowerShell's tokenizer does: a doubled quote is one."""
    quotes = "'\u2018\u2019\u201a\u201b"
    pattern = rf"\$env:(\w+) = '((?:[^{quotes}]|([{quotes}])\3)*)'(?:\n|$)"
    return {m[1]: re.sub(rf"([{quotes}])\1", r"\1", m[2]) for m in re.finditer(pattern, text)}


def read_fish(text: str) -> dict[str, str]:
    """Read single-quoted strings as fish does: a backslash escapes itself and the quote."""
    pattern = r"set -gx (\w+) '((?:[^\\']|\\.)*)'(?:\n|$)"
    return {m[1]: re.sub(r"\\([\\'])", r"\1", m[2]) for m in re.finditer(pattern, text, re.DOTALL)}


def read_r(text: str) -> dict[str, str]:
    pattern = r'Sys\.setenv\((\w+) = ("(?:[^\\"]|\\.)*")\)(?:\n|$)'
    return {m[1]: json.loads(m[2]) for m in re.finditer(pattern, text)}


def read_jupyter(text: str) -> dict[str, str]:
    """Read a cell as IPython does, which passes on plain values unchanged."""
    magic = dict(re.findall(r"^%env (\w+)=(.*)$", text, re.MULTILINE))
    assert all(PLAIN.fullmatch(value) for value in magic.values())
    rest = (line for line in text.split("\n") if not line.startswith("%env"))
    return magic | read_by_python("\n".join(rest))


@given(VALUES)
def test_every_value_must_be_read_back_by_a_shell(values: list[str]) -> None:
    text = "\n".join(written(environment(values), "bash", secrets=True))
    for shell in ("bash", "sh"):
        found = read_by_shell(shell)(text)
        assert [found[f"V{n}"] for n in range(len(values))] == values


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("python", read_by_python),
        ("json", json.loads),
        ("dotenv", read_by_dotenv),
        ("powershell", read_powershell),
        ("fish", read_fish),
        ("r", read_r),
        ("jupyter", read_jupyter),
    ],
)
@given(VALUES)
def test_every_value_must_be_read_back(
    name: str, read: Callable[[str], dict[str, str]], values: list[str]
) -> None:
    text = "\n".join(written(environment(values), name, secrets=True))
    found = read(text)
    assert [found[f"V{n}"] for n in range(len(values))] == values
