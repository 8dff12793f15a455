"""The committed `.env.example` and `compose/` must match what mlflow-compose writes."""

import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from mlflow_compose.paths import OVERRIDE_FILE, SECRETS_DIR
from mlflow_compose.render import render, write
from mlflow_compose.settings import declared, example_text, new_env_text
from mlflow_compose.settings.envfile import EnvFile, parse
from mlflow_compose.settings.fields import generated_of
from mlflow_compose.settings.load import resolve
from mlflow_compose.targets import COMPOSE
from tests.golden.test_trees import read_tree
from tests.unit.samples import built

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"
FOLDER = ROOT / "compose"


def example_with_secrets() -> EnvFile:
    """Return the example with random secrets, as `init` generates them."""
    drawn = parse(new_env_text({}, choice=secrets.choice)).values
    random = {name: drawn[name] for name, info in declared() if generated_of(info)}
    example = parse(example_text())
    return EnvFile({**example.values, **random}, example.lines)


def committed() -> dict[str, str]:
    """Return the files of `compose/` that are in the repository.

    In a checkout that is used as a stack, the files on disk depend on that stack's `.env`.
    """
    if not (ROOT / ".env").exists():
        tree = read_tree(FOLDER)
        private = (f"{SECRETS_DIR}/", OVERRIDE_FILE, COMPOSE.identity_file)
        return {path: text for path, text in tree.items() if not path.startswith(private)}
    listed = git("ls-files", "-z", "--", "compose").split("\0")
    return {path.removeprefix("compose/"): git("show", f":{path}") for path in listed if path}


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)
    return done.stdout.decode()


def test_the_committed_example_must_match_the_declared_settings(*, update_golden: bool) -> None:
    if update_golden:
        EXAMPLE.write_text(example_text(), encoding="utf-8")
    assert EXAMPLE.read_text(encoding="utf-8") == example_text()


def test_the_committed_compose_folder_must_be_the_render_of_the_example(
    tmp_path: Path, *, update_golden: bool
) -> None:
    settings = resolve(example_with_secrets(), {}, env_file=EXAMPLE).settings
    write(render(built(settings, COMPOSE)), tmp_path)
    shutil.rmtree(tmp_path / SECRETS_DIR)
    (tmp_path / COMPOSE.identity_file).unlink()
    if update_golden:
        for path in committed().keys() - read_tree(tmp_path).keys():
            (FOLDER / path).unlink(missing_ok=True)
        shutil.copytree(tmp_path, FOLDER, dirs_exist_ok=True)
        if (ROOT / ".env").exists():
            pytest.skip("compose/ is updated; git add it, then the tests compare it")
    assert committed() == read_tree(tmp_path)
