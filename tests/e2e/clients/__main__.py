"""Execute the named steps and print their results; without names, all but `-STEP`."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from . import files, genai, hooks, models, names, runs
from .step import Seen, Step

STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        runs.log_run,
        runs.register,
        runs.look_for_nothing,
        models.autolog,
        models.log_model,
        models.log_function,
        models.evaluate,
        genai.trace,
        genai.assess,
        genai.prompt,
        genai.dataset,
        genai.judge,
        hooks.webhook,
        names.artifact_names,
        names.other_names,
        files.thousand_files,
        files.large_file,
    )
}


def run_step(step: Callable[[Path], Seen], folder: Path) -> dict[str, object]:
    """Execute one step in its own folder."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found: dict[str, object] = {"seen": step(folder)}
    except Exception:  # noqa: BLE001 - the test of this step shows it
        found = {"failed": traceback.format_exc()}
    return {**found, "seconds": round(time.monotonic() - started, 2)}


if __name__ == "__main__":
    top, *chosen = sys.argv[1:]
    excluded = {name.removeprefix("-") for name in chosen if name.startswith("-")}
    steps = [name for name in STEPS if name not in excluded] if excluded else chosen or STEPS
    found = {name: run_step(STEPS[name], Path(top) / name) for name in steps}
    # MLflow prints links to its pages, so the result is the last line.
    sys.stdout.write("\n" + json.dumps(found))
