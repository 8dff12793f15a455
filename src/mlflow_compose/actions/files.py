"""`init` and `render`: the files of a stack."""

import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlflow_compose.actions.certificates import keep_certificate
from mlflow_compose.actions.notebooks import provide_notebooks
from mlflow_compose.actions.plan import Plan, check_key
from mlflow_compose.errors import EnvFileError, FilesChangedError, FilesError, UsageError
from mlflow_compose.files import write_new
from mlflow_compose.identity import keep_identity, read_id
from mlflow_compose.paths import SECRETS_DIR, StackPaths, check_path
from mlflow_compose.payloads import ABSENT, Created, FileChange, Rendered
from mlflow_compose.record import read_record
from mlflow_compose.render import Change, Rendering, changes, identity_in, write
from mlflow_compose.result import Result
from mlflow_compose.settings import Translation, new_env_text, translate
from mlflow_compose.settings.envfile import parse, read_text
from mlflow_compose.settings.load import resolve
from mlflow_compose.targets import TARGETS, target_of

ENV_FILE_MODE = 0o600


def init(env_file: Path, given: Mapping[str, str], source: Path | None = None) -> Result:
    """Write a new env file with random secrets; never touch an existing one.

    Args:
        env_file: Path of the new env file.
        given: Values to write, by name.
        source: Env file of another MLflow stack to take settings from.

    Raises:
        EnvFileError: It already exists, cannot be written, or its path cannot be used; `source`
            cannot be read; or the stack has data that only the lost file opens.
        SettingsError: A given value is wrong; nothing is written.
    """
    check_path(env_file)
    # Other env files of a folder are other stacks, which share the record.
    if not source and env_file.name == ".env" and not env_file.exists():
        _check_no_data(StackPaths(env_file))
    found = translate(read_text(source)) if source else Translation({}, {}, {})
    text = new_env_text({**found.values, **given}, choice=secrets.choice)
    write_env_file(env_file, text)
    written = f"created {env_file} with random secrets; next: mlflow-compose up"
    data = Created(
        str(env_file),
        renamed=found.renamed if source else ABSENT,
        left_out=found.left_out if source else ABSENT,
    )
    return Result(data, [*_translation_lines(found), written])


def write_env_file(env_file: Path, text: str) -> None:
    """Write a new env file.

    Raises:
        EnvFileError: It already exists, or cannot be written.
        SettingsError: A value is wrong; nothing is written.
    """
    try:
        content = text.encode()
    except UnicodeEncodeError:
        raise UsageError("--set takes UTF-8 text") from None
    check_new(env_file)
    resolve(parse(text, name=env_file.name), {}, env_file=env_file)
    try:
        write_new(env_file, content, ENV_FILE_MODE)
    except FileExistsError:
        raise _exists(env_file) from None
    except OSError as error:
        raise EnvFileError(f"{env_file} cannot be written: {error.strerror}") from None


def check_new(env_file: Path) -> None:
    """Make sure that there is no env file yet, nor a link in its place.

    Raises:
        EnvFileError: There is one.
    """
    if os.path.lexists(env_file):
        raise _exists(env_file)


def _exists(env_file: Path) -> EnvFileError:
    return EnvFileError(
        f"{env_file} already exists and was not changed",
        hint="edit it, or choose another one with --env-file",
    )


def _translation_lines(found: Translation) -> Iterator[str]:
    for name, was in found.renamed.items():
        yield f"{was} is {name} here"
    for name, reason in found.left_out.items():
        yield f"{name} is left out: {reason}"


def render(plan: Plan, folder: Path) -> Result:
    """Write the files of the stack into `folder`.

    Raises:
        FilesError: A file cannot be read or written, or the folder is another stack's.
        FilesChangedError: A file was edited by hand; nothing is written.
    """
    done = write_rendering(plan, folder)
    return Result(data_of(done, folder), lines_of(done, folder))


def write_rendering(plan: Plan, folder: Path) -> tuple[Change, ...]:
    """Write the files of the stack into `folder`, and return what changed.

    Raises:
        FilesError: A file cannot be read or written, or the folder is another stack's.
        FilesChangedError: A file was edited by hand; nothing is written.
    """
    check_key(plan)
    rendering = plan.rendering()
    _check_folder(plan, rendering, folder)
    keep_identity(plan.identity, plan.paths)
    keep_certificate(plan.stack.certificate, plan.paths)
    done = write(rendering, folder)
    provide_notebooks(plan)
    return done


def write_files(plan: Plan) -> None:
    """Write the files of a stack that is started, and what its image is built from.

    Raises:
        FilesError: A file cannot be read or written.
        FilesChangedError: A file was edited by hand.
    """
    write(plan.rendering(), plan.folder)
    if recipe := plan.recipe:
        write(recipe.rendering(), recipe.folder)


def _check_folder(plan: Plan, rendering: Rendering, folder: Path) -> None:
    """Make sure that a folder is not another stack's, whose lock this command does not hold."""
    actual, names = folder.resolve(), {target.folder for target in TARGETS.values()}
    # A copied stack still has the original's id in its own folders.
    if actual.parent == plan.paths.root and actual.name in names:
        if actual.name != plan.target.folder:
            raise FilesError(
                f"{folder} has what the target {actual.name} runs from, and rendering the target "
                f"{plan.target.name} would delete that",
                hint="choose another folder with --output",
            )
        return
    found = identity_in(actual, rendering)
    if not found and actual.name in names:
        found = read_id(actual.parent)
    if found not in {"", plan.identity.id}:
        raise FilesError(
            f"{folder} contains the files of another stack (id {found}), so nothing was written",
            hint="choose another folder, or delete this one if that stack is gone",
        )


def compare(plan: Plan, folder: Path, *, check: bool, diff: bool) -> Result:
    """Report what rendering would change, and write nothing.

    Args:
        plan: The stack.
        folder: Folder of its files.
        check: Whether a difference is an error.
        diff: Whether to show it line by line; of secrets, only the names.

    Raises:
        FilesError: A file cannot be read.
    """
    found = changes(plan.rendering(), folder)
    lines = [
        line for change in found for line in ((diff and change.diff) or (_line(change, folder),))
    ]
    errors = (_differs(len(found), folder),) if check and found else ()
    return Result(data_of(found, folder), lines, errors)


def _differs(count: int, folder: Path) -> FilesChangedError:
    files = "1 file" if count == 1 else f"{count} files"
    return FilesChangedError(
        f"{files} in {folder} would change", hint="mlflow-compose render writes them"
    )


def data_of(found: tuple[Change, ...], folder: Path) -> Rendered:
    """Return changes as the payload for `--json`."""
    return Rendered(str(folder), [FileChange(change.path, change.action) for change in found])


def lines_of(found: tuple[Change, ...], folder: Path) -> list[str]:
    """Return changes as text."""
    return [_line(change, folder) for change in found]


def _line(change: Change, folder: Path) -> str:
    edited = "  (edited by hand)" if change.by_hand else ""
    return f"{change.action:<6}  {folder.name}/{change.path}{edited}"


def _check_no_data(paths: StackPaths) -> None:
    """Make sure that no stack in this folder has data, which other passwords would not open.

    Raises:
        EnvFileError: One has.
    """
    if places := read_record(paths).places:
        folders = " and ".join(f"{target_of(engine).folder}/{SECRETS_DIR}" for engine in places)
        raise EnvFileError(
            f"{paths.env_file.name} is gone, but the stack in this folder has data, which new "
            "passwords would not open",
            hint=f"put the file back ({folders} has the passwords until the next start), or make a "
            "new stack in another folder",
        )
