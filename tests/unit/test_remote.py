"""Modules that are sent into a service, and their answers."""

import fcntl
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import IO, Any

import pytest

from mlflow_compose.engines import Loading, RemoteError, answers, remote, run_modules, shaped
from mlflow_compose.engines.answers import Reader
from mlflow_compose.engines.base import Output, SharedFolder, Start
from mlflow_compose.engines.outcome import Outcome
from mlflow_compose.engines.process import CHUNK, run_process
from mlflow_compose.errors import EngineError
from tests.unit.fakes import FakeEngine, answered, failed
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
        raise answer.Failure(f"no {request['text']}", code=7, key=request["text"])
    return request["text"]
"""
# Uses a folder for temporary files until another process ends.
WAITING = """
import subprocess
import tempfile
from mlflow_compose.engines.inside import answer

def main(request):
    with tempfile.TemporaryDirectory(prefix="import-", dir=request["folder"]) as folder:
        answer.progress(folder)
        subprocess.run(["sleep", "60"])
"""


@dataclass
class HereEngine(FakeEngine):
    """Runs commands on this machine in a Python that cannot import this package."""

    def run(  # noqa: PLR0913 - independent options
        self,
        service: str,
        command: Sequence[str],
        *,
        stdin: IO[bytes] | None = None,
        folder: SharedFolder | None = None,
        on_output: Output | None = None,
        on_start: Start | None = None,
    ) -> Outcome:
        del service, folder
        python, *arguments = command
        assert python == "python"
        argv = [sys.executable, "-I", "-S", *arguments]
        return run_process(argv, stdin=stdin, on_output=on_output, on_start=on_start)


@pytest.fixture(params=[SENT], ids=["answering"])
def sent(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModuleType:
    """Return a module with one of the sources above."""
    module = ModuleType("mlflow_compose.sent", doc=request.param)
    monkeypatch.setattr("inspect.getsource", _source_of)
    return module


def _source_of(module: ModuleType) -> str:
    if module.__name__ == "mlflow_compose.sent":
        return str(module.__doc__)
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
        str,
        on_progress=progress.append,
        on_item=items.append,
    )
    assert answer == text
    assert progress == ["half way"]
    assert items == [{"size": len(text)}]


def test_a_failure_must_contain_its_facts_and_no_secret(sent: ModuleType) -> None:
    request = {"text": SECRETS["PG_PASSWORD"], "fail": True}
    with pytest.raises(RemoteError, match=r"^no \*{8}$") as caught:
        run_modules(HereEngine(stack()), [sent], request, str)
    assert caught.value.facts == {"message": "no ********", "code": 7, "key": "********"}


def test_a_crash_must_be_reported_by_its_last_line_without_secrets() -> None:
    crashed = Outcome(1, b"", f"Traceback\nKeyError: {SECRETS['PG_PASSWORD']}\n")
    with pytest.raises(RemoteError, match=r"^KeyError: \*{8}$"):
        run_modules(FakeEngine(stack(), outcome=crashed), [], {}, dict[str, int])


def test_missing_output_must_be_reported_with_how_it_ended() -> None:
    with pytest.raises(RemoteError, match=r"^no output \(ended by SIGKILL, exit code 137\)$"):
        run_modules(FakeEngine(stack(), outcome=Outcome(137, b"", "")), [], {}, dict[str, int])


@pytest.mark.parametrize("end", [b"", b"\n", b'\n{"progress": "text"}\n'])
def test_a_crash_must_be_reported_by_what_it_printed_besides_its_answers(end: bytes) -> None:
    output = b'{"progress": "text"}\na warning\nno room' + end
    with pytest.raises(RemoteError, match=r"^no room \(exit code 4\)$"):
        run_modules(FakeEngine(stack(), outcome=Outcome(4, output, "\n")), [], {}, str)


def test_a_result_must_not_count_if_the_process_then_failed() -> None:
    late = Outcome(1, b'{"done": {}}\n', "out of memory\n")
    with pytest.raises(RemoteError, match="out of memory"):
        run_modules(FakeEngine(stack(), outcome=late), [], {}, dict[str, int])


@pytest.mark.parametrize("sent", [WAITING], ids=["waiting"], indirect=True)
def test_temporary_files_must_be_removed_if_the_command_is_interrupted(
    sent: ModuleType, tmp_path: Path
) -> None:
    folders: list[str] = []

    def interrupt(folder: str) -> None:
        folders.append(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_modules(
            HereEngine(stack()), [sent], {"folder": str(tmp_path)}, str, on_progress=interrupt
        )
    assert folders
    assert list(tmp_path.iterdir()) == []


def test_lines_must_be_assembled_from_chunks_of_any_size() -> None:
    document = json.dumps({"done": "ä" * 100}, ensure_ascii=False).encode() + b"\n"

    class Dribbling(FakeEngine):
        def run(self, *_: object, on_output: Output | None = None, **__: object) -> Outcome:
            assert on_output is not None
            for byte in document:
                on_output(bytes([byte]))
            return Outcome(0, b"", "")

    assert run_modules(Dribbling(stack()), [], {}, str) == "ä" * 100


def test_progress_must_not_contain_secrets() -> None:
    said: list[str] = []
    reader = Reader(said.append, lambda _: None, stack().mask)
    reader.read(json.dumps({"progress": SECRETS["PG_PASSWORD"]}).encode() + b"\n")
    assert said == ["********"]


def test_parts_of_a_result_must_stay_as_they_are() -> None:
    """They are data: a key that contains a secret would be another key without it."""
    items: list[object] = []
    reader = Reader(lambda _: None, items.append, stack().mask)
    reader.read(json.dumps({"item": SECRETS["PG_PASSWORD"]}).encode() + b"\n")
    assert items == [SECRETS["PG_PASSWORD"]]


def test_a_long_line_must_be_read_once() -> None:
    """Joining what was read at every chunk would take minutes."""

    done = json.dumps({"done": "x" * 20_000_000}).encode() + b"\n"
    reader = Reader(lambda _: None, lambda _: None, str)
    began = time.process_time()
    for start in range(0, len(done), CHUNK):
        reader.read(done[start : start + CHUNK])
    assert time.process_time() - began < 1
    assert reader.done == ("x" * 20_000_000,)


def test_a_line_without_an_end_must_be_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LONGEST_LINE", 1024**2)
    sizes: list[int] = []

    class Endless(FakeEngine):
        def run(self, *_: object, on_output: Output | None = None, **__: object) -> Outcome:
            assert on_output is not None
            while True:
                sizes.append(CHUNK)
                on_output(b"x" * CHUNK)

    with pytest.raises(RemoteError, match="a line is longer than 1 MB"):
        run_modules(Endless(stack()), [], {}, str)
    assert sum(sizes) <= 1024**2 + CHUNK


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """Keep garbage of other tests, whose finalizers would fail where the recursion is too deep."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage")
@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (['{"failed": {"message": "full"}}', '{"done": 1}'], "^full$"),
        (['{"done": 1}', '{"failed": {"message": "full"}}'], "^full$"),
        (['{"done": 1, "failed": {"message": "full"}}'], "^full$"),
        (['{"failed": "full"}', '{"done": 1}'], "a failure without a message"),
        (['{"done": 1}', '{"done": 2}'], "more than one result"),
        (["[" * 200_000], r"^\[{1,990} \(exit code 0\)$"),
        (['{"done": "1"}'], "it: Input should be a valid integer"),
        (['{"done": true}'], "it: Input should be a valid integer"),
        (['{"done": null}'], "it: Input should be a valid integer"),
    ],
)
def test_an_answer_that_is_not_in_the_format_must_be_an_error(
    lines: list[str], problem: str
) -> None:
    outcome = Outcome(0, "".join(f"{line}\n" for line in lines).encode(), "")
    with pytest.raises(RemoteError, match=problem):
        run_modules(FakeEngine(stack(), outcome=outcome), [], {}, int)


@dataclass(frozen=True)
class Shape:
    """A shape with every kind of value."""

    name: str
    seconds: float
    pairs: list[tuple[str, int]]
    counts: dict[str, int]


VALUE = {"name": "x", "seconds": 1.0, "pairs": [["a", 1]], "counts": {"b": 2}}


def test_a_result_must_have_its_shape() -> None:
    assert shaped(VALUE, Shape) == Shape("x", 1.0, [("a", 1)], {"b": 2})


def test_a_name_that_is_not_utf8_must_stay_exact() -> None:
    """The listing of a folder has it, such as one from Latin-1."""
    name = os.fsdecode("café".encode("latin-1"))
    outcome = answered({"name": name, "seconds": 1, "pairs": [[name, 1]], "counts": {name: 2}})
    found = run_modules(FakeEngine(stack(), outcome=outcome), [], {}, Shape)
    assert found == Shape(name, 1.0, [(name, 1)], {name: 2})
    with pytest.raises(RemoteError, match="Input should be a valid integer"):
        shaped({**VALUE, "counts": {name: "2"}}, Shape)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"name": None}, "name: Input should be a valid string"),
        ({"seconds": "1.0"}, "seconds: Input should be a valid number"),
        ({"seconds": float("nan")}, "not JSON compliant"),
        ({"pairs": [["a"]]}, "pairs.0.1: Field required"),
        ({"pairs": {}}, "pairs: Input should be a valid array"),
        ({"counts": {"b": 2.5}}, "counts.b: Input should be a valid integer"),
        ({"counts": []}, "counts: Input should be an object"),
    ],
)
def test_a_result_of_another_shape_must_be_an_error(
    changed: dict[str, object], problem: str
) -> None:
    with pytest.raises(RemoteError, match=problem):
        shaped({**VALUE, **changed}, Shape)


def test_a_result_without_a_key_must_be_an_error() -> None:
    with pytest.raises(RemoteError, match="name: Field required"):
        shaped({}, Shape)


def test_output_after_a_failure_must_not_hide_it() -> None:
    outcome = failed("the database is full", code=1)
    with pytest.raises(RemoteError, match="the database is full"):
        run_modules(FakeEngine(stack(), outcome=outcome), [], {}, dict[str, int])


def test_the_sent_modules_must_only_need_the_standard_library() -> None:
    code = "import mlflow_compose.engines.inside.answer, mlflow_compose.engines.inside.s3"
    subprocess.run([sys.executable, "-c", code], check=True)


# Reports when it is loaded, and ignores the request's end.
LOADED = """
import pathlib, time

def prepare():
    pathlib.Path({path!r}).touch()

def main(request):
    if request["hangs"]:
        time.sleep(60)
    return request
"""


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a module that creates the file `loaded` when it is loaded."""
    source = LOADED.format(path=str(tmp_path / "loaded"))
    monkeypatch.setattr("inspect.getsource", _source_of)
    return ModuleType("mlflow_compose.sent", doc=source)


def test_modules_must_be_loaded_before_their_request_is_known(
    loaded: ModuleType, tmp_path: Path
) -> None:
    loading = Loading(HereEngine(stack()), [loaded], dict[str, bool])
    wait_for(tmp_path / "loaded")
    assert loading.call({"hangs": False}) == {"hangs": False}
    loading.close()


def test_modules_without_a_request_must_end(loaded: ModuleType, tmp_path: Path) -> None:
    loading = Loading(HereEngine(stack()), [loaded], dict[str, bool])
    wait_for(tmp_path / "loaded")
    before = time.monotonic()
    loading.close()
    assert time.monotonic() - before < remote.ENDS_WITHIN


def test_modules_must_end_when_the_command_is_interrupted(
    loaded: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = Loading(HereEngine(stack()), [loaded], dict[str, bool])
    wait_for(tmp_path / "loaded")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            loading.call({"hangs": True})
    before = time.monotonic()
    loading.close()
    assert time.monotonic() - before < 30


def test_a_failure_of_the_engine_must_be_raised_by_the_call() -> None:
    class Broken(FakeEngine):
        def run(self, *_: object, **__: object) -> Outcome:
            raise EngineError("no")

    loading = Loading(Broken(stack()), [], dict[str, bool])
    with pytest.raises(EngineError, match="no"):
        loading.call({})
    loading.close()


@pytest.fixture
def small_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink pipes to a page, as Linux does for a user who has many."""
    if not hasattr(fcntl, "F_SETPIPE_SZ"):
        pytest.skip("this system cannot shrink a pipe")
    create = os.pipe

    def small() -> tuple[int, int]:
        reading, writing = create()
        # Rounded up to the size of a page.
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        return reading, writing

    monkeypatch.setattr(os, "pipe", small)


# More than fits into a pipe.
LONG = {"hangs": False, "text": "x" * 200_000}


@pytest.mark.usefixtures("small_pipes")
def test_modules_and_request_must_reach_a_small_pipe(loaded: ModuleType) -> None:
    def use() -> None:
        loading = Loading(HereEngine(stack()), [loaded], dict[str, bool | str])
        assert loading.call(LONG) == LONG
        loading.close()

    assert_returns(use)


@pytest.mark.usefixtures("small_pipes")
def test_a_failure_of_the_engine_must_not_leave_a_request_waiting_for_a_reader() -> None:
    class Broken(FakeEngine):
        def run(self, *_: object, **__: object) -> Outcome:
            raise EngineError("no")

    def use() -> None:
        loading = Loading(Broken(stack()), [], dict[str, bool])
        with pytest.raises(EngineError, match="no"):
            loading.call(LONG)
        loading.close()

    assert_returns(use)


@pytest.mark.usefixtures("small_pipes")
def test_modules_that_end_early_must_not_leave_a_request_waiting_for_a_reader() -> None:
    class Ending(HereEngine):
        def run(self, service: str, command: Sequence[str], **options: Any) -> Outcome:  # noqa: ANN401 - passed on
            del command
            return super().run(
                service, ["python", "-c", "raise SystemExit('no memory')"], **options
            )

    def use() -> None:
        loading = Loading(Ending(stack()), [], dict[str, bool])
        with pytest.raises(RemoteError, match="no memory"):
            loading.call(LONG)
        assert not loading.has_started_work
        loading.close()

    assert_returns(use)


def assert_returns(work: Callable[[], None]) -> None:
    """Do some work in another thread, which must end soon."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def test_modules_must_have_begun_once_they_got_the_request(loaded: ModuleType) -> None:
    """Also if they then fail without an answer."""
    loading = Loading(HereEngine(stack()), [loaded], dict[str, bool])
    with pytest.raises(RemoteError, match="KeyError"):
        loading.call({})
    assert loading.has_started_work
    loading.close()


UNPREPARED = """
def prepare():
    raise ValueError("no endpoint")

def main(request):
    return request
"""


@pytest.mark.parametrize("sent", [UNPREPARED], ids=["unprepared"], indirect=True)
def test_preparing_must_not_fail_the_work(sent: ModuleType) -> None:
    """A step that needs what is missing reports it."""
    loading = Loading(HereEngine(stack()), [sent], dict[str, bool])
    assert loading.call({"done": True}) == {"done": True}
    loading.close()


def test_only_modules_that_wait_for_their_request_must_prepare(
    loaded: ModuleType, tmp_path: Path
) -> None:
    request = {"hangs": False}
    assert run_modules(HereEngine(stack()), [loaded], request, dict[str, bool]) == request
    assert not (tmp_path / "loaded").exists()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
