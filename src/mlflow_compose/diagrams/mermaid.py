"""A chart of nodes and arrows, and its text in Mermaid's flowchart syntax.

https://mermaid.js.org/syntax/flowchart.html
"""

import re
from dataclasses import dataclass
from enum import Enum

# Anything else is written as its code: quotes end a label, backticks make it Markdown, `%%{` is a
# directive, and HTML would be interpreted.
PLAIN = re.compile(r"[^\w .,:;/()=*+@~'|-]")
LINE_BREAK = "<br>"
FIRST_LINE = "flowchart LR"


class Shape(Enum):
    """The outline of a node, as the brackets around its label."""

    BOX = ("[", "]")
    ROUND = ("([", "])")
    STORE = ("[(", ")]")
    JOB = ("[[", "]]")


@dataclass(frozen=True)
class Node:
    """Something that is drawn.

    Attributes:
        name: Unique name of letters, digits, `-` and `_`, such as that of a service.
        lines: Lines of its label.
        shape: Outline.
        inside: Whether it is drawn inside the frame.
    """

    name: str
    lines: tuple[str, ...]
    shape: Shape = Shape.BOX
    inside: bool = False


@dataclass(frozen=True)
class Arrow:
    """A connection between two nodes, from the one that uses the other."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Chart:
    """A diagram.

    Attributes:
        frame: Title of the frame, empty for none.
        nodes: Nodes, in the order of their definition.
        arrows: Arrows between them.
    """

    frame: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def mermaid(chart: Chart) -> list[str]:
    """Return a chart as lines of Mermaid."""
    framed = [f"    {_node(node)}" for node in chart.nodes if node.inside]
    frame = [f"  subgraph frame[{_quoted(chart.frame)}]", *framed, "  end"] if framed else []
    outside = [f"  {_node(node)}" for node in chart.nodes if not node.inside]
    return [FIRST_LINE, *frame, *outside, *(f"  {_arrow(arrow)}" for arrow in chart.arrows)]


def _node(node: Node) -> str:
    before, after = node.shape.value
    return f"{_id(node.name)}{before}{_quoted(*node.lines)}{after}"


def _arrow(arrow: Arrow) -> str:
    label = f"|{_quoted(arrow.label)}|" if arrow.label else ""
    return f"{_id(arrow.source)} -->{label} {_id(arrow.target)}"


def _id(name: str) -> str:
    """Return the name as an identifier, which no keyword of Mermaid can be."""
    return f"n_{name.replace('-', '_')}"


def _quoted(*lines: str) -> str:
    safe = (PLAIN.sub(lambda found: f"#{ord(found[0])};", line) for line in lines)
    return f'"{LINE_BREAK.join(safe)}"'
