"""The image is built once, from where the user says, and keeps none of the secrets of that."""

import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from mlflow_compose.settings import Settings

from .build_index import HOST, PackageIndex, address_for_builds
from .certificates import Certificates, make_certificates
from .conftest import MakeStack
from .docker_calls import DockerCalls
from .docker_stack import DockerStack, docker
from .images import known_images
from .running import docker_only
from .tool import Said

pytestmark = docker_only("it is about how an image is built")

PASSWORD = f"right-{uuid.uuid4().hex}"
LOGIN = f"student:{PASSWORD}"
LABEL = "mlflow-compose-test"

# Another layer, so that no build is like one before; and no caches, so that each asks the index.
BASE = """\
FROM {base}
LABEL {label}={name}
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1
RUN echo {name} > /etc/{label}
"""
# Builds ask no name server for the index.
OVERRIDE = """\
services: {{mlflow: {{build: {{extra_hosts: ["{host}={address}"]}}}}}}
"""


@pytest.fixture(scope="module")
def python_image() -> Iterator[str]:
    """Return an image with Python that nothing was built on yet, and that trusts no extra CA.

    In the end it is removed with everything that was built on it.
    """
    known, default = known_images(), Settings.model_fields["python_image"].default
    base = known.get("CI_PYTHON_BARE_IMAGE") or known.get("PYTHON_IMAGE") or default
    name = uuid.uuid4().hex[:12]
    tag = f"{LABEL}/python:{name}"
    docker("build", "--tag", tag, "-", given=BASE.format(base=base, label=LABEL, name=name))
    yield tag
    made = docker("image", "ls", "--quiet", "--filter", f"label={LABEL}={name}").out.split()
    docker("image", "rm", "--force", *set(made))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return the certificates of the index."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), HOST)


@pytest.fixture(scope="module")
def trusted(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of CA certificates: the index's, and those that this machine trusts."""
    named = known_images().get("CI_CA_CERTS") or ssl.get_default_verify_paths().cafile
    assert named, "this machine has no bundle of CA certificates"
    bundle = tmp_path_factory.mktemp("trusted") / "ca certificates.pem"
    bundle.write_bytes(certificates.authority.read_bytes() + Path(named).read_bytes())
    return bundle


@pytest.fixture(scope="module")
def index(certificates: Certificates) -> Iterator[PackageIndex]:
    """Return a package index whose certificate nobody knows."""
    index = PackageIndex(LOGIN, certificates.server)
    with index.serving():
        yield index


class Built(NamedTuple):
    """A running stack whose image was built from the index, and what the start printed."""

    stack: DockerStack
    said: Said


@pytest.fixture(scope="module")
def built(
    python_image: str, index: PackageIndex, trusted: Path, _make_for_module: MakeStack
) -> Built:
    """Return the stack; all of it is one build and one start."""
    stack = prepare(
        _make_for_module,
        PYTHON_IMAGE=python_image,
        PIP_INDEX_URL=index.url(),
        BUILD_CA_CERTS=str(trusted),
    )
    index.asked.clear()
    return Built(stack, stack.up())


# --- builds that fail


def test_an_unknown_ca_must_fail_the_build_and_name_the_setting(
    python_image: str, index: PackageIndex, make_stack: MakeStack
) -> None:
    index.asked.clear()
    stack = prepare(make_stack, PYTHON_IMAGE=python_image, PIP_INDEX_URL=index.url())
    said = stack.up(code=1)
    assert "BUILD_CA_CERTS" in hint(said)
    assert PASSWORD not in said.text
    assert index.asked == []
    assert stack.ids() == {}


def test_a_wrong_index_password_must_fail_the_build_and_name_the_setting(
    python_image: str, make_stack: MakeStack
) -> None:
    """At an index without TLS, as they are on local networks."""
    index, password = PackageIndex(LOGIN), f"wrong-{uuid.uuid4().hex}"
    with index.serving():
        url = index.url(f"student:{password}")
        stack = prepare(make_stack, PYTHON_IMAGE=python_image, PIP_INDEX_URL=url)
        said = stack.up(code=1)
    assert index.logins - {""} == {f"student:{password}"}
    assert "PIP_INDEX_URL" in hint(said)
    assert password not in said.text
    assert stack.ids() == {}


# --- a build that succeeds


def test_every_package_must_come_from_the_index_with_the_login(
    built: Built, index: PackageIndex
) -> None:
    assert index.logins == {LOGIN}
    programs = {asked.program: asked.path for asked in index.asked}
    assert set(programs) == {"pip", "uv"}
    paths = {asked.path for asked in index.asked}
    assert {"/simple/uv/", "/simple/mlflow/", "/simple/boto3/"} <= paths
    built.stack.expect(built.stack.log_run())


def test_building_must_not_print_the_login(built: Built) -> None:
    assert "Building" in built.said.err
    assert PASSWORD not in built.said.text


def test_the_image_must_not_remember_the_login_or_the_ca(
    built: Built, certificates: Certificates
) -> None:
    image = built.stack.image("mlflow")
    for shown in (docker("history", "--no-trunc", image), docker("image", "inspect", image)):
        assert PASSWORD not in shown.text
        assert HOST not in shown.text
    # Some line of the certificate that is in no other.
    line = certificates.authority.read_text(encoding="ascii").splitlines()[3]
    search = "grep -rlsF --exclude-dir=proc --exclude-dir=sys -f - /; ls -A /run/secrets /install"
    argv = ("run", "--rm", "--interactive", "--user=0", "--entrypoint=sh", image, "-c", search)
    assert docker(*argv, code=None, given=f"{PASSWORD}\n{HOST}\n{line}\n").out == ""


# --- no build


@pytest.fixture(scope="module")
def twin(built: Built, _make_for_module: MakeStack) -> DockerStack:
    """Return a second stack with the same settings; it is not started."""
    names = ("PYTHON_IMAGE", "PIP_INDEX_URL", "BUILD_CA_CERTS")
    return prepare(_make_for_module, **{name: built.stack.settings[name] for name in names})


def test_a_second_stack_must_use_the_image_of_the_first(
    built: Built, twin: DockerStack, index: PackageIndex, tmp_path: Path
) -> None:
    calls, asked = DockerCalls(tmp_path / "calls"), len(index.asked)
    said = twin.tool("up", "--no-verify", PATH=calls.path)
    assert any(" up " in f"{line} " for line in calls.lines)
    assert not any(" build " in f" {line} " for line in calls.lines), calls.lines
    assert "Building" not in said.text
    assert len(index.asked) == asked
    first, second = (stack.containers() for stack in (built.stack, twin))
    for service in ("mlflow", "bucket-init"):
        assert first[service]["Image"] == second[service]["Image"]


def test_a_ready_made_image_must_be_used_as_it_is(built: Built, twin: DockerStack) -> None:
    """Where the image is named, nothing that a build would need has to be there."""
    image = built.stack.image("mlflow")
    twin.drop_override()
    twin.write(
        MLFLOW_IMAGE=image,
        PYTHON_IMAGE="registry.invalid/python:1",
        PIP_INDEX_URL="https://index.invalid/simple",
    )
    twin.up()
    twin.expect(twin.log_run())
    services = yaml.safe_load(twin.compose("config").out)["services"]
    assert [name for name, service in services.items() if "build" in service] == []
    assert services["mlflow"]["image"] == services["bucket-init"]["image"] == image
    assert not (twin.compose_folder / "mlflow" / "Dockerfile").exists()
    assert twin.image("mlflow") == image


def prepare(make_stack: MakeStack, **settings: str) -> DockerStack:
    """Make a stack whose build knows where the index is; it has no database to be started."""
    stack = make_stack(BACKEND_STORE="sqlite", **settings)
    assert isinstance(stack, DockerStack)
    stack.override(OVERRIDE.format(host=HOST, address=address_for_builds(settings["PYTHON_IMAGE"])))
    return stack


def hint(said: Said) -> str:
    """Return what the screen says to do next."""
    return said.err.partition("hint: ")[2]
