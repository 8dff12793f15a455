"""The record of a target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlflow_compose.settings import Settings
from mlflow_compose.stack import Image, Machine, Site, Stack

# Texts of templates: by folder, then by file name.
Texts = Mapping[str, Mapping[str, str]]
# Only called by targets that run on this machine.
GetMachine = Callable[[], Machine]


@dataclass(frozen=True)
class Target:
    """A target: one way to render a stack.

    Attributes:
        name: Name, as in `render --target`.
        engine: Engine that runs it, empty if none does.
        folder: Name of the folder of its files, next to the env file, and of its templates.
        site: Returns where services find their files and each other.
        image: Returns what MLflow and the bucket job run from, given the texts of `ingredients`
            and the env file's folder as seen from the rendered files.
        images: Returns what other services of the stack run from, by name, given the same.
        ingredients: Folders of templates that the images are built from.
        secret_mode: Mode of secret files.
        override: File in its folder that belongs to the user, empty if there is none.
        identity_file: File with the stack's id for Compose, empty if the target has none.
        daemon: systemd unit that starts its services at boot, empty if none does.
        folders: Folders that the stack needs to start, but does not create itself.
        runs: Targets whose files its own files run, by engine; empty if they are complete. Its
            templates are then in a folder for each engine.
        embeds_files: Whether its secrets contain the user's files, which it cannot mount.
        without: Settings that have no effect on it, with the values that they have there.
        values: Returns what its templates need besides the stack. All of its files are then
            rendered for every stack, with no secrets but those in their own folder.
        modules: Modules of this package that its programs import, by their folder in its own.
        copies: Folders of templates that it has as they are, by their folder in its own.
        recipe: Target whose files its image is built from, None for its own.
        places: Settings that locate its data, besides those of every target.
    """

    name: str
    engine: str
    folder: str
    site: Callable[[Settings, GetMachine], Site]
    image: Callable[[Settings, Texts, str, GetMachine], Image]
    images: Callable[[Settings, Texts, str, GetMachine], Mapping[str, Image]]
    ingredients: tuple[str, ...]
    secret_mode: int
    override: str = ""
    identity_file: str = ""
    daemon: str = ""
    folders: tuple[str, ...] = ()
    runs: Mapping[str, "Target"] = field(default_factory=dict)
    embeds_files: bool = False
    without: Mapping[str, object] = field(default_factory=dict)
    values: Callable[[Stack], Mapping[str, object]] | None = None
    copies: Mapping[str, str] = field(default_factory=dict)
    recipe: "Target | None" = None
    places: tuple[str, ...] = ()
    modules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ignored(self, settings: Settings) -> tuple[str, ...]:
        """Return the variables that are set, but have no effect on this target."""
        return tuple(
            name.upper() for name, value in self.without.items() if getattr(settings, name) != value
        )
