"""How a setting is declared: a type that knows its rule, a default, a sentence, a section.

Each type's rule is a `ValueError` whose text completes the sentence "NAME …".
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

# The service file of libpq and botocore's credentials file hold one value per line, and libpq
# reads at most 1,024 bytes of it: 240 characters of up to four bytes fit.
MAX_SECRET_CHARACTERS = 240
MIN_ADMIN_PASSWORD = 12
MAX_PORT: int = 65535
OLDEST_MLFLOW = (3, 5, 0)


@dataclass(frozen=True)
class Generated:
    """A default that `init` draws at random.

    Attributes:
        length: Characters.
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
    """Return how `init` draws this field's value, None where it has a plain default."""
    extra = info.json_schema_extra
    value = extra.get("generated") if isinstance(extra, dict) else None
    return value if isinstance(value, Generated) else None


def _whole_number(low: int, high: int) -> BeforeValidator:
    def check(value: object) -> int:
        text = str(value).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number between {low} and {high}")
        return int(text)

    return BeforeValidator(check)


def _flag(value: object) -> bool:
    words = {"true": True, "false": False}
    word = str(value).strip().lower()
    if word not in words:
        raise ValueError("must be true or false")
    return words[word]


def _matches(pattern: str, rule: str) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def _bucket(value: str) -> str:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) or ".." in value:
        raise ValueError(
            "must be an S3 bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, "
            "beginning and ending with a letter or digit"
        )
    if re.fullmatch(r"\d+(\.\d+){3}", value):
        raise ValueError("must not look like an IP address")
    if value.startswith(("xn--", "sthree-")) or value.endswith(("-s3alias", "--ol-s3")):
        raise ValueError("must not begin or end with a word that S3 keeps for itself")
    return value


def _new_enough(value: str) -> str:
    if tuple(map(int, value.split("."))) < OLDEST_MLFLOW:
        oldest = ".".join(map(str, OLDEST_MLFLOW))
        raise ValueError(f"must be {oldest} or newer, the first with --allowed-hosts")
    return value


def _ip_address(value: str) -> str:
    rule = "must be an IP address of this machine, such as 127.0.0.1"
    if "%" in value:
        raise ValueError(rule)
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(rule) from None


def _one_line(value: str) -> str:
    if any(ord(character) < ord(" ") or character == "\x7f" for character in value):
        raise ValueError("must be one line without control characters")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must be UTF-8 text")
    if value != value.strip():
        raise ValueError("must not begin or end with a space")
    return value


def _identifier(value: str) -> str:
    _one_line(value)
    if not 1 <= len(value.encode()) <= 63:  # noqa: PLR2004 - NAMEDATALEN of PostgreSQL, less one
        raise ValueError("must be 1 to 63 bytes long")
    return value


def _login_name(value: str) -> str:
    if ":" in _identifier(value):
        # https://datatracker.ietf.org/doc/html/rfc7617#section-2
        raise ValueError("must not hold a colon: logging in ends the name there")
    return value


def _database_user(value: str) -> str:
    if _identifier(value).startswith("pg_"):
        raise ValueError("must not begin with pg_, which PostgreSQL keeps for itself")
    return value


def _console_address(value: str) -> str:
    if not value:
        return value
    if not re.fullmatch(r":[0-9]{1,5}", value) or not 1 <= int(value[1:]) <= MAX_PORT:
        raise ValueError(f"must be a colon and a port up to {MAX_PORT}, such as :9001, or empty")
    return value


def _secret(least: int) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text:
            raise ValueError("must not be empty")
        _one_line(text)
        if len(text) < least:
            raise ValueError(f"must be at least {least} characters long")
        if len(text) > MAX_SECRET_CHARACTERS:
            raise ValueError(f"must be at most {MAX_SECRET_CHARACTERS} characters long")
        return value

    return AfterValidator(check)


def _key_id(value: SecretStr) -> SecretStr:
    # An access key id stands between slashes in a signed request's header.
    if not re.fullmatch(r"[A-Za-z0-9_.@+-]{3,128}", value.get_secret_value()):
        raise ValueError("must be 3 to 128 letters, digits and characters of _.@+-")
    return value


def _optional_secret(value: SecretStr) -> SecretStr:
    _one_line(value.get_secret_value())
    return value


def _index_url(value: SecretStr) -> SecretStr:
    text = _optional_secret(value).get_secret_value()
    if text and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValueError("must be the http(s) URL of a package index")
    return value


Port = Annotated[int, _whole_number(1, MAX_PORT)]
Workers = Annotated[int, _whole_number(1, 64)]
Flag = Annotated[bool, BeforeValidator(_flag)]
ProjectName = Annotated[
    str,
    _matches(
        r"[a-z0-9][a-z0-9_-]*",
        "must be lower-case letters, digits, hyphens and underscores, beginning with a letter "
        "or digit",
    ),
]
BucketName = Annotated[str, AfterValidator(_bucket)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
Identifier = Annotated[str, AfterValidator(_identifier)]
LoginName = Annotated[str, AfterValidator(_login_name)]
DatabaseUser = Annotated[str, AfterValidator(_database_user)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Image = Annotated[str, _matches(r"[\w./:@-]+", "must be an image reference such as name:tag")]
OptionalImage = Annotated[
    str, _matches(r"[\w./:@-]*", "must be an image reference such as name:tag")
]
Region = Annotated[str, _matches(r"[a-z0-9-]+", "must be a region name such as us-east-1")]
Version = Annotated[
    str,
    _matches(r"\d+\.\d+\.\d+", "must be a release such as 3.17.2"),
    AfterValidator(_new_enough),
]
ConsoleAddress = Annotated[str, AfterValidator(_console_address)]
Memory = Annotated[
    str,
    _matches(
        r"(\d+(\.\d+)?([kmgKMG][bB]?))?",
        "must be a size in Compose's notation, such as 512m or 2g, or empty",
    ),
]
Secret = Annotated[SecretStr, _secret(1)]
LongSecret = Annotated[SecretStr, _secret(8)]
KeyId = Annotated[SecretStr, _secret(3), AfterValidator(_key_id)]
OptionalSecret = Annotated[SecretStr, AfterValidator(_optional_secret)]
IndexUrl = Annotated[SecretStr, AfterValidator(_index_url)]
