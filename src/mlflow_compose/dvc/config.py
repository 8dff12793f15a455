"""The format of DVC's configuration files: https://dvc.org/doc/user-guide/project-structure/configuration."""

import re
from collections.abc import Iterator, Mapping

from mlflow_compose.errors import DvcError

SECTION = re.compile(r"\s*\[(.+)\]\s*(#.*)?")
OPTION = re.compile(r"\s*([\w.-]+)\s*=\s*(.*?)\s*")
# Any other value is quoted.
PLAIN = re.compile(r"[\w./:@%+=~-]+")
# DVC would replace it, and has no way to write it otherwise.
INTERPOLATED = re.compile(r"%\([^)]*\)s")
QUOTES = ('"', "'", '"""', "'''")
CORE = "core"


def remote(name: str) -> str:
    """Return the name of a remote's section."""
    return f'remote "{name}"'


def read(text: str) -> Mapping[str, Mapping[str, str]]:
    """Return the options of every section."""
    found: dict[str, dict[str, str]] = {}
    for section, line in _lines(text):
        options = found.setdefault(section, {})
        if match := OPTION.fullmatch(line):
            options[match[1]] = _unquoted(match[2])
    return found


def with_options(text: str, section: str, options: Mapping[str, str]) -> str:
    """Return the text with these options in a section; all other lines stay."""
    new = [f"    {name} = {quoted(name, value)}" for name, value in options.items()]
    before, kept, after = _split(text, section)
    names = {match[1]: line for line in kept if (match := OPTION.fullmatch(line))}
    kept = [line for line in kept if line not in {names[name] for name in options if name in names}]
    header = kept[:1] or [f"['{section}']" if '"' in section else f"[{section}]"]
    return "".join(f"{line}\n" for line in (*before, *header, *new, *kept[1:], *after))


def note(text: str, section: str, label: str) -> str:
    """Return what follows a label in a comment of a section, empty if there is none."""
    _, own, _ = _split(text, section)
    found = (line.strip().removeprefix(label) for line in own if line.strip().startswith(label))
    return next(found, "").strip()


def with_note(text: str, section: str, label: str, value: str) -> str:
    """Return the text with a comment in a section that exists, instead of one with the label."""
    before, own, after = _split(text, section)
    kept = [line for line in own[1:] if not line.strip().startswith(label)]
    new = [f"    {label} {value}"]
    return "".join(f"{line}\n" for line in (*before, *own[:1], *new, *kept, *after))


def without(text: str, section: str) -> str:
    """Return the text without a section."""
    before, _, after = _split(text, section)
    return "".join(f"{line}\n" for line in (*before, *after))


def quoted(name: str, value: str) -> str:
    """Return a value as DVC reads it.

    Raises:
        DvcError: The format has no spelling for it.
    """
    if PLAIN.fullmatch(value):
        return value
    if value.isprintable() and not INTERPOLATED.search(value):
        for quote in QUOTES:
            if quote not in value and value[-1:] != quote[0]:
                return f"{quote}{value}{quote}"
    raise DvcError(
        f"DVC's configuration has no spelling for this {name}", hint="choose another key"
    )


def _unquoted(value: str) -> str:
    match = re.fullmatch(r"(\"{3}|'{3}|\"|')(.*?)\1\s*(#.*)?", value)
    return match[2] if match else value.split(" #", maxsplit=1)[0].rstrip()


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield every line with the section that it is in."""
    section = ""
    for line in text.splitlines():
        if match := SECTION.fullmatch(line):
            section = match[1].strip().strip("'")
        yield section, line


def _split(text: str, section: str) -> tuple[list[str], list[str], list[str]]:
    """Return the lines before a section, its own with the header, and those after it."""
    lines = list(_lines(text))
    own = [number for number, (name, _) in enumerate(lines) if name == section]
    first, last = (own[0], own[-1] + 1) if own else (len(lines), len(lines))
    every = [line for _, line in lines]
    return every[:first], every[first:last], every[last:]
