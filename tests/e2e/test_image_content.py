"""The image is small, and lacks only those files of its packages that no server uses."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from .docker_stack import DockerStack
from .running import docker_only

pytestmark = docker_only("packages are only deleted from the image")

# 316 MB in November 2026, and 15 percent for newer packages and other processors.
LARGEST = 363_000_000

# Prints the size of what the image adds to its base, and the files of the wheels that are missing.
CONTENT = """
import csv, json, pathlib
(packages,) = pathlib.Path("/opt/mlflow/lib").glob("python3*/site-packages")
lists = [path.read_text().splitlines() for path in packages.glob("*.dist-info/RECORD")]
files = [row[0] for lines in lists for row in csv.reader(lines)]
sizes = [path.lstat().st_size for path in pathlib.Path("/opt").rglob("*") if not path.is_dir()]
missing = [file for file in files if not (packages / file).exists()]
print(json.dumps({"size": sum(sizes), "files": len(files), "missing": missing}))
"""
# Imports what the features of the server need, and prints the help of every command of MLflow.
FEATURES = """
import importlib, click
from click.testing import CliRunner
for name in (
    "server.fastapi_app", "server.auth", "server.jobs", "server.gateway_api", "webhooks.delivery",
    "genai", "assistant", "pyfunc", "store.db.utils",
):
    importlib.import_module(f"mlflow.{name}")
import huey, minio, numpy.testing, pandas, psycopg2, uvloop
from mlflow.cli import cli

def commands(command, words=()):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))

for words in commands(cli):
    done = CliRunner().invoke(cli, [*words, "--help"])
    assert done.exit_code == 0, (words, done.output, done.exception)
    print(" ".join(words))
"""
# Makes every client that MLflow's sources name, and those that log in.
CLIENTS = r"""
import pathlib, re, boto3, mlflow
texts = [path.read_text() for path in pathlib.Path(mlflow.__file__).parent.rglob("*.py")]
pattern = r"\.client\(\s*(?:service_name=)?[\"']([a-z0-9-]+)[\"']"
names = {name for text in texts for name in re.findall(pattern, text)}
for name in sorted(names | {"sso", "sso-oidc", "signin"}):
    boto3.client(name, region_name="us-east-1")
    print(name)
"""


@pytest.fixture(scope="module")
def content(smallest: DockerStack) -> Mapping[str, Any]:
    """Return the size of the packages, and which of their files are missing."""
    found: dict[str, Any] = json.loads(smallest.execute("mlflow", "python", "-c", CONTENT))
    return found


def test_the_image_must_stay_small(content: Mapping[str, Any]) -> None:
    assert content["size"] < LARGEST


def test_only_files_that_no_server_uses_must_be_missing(content: Mapping[str, Any]) -> None:
    assert content["files"] > 1000
    missing = [name for name in content["missing"] if not is_unused(name)]
    assert missing == []


def is_unused(name: str) -> bool:
    """Tell whether no server uses a file of a package."""
    folders = set(name.split("/")[:-1])
    tests = bool({"tests", "SelfTest"} & folders) and not name.startswith("mlflow/")
    return (
        tests
        or name.startswith("botocore/data/")
        or name.endswith((".pyi", ".pyx", ".pxd", ".h", ".a"))
    )


def test_every_feature_must_be_importable_and_every_command_known(smallest: DockerStack) -> None:
    shown = smallest.execute("mlflow", "python", "-c", FEATURES).splitlines()
    assert {"server", "gc", "db upgrade", "models serve"} <= set(shown)


def test_mlflow_must_be_able_to_make_its_aws_clients(smallest: DockerStack) -> None:
    made = set(smallest.execute("mlflow", "python", "-c", CLIENTS).split())
    assert {
        "s3",
        "sts",
        "sagemaker",
        "sagemaker-runtime",
        "ecr",
        "iam",
        "bedrock-runtime",
        "sso",
    } <= made
