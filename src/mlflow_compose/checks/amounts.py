"""The amount of data in a stack, as numbers and as text."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_compose.checks.probe import amounts, artifacts, database, links
from mlflow_compose.engines import Engine, RemoteError, run_modules
from mlflow_compose.engines.answers import MALFORMED

# In import order.
MODULES = (links, database, artifacts, amounts)


@dataclass(frozen=True)
class Amounts:
    """The amount of data in a stack.

    Attributes:
        figures: Count by kind, None if counting failed.
        problem: Reason why counting failed.
    """

    figures: Mapping[str, int] | None
    problem: str = ""

    def holds(self, *kinds: str) -> bool:
        """Tell whether there may be data of these kinds; true if counting failed."""
        return self.figures is None or any(self.figures.get(kind) for kind in kinds)

    def text(self, *kinds: str) -> str:
        """Return the amounts as text."""
        if self.figures is None:
            return f"not counted: {self.problem}" if self.problem else "not counted"
        found = {kind: self.figures.get(kind, 0) for kind in kinds}
        shown = {kind: number for kind, number in found.items() if number or kind == kinds[0]}
        return ", ".join(
            f"{number} {kind.removesuffix('s') if number == 1 else kind}"
            for kind, number in shown.items()
        )


def count(engine: Engine) -> Amounts:
    """Count the data of a stack from inside its mlflow service."""
    stores = engine.stack.stores
    request = {
        "backend": stores.backend_uri,
        "folder": stores.artifact_folder,
        "bucket": stores.bucket,
    }
    try:
        figures = run_modules(engine, MODULES, request, dict[str, int])
    except RemoteError as error:
        return Amounts(None, str(error))
    # Nothing counted is not the same as no data.
    return Amounts(figures) if "objects" in figures else Amounts(None, f"{MALFORMED}: no objects")
