"""The image is built once, from the configured index, and contains none of the build secrets."""

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
from .running import docker_only, left_to_soak
from .tool import Output

pytestmark = docker_only("it is about how an image is built")

PASSWORD = f"right-{uuid.uuid4().hex}"
LOGIN = f"student:{PASSWORD}"
LABEL = "mlflow-compose-test"
# MinIO reserves it.
FORBIDDEN = "minio"

# An extra layer, so that no build hits Docker's cache; no pip or uv cache, so that every build
# uses the index.
BASE = """\
FROM {base}
LABEL {label}={name}
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1
RUN echo {name} > /etc/{label}
"""
# Builds cannot resolve the index by DNS.
OVERRIDE = """\
services: {{mlflow: {{build: {{extra_hosts: ["{host}={address}"]}}}}}}
"""


@pytest.fixture(scope="module")
def python_image() -> Iterator[str]:
    """Return a new Python base image that trusts no extra CA.

    It is removed afterwards together with everything built on it.
    """
    known, default = known_images(), Settings.model_fields["python_image"].default
    base = known.get("CI_PYTHON_BARE_IMAGE") or known.get("PYTHON_IMAGE") or default
    name = uuid.uuid4().hex[:12]
    tag = f"{LABEL}/python:{name}"
    docker("build", "--tag", tag, "-", given=BASE.format(base=base, label=LABEL, name=name))
    yield tag
    images = docker("image", "ls", "--quiet", "--filter", f"label={LABEL}={name}").out.split()
    docker("image", "rm", "--force", *set(images))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return the certificates of the index."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), HOST)


@pytest.fixture(scope="module")
def trusted(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CA bundle with the index's CA and those that this machine trusts."""
    named = known_images().get("CI_CA_CERTS") or ssl.get_default_verify_paths().cafile
    assert named, "this machine has no CA bundle"
    bundle = tmp_path_factory.mktemp("trusted") / "ca certificates.pem"
    bundle.write_bytes(certificates.authority.read_bytes() + Path(named).read_bytes())
    return bundle


@pytest.fixture(scope="module")
def index(certificates: Certificates) -> Iterator[PackageIndex]:
    """Return a package index whose certificate is not trusted by default."""
    index = PackageIndex(LOGIN, certificates.server)
    with index.serving():
        yield index


class Built(NamedTuple):
    """A stack whose image was built from the index, and the output of the build and its use."""

    stack: DockerStack
    output: Output


@pytest.fixture(scope="module")
def built(
    python_image: str, index: PackageIndex, trusted: Path, _make_for_module: MakeStack
) -> Built:
    """Return the stack; the job has run in its image, the server has not."""
    stack = prepare(
        _make_for_module,
        PYTHON_IMAGE=python_image,
        PIP_INDEX_URL=index.url(),
        BUILD_CA_CERTS=str(trusted),
        MLFLOW_BUCKET_NAME=FORBIDDEN,
    )
    index.requests.clear()
    return Built(stack, up_to_the_job(stack))


# --- builds that fail


def test_an_unknown_ca_must_fail_the_build_and_name_the_setting(
    python_image: str, index: PackageIndex, make_stack: MakeStack
) -> None:
    index.requests.clear()
    stack = prepare(make_stack, PYTHON_IMAGE=python_image, PIP_INDEX_URL=index.url())
    output = stack.up(code=1)
    assert "BUILD_CA_CERTS" in hint(output)
    assert PASSWORD not in output.text
    assert index.requests == []
    assert stack.ids() == {}


@left_to_soak("an unknown CA fails the build alike")
def test_a_wrong_index_password_must_fail_the_build_and_name_the_setting(
    python_image: str, make_stack: MakeStack
) -> None:
    """The index has no TLS, as is common on local networks."""
    index, password = PackageIndex(LOGIN), f"wrong-{uuid.uuid4().hex}"
    with index.serving():
        url = index.url(f"student:{password}")
        stack = prepare(make_stack, PYTHON_IMAGE=python_image, PIP_INDEX_URL=url)
        output = stack.up(code=1)
    assert index.logins - {""} == {f"student:{password}"}
    assert "PIP_INDEX_URL" in hint(output)
    assert password not in output.text
    assert stack.ids() == {}


# --- a build that succeeds


@left_to_soak("it builds an image from an index of its own")
@pytest.mark.usefixtures("built")
def test_every_package_must_come_from_the_index_with_the_login(index: PackageIndex) -> None:
    assert index.logins == {LOGIN}
    programs = {request.program: request.path for request in index.requests}
    assert set(programs) == {"pip", "uv"}
    paths = {request.path for request in index.requests}
    assert {"/simple/uv/", "/simple/mlflow/", "/simple/boto3/"} <= paths


@left_to_soak("it builds an image from an index of its own")
def test_building_must_not_print_the_login(built: Built) -> None:
    assert "Building" in built.output.err
    assert PASSWORD not in built.output.text


@left_to_soak("it builds an image from an index of its own")
def test_the_image_must_not_contain_the_login_or_the_ca(
    built: Built, certificates: Certificates
) -> None:
    image = built.stack.image("mlflow")
    for shown in (docker("history", "--no-trunc", image), docker("image", "inspect", image)):
        assert PASSWORD not in shown.text
        assert HOST not in shown.text
    # A line that occurs in no other certificate.
    line = certificates.authority.read_text(encoding="ascii").splitlines()[3]
    search = "grep -rlsF --exclude-dir=proc --exclude-dir=sys -f - /; ls -A /run/secrets /install"
    argv = ("run", "--rm", "--interactive", "--user=0", "--entrypoint=sh", image, "-c", search)
    assert docker(*argv, code=None, given=f"{PASSWORD}\n{HOST}\n{line}\n").out == ""


# --- no build


@pytest.fixture(scope="module")
def twin(built: Built, _make_for_module: MakeStack) -> DockerStack:
    """Return a second stack with the same settings, not started."""
    names = ("PYTHON_IMAGE", "PIP_INDEX_URL", "BUILD_CA_CERTS", "MLFLOW_BUCKET_NAME")
    return prepare(_make_for_module, **{name: built.stack.settings[name] for name in names})


@left_to_soak("it builds an image from an index of its own")
def test_a_second_stack_must_use_the_image_of_the_first(
    built: Built, twin: DockerStack, index: PackageIndex, tmp_path: Path
) -> None:
    calls, before = DockerCalls(tmp_path / "calls"), len(index.requests)
    output = up_to_the_job(twin, PATH=calls.path)
    assert any(" up " in f"{line} " for line in calls.lines)
    assert not any(" build " in f" {line} " for line in calls.lines), calls.lines
    assert "Building" not in output.text
    assert len(index.requests) == before
    first, second = (stack.containers() for stack in (built.stack, twin))
    for service in ("mlflow", "bucket-init"):
        assert first[service]["Image"] == second[service]["Image"]


@left_to_soak("pods use such an image")
def test_a_ready_made_image_must_be_used_unchanged(built: Built, twin: DockerStack) -> None:
    """With MLFLOW_IMAGE set, nothing that a build would need has to be reachable.

    It also proves that MLflow runs in the image that was built from the index.
    """
    image = built.stack.image("mlflow")
    twin.drop_override()
    twin.write(
        MLFLOW_IMAGE=image,
        MLFLOW_BUCKET_NAME="mlflow",
        PYTHON_IMAGE="registry.invalid/python:1",
        PIP_INDEX_URL="https://index.invalid/simple",
    )
    # Nothing was stored under the name that no bucket can have.
    twin.up("--start-empty")
    twin.expect(twin.log_run())
    services = yaml.safe_load(twin.compose("config").out)["services"]
    assert [name for name, service in services.items() if "build" in service] == []
    assert services["mlflow"]["image"] == services["bucket-init"]["image"] == image
    assert not (twin.compose_folder / "mlflow" / "Dockerfile").exists()
    assert twin.image("mlflow") == image


def prepare(make_stack: MakeStack, **settings: str) -> DockerStack:
    """Create a stack whose build can reach the index, with SQLite to keep the start short."""
    stack = make_stack(BACKEND_STORE="sqlite", **settings)
    assert isinstance(stack, DockerStack)
    stack.override(OVERRIDE.format(host=HOST, address=address_for_builds(settings["PYTHON_IMAGE"])))
    return stack


def up_to_the_job(stack: DockerStack, **environment: str) -> Output:
    """Build what is needed, create all containers, and run the job, which fails in its image.

    MLflow waits for the job: this saves its start, most of the work, where only the image matters.
    """
    output = stack.tool("up", "--no-verify", code=1, **environment)
    output.shows("error: bucket-init ended with exit code 1", "MLFLOW_BUCKET_NAME")
    return output


def hint(output: Output) -> str:
    """Return the hint in a command's output."""
    return output.err.partition("hint: ")[2]
