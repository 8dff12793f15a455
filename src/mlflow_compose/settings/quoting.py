r"""How values are quoted in env files, for this tool and for Docker Compose.

Compose (`dotenv/parser.go` of compose-spec/compose-go) expands `$NAME` and `${…}` outside of single
quotes, where `$$` and `\$` are a literal dollar sign; in single quotes, its only escape is that of
the quote.
"""

import re

BARE = re.compile(r"[\w./:@+,-]*", re.ASCII)
REFERENCE = r"\$(?:[$A-Za-z_]|\{)"
# What Compose reads differently, by the quotes around a value.
COMPOSE_DIFFERS = {
    "'": re.compile(r"\\\\"),
    '"': re.compile(rf"{REFERENCE}|(?<!\\)(?:\\\\)*\\[$'0]"),
    "": re.compile(rf"{REFERENCE}|\t#|^\s+#"),
}
# What no parser reads literally in single quotes.
NOT_LITERAL = re.compile(r"\\(?:[\\']|$)|\r")


def quote(value: str) -> str:
    """Return a value as it is written in an env file, so that it is read back unchanged.

    Docker Compose reads the same from it, with very few exceptions.
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
    """Tell whether Docker Compose reads a different value than this tool.

    Args:
        written: Text after the equals sign.
    """
    if found := re.match(r"""\s*(['"])(?:\\.|(?!\1|\\).)*\1""", written, re.DOTALL):
        return bool(COMPOSE_DIFFERS[found[1]].search(found[0]))
    # Compose reads a comment that follows no value as the value.
    value = written.partition(" #")[0]
    return bool(COMPOSE_DIFFERS[""].search(value if value.strip() else written))
