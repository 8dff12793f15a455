"""Makes the links that MLflow prints lead to the address at which browsers reach it.

At the end of a run, MLflow's client prints links that start with the tracking URI. In a container,
that is a name which only containers know, and no setting replaces it in these links. The client has
an address for links of Databricks, which it prefers to the tracking URI: the stack's takes its
place. MLflow finds this plugin by the entry points beside this file.
"""

import os
from collections.abc import Callable
from typing import Any

TRACKING, LINKS = "MLFLOW_TRACKING_URI", "MLFLOW_LINKS_URL"


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> Any:  # noqa: ANN401
    """Return MLflow's own client of a tracking server, whose links browsers can open."""
    from mlflow.tracking._tracking_service import client, utils

    if not hasattr(client.get_workspace_url, LINKS):
        client.get_workspace_url = with_links(client.get_workspace_url, utils.get_tracking_uri)
    return utils._get_rest_store(store_uri)  # noqa: SLF001 - no public one


def with_links(
    original: Callable[[], str | None], tracking_uri: Callable[[], str]
) -> Callable[[], str | None]:
    """Return a function that returns the start of links, None for the tracking URI.

    Args:
        original: MLflow's own function.
        tracking_uri: Returns the tracking URI in use, which may not be the stack's.
    """

    def start_of_links() -> str | None:
        is_stack = tracking_uri() == os.environ.get(TRACKING)
        return os.environ.get(LINKS) if is_stack else original()

    setattr(start_of_links, LINKS, True)
    return start_of_links
