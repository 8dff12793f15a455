"""The filters of the templates: for YAML, Secrets, shell scripts and HCL."""

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Sequence

# Strings that need no quotes, and words that YAML does not read as strings.
_PLAIN = re.compile(r"(?:[A-Za-z/]|\.{1,2}/)[\w./@+-]*(?::[\w./@+-]+)*", re.ASCII)
_RESERVED = frozenset(["true", "false", "yes", "no", "on", "off", "null", "y", "n"])
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def literal(value: object) -> str:
    """Return `value` as YAML that Compose, or Kubernetes in a command or variable, reads unchanged.

    Compose replaces `$NAME` in every string of its file, quoted or not, and Kubernetes `$(NAME)`,
    so `$` is doubled: https://docs.docker.com/reference/compose-file/interpolation/,
    https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#entrypoint
    """
    return plain(str(value).replace("$", "$$"))


def plain(value: object) -> str:
    """Return `value` as a YAML string."""
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return '"' + "".join(_escape(character) for character in text) + '"'


def base64(text: str) -> str:
    """Return `text` in base64, as a YAML string for the `data` of a Secret."""
    return plain(b64encode(text.encode()).decode())


def hcl(value: object) -> str:
    """Return `value` as HCL, Terraform's language, which replaces `${…}` and `%{…}` in strings.

    https://developer.hashicorp.com/terraform/language/expressions/strings
    """
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{")


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


def shell(value: str | Sequence[str]) -> str:
    """Return a word or a command, quoted for a shell."""
    return shlex.quote(value) if isinstance(value, str) else shlex.join(value)
