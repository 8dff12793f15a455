"""Settings in, Stack out: every decision about what runs and how, as plain values.

Nothing here touches disk, network or clock. To change how a service runs, edit its module in
`components/`; to add one, write a module that defines a `Kind`, and list that in `services.py`.
"""

from mlflow_compose.stack import notebook_image, pgadmin_image, proxy_image
from mlflow_compose.stack.build import build
from mlflow_compose.stack.cause import Cause
from mlflow_compose.stack.chart import Chart, Workload, chart
from mlflow_compose.stack.components.kind import VolumeNames
from mlflow_compose.stack.components.postgres_client import NAME as POSTGRES_CLIENT
from mlflow_compose.stack.credentials import LOGIN_CACHE_SECONDS
from mlflow_compose.stack.healthcheck import PATIENCE, Healthcheck
from mlflow_compose.stack.image import (
    INCLUDED,
    REQUIREMENTS,
    Image,
    container_image,
    package_folder,
    wheels_key,
)
from mlflow_compose.stack.model import Stack
from mlflow_compose.stack.namespace import Namespace, namespace_of, place_of, release_of
from mlflow_compose.stack.ports import PublishedPort
from mlflow_compose.stack.providers import (
    LOCAL_PROVIDERS,
    PROVIDERS,
    Provider,
    is_withdrawn,
    needs_docker,
)
from mlflow_compose.stack.service import Bind, Build, SecretFile, Service, Volume
from mlflow_compose.stack.services import causes_of, known_volumes
from mlflow_compose.stack.site import (
    DOCKER,
    KUBERNETES,
    LOCAL,
    Host,
    Machine,
    Site,
    docker_site,
    helm_site,
    local_site,
)
from mlflow_compose.stack.tls import host_on_lan, wanted_names
from mlflow_compose.stack.units import Unit, Units, units

__all__ = [
    "DOCKER",
    "INCLUDED",
    "KUBERNETES",
    "LOCAL",
    "LOCAL_PROVIDERS",
    "LOGIN_CACHE_SECONDS",
    "PATIENCE",
    "POSTGRES_CLIENT",
    "PROVIDERS",
    "REQUIREMENTS",
    "Bind",
    "Build",
    "Cause",
    "Chart",
    "Healthcheck",
    "Host",
    "Image",
    "Machine",
    "Namespace",
    "Provider",
    "PublishedPort",
    "SecretFile",
    "Service",
    "Site",
    "Stack",
    "Unit",
    "Units",
    "Volume",
    "VolumeNames",
    "Workload",
    "build",
    "causes_of",
    "chart",
    "container_image",
    "docker_site",
    "helm_site",
    "host_on_lan",
    "is_withdrawn",
    "known_volumes",
    "local_site",
    "namespace_of",
    "needs_docker",
    "notebook_image",
    "package_folder",
    "pgadmin_image",
    "place_of",
    "proxy_image",
    "release_of",
    "units",
    "wanted_names",
    "wheels_key",
]
