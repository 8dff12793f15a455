"""The S3 client of the modules that run inside a service."""

import os
from typing import Any


def client(**config: Any) -> Any:
    """Return an S3 client with the application's key, which boto3 finds the same way as in MLflow.

    Args:
        config: Options of `botocore.config.Config`, such as timeouts in seconds.
    """
    import boto3
    from botocore.config import Config

    endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL")
    return boto3.client("s3", endpoint_url=endpoint, config=Config(**config))
