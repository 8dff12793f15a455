"""Run a program that lies beside the one of a job, with the job's keys."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from mlflow_compose.engines import Engine, Outcome


def run_beside(engine: Engine, job: str, program: str, request: Mapping[str, object]) -> Outcome:
    """Run a program of a job's folder, with the request as JSON on standard input.

    Args:
        engine: Engine of the stack.
        job: Name of the service.
        program: File name of the program.
        request: What it is asked to do; secrets may be in it.
    """
    python, script = engine.stack.service(job).command
    with tempfile.TemporaryFile() as stdin:
        # Not as arguments, which every process of the machine can see.
        stdin.write(json.dumps(request).encode())
        stdin.seek(0)
        command = (python, str(PurePosixPath(script).with_name(program)))
        return engine.run(job, command, stdin=stdin)
