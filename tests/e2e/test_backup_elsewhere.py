"""An archive with secrets is all that another machine needs."""

from pathlib import Path

from .conftest import MakeStack
from .running import RunningStack, short_in_ci
from .small import SMALLEST, kept
from .tool import environment, tool

PASSPHRASE = "a passphrase of the test"


@short_in_ci
def test_an_archive_must_bring_a_stack_to_another_machine(
    smallest: RunningStack, make_stack: MakeStack
) -> None:
    """With its secrets, in a folder that has nothing else."""
    secret = environment(STACK_BACKUP_PASSPHRASE=PASSPHRASE)
    run = smallest.log_run()
    arguments = ("backup", "moved", "--archive", "--with-secrets", "--json")
    data = tool(*arguments, folder=smallest.folder, env=secret).data
    assert data["snapshot"]["secrets"]
    archive = Path(data["folder"])
    assert (archive.name, (archive.parent / "moved").exists()) == ("moved.tar", False)
    try:
        before = kept(smallest)
        new = make_stack(**SMALLEST)
        own = {name: new.settings[name] for name in ("COMPOSE_PROJECT_NAME", "MLFLOW_PORT")}
        new.env_file.unlink()
        given = [word for name, value in own.items() for word in ("--set", f"{name}={value}")]
        tool("init", "--from", str(archive), *given, folder=new.folder, env=secret)
        assert new.settings == {**smallest.settings, **own}
        new.tool("restore", str(archive), "--yes")
    finally:
        archive.unlink()
    assert kept(new).runs == before.runs
    assert kept(new).files == before.files
    assert new.api.artifact("GET", run.key).content == run.artifact
