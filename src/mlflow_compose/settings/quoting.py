r"""How values are spelled in env files, for this tool and for Docker Compose.

Compose (`dotenv/parser.go` of compose-spec/compose-go) expands `$NAME` and `${…}` outside of single
quotes, where `$$` and `\$` are a dollar sign; in single quotes it knows no escape but that of the
quote.
"""

import re

BARE = re.compile(r"[\w./:@+,-]*", re.ASCII)
REFERENCE = r"\$(?:[$A-Za-z_]|\{)"
# Where Compose reads something else, by the quotes around a value.
ELSEWHERE = {
    "'": re.compile(r"\\\\"),
    '"': re.compile(rf"{REFERENCE}|(?<!\\)(?:\\\\)*\\[$'0]"),
    "": re.compile(rf"{REFERENCE}|\t#|^\s+#"),
}
# What single quotes cannot hold as it is, for any of the readers.
NOT_LITERAL = re.compile(r"\\(?:[\\']|$)|\r")


def quote(value: str) -> str:
    """Return a value as an env file spells it, so that it is read back unchanged.

    Nearly every value is spelled so that Docker Compose reads the same.
    """
    if BARE.fullmatch(value):
        return value
    single = "'{}'".format(value.replace("'", r"\'"))
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\r", r"\r")
    double = f'"{escaped}"'
    if not NOT_LITERAL.search(value) and ("'" not in value or compose_differs(double)):
        return single
    if not compose_differs(double):
        return double
    return "'{}'".format(value.replace("\\", r"\\").replace("'", r"\'"))


def compose_differs(written: str) -> bool:
    """Tell whether Docker Compose reads another value than this tool does.

    Args:
        written: What stands behind the equals sign.
    """
    if found := re.match(r"""\s*(['"])(?:\\.|(?!\1|\\).)*\1""", written, re.DOTALL):
        return bool(ELSEWHERE[found[1]].search(found[0]))
    # With no value in front of it, Compose takes a comment for the value.
    value = written.partition(" #")[0]
    return bool(ELSEWHERE[""].search(value if value.strip() else written))
