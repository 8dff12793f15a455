"""The tutorials and the README's example, executed as a reader would."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.documents import PLACEHOLDER, ROOT, Block, blocks

from .running import SERVERS, WAIT_TIMEOUT, RunningStack, local_only
from .tool import environment, run
from .tracking import Api

TUTORIALS = ROOT / "docs" / "tutorial"
FIRST, SHARE = TUTORIALS / "first-stack.md", TUTORIALS / "share.md"
# Settings that keep this stack apart from others on the machine.
CHOSEN = ("COMPOSE_PROJECT_NAME", "STACK_ENGINE", "MLFLOW_PORT", "MINIO_PORT", "PG_PORT")
LOGGED = "SELECT value FROM latest_metrics WHERE key = 'loss'"


class Reader:
    """A reader of the tutorials, with an empty folder."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        ports = {name: stack.settings[name] for name in CHOSEN}
        given = " ".join(f"--set={name}={value}" for name, value in ports.items())
        # Typed here instead of what the page shows.
        self._typed = {
            "mlflow-compose init": f"mlflow-compose init {given}",
            "mlflow-compose up": f"mlflow-compose up --wait-timeout={WAIT_TIMEOUT}",
            # Where the README's readers have it.
            ".venv/bin/mlflow-compose": "mlflow-compose",
            "127.0.0.1:5000": f"127.0.0.1:{ports['MLFLOW_PORT']}",
        }
        self._shown = {ports["MLFLOW_PORT"]: "5000", ports["MINIO_PORT"]: "9000"}
        stack.env_file.unlink()

    def follows(self, page: Path, section: str) -> None:
        """Run a section of a tutorial and compare the output that it shows."""
        section_blocks = [block for block in blocks(page) if block.section == section]
        assert section_blocks, f"no section {section}"
        shown = ""
        for block in section_blocks:
            if block.language == "python":
                (self._stack.folder / block.words[0]).write_text(block.text, encoding="utf-8")
            elif block.language == "text":
                self.sees(block, shown)
            elif self._is_for_me(block):
                shown = self.types(block)

    def _is_for_me(self, block: Block) -> bool:
        engines = {"docker", "local"} & {*block.words}
        return "run" in block.words and (not engines or self._stack.engine in engines)

    def types(self, block: Block) -> str:
        """Run a shell block and return its output."""
        text = block.text
        for written, typed in self._typed.items():
            text = text.replace(written, typed)
        code = 1 if "fails" in block.words else 0
        output = run(
            *("bash", "-euo", "pipefail", "-c", text),
            code=code,
            folder=self._stack.folder,
            env=environment(MLFLOW_DISABLE_TELEMETRY="true"),
        )
        return output.text

    def sees(self, block: Block, shown: str) -> None:
        """Assert that the output contains all lines of a block; … matches anything."""
        for port, written in self._shown.items():
            shown = shown.replace(port, written)
        lines = [" ".join(line.split()) for line in shown.splitlines()]
        for expected in expressions(block):
            assert any(re.fullmatch(expected, line) for line in lines), f"{expected}\n{shown}"


def expressions(block: Block) -> Iterator[str]:
    for line in block.text.splitlines():
        yield re.escape(" ".join(line.split())).replace(PLACEHOLDER, ".*")


@local_only("they differ in one line, which stops a server; test_verify does so on Docker")
def test_the_tutorials_must_work_as_written(stack: RunningStack) -> None:
    reader = Reader(stack)
    reader.follows(FIRST, "2. Start a stack")
    assert [stack.health(name) for name in SERVERS] == ["healthy"] * len(SERVERS)

    reader.follows(FIRST, "3. Log a run")
    assert stack.sql(LOGGED) == ["0.1"]
    notes = [key for key in stack.objects() if key.endswith("/artifacts/notes.txt")]
    assert len(notes) == 1

    reader.follows(FIRST, "4. Break it, and find out what is broken")
    assert [stack.health(name) for name in SERVERS] == ["", "healthy", "healthy"]

    reader.follows(FIRST, "5. Repair it")
    assert [stack.health(name) for name in SERVERS] == ["healthy"] * len(SERVERS)
    assert stack.sql(LOGGED) == ["0.1"]
    for block in blocks(ROOT / "README.md"):
        if "run" in block.words:
            reader.types(block)
    assert sorted(stack.sql(LOGGED)) == ["0.1", "0.5"]

    reader.follows(FIRST, "6. Run an example")
    assert [key for key in stack.objects() if key.endswith("/artifacts/report.html")]

    volumes = stack.volumes()
    reader.follows(FIRST, "7. Stop")
    assert stack.ids() == {}
    assert stack.volumes() == volumes

    reader.follows(SHARE, "1. Turn the login on")
    assert Api(stack.url).call("GET", "/version").status_code == 401
    reader.follows(SHARE, "2. Add the participants")
    reader.follows(SHARE, "3. Log a run as a participant")
    teacher = Api(stack.url, ("teacher", stack.settings["MLFLOW_ADMIN_PASSWORD"]))
    found = teacher.post("experiments/search", max_results=10)["experiments"]
    assert {"first steps", "ada", "ben"} <= {experiment["name"] for experiment in found}
    reader.follows(SHARE, "4. Close it again")
    assert stack.ids() == {}
