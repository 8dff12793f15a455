"""Send modules of ours to where a service runs, and run them there."""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from mlflow_compose.engines.base import Engine, Outcome

# Where they run, nothing of ours is installed: the modules are made from their sources.
LOADER = """
import json, sys, types
for name, source in json.loads(sys.argv[1]).items():
    package, _, last = name.rpartition(".")
    module = sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules.setdefault(package, types.ModuleType(package)), last, module)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(sys.argv[2])
"""


def run_modules(
    engine: Engine,
    modules: Sequence[ModuleType],
    request: Mapping[str, Any],
    *,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Outcome:
    """Call `main` of the last module, with the request as JSON, where MLflow runs.

    Args:
        engine: What runs the stack.
        modules: Each after those that it imports; beside these, only what the image has.
        request: What `main` gets.
        folder: Of this machine, which it may read.
        on_line: Is called with each line of standard output as it comes.
    """
    argument = json.dumps(request)
    return engine.run_python(
        "mlflow", LOADER, sources(modules), argument, folder=folder, on_line=on_line
    )


def sources(modules: Sequence[ModuleType]) -> str:
    """Return modules as JSON: their sources by name."""
    return json.dumps({module.__name__: inspect.getsource(module) for module in modules})
