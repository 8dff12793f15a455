"""The installed wheel contains everything that rendering needs."""

import io
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from mlflow_compose.bundle import own_wheel
from mlflow_compose.identity import Identity, keep_identity
from mlflow_compose.paths import StackPaths
from tests.unit.samples import IDENTITY, ROOT, env_text


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment with the wheel installed."""
    folder = tmp_path_factory.mktemp("wheel")
    venv.create(folder / "venv", with_pip=False)
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--no-index",
        "--python", folder / "venv/bin/python", wheel)  # fmt: skip
    # Use the dependencies of this environment. Their own .pth files, such as the one that adds this
    # project's source, have no effect through this one.
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "venv" / "bin" / "python"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def contents(wheel: zipfile.ZipFile) -> dict[str, bytes]:
    """Return the files of a wheel, without those that name the program that made it.

    Of the metadata, only the headers: the description of a checkout is that of its installation.
    """
    names = (name for name in wheel.namelist() if not name.endswith(("/WHEEL", "/RECORD")))
    files = {name: wheel.read(name) for name in names}
    return {
        name: content.partition(b"\n\n")[0] if name.endswith("/METADATA") else content
        for name, content in files.items()
    }


def test_the_wheel_in_a_bundle_must_be_the_one_that_is_built(wheel: Path) -> None:
    """It is made from an installation, without the tools that build one."""
    name, content = own_wheel()
    assert name == wheel.name
    with zipfile.ZipFile(wheel) as built, zipfile.ZipFile(io.BytesIO(content)) as own:
        assert contents(own) == contents(built)


def test_an_installed_tool_must_not_need_the_checkout(python: Path) -> None:
    place = run(python, "-c", "import mlflow_compose; print(mlflow_compose.__file__)")
    assert Path(place).is_relative_to(python.parents[1])


def test_an_installed_tool_must_render_what_the_checkout_renders(
    python: Path, tmp_path: Path
) -> None:
    for name in ("installed", "checkout"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".env").write_text(env_text(), encoding="utf-8")
        keep_identity(Identity(IDENTITY), StackPaths(tmp_path / name / ".env"))
    run(python.with_name("mlflow-compose"), "render", cwd=tmp_path / "installed")
    run(sys.executable, "-m", "mlflow_compose", "render", cwd=tmp_path / "checkout")
    trees = [
        {
            path.relative_to(tmp_path / name): (path.stat().st_mode, path.read_bytes())
            for path in (tmp_path / name / "compose").rglob("*")
            if path.is_file()
        }
        for name in ("installed", "checkout")
    ]
    assert trees[0] == trees[1]
    assert len(trees[0]) > 10


def test_an_installed_tool_must_copy_what_the_checkout_has(python: Path, tmp_path: Path) -> None:
    run(python.with_name("mlflow-compose"), "example", "projects", cwd=tmp_path)
    copied, own = (
        {path.relative_to(top).as_posix(): path.read_bytes()
         for path in top.rglob("*") if path.is_file()}
        for top in (tmp_path / "projects", ROOT / "examples" / "projects")
    )  # fmt: skip
    assert copied == own


def test_an_installed_tool_must_report_missing_templates(python: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_text(), encoding="utf-8")
    (templates,) = python.parents[1].glob("lib/python*/site-packages/mlflow_compose/templates")
    templates.rename(templates.with_name("elsewhere"))
    try:
        done = subprocess.run(
            [python.with_name("mlflow-compose"), "render"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
    finally:
        templates.with_name("elsewhere").rename(templates)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the templates next to ")
    assert "hint: pip install --force-reinstall mlflow-compose" in done.stderr
