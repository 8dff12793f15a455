"""Plan a migration: all decisions are made before anything is changed."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_compose.actions.envfile import EnvChange, values_of
from mlflow_compose.actions.plan import Plan, check_key, load_plan
from mlflow_compose.data.migration import changes
from mlflow_compose.engines import data_path
from mlflow_compose.errors import EnvFileError, SettingsError, UsageError
from mlflow_compose.machine import free_port
from mlflow_compose.settings import belongs_to_store, changed_names
from mlflow_compose.settings.envfile import parse, read
from mlflow_compose.settings.load import ENVIRONMENT, resolve
from mlflow_compose.stack import KUBERNETES, LOCAL_PROVIDERS, migration, needs_docker


@dataclass(frozen=True)
class MigrationPlan:
    """A stack before and after a migration.

    Attributes:
        old: Current stack.
        new: Stack after the migration.
        env: Change of the env file.
        port: Port of the second S3 server while data moves.
    """

    old: Plan
    new: Plan
    env: EnvChange
    port: int

    @property
    def text(self) -> str:
        """The env file's text after the migration."""
        return self.env.after

    @property
    def intermediate(self) -> Plan:
        """The servers of both stacks, with an idle mlflow."""
        stack = migration.intermediate(self.old.stack, self.new.stack, port=self.port)
        return replace(self.new, stack=stack)

    @property
    def moves_objects(self) -> bool:
        """Whether artifacts move to another bucket."""
        return self.old.stack.stores.artifacts != self.new.stack.stores.artifacts

    @property
    def moves_runs(self) -> bool:
        """Whether runs move to another database."""
        return self.old.stack.stores.runs != self.new.stack.stores.runs


def plan_migration(
    old: Plan, to: Sequence[str], more: Path | None, environ: Mapping[str, str]
) -> MigrationPlan:
    """Plan the migration of a stack.

    Args:
        old: Current stack.
        to: Arguments of `--to`: the new stores.
        more: Env file with other settings that they need, such as keys.
        environ: Environment, which takes precedence over env files.

    Raises:
        UsageError: This migration is not possible.
        SettingsError: The new stack's settings are wrong.
    """
    check_key(old)
    if old.stack.site.engine == KUBERNETES:
        raise UsageError(
            "the stores of a stack in a cluster cannot be moved",
            hint="docs/how-to/kubernetes.md shows what works in a cluster",
        )
    settings, env_file = old.loaded.settings, old.paths.env_file
    wanted = {name: value for kind in to for name, value in changes(kind, settings).items()}
    wanted |= _read_more(more) if more else {}
    # Not in text mode, which would change line endings.
    before = env_file.read_bytes().decode()
    env = EnvChange(env_file, before, _differing(wanted, before))
    try:
        loaded = resolve(parse(env.after, name=env_file.name), environ, env_file=env_file)
    except SettingsError as error:
        raise SettingsError(
            f"with the new stores, {error.message}",
            hint="put them into a file and pass it with --settings FILE",
        ) from None
    for name in wanted:
        if loaded.sources.get(name) == ENVIRONMENT:
            raise UsageError(
                f"{name} is set in the environment, which takes precedence over {env_file.name}",
                hint=f"unset {name}",
            )
    new = load_plan(loaded, old.paths, environ, old.target, identity=old.identity)
    _check_names(old, new, more)
    refuse(old, new)
    return MigrationPlan(old, new, env, free_port())


def _check_names(old: Plan, new: Plan, more: Path | None) -> None:
    """Make sure that only settings of stores change: others may locate the old data.

    Raises:
        UsageError: Another setting changes, too.
    """
    changed = changed_names(old.loaded.settings, new.loaded.settings)
    if others := [name for name in changed if not belongs_to_store(name)]:
        file = more.name if more else new.paths.env_file.name
        raise UsageError(
            f"{', '.join(others)} cannot change during a migration, but {file} sets "
            f"{'it' if len(others) == 1 else 'them'}",
            hint=f"keep only settings of the stores in {file}; change others in "
            f"{new.paths.env_file.name}, then mlflow-compose up",
        )


def refuse(before: Plan, after: Plan) -> None:
    """Refuse migrations that are not possible.

    Raises:
        UsageError: This migration is not possible.
    """
    old, new = before.stack, after.stack
    if old.name != new.name:
        raise UsageError(
            f"COMPOSE_PROJECT_NAME cannot change during a migration, got {new.name} for {old.name}"
        )
    moves_objects = old.stores.artifacts != new.stores.artifacts
    moves_runs = old.stores.runs != new.stores.runs
    if not new.site.in_containers and new.has("s3") and new.s3_provider not in LOCAL_PROVIDERS:
        raise UsageError(needs_docker(new.s3_provider))
    if not (moves_objects or moves_runs):
        raise UsageError("the data is already there; there is nothing to move")
    if moves_runs and old.stores.uses_postgres:
        raise UsageError("runs can only be moved from SQLite to PostgreSQL")
    if moves_objects:
        _refuse_objects(before, after)
    if about := migration.same_secret(old, new):
        raise UsageError(f"a secret cannot change during a migration: {about}")
    if old.artifact_access == "direct" and old.stores.bucket != new.stores.bucket:
        raise UsageError(
            "MLFLOW_BUCKET_NAME cannot change: with direct access, artifact locations contain it"
        )


def _refuse_objects(before: Plan, after: Plan) -> None:
    old, new = before.stack, after.stack
    if not new.stores.uses_s3:
        raise UsageError("artifacts can only be moved to a bucket, not to a folder")
    if migration.stays(old, new):
        raise UsageError(
            "MLFLOW_BUCKET_NAME, MINIO_PORT and AWS_DEFAULT_REGION cannot change "
            "if the S3 server stays the same"
        )
    if not new.site.in_containers and old.has("s3") and new.has("s3"):
        raise UsageError("without Docker, MINIO_VOLUME_PATH cannot change: there is one S3 server")
    if old.has("s3") and not new.has("s3") and old.s3_url == new.s3_url:
        raise own_server(new.s3_url)
    if folder := _same_folder(before, after):
        raise UsageError(
            f"MINIO_VOLUME_PATH ({folder}) holds the old objects; two servers cannot share it",
            hint="set another MINIO_VOLUME_PATH, or an empty one, in the --settings file",
        )


def own_server(url: str | None) -> UsageError:
    """Return the error for a migration to the stack's own S3 server under another address."""
    return UsageError(
        f"MINIO_HOST and MINIO_PORT ({url}) lead to this stack's own S3 server, "
        "which does not run after the migration",
        hint="choose another server",
    )


def _same_folder(before: Plan, after: Plan) -> str:
    """Return the folder that two S3 servers would share, empty if there is none."""
    used = {os.path.realpath(data_path(before.folder, name)) for name in before.stack.folders}
    for name in after.stack.folders:
        if os.path.realpath(data_path(after.folder, name)) in used:
            return name
    return ""


def _read_more(path: Path) -> Mapping[str, str]:
    file = read(path)
    if file.problems:
        line, rule = file.problems[0]
        raise EnvFileError(f"line {line} of {path.name}: {rule}")
    return file.values


def _differing(wanted: Mapping[str, str], text: str) -> Mapping[str, str]:
    """Leave out values that are already set."""
    now = values_of(text)
    return {name: value for name, value in wanted.items() if now.get(name) != value}
