"""A report as a plot: ratios to the plain stack, with their targets."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure
from bench.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE = Path(__file__).with_name("plot.mplstyle")
GREY, TARGET = "#808080", "#d62728"
COLOURS = {"default": "#4c9be8", "small": "#46b39d", "fast": "#e8a33d", "local": "#a98ad6"}
# Width of a bar where figures are 1 apart, and what that is in inches.
GROUP, WIDTH, INCHES = 0.8, 8.0, 0.62
TICKS = (0.5, 1, 2, 4, 8, 16)


def svg(report: Report) -> str:
    """Return the plot as SVG; the same report always gives the same text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    figures = plotted(report)
    target = io.StringIO()
    with mpl.rc_context(fname=STYLE):
        canvas = Canvas(figsize=(WIDTH, INCHES * len(figures) + 1), layout="constrained")
        axes = canvas.add_subplot()
        draw_bars(axes, report, figures)
        draw_scales(axes, [figure.title for figure in figures])
        canvas.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


def draw_bars(axes: "Axes", report: Report, figures: Sequence[Figure]) -> None:
    """Draw a bar for each subject and figure, and a mark for its target."""
    names = [name for name in COLOURS if name in report.subjects]
    width = GROUP / len(names)
    for index, name in enumerate(names):
        places = [row + (index - (len(names) - 1) / 2) * width for row in range(len(figures))]
        ratios = [report.ratio(figure, name) or float("nan") for figure in figures]
        axes.barh(places, ratios, width * 0.9, label=name, color=COLOURS[name])
        targets = [figure.targets.get(name, float("nan")) for figure in figures]
        label = None if index else "target"
        axes.scatter(targets, places, marker="|", s=70, color=TARGET, label=label, zorder=3)


def draw_scales(axes: "Axes", titles: Sequence[str]) -> None:
    """Draw axes, a line for the plain stack, and the legend."""
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.set_xticks([], minor=True)
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_yticks(range(len(titles)), titles)
    axes.invert_yaxis()
    axes.set_xlabel("times better than the plain stack")
    axes.legend(frameon=False, loc="lower right")


def plotted(report: Report) -> list[Figure]:
    """Return the figures that have targets and ratios."""
    return [
        figure
        for figure in report.measured()
        if figure.targets and any(report.ratio(figure, name) for name in COLOURS)
    ]
