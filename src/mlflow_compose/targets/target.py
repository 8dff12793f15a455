"""The record of a target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlflow_compose.settings import Settings
from mlflow_compose.stack import Image, Machine, Site

# Texts of templates: by folder, then by file name.
Texts = Mapping[str, Mapping[str, str]]
# Asked only by those that run on this machine.
Ask = Callable[[], Machine]


@dataclass(frozen=True)
class Target:
    """A target: one way to lay out a stack.

    Attributes:
        name: Name, as for `render --target`.
        engine: Engine that runs it, empty if none does.
        folder: Folder of its files, next to the env file; its templates have the same folder name.
        site: Returns where services find their files and each other.
        image: Returns what MLflow and the bucket job run from, given the texts of `ingredients`
            and the env file's folder as seen from the rendered files.
        ingredients: Folders of templates that the image is made of.
        secret_mode: Mode of secret files.
        override: File in its folder that is the owner's, empty if there is none.
        identity_file: File with the stack's id for Compose, empty if the target has none.
        folders: Folders that the stack needs to start and does not create.
    """

    name: str
    engine: str
    folder: str
    site: Callable[[Settings, Ask], Site]
    image: Callable[[Settings, Texts, str, Ask], Image]
    ingredients: tuple[str, ...]
    secret_mode: int
    override: str = ""
    identity_file: str = ""
    folders: tuple[str, ...] = ()
