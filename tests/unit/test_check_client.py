"""The program for other machines: what it refuses to use, and what it must not print."""

import ast
import runpy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mlflow_compose.connect import ClientEnvironment, Variable, check_script
from mlflow_compose.identity import HEADER
from mlflow_compose.paths import templates

from .samples import IDENTITY, stack

SOURCE = (templates() / "client" / "check_client.py").read_text(encoding="utf-8")
URI, SECRET = "MLFLOW_TRACKING_URI", "a-password-of-the-sample"


def test_the_program_must_be_python_3_8() -> None:
    ast.parse(SOURCE, feature_version=(3, 8))


@contextmanager
def server(marker: str = "") -> Iterator[str]:
    """Run a server that answers every request with a header; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header(HEADER, marker)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name is http.server's

        def log_message(self, *_: object) -> None:
            """Stay silent: the test reads the process's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "check_client.py"


def check(program: Path, monkeypatch: pytest.MonkeyPatch, url: str, **environ: str) -> int:
    """Run a program with secrets that was written for a URL."""
    variables = (
        Variable(URI, url),
        Variable("MLFLOW_TRACKING_USERNAME", "ada"),
        Variable("MLFLOW_TRACKING_PASSWORD", SECRET, is_secret=True),
    )
    found = stack(MLFLOW_AUTH="basic")
    program.write_text(
        check_script(SOURCE, found, ClientEnvironment(variables), secrets=True), encoding="utf-8"
    )
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", URI):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(program), run_name="__main__")
    return int(str(caught.value.code))


def test_a_secret_in_the_program_must_not_be_printed(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(f"{IDENTITY}/mlflow") as url:
        assert check(program, monkeypatch, url) == 0
    output = capsys.readouterr()
    assert SECRET in program.read_text(encoding="utf-8")
    assert SECRET not in output.out + output.err
    assert "MLFLOW_TRACKING_PASSWORD=..." in output.out


def test_what_worked_must_be_shown_and_an_empty_variable_ignored(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(f"{IDENTITY}/mlflow") as url:
        assert check(program, monkeypatch, url, MLFLOW_TRACKING_URI="") == 0
        environ: Mapping[str, str] = {URI: f"{url}/", "MLFLOW_TRACKING_USERNAME": "grace"}
        assert check(program, monkeypatch, "http://nowhere.invalid", **environ) == 0
    shown = capsys.readouterr().out
    assert f"{URI}={url}/\n" in shown
    assert "MLFLOW_TRACKING_USERNAME=grace" in shown


def test_a_workspace_must_be_checked_and_shown(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(f"{IDENTITY}/mlflow") as url:
        assert check(program, monkeypatch, url, MLFLOW_WORKSPACE="vision") == 0
        monkeypatch.delenv("MLFLOW_WORKSPACE")
        assert check(program, monkeypatch, url) == 0
    assert capsys.readouterr().out.count("ok      workspace vision\n") == 1


@pytest.mark.parametrize(
    "url",
    [
        "lab-server:5000",
        "databricks",
        "file:///tmp/mlruns",
        "http://",
        "http://lab:port",
        "http://lab:99999",
        "http://[::1",
        f"http://ada:{SECRET}@lab:5000",
    ],
)
def test_a_variable_that_is_no_url_must_be_named(
    url: str, program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(program, monkeypatch, "http://127.0.0.1:1", MLFLOW_TRACKING_URI=url) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"error: {URI} ")
    assert SECRET not in output.out + output.err


def test_a_proxy_that_answers_must_not_be_taken_for_another_server(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with server() as proxy:
        assert check(program, monkeypatch, "http://lab:5000", http_proxy=proxy) == 1
    assert "hint: add lab to NO_PROXY" in capsys.readouterr().err


@pytest.mark.parametrize("text", [None, "to be filled in"])
def test_a_wrong_file_of_certificates_must_be_named(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if text:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    functions: dict[str, Any] = runpy.run_path(str(templates() / "client" / "check_client.py"))
    with pytest.raises(functions["Problem"], match=f"AWS_CA_BUNDLE .*{path}"):
        functions["trusting"]("AWS_CA_BUNDLE")
