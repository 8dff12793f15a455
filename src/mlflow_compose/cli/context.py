"""What every command gets: the world, and the global options."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from mlflow_compose.console import Console
from mlflow_compose.result import Result

if TYPE_CHECKING:
    from mlflow_compose.actions import Plan
    from mlflow_compose.engines import Engine


@dataclass
class Context:
    """The world of one command line."""

    console: Console
    environ: Mapping[str, str]
    command: str
    env_file: Path = Path(".env")

    def plan(self, folder: Path | None = None) -> "Plan":
        """Read the env file and decide everything about its stack."""
        from mlflow_compose.actions import load_plan

        return load_plan(self.env_file, self.environ, folder)

    def engine(self, plan: "Plan") -> "Engine":
        """Return what runs the stack."""
        from mlflow_compose.engines import DockerEngine

        return DockerEngine(plan.stack, plan.paths)

    def show(self, result: Result) -> NoReturn:
        """Print a result and end with its exit code."""
        self.console.show(self.command, result)
        raise typer.Exit(result.exit_code)

    def show_lines(self, lines: Iterator[str]) -> None:
        """Print lines as they come; with `--json`, all of them at the end."""
        if self.console.as_json:
            self.show(Result({"lines": list(lines)}))
        for line in lines:
            self.console.line(line)


def context_of(ctx: typer.Context) -> Context:
    """Return our context of typer's."""
    context: Context = ctx.obj
    return context
