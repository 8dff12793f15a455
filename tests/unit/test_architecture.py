"""The rules and tables of `docs/architecture.md`, checked against the source."""

import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import typer

import mlflow_compose
from mlflow_compose import errors
from mlflow_compose.cli.app import app
from mlflow_compose.paths import templates
from tests.unit.samples import ROOT, SOURCE, env_text

FILES = sorted(SOURCE.rglob("*.py"))
# A comparison with the name of an engine or target.
ENGINE_NAME = re.compile(
    r"(engine|target)(\.name)? (==|!=|in|is) .*(LOCAL|DOCKER|COMPOSE|'(local|docker|compose)')"
)
TEMPLATES = sorted(templates().rglob("*.j2"))
# Run by Python in a container, where the rules below do not apply.
INSIDE = tuple(
    SOURCE / room
    for room in (
        *("bundle/inside", "checks/probe", "data/inside"),
        *("engines/inside", "queries/inside"),
    )
)
# Modules that all rooms may use.
COMMON = "engines.inside"
OUTSIDE = [path for path in FILES if not set(INSIDE) & set(path.parents)]

MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 45

BASE = {"errors", "payloads", "result", "paths", "machine", "files", "identity", "record"}
STACK = {*BASE, "tls", "settings", "stack"}
# Rooms that a room may import; data flows in one direction.
MAY_IMPORT = {
    "errors": set(),
    "machine": set(),
    "payloads": set(),
    "result": {"errors", "payloads"},
    "files": set(),
    "paths": {"errors", "files"},
    "identity": {"errors", "paths"},
    "record": {"errors", "paths"},
    "lock": {"errors", "paths", "machine"},
    "tls": {"errors", "paths"},
    "settings": {*BASE, "tls"},
    "stack": {*BASE, "tls", "settings"},
    "targets": STACK,
    "render": {*STACK, "targets", "boot"},
    "engines": STACK,
    "clients": STACK,
    "connect": STACK,
    "diagrams": STACK,
    "queries": {*STACK, "engines"},
    "checks": {*STACK, "engines", "clients"},
    "boot": {"errors", "files"},
    "people": {"errors", "settings"},
    "capacity": set(),
    "classroom": {"errors", "files", "people", "connect", "render"},
    "webpage": {"errors", "result", "classroom"},
    "dvc": {"errors", "files", "engines"},
    "data": {*STACK, "engines", "clients"},
    "bundle": {*BASE, "engines"},
    "actions": {
        *STACK,
        "lock",
        "targets",
        "render",
        "engines",
        "clients",
        "connect",
        "diagrams",
        "checks",
        "data",
        "boot",
        "bundle",
        "dvc",
        "people",
        "capacity",
        "classroom",
        "webpage",
        "queries",
    },
    "streams": set(),
    "console": {"errors", "result", "streams"},
    "cli": {
        *STACK,
        "lock",
        "targets",
        "actions",
        "bundle",
        "engines",
        "connect",
        "diagrams",
        "people",
        "capacity",
        "classroom",
        "queries",
        "console",
        "streams",
    },
    "__main__": {"cli"},
    "__init__": set(),
}
# The only places where a library may be used.
MAY_USE = {
    "anyascii": ("people/roster.py",),
    "boto3": ("clients/bucket.py", "clients/objects.py"),
    "cryptography": ("tls/",),
    "botocore": ("clients/aws.py", "clients/bucket.py", "clients/objects.py"),
    "filelock": ("lock.py",),
    "dotenv": ("settings/envfile.py",),
    "jinja2": ("render/",),
    "psutil": ("machine.py", "engines/"),
    "pyrage": ("data/backup/sealed.py",),
    "segno": ("classroom/qr.py",),
    "supervisor": ("engines/local/",),
    "uv": ("engines/local/",),
    "pydantic": (
        "settings/",
        "stack/credentials.py",
        "stack/seats.py",
        "actions/settings.py",
        "actions/backup.py",
        "data/backup/manifest.py",
        "engines/answers.py",
    ),
    "pydantic_core": ("settings/",),
    "pydantic_settings": tuple(
        f"settings/{name}.py"
        for name in (
            *("classroom", "kubernetes", "model", "notebooks", "pgadmin"),
            *("server", "stores", "tls"),
        )
    ),
    "python_on_whales": ("engines/docker/",),
    "requests": (
        "bundle/download.py",
        *(f"clients/{name}.py" for name in ("tracking", "answers", "jupyter", "models", "pgadmin")),
    ),
    "rich": ("console.py",),
    "starlette": ("webpage/",),
    "typer": ("cli/",),
    "uvicorn": ("webpage/server.py",),
    "urllib3": ("clients/answers.py", "bundle/download.py"),
    "types_boto3_s3": ("clients/bucket.py", "clients/objects.py"),
}
HEAVY = {
    "boto3",
    "botocore",
    "cryptography",
    "filelock",
    "jinja2",
    "psutil",
    "pydantic",
    "python_on_whales",
    "requests",
    "starlette",
    "uvicorn",
}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every imported module, including imports in functions and for type checking."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            if node.module == "mlflow_compose":
                yield from (f"mlflow_compose.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def offenders(files: Iterable[Path], find: Callable[[Path], Iterator[str]]) -> list[str]:
    """Return the problems of all files, so that one failure shows every offender."""
    return [f"{name_of(path)}: {problem}" for path in files for problem in find(path)]


def wrong_directions(path: Path) -> Iterator[str]:
    room = room_of(path)
    for module in imports(tree_of(path)):
        if module.startswith("mlflow_compose."):
            other = module.split(".")[1]
            if other not in {room, *MAY_IMPORT[room], "__version__"}:
                yield f"{room} imports {other}"


def test_imports_must_go_in_one_direction() -> None:
    assert offenders(FILES, wrong_directions) == []


def misplaced_libraries(path: Path) -> Iterator[str]:
    for module in imports(tree_of(path)):
        library = module.split(".")[0]
        ours = library == "mlflow_compose" or library in sys.stdlib_module_names
        if not ours and not name_of(path).startswith(MAY_USE.get(library, ())):
            yield library


def test_every_library_must_be_used_only_in_its_place() -> None:
    assert offenders(OUTSIDE, misplaced_libraries) == []


@pytest.mark.parametrize("folder", INSIDE, ids=name_of)
def test_code_that_runs_inside_a_service_must_only_use_what_the_image_has(folder: Path) -> None:
    modules = {module for path in folder.glob("*.py") for module in imports(tree_of(path))}
    ours = {module for module in modules if module.startswith("mlflow_compose.")}
    libraries = {module.split(".")[0] for module in modules - ours}
    assert libraries - sys.stdlib_module_names <= {
        "boto3",
        "botocore",
        "mlflow",
        "psycopg2",
        "sqlalchemy",
        "werkzeug",
        "yaml",
    }
    sent = tuple(f"mlflow_compose.{name}" for name in (name_of(folder).replace("/", "."), COMMON))
    assert all(module.startswith(sent) for module in ours)


def streams(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input")):
                yield f"line {node.lineno} prints"
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "stdin"):
                yield f"line {node.lineno} uses the process's streams"


def test_only_the_command_line_and_the_console_must_print() -> None:
    silent = [path for path in OUTSIDE if room_of(path) not in {"cli", "console"}]
    assert offenders(silent, streams) == []


def environments(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "getenv"):
                yield f"line {node.lineno} reads the environment"


def test_the_environment_must_be_read_in_one_place() -> None:
    files = [path for path in OUTSIDE if name_of(path) != "cli/run.py"]
    assert offenders(files, environments) == []


def engine_names(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Compare) and ENGINE_NAME.search(text := ast.unparse(node)):
            yield f"line {node.lineno} compares {text}"


def test_no_room_must_ask_which_engine_or_target_it_is() -> None:
    """They say what they can do; only settings depend on the value of STACK_ENGINE."""
    files = [path for path in FILES if room_of(path) != "settings"]
    assert offenders(files, engine_names) == []
    assert offenders([SOURCE / "settings" / "rules.py"], engine_names) != []


def lengths(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if (lines := len(text.splitlines())) > MAX_FILE_LINES:
        yield f"{lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{node.name} has {lines} lines"


def test_files_and_functions_must_stay_short() -> None:
    assert offenders(FILES, lengths) == []


def test_every_room_must_have_a_docstring_and_export_only_existing_names() -> None:
    rooms = [info.name for info in pkgutil.iter_modules([str(SOURCE)]) if info.ispkg]
    assert set(rooms) < set(MAY_IMPORT)
    for room in rooms:
        module = importlib.import_module(f"mlflow_compose.{room}")
        assert len((module.__doc__ or "").splitlines()) >= 3, room
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{room}.{name}"


def loaded_by(argv: list[str], folder: Path) -> set[str]:
    """Return the heavy libraries that a command line imports."""
    return (HEAVY | {"rich"}) & {name.split(".")[0] for name in modules_of(argv, folder)}


def modules_of(argv: list[str], folder: Path, **environ: str) -> set[str]:
    """Return the modules that a command line imports."""
    code = (
        "import json, os, sys; from mlflow_compose.cli.run import run\n"
        "out, sys.stdout = sys.stdout, open(os.devnull, 'w')\n"
        "run(json.loads(sys.argv[1]))\n"
        "print(json.dumps(sorted(sys.modules)), file=out)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(argv)],
        cwd=folder,
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("argv", [["--help"], ["--version"], []])
def test_help_must_import_no_heavy_library(argv: list[str], tmp_path: Path) -> None:
    assert loaded_by(argv, tmp_path) == set()


@pytest.mark.parametrize(
    ("argv", "most"),
    # Of Python 3.11 to 3.13, with what typer imports; half a millisecond each.
    [(["--help"], 230), (["--version"], 230)],
)
def test_help_must_import_few_modules(argv: list[str], most: int, tmp_path: Path) -> None:
    assert len(modules_of(argv, tmp_path)) <= most


def test_most_commands_must_not_import_what_moves_data(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_text(), encoding="utf-8")
    loaded = modules_of(["status"], tmp_path, PATH="/nonexistent")
    assert "mlflow_compose.actions.lifecycle" in loaded
    assert not [name for name in loaded if name.startswith("mlflow_compose.data.importing")]


def test_render_must_import_only_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_text(), encoding="utf-8")
    assert loaded_by(["render"], tmp_path) == {"filelock", "pydantic", "jinja2"}


def test_the_drawn_tree_of_errors_must_match_the_classes() -> None:
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
    """Yield every text that users read, with its location."""
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
            if match[0] == "mlflow-compose from":  # part of a sentence
                continue
            assert command in COMMANDS, f"{where}: mlflow-compose {command}"
            known = {name for param in COMMANDS[command].params
                     for name in (*param.opts, *param.secondary_opts)} | GLOBAL  # fmt: skip
            assert set(options) <= known, f"{where}: {match[0]}"
            named += 1
    assert named > 20


def test_the_version_must_be_a_valid_package_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", mlflow_compose.__version__)


PAGE = ROOT / "docs" / "architecture.md"
ARCHITECTURE = (PAGE, *sorted((ROOT / "docs" / "architecture").glob("*.md")))


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of the table below a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    for line in lines[1:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_rooms_must_list_every_room() -> None:
    named = {name for row in rows("Rooms") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(MAY_IMPORT) - {"__main__", "__init__"}


def test_the_table_of_libraries_must_list_every_dependency() -> None:
    listed = ", ".join(row[0] for row in rows("Libraries"))
    named = {re.sub(r" \(.*\)", "", name) for name in listed.split(", ")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[^\w-]", one, maxsplit=1)[0] for one in project["dependencies"]}
    assert needed <= named


def test_every_file_that_the_pages_name_must_exist() -> None:
    """For example `lock.py`, `stack/services.py` or `templates/compose/`."""
    tops = (".ci", "src", "templates", "tests", "requirements", "bench")
    existing = {path.as_posix() for top in tops for path in (ROOT / top, *(ROOT / top).rglob("*"))}
    missing = set()
    for page in (*ARCHITECTURE, ROOT / "CONTRIBUTING.md"):
        for span in re.findall(r"`([\w./-]+)`", page.read_text(encoding="utf-8")):
            is_path = span.endswith((".py", ".in")) or (
                span.split("/")[0] in {*tops, *MAY_IMPORT} and span.endswith("/")
            )
            path = f"/{span.rstrip('/')}"
            if is_path and not any(one.endswith(path) for one in existing):
                missing.add(f"{page.name}: {span}")
    assert missing == set()


def test_every_name_that_the_pages_quote_must_be_in_the_source() -> None:
    """For example `Engine.listens_on` or `check_data(held=…)`."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
    for page in ARCHITECTURE:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`(?:[A-Z]\w+\.)?([a-z_]\w+)\(?[^`]*\)`", text):
            assert re.search(rf"\b{name}\b", source), f"{page.name}: {name}"
        for owner, name in re.findall(r"`([A-Z]\w+)\.([a-z]\w+)`", text):
            assert {owner, name} <= set(re.findall(r"\w+", source)), f"{page.name}: {owner}.{name}"
