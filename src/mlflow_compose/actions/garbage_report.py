"""What `gc` found, as text."""

from collections.abc import Iterator

from mlflow_compose.payloads import Garbage

# In the order in which they are shown: those that can be freed come first.
TITLES = {
    "deleted_runs": "deleted runs",
    "deleted_models": "deleted logged models",
    "deleted_experiments": "deleted experiments, and their traces",
    "orphans": "orphans: objects without a run, model or trace",
    "recently_deleted": "kept: deleted too recently",
    "used": "kept: deleted, but a registered model or data set refers to it",
    "young_orphans": "kept: orphans younger than 24 hours",
    "live": "in use",
    "other": "other objects, not written by MLflow",
}
COUNTED = ("runs", "models", "experiments", "objects")
NOTHING = "there is nothing to free"
# Lines of each list; `--json` has all.
MOST = 20
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
VERSIONED = "the bucket is versioned: it keeps what is deleted as earlier versions"


def lines_of(found: Garbage) -> list[str]:
    """Return the lines of a report."""
    return [*_groups(found), *_experiments(found), *_missing(found), *_notes(found)]


def freed_line(found: Garbage) -> str:
    """Return the line that says what was freed."""
    counts = ((found.freed.get(name, 0), name) for name in COUNTED)
    parts = [
        f"{count} {name.removesuffix('s') if count == 1 else name}"
        for count, name in counts
        if count
    ]
    total = size(found.freed.get("bytes", 0))
    return f"freed: {', '.join(parts)} ({total})" if parts else NOTHING


def size(number: int) -> str:
    """Return a size in bytes as people write it."""
    amount, unit = float(number), 0
    while amount >= 999.5 and unit < len(UNITS) - 1:  # noqa: PLR2004 - rounds to 1000
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.0f} {UNITS[unit]}" if unit == 0 else f"{amount:.3g} {UNITS[unit]}"


def _groups(found: Garbage) -> Iterator[str]:
    shown = {name: group for name, group in found.groups.items() if group.count or group.objects}
    width = max(map(len, TITLES.values()))
    yield f"{'':<{width}}  {'count':>7}  {'objects':>9}  {'size':>10}"
    for name, title in TITLES.items():
        if group := shown.get(name):
            count = group.count or ""
            total = size(group.bytes)
            yield f"{title:<{width}}  {count:>7}  {group.objects:>9}  {total:>10}"


def _experiments(found: Garbage) -> Iterator[str]:
    largest = [each for each in found.experiments if each.objects][:MOST]
    if not largest:
        return
    more = sum(1 for each in found.experiments if each.objects) - len(largest)
    has_workspaces = len({each.workspace for each in found.experiments}) > 1
    names = [
        f"{f'{each.workspace}/' if has_workspaces else ''}{each.name}"
        f"{' (deleted)' if each.is_deleted else ''}"
        for each in largest
    ]
    width = max(map(len, names))
    yield ""
    yield f"{'experiment':<{width}}  {'objects':>9}  {'size':>10}"
    for name, each in zip(names, largest, strict=True):
        yield f"{name:<{width}}  {each.objects:>9}  {size(each.bytes):>10}"
    if more:
        yield f"and {more} smaller ones; --json lists all"


def _missing(found: Garbage) -> Iterator[str]:
    if found.missing:
        yield ""
    for each in found.missing[:MOST]:
        yield f"missing: {each.object_key}, of {each.kind} {each.id}"
    if (more := len(found.missing) - MOST) > 0:
        yield f"and {more} more missing objects; --json lists all"


def _notes(found: Garbage) -> Iterator[str]:
    notes = [found.orphans_kept if "orphans" in found.groups else None]
    notes.append(VERSIONED if found.is_versioned else None)
    if shown := [note for note in notes if note]:
        yield from ["", *shown]
