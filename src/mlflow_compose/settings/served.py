"""The registered models that a stack serves: the notation of STACK_MODELS."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from mlflow_compose.settings.sizes import SIZE

MAX_PORT = 65535
# Characters of a service name: with its project, a container's name must fit into a host name.
LONGEST_NAME = 40
FORM = "MODEL@ALIAS or MODEL/VERSION"
RULE = (
    f"must be {FORM} with =PORT or =PORT:MEMORY, separated by spaces, such as "
    "wine@champion=5100 fraud/3=5101:1g"
)
# `@` and `/` separate the parts, so that MLflow allows neither in both of them.
_REFERENCE = re.compile(r"(?P<model>[^@/\s=]+)(@(?P<alias>[^@/\s=]+)|/(?P<version>[1-9]\d{0,8}))")


@dataclass(frozen=True)
class Reference:
    """A version of a registered model, by number or by an alias that may move.

    Attributes:
        model: Name of the registered model.
        alias: Alias, empty if the version is given.
        version: Version, 0 if the alias is given.
    """

    model: str
    alias: str = ""
    version: int = 0

    @property
    def text(self) -> str:
        """The reference as a user types it."""
        return f"{self.model}@{self.alias}" if self.alias else f"{self.model}/{self.version}"

    @property
    def escaped(self) -> str:
        """The reference without spaces and other separators."""
        model, alias = quote(self.model, safe=""), quote(self.alias, safe="")
        return f"{model}@{alias}" if alias else f"{model}/{self.version}"

    @property
    def service(self) -> str:
        """The name of its service: readable, and with a digest if something had to be replaced."""
        plain = f"model-{self.model}-{self.alias or f'v{self.version}'}"
        name = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
        if name == plain and len(name) <= LONGEST_NAME:
            return name
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:8]
        return f"{name[: LONGEST_NAME - 9].strip('-')}-{digest}"


@dataclass(frozen=True)
class ServedModel:
    """A model that is served.

    Attributes:
        reference: Which version of which model.
        port: Port on this machine.
        memory: Memory limit in Compose notation, empty for none.
    """

    reference: Reference
    port: int
    memory: str = ""

    @property
    def text(self) -> str:
        """Its notation in the env file."""
        limit = f":{self.memory}" if self.memory else ""
        return f"{self.reference.escaped}={self.port}{limit}"


def reference(text: str) -> Reference | None:
    """Return the reference that a user typed, None if it is not one."""
    model, at, alias = text.rpartition("@")
    if at:
        return Reference(model, alias) if model and alias and "/" not in model + alias else None
    model, _, version = text.rpartition("/")
    if not model or "/" in model or not re.fullmatch(r"[1-9]\d{0,8}", version, re.ASCII):
        return None
    return Reference(model, version=int(version))


def served_models(text: str) -> tuple[ServedModel, ...]:
    """Return the models of a value of STACK_MODELS.

    Raises:
        ValueError: It is not in this notation; the message completes "STACK_MODELS …".
    """
    models = tuple(map(_served, text.split()))
    seen: dict[str, str] = {}
    for model in models:
        name, written = model.reference.service, model.reference.text
        if name in seen:
            what = "twice" if seen[name] == written else f"and {seen[name]}: their services"
            raise ValueError(f"must not name {written} {what}{_same(seen[name], written, name)}")
        seen[name] = written
    return models


def written(models: Sequence[ServedModel]) -> str:
    """Return the value of STACK_MODELS for models."""
    return " ".join(model.text for model in models)


def models_text(value: str) -> str:
    """Accept values in the notation of STACK_MODELS."""
    served_models(value)
    return value


def _same(first: str, second: str, name: str) -> str:
    return "" if first == second else f" would both be called {name}"


def _served(word: str) -> ServedModel:
    left, _, right = word.rpartition("=")
    port, colon, memory = right.partition(":")
    found = _REFERENCE.fullmatch(left)
    if not found or not re.fullmatch(r"\d{1,5}", port) or not 1 <= int(port) <= MAX_PORT:
        raise ValueError(RULE)
    if colon and not re.fullmatch(SIZE, memory):
        raise ValueError(RULE)
    model, alias, version = (found[name] or "" for name in ("model", "alias", "version"))
    return ServedModel(
        Reference(unquote(model), unquote(alias), int(version or 0)), int(port), memory
    )
