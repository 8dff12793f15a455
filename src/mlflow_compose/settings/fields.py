"""How a setting is declared: a type with its rule, a default, a description, a section.

The rules of the types are in `validators.py`.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mlflow_compose.settings.seats import port_range_text, seats_text
from mlflow_compose.settings.served import models_text
from mlflow_compose.settings.sizes import SIZE
from mlflow_compose.settings.validators import (
    LEAST_WORKER_MEMORY,
    MAX_PORT,
    at_least,
    bucket,
    console_address,
    database_name,
    database_user,
    flag,
    host,
    index_url,
    ip_address,
    key_id,
    login_name,
    login_password,
    matches,
    new_enough,
    one_line,
    optional_port,
    requirements,
    secret,
    whole_number,
)


@dataclass(frozen=True)
class Generated:
    """A default that `init` generates at random.

    Attributes:
        length: Number of characters.
        required: Whether a stack cannot be built without it.
    """

    length: int
    required: bool = True


def setting(default: object, about: str, *, section: str) -> Any:  # noqa: ANN401 - as pydantic.Field
    """Declare one setting; `default` may be `Generated`."""
    extra: dict[str, Any] = {"section": section}
    if not isinstance(default, Generated):
        return Field(default=default, description=about, json_schema_extra=extra)
    extra["generated"] = default
    value: Any = PydanticUndefined if default.required else SecretStr("")
    return Field(default=value, description=about, json_schema_extra=extra)


def section_of(info: FieldInfo) -> str | None:
    """Return the section that a field was declared in, None for an internal field."""
    extra = info.json_schema_extra
    return str(extra["section"]) if isinstance(extra, dict) and "section" in extra else None


def generated_of(info: FieldInfo) -> Generated | None:
    """Return how `init` generates this field's value, None if it has a plain default."""
    extra = info.json_schema_extra
    value = extra.get("generated") if isinstance(extra, dict) else None
    return value if isinstance(value, Generated) else None


Port = Annotated[int, whole_number(1, MAX_PORT)]
OptionalPort = Annotated[str, AfterValidator(optional_port)]
PortOffset = Annotated[int, whole_number(1, MAX_PORT - 1)]
Workers = Annotated[int, whole_number(1, 64)]
Replicas = Annotated[int, whole_number(1, 16)]
Flag = Annotated[bool, BeforeValidator(flag)]
ProjectName = Annotated[
    str,
    matches(
        r"[a-z0-9][a-z0-9_-]*",
        "must be lowercase letters, digits, hyphens and underscores, starting with a letter or "
        "digit",
    ),
]
Namespace = Annotated[
    str,
    matches(
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?",
        "must be at most 63 lowercase letters, digits and hyphens, and must not start or end with "
        "a hyphen",
    ),
]
Host = Annotated[str, AfterValidator(host)]
BucketName = Annotated[str, AfterValidator(bucket)]
IpAddress = Annotated[str, AfterValidator(ip_address)]
LoginName = Annotated[str, AfterValidator(login_name)]
DatabaseName = Annotated[str, AfterValidator(database_name)]
DatabaseUser = Annotated[str, AfterValidator(database_user)]
OneLine = Annotated[str, AfterValidator(one_line)]
Image = Annotated[str, matches(r"[\w./:@-]+", "must be an image reference such as name:tag")]
OptionalImage = Annotated[
    str, matches(r"[\w./:@-]*", "must be an image reference such as name:tag")
]
Registry = Annotated[
    str,
    matches(
        r"([\w.-]+(:\d+)?(/[a-z0-9._-]+)*)?",
        "must be a host and a path, such as ghcr.io/lab, without https:// and a tag",
    ),
]
Region = Annotated[str, matches(r"[a-z0-9-]+", "must be a region name such as us-east-1")]
Version = Annotated[
    str,
    matches(r"\d+\.\d+\.\d+", "must be a release version such as 3.17.2"),
    AfterValidator(new_enough),
]
ConsoleAddress = Annotated[str, AfterValidator(console_address)]
Memory = Annotated[
    str,
    matches(
        rf"({SIZE})?",
        "must be a size in Compose notation, such as 512m or 2g, or empty",
    ),
]
SharedBuffers = Annotated[Memory, AfterValidator(at_least(1, "PostgreSQL's own options"))]
MemoryTarget = Annotated[Memory, AfterValidator(at_least(32, "no target"))]
WorkerMemory = Annotated[Memory, AfterValidator(at_least(LEAST_WORKER_MEMORY, "no limit"))]
Models = Annotated[str, AfterValidator(models_text)]
Seats = Annotated[str, AfterValidator(seats_text)]
PortRange = Annotated[str, AfterValidator(port_range_text)]
Cpus = Annotated[
    str,
    matches(
        r"((?!0+(\.0+)?$)\d{1,3}(\.\d{1,2})?)?", "must be a number above 0, such as 0.5, or empty"
    ),
]
Secret = Annotated[SecretStr, secret(1)]
LongSecret = Annotated[SecretStr, secret(8)]
KeyId = Annotated[SecretStr, secret(3), AfterValidator(key_id)]
LoginPassword = Annotated[SecretStr, AfterValidator(login_password)]
Requirements = Annotated[str, AfterValidator(requirements)]
IndexUrl = Annotated[SecretStr, AfterValidator(index_url)]
