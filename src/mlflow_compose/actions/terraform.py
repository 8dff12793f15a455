"""`render --target terraform`: the configuration, and the commands that use it."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mlflow_compose.actions.files import data_of, lines_of, write_rendering
from mlflow_compose.actions.plan import Plan
from mlflow_compose.result import Result
from mlflow_compose.targets import TERRAFORM


def render_terraform(plan: Plan, folder: Path) -> Result:
    """Write the configuration into `folder`, and print the commands that use it.

    Raises:
        UsageError: A setting cannot be used on the server.
        FilesError: A file cannot be read or written, or the folder is another stack's.
        FilesChangedError: A file was edited by hand.
    """
    done, install = write_rendering(plan, folder), [*_commands(plan, folder)]
    own = folder / TERRAFORM.override
    lines = [*lines_of(done, folder), "", *_tool_lines(own)]
    lines += ["", "to create the servers and start the stack:", *install]
    return Result(replace(data_of(done, folder), install=install), lines)


def _tool_lines(own: Path) -> list[str]:
    return [
        f"set in {own} what the server installs this tool from, with a commit or a hash:",
        '  tool = "git+https://HOST/REPOSITORY@COMMIT"',
        '  tool = "https://HOST/WHEEL.whl#sha256=HASH"',
    ]


def _commands(plan: Plan, folder: Path) -> Iterator[str]:
    terraform = f"terraform -chdir={shlex.quote(str(folder))}"
    env_file = shlex.quote(f"file://{plan.paths.env_file}")
    yield f"{terraform} init"
    yield f"{terraform} apply"
    # The AWS CLI reads the file itself, so that no secret is an argument.
    yield (
        f"aws secretsmanager put-secret-value --region {plan.stack.region} "
        f'--secret-id "$({terraform} output -raw env_secret)" --secret-string {env_file}'
    )
    yield f"{terraform} output -raw connect"
