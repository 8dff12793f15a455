"""How JupyterLab runs: notebooks that are connected to MLflow and to the bucket."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow_compose.settings import Settings
from mlflow_compose.stack import credentials
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.clients import s3_environment, s3_login, s3_secrets
from mlflow_compose.stack.components import mlflow
from mlflow_compose.stack.components.kind import Kind, Surroundings
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.probe import http_healthcheck
from mlflow_compose.stack.service import (
    NEVER,
    STARTED,
    USER,
    Bind,
    SecretFile,
    Service,
    Volume,
    from_home,
    unprivileged,
)
from mlflow_compose.stack.site import EVERY_ADDRESS, url_host
from mlflow_compose.stack.stores import Stores
from mlflow_compose.stack.tls import host_on_lan

NAME = "jupyter"
PORT = 8888
# Folder of notebooks, next to the env file.
NOTEBOOKS = "notebooks"
HOME_VOLUME, TMP_VOLUME = "jupyter_home", "jupyter_tmp"
# Parts of the image that the server needs without a container, too.
SHARED = ("start_jupyter.py", "config/", "plugins/")
HOME, TMP = "/home/jupyter", "/tmp"  # noqa: S108 - of the container


def in_container(around: Surroundings, name: str) -> Service:
    """Return JupyterLab; its files on the host belong to the owner of the stack's folder."""
    notebooks = Bind(from_home(NOTEBOOKS, around.home), f"/{NOTEBOOKS}", is_users=True)
    server = _server(around, name, PORT, notebooks.target)
    server = replace(
        server,
        command=("python", "/opt/jupyter-server/start_jupyter.py"),
        environment={
            # The user has no entry in the container's /etc/passwd, where Python looks for a name.
            "USER": NAME,
            # There is no Git, which MLflow's client would warn about.
            "GIT_PYTHON_REFRESH": "quiet",
            **server.environment,
            **around.no_proxy,
        },
        volumes=(
            notebooks,
            Volume(HOME_VOLUME, HOME, is_scratch=True),
            Volume(TMP_VOLUME, TMP, is_scratch=True),
        ),
        pull_policy=NEVER,
        depends_on=around.present({mlflow.NAME: STARTED}),
    )
    user, group = around.owner or (USER, USER)
    return replace(unprivileged(server), user=f"{user}:{group}")


def on_machine(around: Surroundings, name: str) -> Service:
    """Return the same server without a container, with the user's own home."""
    notebooks = from_home(NOTEBOOKS, around.home)
    port = around.settings.jupyter_port + around.site.offset
    server = _server(around, name, port, notebooks)
    return replace(
        server,
        command=("python", f"{NAME}/start_jupyter.py"),
        environment={"SECRETS_DIR": around.site.secrets, **server.environment},
        volumes=(
            Bind(notebooks, notebooks, is_users=True),
            Volume(HOME_VOLUME, f"data/{HOME_VOLUME}", is_scratch=True),
        ),
        shared=tuple(f"{NAME}/{file}" for file in SHARED),
    )


def _server(around: Surroundings, name: str, port: int, notebooks: str) -> Service:
    settings, site, image = around.settings, around.site, around.images[name]
    home = HOME if site.in_containers else f"data/{HOME_VOLUME}"
    return Service(
        name=name,
        about="JupyterLab: notebooks that log to MLflow.",
        image=image.name,
        build=image.build,
        restart="always",
        environment={
            "NOTEBOOKS": notebooks,
            "JUPYTER_HOME": home,
            "JUPYTER_ADDRESS": site.listen,
            "JUPYTER_PORT": str(port),
            **({"JUPYTER_BEHIND_PROXY": "true"} if settings.uses_tls else {}),
            **_connections(around),
        },
        secrets=_secrets(around),
        ports=(_published(settings, port),),
        healthcheck=http_healthcheck(site.listen, port, "/api"),
        extra_hosts=site.extra_hosts,
        memory=settings.jupyter_memory or None,
        runs_code=True,
        folder=NAME,
    )


def _published(settings: Settings, port: int) -> PublishedPort:
    address, published = settings.stack_bind_address, settings.jupyter_port
    return PublishedPort(
        NAME, "JUPYTER_PORT", address, published, port, "Jupyter", "http", is_proxied=True
    )


def _connections(around: Surroundings) -> Mapping[str, str]:
    """Return the variables by which MLflow's client and boto3 find the stack."""
    site = around.site
    found = {
        "MLFLOW_TRACKING_URI": site.tracking,
        # Links that MLflow prints, and traces that it shows, are opened by a browser.
        "MLFLOW_LINKS_URL": browser_url(around),
        "MLFLOW_NOTEBOOK_TRACE_RENDERER_BASE_URL": browser_url(around),
    }
    if around.stores.uses_s3:
        found |= s3_login(around.settings, site)
        found |= s3_environment(around.settings, site, around.home)
        if site.s3:
            found |= {"MLFLOW_S3_ENDPOINT_URL": site.s3, "AWS_ENDPOINT_URL_S3": site.s3}
    return found


def browser_url(around: Surroundings) -> str:
    """Return the URL of MLflow for browsers, which may run on other machines."""
    settings = around.settings
    address, certificate = settings.stack_bind_address, around.certificate
    is_any = address in {EVERY_ADDRESS, "::"}
    host = around.lan_names[0] if is_any and around.lan_names else url_host(address)
    if not settings.uses_tls:
        return f"http://{host}:{settings.mlflow_port}"
    host = host_on_lan(certificate, settings, around.lan_names, host)
    return f"https://{host}:{settings.mlflow_port}"


def _secrets(around: Surroundings) -> tuple[SecretFile, ...]:
    settings = around.settings
    login = settings.mlflow_auth == "basic"
    return (
        credentials.jupyter_token(settings),
        *((credentials.jupyter_login(settings),) if login else ()),
        *(s3_secrets(settings, around.home) if around.stores.uses_s3 else ()),
    )


def _names(around: Surroundings) -> tuple[str, ...]:
    return (NAME,) if around.settings.jupyter else ()


CAUSES: Mapping[str, Cause] = {
    "jupyter_down": Cause(
        "JupyterLab does not answer on this machine", "mlflow-compose logs jupyter shows why", NAME
    ),
    "jupyter_token": Cause(
        "JupyterLab refuses JUPYTER_TOKEN", "mlflow-compose up restarts it with the current token"
    ),
    "jupyter_open": Cause(
        "JupyterLab answers without a token, so anyone who reaches it can run programs",
        "remove what turns the token off from compose/docker-compose.override.yaml, then "
        "mlflow-compose up",
    ),
    "jupyter_read_only": Cause(
        "JupyterLab cannot save notebooks",
        "give the folder notebooks to the owner of .env (chown -R), then mlflow-compose up",
    ),
    "jupyter_error": Cause(
        "JupyterLab cannot run notebooks", "mlflow-compose logs jupyter shows more"
    ),
}


def causes(_: Stores) -> Mapping[str, Cause]:
    """Return the causes of failures of JupyterLab."""
    return CAUSES


JUPYTER = Kind(
    _names,
    in_container,
    on_machine,
    volumes=frozenset({HOME_VOLUME, TMP_VOLUME}),
    causes=causes,
)
