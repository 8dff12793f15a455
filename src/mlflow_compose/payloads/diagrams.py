"""What `diagram` prints."""

from dataclasses import dataclass

from mlflow_compose.payloads.key import Absent, key, optional_key


@dataclass(frozen=True)
class Diagram:
    """`diagram`."""

    diagram: str = key("What is shown: `stack` or `life`.")
    mermaid: str = key("The diagram as Mermaid text.")
    file: str | Absent = optional_key("With `--output`: path of the file.")
