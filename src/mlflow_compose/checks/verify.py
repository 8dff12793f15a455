"""Store a run, an artifact and a model, and read them back: from outside, then from inside."""

import time
from collections.abc import Callable

from mlflow_compose.checks.causes import causes, diagnose
from mlflow_compose.checks.inside import Probe, check_links
from mlflow_compose.checks.notebooks import notebook_steps
from mlflow_compose.checks.owner import check_owner
from mlflow_compose.checks.pgadmin import pgadmin_steps
from mlflow_compose.checks.proof import Mismatch, Proof
from mlflow_compose.clients import (
    CertificateError,
    NoAnswer,
    ObjectsError,
    TrackingError,
    Unreachable,
)
from mlflow_compose.engines import Engine
from mlflow_compose.errors import OtherStackError, VerifyError
from mlflow_compose.payloads import Step, Verified
from mlflow_compose.result import Progress, Result
from mlflow_compose.stack import Cause, Stack

UNAUTHORIZED = 401


def verify(engine: Engine, progress: Progress) -> Result:
    """Verify a running stack; every step has a name and a duration.

    It stops at the first broken link and reports its cause.
    """
    with engine.reachable():
        return _verify(engine, progress)


def _verify(engine: Engine, progress: Progress) -> Result:
    proof = Proof(engine.stack)
    steps: list[Step] = []
    store = _shown("bucket", engine.stack)
    more = "".join(f", {name}" for name, _ in _more_steps(engine))
    with progress.step(f"Proving: run, metric, artifact 20 MB, model, database, {store}{more}"):
        probe = Probe(engine)
        try:
            failure = _outside(proof, engine, probe, steps, progress)
            if failure is None or proof.created:
                progress.detail("from inside")
                failure = _inside(proof, engine, probe, steps, failure)
        except OtherStackError as error:
            return Result(Verified(()), errors=(error,))
        finally:
            probe.close()
    data = Verified(steps)
    lines = [_line(step) for step in steps]
    return Result(data, lines, (failure,) if failure else ())


def _actions(
    proof: Proof, engine: Engine, probe: Probe
) -> tuple[tuple[str, Callable[[], str]], ...]:
    """Return a user's steps, after a check that the server is this stack's."""

    def health() -> str:
        check_owner(engine)
        answer = proof.health()
        probe.load()
        return answer

    return (("health", health), *proof.outside, *_more_steps(engine))


def _more_steps(engine: Engine) -> tuple[tuple[str, Callable[[], str]], ...]:
    """Return the steps of servers that a stack may have besides MLflow."""
    return (*notebook_steps(engine), *pgadmin_steps(engine))


def _outside(
    proof: Proof, engine: Engine, probe: Probe, steps: list[Step], progress: Progress
) -> VerifyError | None:
    try:
        return _steps_outside(proof, engine, probe, steps, progress)
    except KeyboardInterrupt:
        probe.close()
        check_links(engine, **proof.request)
        raise


def _steps_outside(
    proof: Proof, engine: Engine, probe: Probe, steps: list[Step], progress: Progress
) -> VerifyError | None:
    for name, action in _actions(proof, engine, probe):
        progress.detail(name)
        start = time.perf_counter()
        try:
            detail, problem = action(), None
        except (Unreachable, TrackingError, ObjectsError, Mismatch) as error:
            detail, problem = str(error), error
        except (KeyError, TypeError, AttributeError) as error:
            # The response is not in MLflow's format: steps only send requests and compare.
            detail = f"this is not an answer of MLflow: {error!r}"
            problem = Mismatch(detail)
        detail = engine.stack.mask(detail)
        step = Step(name, problem is None, round(time.perf_counter() - start, 3), detail)
        steps.append(step)
        if problem:
            return _error(step, _cause(engine, problem, step))
    return None


def _inside(
    proof: Proof,
    engine: Engine,
    probe: Probe,
    steps: list[Step],
    failure: VerifyError | None,
) -> VerifyError | None:
    """Check from inside and clean up; after a failure, only clean up."""
    for link in probe.check_links(**proof.request):
        if failure is None:
            name = _shown(link.name, engine.stack)
            step = Step(name, not link.cause, link.seconds, link.detail)
            steps.append(step)
            failure = _error(step, _with_detail(engine, link.cause, step)) if link.cause else None
    return failure


def _cause(engine: Engine, problem: Exception, step: Step) -> Cause:
    known = causes(engine.stack)
    if isinstance(problem, TrackingError) and "Host header" in str(problem):
        return known["host_refused"]
    if isinstance(problem, TrackingError) and problem.status == UNAUTHORIZED:
        return known["login_refused"]
    if isinstance(problem, CertificateError):
        return _with_detail(engine, "certificate_refused", step)
    # If everything works from inside, the problem is between this machine and MLflow.
    return diagnose(engine) or _with_detail(engine, _key(engine.stack, problem), step)


def _key(stack: Stack, problem: Exception) -> str:
    """Return the key of the cause of a problem that only exists outside."""
    match problem:
        case Mismatch():
            return problem.cause
        case NoAnswer():
            return "no_answer"
        case Unreachable():
            return "proxy_down" if stack.routes else "not_published"
        case _:
            return "mlflow_error"


def _with_detail(engine: Engine, key: str, step: Step) -> Cause:
    cause = causes(engine.stack)[key]
    return Cause(f"{cause.sentence} ({step.detail})", cause.hint)


def _shown(link: str, stack: Stack) -> str:
    """Return a link's name for users: not every stack has a bucket."""
    return "folder" if link == "bucket" and not stack.stores.uses_s3 else link


def _error(step: Step, cause: Cause) -> VerifyError:
    return VerifyError(f"{step.name}: {cause.sentence}", hint=cause.hint)


def _line(step: Step) -> str:
    mark = "ok" if step.ok else "FAILED"
    return f"{mark:<6}  {step.name:<14}  {step.seconds:6.2f} s  {step.detail}"
