"""The rules of `docs/architecture.md` that a reader relies on, checked in the source itself."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from jinja2 import Environment, nodes

import mlflow_compose
from mlflow_compose import errors
from mlflow_compose.cli.app import app
from mlflow_compose.paths import templates
from tests.unit.samples import ROOT, SOURCE, env_text

FILES = sorted(SOURCE.rglob("*.py"))
TEMPLATES = sorted(templates().rglob("*.j2"))
# Handed to Python in a container, where none of our rules can be kept or broken.
INSIDE = (SOURCE / "checks" / "probe", SOURCE / "data" / "inside")
OUTSIDE = [path for path in FILES if not set(INSIDE) & set(path.parents)]

MAX_FILE_LINES = 220
MAX_FUNCTION_LINES = 45

BASE = {"errors", "result", "paths", "machine", "files", "identity", "record"}
STACK = {*BASE, "settings", "stack"}
# Which rooms a room may know of; data goes one way.
MAY_IMPORT = {
    "errors": set(),
    "machine": set(),
    "result": {"errors"},
    "files": set(),
    "paths": {"errors", "files"},
    "identity": {"errors", "paths"},
    "record": {"errors", "paths"},
    "lock": {"errors", "paths", "machine"},
    "settings": BASE,
    "stack": {*BASE, "settings"},
    "render": STACK,
    "engines": STACK,
    "clients": STACK,
    "checks": {*STACK, "engines", "clients"},
    "data": {*STACK, "engines", "clients"},
    "actions": {*STACK, "lock", "render", "engines", "clients", "checks", "data"},
    "streams": set(),
    "console": {"errors", "result", "streams"},
    "cli": {*STACK, "lock", "actions", "engines", "console", "streams"},
    "__main__": {"cli"},
    "__init__": set(),
}
# Where a library is used: nowhere else.
MAY_USE = {
    "boto3": ("clients/objects.py",),
    "botocore": ("clients/objects.py",),
    "filelock": ("lock.py",),
    "dotenv": ("settings/envfile.py",),
    "jinja2": ("render/",),
    "psutil": ("machine.py", "engines/"),
    "supervisor": ("engines/local/",),
    "uv": ("engines/local/",),
    "pydantic": ("settings/", "stack/credentials.py", "actions/settings.py"),
    "pydantic_core": ("settings/",),
    "pydantic_settings": ("settings/model.py", "settings/stores.py"),
    "python_on_whales": ("engines/docker/",),
    "requests": ("clients/tracking.py",),
    "rich": ("console.py",),
    "typer": ("cli/",),
    "urllib3": ("clients/tracking.py",),
    "types_boto3_s3": ("clients/objects.py",),
}
HEAVY = {
    "boto3",
    "botocore",
    "filelock",
    "jinja2",
    "psutil",
    "pydantic",
    "python_on_whales",
    "requests",
}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every module that is imported, also inside of functions and for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            if node.module == "mlflow_compose":
                yield from (f"mlflow_compose.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_must_go_one_way(path: Path) -> None:
    room = room_of(path)
    for module in imports(tree_of(path)):
        if module.startswith("mlflow_compose."):
            other = module.split(".")[1]
            assert other in {room, *MAY_IMPORT[room], "__version__"}, f"{room} knows {other}"


@pytest.mark.parametrize("path", OUTSIDE, ids=name_of)
def test_every_library_must_have_its_place(path: Path) -> None:
    for module in imports(tree_of(path)):
        library = module.split(".")[0]
        if library != "mlflow_compose" and library not in sys.stdlib_module_names:
            assert name_of(path).startswith(MAY_USE[library]), f"{library} in {name_of(path)}"


@pytest.mark.parametrize("folder", INSIDE, ids=name_of)
def test_what_runs_inside_must_use_only_what_the_image_has(folder: Path) -> None:
    modules = {module for path in folder.glob("*.py") for module in imports(tree_of(path))}
    ours = {module for module in modules if module.startswith("mlflow_compose.")}
    libraries = {module.split(".")[0] for module in modules - ours}
    assert libraries - sys.stdlib_module_names <= {"boto3", "botocore", "mlflow", "sqlalchemy"}
    room = "mlflow_compose." + name_of(folder).replace("/", ".")
    assert all(module.startswith(room) for module in ours)


@pytest.mark.parametrize("path", OUTSIDE, ids=name_of)
def test_only_the_command_line_and_the_console_must_print(path: Path) -> None:
    if room_of(path) in {"cli", "console"}:
        return
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input")):
                pytest.fail(f"line {node.lineno} prints")
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "stdin"):
                pytest.fail(f"line {node.lineno} uses the process's streams")


@pytest.mark.parametrize("path", OUTSIDE, ids=name_of)
def test_the_environment_must_be_read_in_one_place(path: Path) -> None:
    if name_of(path) == "cli/run.py":
        return
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "getenv"):
                pytest.fail(f"line {node.lineno} reads the environment")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_must_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"


def test_every_room_must_introduce_itself_and_export_what_it_names() -> None:
    rooms = [info.name for info in pkgutil.iter_modules([str(SOURCE)]) if info.ispkg]
    assert set(rooms) < set(MAY_IMPORT)
    for room in rooms:
        module = importlib.import_module(f"mlflow_compose.{room}")
        assert len((module.__doc__ or "").splitlines()) >= 3, room
        for name in module.__all__:
            assert hasattr(module, name), f"{room}.{name}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_must_decide_nothing(path: Path) -> None:
    """Values, `for` and `if`: anything else is a property that the Stack lacks."""
    environment = Environment(autoescape=False)  # noqa: S701 - YAML, and only parsed
    tree = environment.parse(path.read_text(encoding="utf-8"))
    refused = (
        nodes.BinExpr,
        nodes.UnaryExpr,
        nodes.CondExpr,
        nodes.Concat,
        nodes.Assign,
        nodes.AssignBlock,
        nodes.Macro,
        nodes.CallBlock,
        nodes.FilterBlock,
    )
    for node in tree.find_all(refused):
        # `is not none` is the one question that a template may ask.
        question = isinstance(node, nodes.Not) and isinstance(node.node, nodes.Test)
        assert question, f"line {node.lineno}: {type(node).__name__}"
    assert {node.name for node in tree.find_all(nodes.Filter)} <= {"literal", "shell"}
    assert {node.name for node in tree.find_all(nodes.Test)} <= {"none"}
    for call in tree.find_all(nodes.Call):
        assert isinstance(call.node, nodes.Getattr), f"line {call.lineno}"
        assert call.node.attr == "items", f"line {call.lineno}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_must_be_without_the_words_of_logic(path: Path) -> None:
    for block in re.findall(r"{[{%].*?[}%]}", path.read_text(encoding="utf-8"), re.DOTALL):
        assert not re.search(r"\bor\b|\band\b|\+|~|default\s*\(", block), block


def rendered() -> list[Path]:
    # compose/ is not among them: in a checkout that is used as a stack, it follows its `.env`.
    return sorted((ROOT / "tests/golden").glob("*/expected/docker-compose.yaml"))


@pytest.mark.parametrize("path", rendered(), ids=lambda path: path.parents[1].name)
def test_a_rendered_file_must_leave_only_the_id_for_compose_to_replace(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"(?<!\$)\$\{STACK_IDENTITY:\?[\w ,.-]+\}", text)
    assert len(named) == 1
    text = text.replace(named[0], "")
    assert all(len(dollars) % 2 == 0 for dollars in re.findall(r"\$+", text))


@pytest.mark.parametrize("path", rendered(), ids=lambda path: path.parents[1].name)
def test_any_number_of_stacks_must_fit_on_one_machine(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["networks"] == {"backend": {"driver": "bridge"}}
    labels = document["x-labels"]
    assert list(labels) == ["mlflow-compose.stack"]
    assert all(volume == {"labels": labels} for volume in document["volumes"].values())
    assert {"mlflow"} <= set(document["services"]) <= {"mlflow", "postgres", "s3", "bucket-init"}
    for service in document["services"].values():
        assert "container_name" not in service
        assert service["labels"] == labels
        assert service["networks"] == ["backend"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert "no-new-privileges:true" in service["security_opt"]
    for name in {"mlflow", "bucket-init"} & set(document["services"]):
        service = document["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["user"] == "10001:10001"


@pytest.mark.parametrize("path", rendered(), ids=lambda path: path.parents[1].name)
def test_every_service_must_say_what_it_is_in_a_comment(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.fullmatch(r"  (mlflow|postgres|s3|bucket-init):", line):
            assert re.fullmatch(r"  # .{20,}\.", lines[number - 1])


def loaded_by(argv: list[str], folder: Path) -> set[str]:
    """Return which heavy libraries one command line loads."""
    code = (
        "import json, os, sys; from mlflow_compose.cli.run import run\n"
        "out, sys.stdout = sys.stdout, open(os.devnull, 'w')\n"
        "run(json.loads(sys.argv[1]))\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=out)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(argv)],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return (HEAVY | {"rich"}) & set(json.loads(done.stdout))


@pytest.mark.parametrize("argv", [["--help"], ["--version"], []])
def test_help_must_wait_for_no_library(argv: list[str], tmp_path: Path) -> None:
    assert loaded_by(argv, tmp_path) == set()


def test_render_must_load_only_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_text(), encoding="utf-8")
    assert loaded_by(["render"], tmp_path) == {"filelock", "pydantic", "jinja2"}


def test_the_tree_of_errors_must_be_drawn_as_it_is() -> None:
    drawn = {
        match[1]: int(match[2])
        for match in re.finditer(r"(\w+) +(?:exit code )?(\d+)[ ,]", errors.__doc__ or "")
    }
    classes = {
        name: found.exit_code
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, errors.MlflowComposeError)
    }
    assert drawn == classes
    codes = [found.code for found in vars(errors).values() if inspect.isclass(found)
             and issubclass(found, errors.MlflowComposeError)
             and found is not errors.ServiceError]  # fmt: skip
    assert len(codes) == len(set(codes))


COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
GLOBAL = {"--env-file", "--json", "--quiet", "--version", "--help"}


def sentences() -> Iterator[tuple[str, str]]:
    """Yield every text that users see, with where it is."""
    for path in FILES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{name_of(path)}:{node.lineno}", node.value
    for path in (ROOT / "README.md", ROOT / ".env.example", *(ROOT / "docs").rglob("*.md")):
        yield path.name, path.read_text(encoding="utf-8")
    for path in TEMPLATES:
        yield path.name, path.read_text(encoding="utf-8")


def test_every_command_that_a_text_names_must_exist() -> None:
    named = 0
    for where, text in sentences():
        for match in re.finditer(r"mlflow-compose ([a-z]+(?:-[a-z]+)*)((?: --[a-z-]+)*)", text):
            command, options = match[1], match[2].split()
            if match[0] == "mlflow-compose from":  # in a sentence
                continue
            assert command in COMMANDS, f"{where}: mlflow-compose {command}"
            known = {name for param in COMMANDS[command].params
                     for name in (*param.opts, *param.secondary_opts)} | GLOBAL  # fmt: skip
            assert set(options) <= known, f"{where}: {match[0]}"
            named += 1
    assert named > 20


def test_the_version_must_be_one_that_packages_may_have() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", mlflow_compose.__version__)
