"""The reference page of the commands, generated from the application."""

from collections.abc import Iterator
from typing import Any

import typer

from mlflow_compose.cli.app import app

HEADER = """\
# Commands

Every command with its options. This page is generated from the code; `mlflow-compose COMMAND
--help` prints the same.

## Global options

They may come before or after the command.

"""
FOOTER = """
## Exit codes

0 for success, 1 for a failure, 2 for a wrong command line or setting, 3 for a service that did not
become healthy in time; [all of them](exit-codes.md). With `--json`, every command prints one
[JSON object](json.md), even if it fails.
"""


def commands_page() -> str:
    """Return the text of `docs/reference/commands.md`: every command, in the order of `--help`."""
    group: Any = typer.main.get_command(app)
    sections = (_section(name, command) for name, command in _commands(group))
    return HEADER + _table(group) + "".join(sections) + FOOTER


def _commands(group: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer has no public type for it
    """Yield every command with its name; that of a command in a group has two words."""
    for name, command in group.commands.items():
        inner = getattr(command, "commands", {})
        yield from ((f"{name} {word}", found) for word, found in inner.items())
        if not inner:
            yield name, command


def _section(name: str, command: Any) -> str:  # noqa: ANN401 - see above
    usage = [f"mlflow-compose {name}", *(["[OPTIONS]"] if _options(command) else [])]
    usage += [_argument(found) for found in _arguments(command)]
    example = command.epilog.removeprefix("Example: ")
    table = _table(command)
    return (
        f"\n## {name}\n\n```text\n{' '.join(usage)}\n```\n\n{command.help}\n"
        f"{f'{chr(10)}{table}' if table else ''}\nExample:\n\n```bash\n{example}\n```\n"
    )


def _table(command: Any) -> str:  # noqa: ANN401 - see above
    rows = "".join((*_argument_rows(command), *_option_rows(command)))
    return f"| option | default | description |\n|---|---|---|\n{rows}" if rows else ""


def _argument_rows(command: Any) -> Iterator[str]:  # noqa: ANN401 - see above
    for found in _arguments(command):
        yield f"| `{_argument(found)}` | | {found.help} |\n"


def _option_rows(command: Any) -> Iterator[str]:  # noqa: ANN401 - see above
    for found in _options(command):
        metavar = f" {found.metavar}" if found.metavar else ""
        names = ", ".join(f"`{name}{metavar}`" for name in (*found.opts, *found.secondary_opts))
        default = "" if found.is_flag or found.default is None else f"`{_text(found.default)}`"
        yield f"| {names} | {default} | {found.help} |\n"


def _argument(found: Any) -> str:  # noqa: ANN401 - see above
    name = str(found.metavar)
    text = name if found.required else f"[{name}]"
    return text if found.nargs == 1 else f"{text}..."


def _text(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def _arguments(command: Any) -> list[Any]:  # noqa: ANN401 - see above
    return [found for found in command.params if found.param_type_name == "argument"]


def _options(command: Any) -> list[Any]:  # noqa: ANN401 - see above
    return [found for found in command.params if found.param_type_name == "option"]
