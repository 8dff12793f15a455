"""Cells of tables that a spreadsheet opens: names and runs come from others."""

# First characters of a cell that a spreadsheet would run as a formula
# (https://owasp.org/www-community/attacks/CSV_Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# By which Excel recognizes UTF-8.
BOM = "\ufeff"


def cell(value: object) -> object:
    """Return a value as a cell: a text is never a formula."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
