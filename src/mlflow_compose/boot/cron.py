"""The line in the user's crontab that takes a backup of a stack at times."""

import re
import shlex
import subprocess
from collections.abc import Sequence

from mlflow_compose.boot.every import Every
from mlflow_compose.errors import BootError

# cron's own PATH lacks /usr/local/bin.
PATH = "PATH=/usr/local/bin:/usr/bin:/bin"
# What `crontab -l` says, with exit code 1, to a user who has none.
NONE = "no crontab for"
# How bytes that are not UTF-8 are kept.
KEPT = "surrogateescape"
# Not str.splitlines(), which also ends lines where cron does not.
LINE = re.compile(r"[^\n]*\n|[^\n]+")


def entry(every: Every, command: Sequence[str], identity: str) -> str:
    """Return the line for a stack.

    Raises:
        BootError: A path has a line break, which a crontab cannot have.
    """
    # cron ends a command at a percent sign: crontab(5).
    words = shlex.join(command).replace("%", r"\%")
    if not words.isprintable():
        raise BootError("a crontab cannot have control characters, and a path has one")
    return f"{every.cron} {PATH} {words} {_mark(identity)}"


def replaced(crontab: str, identity: str, line: str | None) -> str:
    """Return a crontab with this line as the only one of the stack, or with none.

    Other lines stay as they are.
    """
    others = "".join(each for each in LINE.findall(crontab) if not _is_of(each, identity))
    if line is None:
        return others
    if others and not others.endswith("\n"):
        others += "\n"
    return f"{others}{line}\n"


def read_crontab() -> str:
    """Return the user's crontab, empty if there is none.

    Raises:
        BootError: It cannot be read, or there is no cron.
    """
    done = _crontab("-l")
    if done.returncode and NONE not in _text(done.stderr):
        raise BootError(f"crontab -l failed: {_reason(done)}")
    return "" if done.returncode else _text(done.stdout)


def write_crontab(text: str) -> None:
    """Replace the user's crontab.

    Raises:
        BootError: cron refuses.
    """
    done = _crontab("-", given=text)
    if done.returncode:
        raise BootError(f"crontab refuses the new line: {_reason(done)}")


def _mark(identity: str) -> str:
    return f"# mlflow-compose-backup-{identity}"


def _is_of(line: str, identity: str) -> bool:
    return line.rstrip("\n").endswith(f" {_mark(identity)}")


def _crontab(argument: str, given: str = "") -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(  # noqa: S603 - an argument from this module
            ["crontab", argument],  # noqa: S607 - found as users find it
            # Other lines come back byte for byte, whatever their encoding.
            input=given.encode(errors=KEPT),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise BootError(
            "neither systemd nor cron is available, so nothing can start a backup at times",
            hint="let your scheduler run mlflow-compose backup",
        ) from None


def _text(output: bytes) -> str:
    return output.decode(errors=KEPT)


def _reason(done: "subprocess.CompletedProcess[bytes]") -> str:
    return (_text(done.stderr).strip().splitlines() or [f"exit code {done.returncode}"])[0]
