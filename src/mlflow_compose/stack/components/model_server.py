"""How registered models are served: one service for each."""

from collections.abc import Mapping

from mlflow_compose.settings.served import ServedModel
from mlflow_compose.stack import certificates, credentials
from mlflow_compose.stack.clients import s3_environment, s3_login, s3_secrets
from mlflow_compose.stack.components import mlflow
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.healthcheck import Healthcheck
from mlflow_compose.stack.image import build_secrets
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.service import (
    HEALTHY,
    NEVER,
    Bind,
    SecretFile,
    Service,
    Volume,
    unprivileged,
)
from mlflow_compose.stack.site import Site, url_host

FOLDER = "model-server"
SCRIPT = "serve_model.py"
# Models, their environments and uv's cache, which all models share.
VOLUME = "served_models"
# Variable of its services: path of that volume.
FOLDER_VARIABLE = "SERVING_FOLDER"
PORT = 8000
# Seconds that a model's environment may take to install.
PATIENCE = 1800

PROBE = (
    "import socket; s = socket.create_connection(({host!r}, {port}), 4); s.settimeout(9); "
    r's.sendall(b"GET /ping HTTP/1.0\r\n\r\n"); raise SystemExit(b" 200 " not in s.recv(64))'
)


def in_container(around: Surroundings, name: str) -> Service:
    """Return the server of a model.

    It runs in MLflow's image, and installs what the model needs into its volume.
    """
    model = _model(around, name)
    server = Service(
        name=name,
        about=f"Serves the model {model.reference.escaped}.",
        image=around.image,
        pull_policy=NEVER if around.build else None,
        restart="always",
        command=("python", f"/{FOLDER}/{SCRIPT}"),
        environment=_environment(around, model, around.site.tmp, ("0.0.0.0", PORT)),  # noqa: S104
        secrets=_secrets(around),
        # The image's /tmp has a mode that lets its user create folders, which the volume inherits.
        volumes=(
            Bind(f"./{FOLDER}", f"/{FOLDER}", read_only=True),
            Volume(VOLUME, around.site.tmp, is_scratch=True),
        ),
        ports=(_port(around, model, PORT),),
        healthcheck=_healthcheck("127.0.0.1", PORT),
        depends_on=around.present({mlflow.NAME: HEALTHY}),
        extra_hosts=around.site.extra_hosts,
        memory=model.memory or None,
        folder=FOLDER,
    )
    return unprivileged(server)


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container."""
    model, address = _model(around, name), around.settings.stack_models_address
    folder = f"data/{VOLUME}"
    return Service(
        name=name,
        about=f"Serves the model {model.reference.escaped}.",
        image=around.image,
        restart="always",
        command=("python", f"{FOLDER}/{SCRIPT}"),
        environment={
            # Otherwise the folder mlflow/ would come before the package.
            "PYTHONSAFEPATH": "1",
            "UV": around.site.uv,
            **_environment(around, model, folder, (address, model.port)),
        },
        secrets=_secrets(around),
        volumes=(Volume(VOLUME, folder, is_scratch=True),),
        ports=(_port(around, model, model.port),),
        healthcheck=_healthcheck(url_host(address).strip("[]"), model.port),
        depends_on=around.present({mlflow.NAME: HEALTHY}),
        memory=model.memory or None,
        runs_code=True,
        folder=FOLDER,
        shared=(f"{FOLDER}/",),
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return tuple(model.reference.service for model in around.settings.models)


def _model(around: Surroundings, name: str) -> ServedModel:
    return next(model for model in around.settings.models if model.reference.service == name)


def _port(around: Surroundings, model: ServedModel, target: int) -> PublishedPort:
    return PublishedPort(
        model.reference.service,
        "STACK_MODELS",
        around.settings.stack_models_address,
        model.port,
        target,
        model.reference.text,
        "http",
    )


def _healthcheck(host: str, port: int) -> Healthcheck:
    probe = PROBE.format(host=host, port=port)
    return Healthcheck(("python", "-S", "-c", probe), timeout=10, patience=PATIENCE)


def _environment(
    around: Surroundings, model: ServedModel, folder: str, listen: tuple[str, int]
) -> Mapping[str, str]:
    reference = model.reference
    wanted = {"MODEL_ALIAS": reference.alias, "MODEL_VERSION": str(reference.version or "")}
    return {
        "MLFLOW_TRACKING_URI": around.site.tracking,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MODEL_NAME": reference.model,
        **{name: value for name, value in wanted.items() if value},
        "SERVICE_NAME": reference.service,
        FOLDER_VARIABLE: folder,
        "SERVING_HOST": listen[0],
        "SERVING_PORT": str(listen[1]),
        "SECRETS_DIR": around.site.secrets,
        **_install_environment(around),
        **_direct_access(around),
        **around.no_proxy,
    }


def _install_environment(around: Surroundings) -> Mapping[str, str]:
    """Return the path of the user's CA certificates for package indexes."""
    found = {
        secret.name: around.site.certificates(secret)
        for secret in build_secrets(around.settings, around.home)
    }
    trusted = found.get(certificates.BUILD_CA_CERTS)
    return {"INSTALL_CA_CERTS": trusted} if trusted else {}


def _direct_access(around: Surroundings) -> Mapping[str, str]:
    """Return what a client of S3 needs, if artifacts are not fetched via MLflow."""
    if not _is_direct(around):
        return {}
    site: Site = around.site
    return {
        **s3_login(around.settings, site),
        **s3_environment(around.settings, site, around.home),
        **({"MLFLOW_S3_ENDPOINT_URL": site.s3} if site.s3 else {}),
    }


def _is_direct(around: Surroundings) -> bool:
    return around.stores.uses_s3 and around.settings.mlflow_artifact_access == "direct"


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings = around.settings
    return (
        *build_secrets(settings, around.home),
        *(s3_secrets(settings, around.home) if _is_direct(around) else ()),
        *((credentials.model_login(settings),) if settings.mlflow_auth == "basic" else ()),
    )


# A leaf: otherwise, serving another model would change the environment of all services.
MODEL_SERVER = Kind(_names, in_container, on_machine, volumes=frozenset({VOLUME}), is_leaf=True)
