"""What a client must set, by where it runs, in each syntax."""

import json
import re
import shutil
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

from .conftest import User
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
    found = client_environment(stack(**settings), place, lan_host, {})
    assert dict(found.values(secrets=True)) == expected


def test_a_client_must_be_told_its_workspace() -> None:
    found = stack(MLFLOW_WORKSPACES="true")
    values = client_environment(found, "host", "", {}, "vision").values(secrets=True)
    assert values["MLFLOW_WORKSPACE"] == "vision"
    assert "MLFLOW_WORKSPACE" not in client_environment(found, "host", "", {}).values(secrets=True)


def test_a_stack_that_only_this_machine_reaches_must_say_so() -> None:
    with pytest.raises(UsageError) as caught:
        client_environment(stack(), "lan", "", {})
    assert "STACK_BIND_ADDRESS" in caught.value.message


def test_a_stack_without_docker_must_not_name_a_container_network() -> None:
    with pytest.raises(UsageError):
        client_environment(local_stack(), "container", "", {})


PROXY = {"HTTP_PROXY": "http://proxy.lab:3128"}


@pytest.mark.parametrize(
    ("environ", "place", "is_named"),
    [
        ({}, "host", False),
        (PROXY, "host", True),
        (PROXY, "container", False),
        ({"all_proxy": "socks5://proxy.lab:1080"}, "host", True),
        # Its variables are for HTTPS, and the stack speaks HTTP.
        ({"HTTPS_PROXY": "http://proxy.lab:3128"}, "host", False),
        ({**PROXY, "http_proxy": ""}, "host", False),
        ({**PROXY, "NO_PROXY": "localhost, 127.0.0.1"}, "host", False),
        ({**PROXY, "no_proxy": "127.0.0.0/8"}, "direct", False),
        ({**PROXY, "NO_PROXY": "*"}, "direct", False),
        ({**PROXY, "NO_PROXY": "localhost"}, "direct", True),
    ],
)
def test_a_proxy_must_be_mentioned_if_requests_would_go_through_it(
    environ: Mapping[str, str], place: str, *, is_named: bool
) -> None:
    notes = client_environment(stack(), place, "", environ).notes
    assert any("127.0.0.1 to NO_PROXY" in note for note in notes) == is_named


def test_an_external_s3_server_may_be_used_through_a_proxy() -> None:
    found = stack(MINIO_HOST="s3.lab.example", **DIRECT)
    environ = {**PROXY, "NO_PROXY": "127.0.0.1"}
    assert client_environment(found, "host", "", environ).notes == ()


def test_a_program_that_cannot_recognize_its_stack_must_not_be_written(user: User) -> None:
    """An id that is not stored differs each time."""
    user.has_env(f"STACK_BIND_ADDRESS={ANY_ADDRESS}", "MLFLOW_AUTH=basic", "STACK_ENGINE=local")
    line = ("env", "--for=lan", "--check=check_client.py", "--json")
    assert user.types(*line).code == 2
    assert not (user.folder / "check_client.py").exists()
    user.types("render", "--target=local")
    assert user.types(*line).code == 0
    assert (user.folder / ".mlflow-compose" / "id").read_text(encoding="utf-8").strip() in (
        user.folder / "check_client.py"
    ).read_text(encoding="utf-8")


def test_secrets_must_be_left_out_and_named() -> None:
    found = client_environment(stack(**OPEN, **DIRECT), "lan", LAN, {})
    for name, chosen in FORMATS.items():
        text = "\n".join(written(found, name, secrets=False))
        assert not [secret for secret in SECRETS.values() if secret in text]
        assert ("MLFLOW_TRACKING_PASSWORD" in text) == chosen.has_comments
        assert SECRETS["MLFLOW_ADMIN_PASSWORD"] in "\n".join(written(found, name, secrets=True))


HARD = ["$HOME", "it's", '"', "\\", "\\'", "a\nb", "%", "`id`", "$(id)", "{x}", "\u2018\u2019"]
HARD += ["", " a ", "\r", "\t", "\x01\x1b", "é日😀", "a'\\'b", "end\\", "\x85", "\n"]
# What an environment variable can hold.
VALUES = st.lists(
    st.text(
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=0, max_size=30
    )
    | st.sampled_from(HARD),
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


@pytest.mark.parametrize(
    ("name", "program", "tail"),
    [
        ("fish", ("fish", "--no-config", "-c", "source; env -0"), ""),
        ("r", ("Rscript", "--vanilla", "-"), '\nsystem("env -0")\n'),
        ("powershell", ("pwsh", "-NoProfile", "-Command", "-"), "\nenv -0\n"),
    ],
)
def test_hard_values_must_be_read_back_by_a_program(
    name: str, program: tuple[str, ...], tail: str
) -> None:
    """The program itself, if it is installed; the readers below follow its documentation."""
    if not (path := shutil.which(program[0])):
        pytest.skip(f"{program[0]} is not installed")
    text = "\n".join(written(environment(HARD), name, secrets=True)) + tail
    environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        (path, *program[1:]), check=False, input=text.encode(), env=environ, capture_output=True
    )
    found = dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)
    assert [found.get(f"V{n}") for n in range(len(HARD))] == HARD, done.stderr.decode()


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
