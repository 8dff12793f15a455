"""One file with everything that a stack needs on a machine without a network.

`resolve.py` finds the wheels for other machines and `download.py` gets them; `own_wheel.py` packs
this tool; `archive.py` writes the file, and `manifest.py` declares what is in it. `inside/` reads
it: it runs on machines that have nothing but Python, too.
"""

from mlflow_compose.bundle.archive import Part, write_archive
from mlflow_compose.bundle.download import Source, download
from mlflow_compose.bundle.manifest import ImageFile, Manifest, WheelSet, opened
from mlflow_compose.bundle.own_wheel import own_requirements, own_wheel
from mlflow_compose.bundle.resolve import PLATFORMS, PYTHONS, Packages, Target, Wheel, resolve

__all__ = [
    "PLATFORMS",
    "PYTHONS",
    "ImageFile",
    "Manifest",
    "Packages",
    "Part",
    "Source",
    "Target",
    "Wheel",
    "WheelSet",
    "download",
    "opened",
    "own_requirements",
    "own_wheel",
    "resolve",
    "write_archive",
]
