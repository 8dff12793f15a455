"""Modules that are sent into a service, and their answers."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import IO

import pytest

from mlflow_compose.engines import RemoteError, run_modules
from mlflow_compose.engines.base import Outcome, Output, SharedFolder
from mlflow_compose.engines.process import run_process
from tests.unit.fakes import FakeEngine, failed
from tests.unit.samples import SECRETS, stack

# Source of the module that the tests send: it reports twice, then echoes or fails.
SENT = """
import sys
from mlflow_compose.engines.inside import answer

def main(request):
    print("a library's warning")
    answer.progress("half way")
    answer.item({"size": len(request["text"])})
    if request.get("fail"):
        raise answer.Failure(f"no {request['text']}", code=7)
    return request["text"]
"""


@dataclass
class HereEngine(FakeEngine):
    """Runs commands on this machine in a Python that cannot import this package."""

    def run(
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        folder: SharedFolder | None = None,
        on_output: Output | None = None,
    ) -> Outcome:
        del service, folder
        python, *arguments = command
        assert python == "python"
        argv = [sys.executable, "-I", "-S", *arguments]
        return run_process(argv, stdin=stdin, on_output=on_output)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module with the source above."""
    module = ModuleType("mlflow_compose.sent")
    monkeypatch.setattr("inspect.getsource", _source_of)
    return module


def _source_of(module: ModuleType) -> str:
    if module.__name__ == "mlflow_compose.sent":
        return SENT
    loader = module.__spec__.loader if module.__spec__ else None
    return str(loader.get_source(module.__name__))  # type: ignore[union-attr]


def test_modules_must_run_with_their_imports(sent: ModuleType) -> None:
    progress: list[str] = []
    items: list[object] = []
    text = "any text, ä\n" * 10_000
    answer = run_modules(
        HereEngine(stack()),
        [sent],
        {"text": text},
        on_progress=progress.append,
        on_item=items.append,
    )
    assert answer == text
    assert progress == ["half way"]
    assert items == [{"size": len(text)}]


def test_a_failure_must_contain_its_facts_and_no_secret(sent: ModuleType) -> None:
    request = {"text": SECRETS["PG_PASSWORD"], "fail": True}
    with pytest.raises(RemoteError, match=r"^no \*{8}$") as caught:
        run_modules(HereEngine(stack()), [sent], request)
    assert caught.value.facts["code"] == 7


def test_a_crash_must_be_reported_by_its_last_line_without_secrets() -> None:
    crashed = Outcome(1, b"", f"Traceback\nKeyError: {SECRETS['PG_PASSWORD']}\n")
    with pytest.raises(RemoteError, match=r"^KeyError: \*{8}$"):
        run_modules(FakeEngine(stack(), outcome=crashed), [], {})


def test_missing_output_must_be_reported() -> None:
    with pytest.raises(RemoteError, match="no output"):
        run_modules(FakeEngine(stack(), outcome=Outcome(137, b"", "")), [], {})


def test_a_result_must_not_count_if_the_process_then_failed() -> None:
    late = Outcome(1, b'{"done": {}}\n', "out of memory\n")
    with pytest.raises(RemoteError, match="out of memory"):
        run_modules(FakeEngine(stack(), outcome=late), [], {})


def test_lines_must_be_assembled_from_chunks_of_any_size() -> None:
    document = json.dumps({"done": "ä" * 100}, ensure_ascii=False).encode() + b"\n"

    class Dribbling(FakeEngine):
        def run(self, *_: object, on_output: Output | None = None, **__: object) -> Outcome:
            assert on_output is not None
            for byte in document:
                on_output(bytes([byte]))
            return Outcome(0, b"", "")

    assert run_modules(Dribbling(stack()), [], {}) == "ä" * 100


def test_output_after_a_failure_must_not_hide_it() -> None:
    outcome = failed("the database is full", code=1)
    with pytest.raises(RemoteError, match="the database is full"):
        run_modules(FakeEngine(stack(), outcome=outcome), [], {})


def test_the_sent_modules_must_only_need_the_standard_library() -> None:
    code = "import mlflow_compose.engines.inside.answer, mlflow_compose.engines.inside.s3"
    subprocess.run([sys.executable, "-c", code], check=True)
