"""`load` provides what is in a bundle, can be repeated, and writes nothing if it does not fit."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from dotenv import dotenv_values

from mlflow_compose import machine
from mlflow_compose.actions import load as actions
from mlflow_compose.bundle import ImageFile
from mlflow_compose.bundle.inside import sealed
from mlflow_compose.engines.docker import transfer
from mlflow_compose.engines.local.wheels import offline_options, wheels_folder
from mlflow_compose.errors import BundleError, EngineError, FilesError
from mlflow_compose.payloads import Loaded
from mlflow_compose.result import NoProgress
from mlflow_compose.stack import wheels_key
from tests.e2e.certificates import make_certificates
from tests.unit.bundles import KEY, WHEELS, manifest, sha256, wheel_set, write_bundle
from tests.unit.samples import local_stack

IMAGE = ImageFile("images/1.tar", "mlflow-compose-bundle:1", ("postgres:18.4",), "linux/amd64")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache, which is the system's if the tests run as root."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(machine, "cache_folder", lambda _: folder)
    return folder


@pytest.fixture(autouse=True)
def _no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "docker_problem", lambda: EngineError("Docker is not installed"))


def load(path: Path, env_file: Path) -> Loaded:
    result = actions.load(path, env_file, {}, NoProgress())
    assert isinstance(result.data, Loaded)
    return result.data


def settings(env_file: Path) -> Mapping[str, str | None]:
    return dotenv_values(env_file, interpolate=False)


def test_the_wheels_must_be_where_the_local_engine_looks(tmp_path: Path, cache: Path) -> None:
    build = local_stack().service("mlflow").build
    assert build
    key = wheels_key(build)
    assert offline_options(cache, build) == ()
    path = write_bundle(tmp_path / "b.tar", manifest(sets=(wheel_set(key=key),)))
    found = load(path, tmp_path / ".env")
    assert found == Loaded([], ["mlflow"], str(tmp_path / ".env"))
    folder = wheels_folder(cache, key)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == WHEELS
    assert offline_options(cache, build) == (
        *("--offline", "--no-index"),
        *("--find-links", str(folder)),
    )
    assert [*folder.parent.iterdir()] == [folder]


def test_a_new_env_file_must_have_the_settings_and_new_secrets(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b.tar")
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        load(path, tmp_path / name / ".env")
        found.append(settings(tmp_path / name / ".env"))
    one, other = found
    assert one["COMPOSE_PROJECT_NAME"] == other["COMPOSE_PROJECT_NAME"] == "class"
    assert one["MLFLOW_PORT"] == "5123"
    assert one["PG_PASSWORD"] != other["PG_PASSWORD"]
    assert (tmp_path / "one" / ".env").stat().st_mode & 0o777 == 0o600


def test_each_seat_must_get_a_name_of_its_own(tmp_path: Path) -> None:
    settings_ = {"MLFLOW_PORT": "5123"}
    path = write_bundle(tmp_path / "b.tar", manifest(for_seats=True, settings=settings_))
    names = set()
    for number in range(3):
        env_file = tmp_path / f"{number}.env"
        load(path, env_file)
        names.add(settings(env_file)["COMPOSE_PROJECT_NAME"])
    assert len(names) == 3
    assert all(name and name.startswith("class-") for name in names)


def test_secrets_in_a_bundle_must_not_be_taken(tmp_path: Path) -> None:
    """Whoever made it knows them."""
    given = {"PG_PASSWORD": "known-to-others", "MLFLOW_PORT": "5123"}
    path = write_bundle(tmp_path / "b.tar", manifest(settings=given))
    load(path, tmp_path / ".env")
    assert "known-to-others" not in (tmp_path / ".env").read_text(encoding="utf-8")


def test_the_path_of_a_key_must_not_be_taken_for_a_secret(tmp_path: Path) -> None:
    """Without it, the new settings would be refused, whatever files are there."""
    made = make_certificates(tmp_path, "lab.example")
    files = {"STACK_TLS_CERT": made.server.name, "STACK_TLS_KEY": made.server.name}
    path = write_bundle(tmp_path / "b.tar", manifest(settings={"STACK_TLS": "files", **files}))
    load(path, tmp_path / ".env")
    assert files.items() <= settings(tmp_path / ".env").items()


def test_a_second_load_must_change_nothing(tmp_path: Path, cache: Path) -> None:
    path = write_bundle(tmp_path / "b.tar")
    load(path, tmp_path / ".env")
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / ".env", *cache.rglob("*"))}
    assert load(path, tmp_path / ".env").env_file is None
    assert {each: each.stat().st_mtime_ns for each in before} == before


def test_a_load_that_was_interrupted_must_be_completed(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder only exists once it is whole: the local engine would install from it."""
    path = write_bundle(tmp_path / "b.tar")
    last = sha256(WHEELS["two-2.0-py3-none-any.whl"])

    def interrupted(path: Path, contents: sealed.Contents, name: str) -> Iterator[bytes]:
        yield from sealed.chunks(path, contents, name)
        if name == f"wheels/{last}":
            raise KeyboardInterrupt

    monkeypatch.setattr("mlflow_compose.actions.load.chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(path, tmp_path / ".env")
    assert not wheels_folder(cache, KEY).exists()
    assert not (tmp_path / ".env").exists()
    monkeypatch.undo()
    monkeypatch.setattr(machine, "cache_folder", lambda _: cache)
    load(path, tmp_path / ".env")
    assert len([*wheels_folder(cache, KEY).iterdir()]) == len(WHEELS)


def test_what_a_killed_load_left_must_be_removed(tmp_path: Path, cache: Path) -> None:
    folder = wheels_folder(cache, KEY)
    left = folder.parent / f".{folder.name}.999999999.abc"
    left.mkdir(parents=True)
    load(write_bundle(tmp_path / "b.tar"), tmp_path / ".env")
    assert [*folder.parent.iterdir()] == [folder]


def test_wheels_that_were_deleted_must_be_provided_again(tmp_path: Path, cache: Path) -> None:
    path = write_bundle(tmp_path / "b.tar")
    load(path, tmp_path / ".env")
    folder = wheels_folder(cache, KEY)
    next(folder.iterdir()).unlink()
    load(path, tmp_path / ".env")
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == WHEELS


def test_a_damaged_bundle_must_leave_nothing_behind(tmp_path: Path, cache: Path) -> None:
    path = write_bundle(tmp_path / "b.tar")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"b\.tar is damaged or incomplete"):
        load(path, tmp_path / ".env")
    assert not cache.exists()
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tool": "99.0.0"}, "is of mlflow-compose 99.0.0"),
        ({"sets": (wheel_set(python="3.1"),)}, "the wheels are for Python 3.1 on "),
        ({"sets": (wheel_set(platform="plan9/mips"),)}, " on plan9/mips, and this is Python"),
        ({"sets": ()}, "it has no wheels for a stack without Docker; it has no images"),
        ({"sets": (), "images": (IMAGE,)}, "images cannot be used: Docker is not installed"),
    ],
)
def test_a_bundle_that_does_not_fit_must_be_refused(
    tmp_path: Path, cache: Path, changed: Mapping[str, object], words: str
) -> None:
    with pytest.raises(BundleError, match=words) as raised:
        load(write_bundle(tmp_path / "b.tar", manifest(**changed)), tmp_path / ".env")
    assert raised.value.hint
    assert not cache.exists()
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize("name", ["../outside.whl", "/x/outside.whl", "a/b.whl", "-e.whl", "x"])
def test_a_wheel_with_an_unusual_name_must_be_refused(
    tmp_path: Path, cache: Path, name: str
) -> None:
    files = {name: WHEELS["one-1.0-py3-none-any.whl"]}
    path = write_bundle(tmp_path / "b.tar", manifest(sets=(wheel_set(files),)))
    with pytest.raises(BundleError, match="wheels with unusual names"):
        load(path, tmp_path / ".env")
    assert not cache.exists()


def test_a_wheel_that_is_not_in_the_file_must_be_refused(tmp_path: Path, cache: Path) -> None:
    sets = (wheel_set({"three-3.0-py3-none-any.whl": b"is nowhere"}),)
    path = write_bundle(tmp_path / "b.tar", manifest(sets=sets))
    with pytest.raises(BundleError, match="does not contain wheels/"):
        load(path, tmp_path / ".env")
    assert [path for path in cache.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["..", "a/b", "../../x"])
def test_an_unusual_key_must_be_refused(tmp_path: Path, cache: Path, key: str) -> None:
    path = write_bundle(tmp_path / "b.tar", manifest(sets=(wheel_set(key=key),)))
    with pytest.raises(BundleError, match="unusual"):
        load(path, tmp_path / ".env")
    assert not cache.exists()


@pytest.mark.parametrize("names", [("--help",), ("$(touch x)",), ("UPPER:1",), ("",)])
def test_an_unusual_name_of_an_image_must_be_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    image = ImageFile("images/1.tar", IMAGE.name, names, "linux/amd64")
    monkeypatch.setattr(actions, "docker_problem", lambda: None)
    monkeypatch.setattr(transfer, "containers_platform", lambda: "linux/amd64")
    path = write_bundle(tmp_path / "b.tar", manifest(images=(image,)), **{"images/1.tar": b"x"})
    with pytest.raises(BundleError, match="images with unusual names"):
        load(path, tmp_path / ".env")


@pytest.mark.parametrize("name", ["postgres:18.4", "mlflow-compose-bundle", "--help"])
def test_an_image_must_not_lose_the_name_of_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    image = ImageFile("images/1.tar", name, ("new:1",), "linux/amd64")
    monkeypatch.setattr(actions, "docker_problem", lambda: None)
    monkeypatch.setattr(transfer, "containers_platform", lambda: "linux/amd64")
    path = write_bundle(tmp_path / "b.tar", manifest(images=(image,)), **{"images/1.tar": b"x"})
    with pytest.raises(BundleError, match="images with unusual names"):
        load(path, tmp_path / ".env")


def test_images_of_another_platform_must_be_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "docker_problem", lambda: None)
    monkeypatch.setattr(transfer, "containers_platform", lambda: "linux/arm64")
    path = write_bundle(tmp_path / "b.tar", manifest(images=(IMAGE,)), **{"images/1.tar": b"x"})
    found = load(path, tmp_path / ".env")
    assert found.images == []
    # Docker would be chosen, and there are no images.
    assert settings(tmp_path / ".env")["STACK_ENGINE"] == "local"


def test_a_cache_that_cannot_be_written_must_be_reported(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file", encoding="utf-8")
    with pytest.raises(FilesError, match="cannot be written") as raised:
        load(write_bundle(tmp_path / "b.tar"), tmp_path / ".env")
    assert "XDG_CACHE_HOME" in (raised.value.hint or "")
