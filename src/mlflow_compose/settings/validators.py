"""The rules of single values: each raises a `ValueError` that completes the sentence "NAME …"."""

import ipaddress
import re

from pydantic import AfterValidator, BeforeValidator, SecretStr

# The service file of libpq and botocore's credentials file hold one value per line, and libpq
# reads at most 1,024 bytes of it: 240 characters of up to four bytes fit.
MAX_SECRET_CHARACTERS = 240
MIN_ADMIN_PASSWORD = 12
MAX_PORT: int = 65535
OLDEST_MLFLOW = (3, 5, 0)


def whole_number(low: int, high: int) -> BeforeValidator:
    """Take a whole number from `low` to `high`."""

    def check(value: object) -> int:
        text = str(value).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number between {low} and {high}")
        return int(text)

    return BeforeValidator(check)


def flag(value: object) -> bool:
    """Take true or false."""
    words = {"true": True, "false": False}
    word = str(value).strip().lower()
    if word not in words:
        raise ValueError("must be true or false")
    return words[word]


def matches(pattern: str, rule: str) -> AfterValidator:
    """Take what a pattern matches as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def bucket(value: str) -> str:
    """Take the name of an S3 bucket."""
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


def new_enough(value: str) -> str:
    """Take a version of MLflow that knows the options that we give it."""
    if tuple(map(int, value.split("."))) < OLDEST_MLFLOW:
        oldest = ".".join(map(str, OLDEST_MLFLOW))
        raise ValueError(f"must be {oldest} or newer, the first with --allowed-hosts")
    return value


def host(value: str) -> str:
    """Take the name or the address of a machine, as clients spell it in front of a port."""
    if not re.fullmatch(
        r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", value
    ):
        raise ValueError(
            "must be the name or the address of a machine, without http:// and without a port"
        )
    return value.lower()


def ip_address(value: str) -> str:
    """Take an IP address, and spell it as the standard does."""
    rule = "must be an IP address of this machine, such as 127.0.0.1"
    if "%" in value:
        raise ValueError(rule)
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(rule) from None


def one_line(value: str) -> str:
    """Take text that stays what it is in files of one value a line."""
    if any(ord(character) < ord(" ") or character == "\x7f" for character in value):
        raise ValueError("must be one line without control characters")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must be UTF-8 text")
    if value != value.strip():
        raise ValueError("must not begin or end with a space")
    return value


def identifier(value: str) -> str:
    """Take a name that PostgreSQL does not cut off."""
    one_line(value)
    if not 1 <= len(value.encode()) <= 63:  # noqa: PLR2004 - NAMEDATALEN of PostgreSQL, less one
        raise ValueError("must be 1 to 63 bytes long")
    return value


def login_text(value: str) -> str:
    """Take text that MLflow reads alike in all of its logins."""
    if not value.isascii():
        # `mlflow/server/auth/__init__.py` (3.17) decodes some logins as ASCII.
        raise ValueError("must be ASCII: MLflow takes no other letters in logins")
    return value


def login_name(value: str) -> str:
    """Take a name that one can log in with."""
    login_text(value)
    if ":" in identifier(value):
        # https://datatracker.ietf.org/doc/html/rfc7617#section-2
        raise ValueError("must not hold a colon: logging in ends the name there")
    return value


def database_user(value: str) -> str:
    """Take a name that PostgreSQL lets a user have."""
    if identifier(value).startswith("pg_"):
        raise ValueError("must not begin with pg_, which PostgreSQL keeps for itself")
    if value in {"none", "public"}:
        raise ValueError("must not be a name that PostgreSQL keeps for itself: none or public")
    return value


def database_name(value: str) -> str:
    """Take a name that clients of PostgreSQL do not read as a connection string."""
    if "=" in identifier(value) or "://" in value:
        raise ValueError("must not hold = or ://, which make it a connection string")
    if value in {"template0", "template1"}:
        raise ValueError("must not be a template that PostgreSQL makes databases from")
    return value


def console_address(value: str) -> str:
    """Take a port as MinIO spells it, or nothing."""
    if not value:
        return value
    if not re.fullmatch(r":[0-9]{1,5}", value) or not 1 <= int(value[1:]) <= MAX_PORT:
        raise ValueError(f"must be a colon and a port up to {MAX_PORT}, such as :9001, or empty")
    return value


def secret(least: int) -> AfterValidator:
    """Take a secret of at least so many characters."""

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
    """Take an access key id."""
    # An access key id stands between slashes in a signed request's header.
    if not re.fullmatch(r"[A-Za-z0-9_.@+-]{3,128}", value.get_secret_value()):
        raise ValueError("must be 3 to 128 letters, digits and characters of _.@+-")
    return value


def optional_secret(value: SecretStr) -> SecretStr:
    """Take a secret or nothing."""
    one_line(value.get_secret_value())
    return value


def login_password(value: SecretStr) -> SecretStr:
    """Take a password that one can log in with, or nothing."""
    login_text(optional_secret(value).get_secret_value())
    return value


def index_url(value: SecretStr) -> SecretStr:
    """Take the address of a package index, or nothing."""
    text = optional_secret(value).get_secret_value()
    if text and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        raise ValueError("must be the http(s) URL of a package index")
    return value
