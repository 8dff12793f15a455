"""Rules of single values: each raises a `ValueError` whose message completes "NAME …"."""

import ipaddress
import re
from collections.abc import Callable

from pydantic import AfterValidator, BeforeValidator, SecretStr

from mlflow_compose.settings.sizes import mebibytes

# libpq's service file and botocore's credentials file have one value per line, and libpq reads at
# most 1,024 bytes of it: 240 characters of up to four bytes fit.
MAX_SECRET_CHARACTERS = 240
MIN_ADMIN_PASSWORD = 12
MIN_JUPYTER_TOKEN = 16
MIN_PGADMIN_PASSWORD = 12
MAX_PORT: int = 65535
OLDEST_MLFLOW = (3, 5, 0)
# A package name, extras and versions: no URL, file or option, which could install anything else.
REQUIREMENT = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,-]+\])?"
    r"(===?|~=|!=|[<>]=?)[A-Za-z0-9.*+!_-]+(,(===?|~=|!=|[<>]=?)[A-Za-z0-9.*+!_-]+)*"
)
# Mebibytes: a worker starts with 200.
LEAST_WORKER_MEMORY = 300


def whole_number(low: int, high: int) -> BeforeValidator:
    """Accept whole numbers from `low` to `high`."""

    def check(value: object) -> int:
        text = str(value).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number between {low} and {high}")
        return int(text)

    return BeforeValidator(check)


def optional_port(value: str) -> str:
    """Accept ports, and nothing."""
    is_port = re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= MAX_PORT
    if value and not is_port:
        raise ValueError(f"must be a whole number between 1 and {MAX_PORT}, or empty")
    return value


def flag(value: object) -> bool:
    """Accept true and false."""
    words = {"true": True, "false": False}
    word = str(value).strip().lower()
    if word not in words:
        raise ValueError("must be true or false")
    return words[word]


def matches(pattern: str, rule: str) -> AfterValidator:
    """Accept values that match a pattern completely."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def at_least(least: int, empty: str) -> Callable[[str], str]:
    """Accept sizes from a number of mebibytes on, and nothing; `empty` says what that means."""

    def check(value: str) -> str:
        if value and mebibytes(value) < least:
            raise ValueError(f"must be at least {least}m, or empty for {empty}")
        return value

    return check


def bucket(value: str) -> str:
    """Accept names that S3 allows for buckets."""
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) or ".." in value:
        raise ValueError(
            "must be a valid S3 bucket name: 3 to 63 lowercase letters, digits, hyphens and single "
            "dots, starting and ending with a letter or digit"
        )
    if re.fullmatch(r"\d+(\.\d+){3}", value):
        raise ValueError("must not have the format of an IP address")
    if value.startswith(("xn--", "sthree-")) or value.endswith(("-s3alias", "--ol-s3")):
        raise ValueError(
            "must not start with xn-- or sthree-, or end with -s3alias or --ol-s3 (reserved by S3)"
        )
    return value


def new_enough(value: str) -> str:
    """Accept MLflow versions that support the options that the stack passes."""
    if tuple(map(int, value.split("."))) < OLDEST_MLFLOW:
        oldest = ".".join(map(str, OLDEST_MLFLOW))
        raise ValueError(f"must be {oldest} or newer (for --allowed-hosts)")
    return value


def host(value: str) -> str:
    """Accept host names and IP addresses, as clients write them before a port."""
    if not re.fullmatch(
        r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", value
    ):
        raise ValueError("must be a host name or IP address without http:// or a port")
    return value.lower()


def ip_address(value: str) -> str:
    """Accept IP addresses, and normalize them."""
    rule = "must be an IP address of this machine, such as 127.0.0.1"
    if "%" in value:
        raise ValueError(rule)
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(rule) from None


def one_line(value: str) -> str:
    """Accept text that stays unchanged in files with one value per line."""
    if any(ord(character) < ord(" ") or character == "\x7f" for character in value):
        raise ValueError("must be a single line without control characters")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must be valid UTF-8")
    if value != value.strip():
        raise ValueError("must not start or end with a space")
    return value


def identifier(value: str) -> str:
    """Accept names that PostgreSQL does not truncate."""
    one_line(value)
    if not 1 <= len(value.encode()) <= 63:  # noqa: PLR2004 - PostgreSQL's NAMEDATALEN minus one
        raise ValueError("must be 1 to 63 bytes long")
    return value


def login_text(value: str) -> str:
    """Accept text that all of MLflow's login methods decode the same way."""
    if not value.isascii():
        # `mlflow/server/auth/__init__.py` (3.17) decodes some logins as ASCII.
        raise ValueError("must be ASCII (MLflow logins support no other characters)")
    return value


def login_name(value: str) -> str:
    """Accept user names that work for login."""
    login_text(value)
    if ":" in identifier(value):
        # https://datatracker.ietf.org/doc/html/rfc7617#section-2
        raise ValueError(
            "must not contain a colon (it ends the user name in HTTP basic authentication)"
        )
    return value


def database_user(value: str) -> str:
    """Accept names that PostgreSQL allows for users."""
    if identifier(value).startswith("pg_"):
        raise ValueError("must not start with pg_ (reserved by PostgreSQL)")
    if value in {"none", "public"}:
        raise ValueError("must not be none or public (reserved by PostgreSQL)")
    return value


def database_name(value: str) -> str:
    """Accept names that PostgreSQL clients do not parse as a connection string."""
    if "=" in identifier(value) or "://" in value:
        raise ValueError("must not contain = or :// (clients would read it as a connection string)")
    if value in {"template0", "template1"}:
        raise ValueError("must not be template0 or template1 (reserved by PostgreSQL)")
    return value


def console_address(value: str) -> str:
    """Accept a port in MinIO's notation, or nothing."""
    if not value:
        return value
    if not re.fullmatch(r":[0-9]{1,5}", value) or not 1 <= int(value[1:]) <= MAX_PORT:
        raise ValueError(f"must be a colon and a port up to {MAX_PORT}, such as :9001, or empty")
    return value


def secret(least: int) -> AfterValidator:
    """Accept secrets of at least this many characters."""

    def check(value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if not text:
            raise ValueError("must not be empty")
        one_line(text)
        if len(text) < least:
            raise ValueError(f"must be at least {least} characters long")
        if len(text) > MAX_SECRET_CHARACTERS:
            raise ValueError(f"must be at most {MAX_SECRET_CHARACTERS} characters long")
        return value

    return AfterValidator(check)


def key_id(value: SecretStr) -> SecretStr:
    """Accept access key ids."""
    # In the header of a signed request, the access key id is delimited by slashes.
    if not re.fullmatch(r"[A-Za-z0-9_.@+-]{3,128}", value.get_secret_value()):
        raise ValueError("must be 3 to 128 characters: letters, digits and any of _.@+-")
    return value


def optional_secret(value: SecretStr) -> SecretStr:
    """Accept a secret, or nothing."""
    one_line(value.get_secret_value())
    return value


def login_password(value: SecretStr) -> SecretStr:
    """Accept a password that works for login, or nothing."""
    login_text(optional_secret(value).get_secret_value())
    return value


def index_url(value: SecretStr) -> SecretStr:
    """Accept the URL of a package index, or nothing."""
    text = optional_secret(value).get_secret_value()
    if text and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValueError("must be the http:// or https:// URL of a package index")
    return value


def requirements(value: str) -> str:
    """Accept Python packages with versions, separated by spaces or commas, and normalize them."""
    given = requirement_list(one_line(value))
    if not all(map(REQUIREMENT.fullmatch, given)):
        raise ValueError("must be packages with a version each, such as seaborn==0.13.2")
    return " ".join(given)


def requirement_list(value: str) -> list[str]:
    """Return the items of a list that spaces or commas separate."""
    # `pandas >= 3, < 4` is one item, and so is `dask[array,dataframe]==2026.1`.
    compact = re.sub(r"\s*(,?)\s*([<>=!~]=?=?)\s*", r"\1\2", value)
    items = re.split(r"\s+|,(?![^\[\]]*\])(?![<>=!~])", compact)
    return [item for item in items if item]
