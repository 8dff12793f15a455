"""Terraform: a server in AWS that runs the stack, with a database of RDS and a bucket of S3."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.errors import UsageError
from mlflow_compose.settings import Settings
from mlflow_compose.settings.stores import AWS
from mlflow_compose.stack import Image, Site, Stack, docker_site
from mlflow_compose.targets.compose import COMPOSE
from mlflow_compose.targets.target import GetMachine, Target, Texts

NAME = "terraform"
# The database's master, in `database.tf`.
MASTER = "stack_master"
# Settings that follow from the resources: `server.tf` and `access.tf` set them on the server.
ON_THE_SERVER: Mapping[str, object] = {
    "stack_bind_address": "127.0.0.1",
    "backend_store": "postgres",
    # The address is known when the database exists.
    "pg_host": "database.rds.amazonaws.com",
    "pg_publish": False,
    "artifact_store": "s3",
    "minio_host": AWS,
    "minio_storage_use_https": False,
    "minio_storage_ca_certs": "",
    "minio_volume_path": "",
    "mlflow_artifact_access": "proxied",
    "s3_credentials": "role",
}


def _site(settings: Settings, _: GetMachine) -> Site:
    wrong = {
        "STACK_TLS": (settings.stack_tls == "files", "the server has no files of yours"),
        "BUILD_CA_CERTS": (settings.build_ca_certs, "the server has no files of yours"),
        "PG_USER": (settings.pg_user == MASTER, "that is the database's master"),
        "JUPYTER": (settings.jupyter, "the server may be replaced, and notebooks with it"),
        "CLASS_MODE": (settings.class_mode == "seats", "seats need the bundled servers"),
    }
    for name, (is_wrong, reason) in wrong.items():
        if is_wrong:
            value = getattr(settings, name.lower())
            raise UsageError(
                f"{name} cannot be {str(value).lower()} on the server in AWS: {reason}",
                hint="docs/how-to/terraform.md says what to set instead; another env file "
                "(--env-file) keeps this stack as it is",
            )
    return replace(docker_site(settings), target=NAME, engine="")


def _image(settings: Settings, texts: Texts, home: str, machine: GetMachine) -> Image:
    return COMPOSE.image(settings, texts, home, machine)


def _images(
    settings: Settings, texts: Texts, home: str, machine: GetMachine
) -> Mapping[str, Image]:
    return COMPOSE.images(settings, texts, home, machine)


def _values(stack: Stack) -> Mapping[str, object]:
    """Return the values of the variables that depend on the stack."""
    variables = {
        # Names in AWS have no underscores.
        "name": stack.name.replace("_", "-"),
        "stack_id": stack.identity,
        "region": stack.region,
        "bucket": stack.stores.bucket,
        "database": stack.stores.runs.facts["database"],
        "port": next(port.published for service, port in stack.ports if port.name == "mlflow"),
        "uses_tls": bool(stack.tls_host),
        "uses_login": stack.login is not None,
    }
    return {"variables": variables}


TERRAFORM = Target(
    name=NAME,
    engine="",
    folder=NAME,
    site=_site,
    image=_image,
    images=_images,
    ingredients=COMPOSE.ingredients,
    # It has none: the server gets `.env` from AWS Secrets Manager.
    secret_mode=0o600,
    override="override.auto.tfvars",
    without=ON_THE_SERVER,
    values=_values,
)
