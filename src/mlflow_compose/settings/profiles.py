"""Profiles: defaults for machines of different sizes, which `.env` and the environment override."""

from collections.abc import Mapping
from typing import Literal

PROFILE = "STACK_PROFILE"
Profile = Literal["default", "small", "fast"]
# Variables as in an env file; all others keep their defaults. The last two are MLflow's own.
PROFILES: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "small": {
        "MLFLOW_WORKERS": "1",
        "MLFLOW_WORKER_MEMORY": "512m",
        "PG_SHARED_BUFFERS": "32m",
        "MINIO_MEMORY_TARGET": "64m",
    },
    "fast": {
        "MLFLOW_WORKERS": "4",
        "MLFLOW_WORKER_MEMORY": "2g",
        "PG_SHARED_BUFFERS": "256m",
        "MINIO_MEMORY_TARGET": "512m",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "20",
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "10",
    },
}
DEPENDS_ON_PROFILE = frozenset(name for values in PROFILES.values() for name in values)


def profile_of(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return the defaults of the profile that an env file or the environment chooses, if any."""
    return PROFILES.get(values.get(PROFILE, ""), {})
