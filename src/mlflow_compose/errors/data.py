"""Errors of data: where it is, how it is moved, and who may use it."""

from mlflow_compose.errors.base import MlflowComposeError


class DataElsewhereError(MlflowComposeError):
    """The settings would hide data that the stack has in other stores."""

    code = "data_elsewhere"


class StoreError(MlflowComposeError):
    """An external database or S3 server cannot be used."""

    code = "store"


class SourceError(MlflowComposeError):
    """The source of an import does not exist, is not an MLflow store, or denies access."""

    code = "source"


class IncompleteError(MlflowComposeError):
    """An import is not complete."""

    code = "incomplete"


class QueryError(MlflowComposeError):
    """The database refuses a query, or is not reachable."""

    code = "query"


class SnapshotError(MlflowComposeError):
    """A snapshot is missing or damaged, or cannot be taken or restored."""

    code = "snapshot"


class BundleError(MlflowComposeError):
    """A bundle is damaged, does not fit this machine, or cannot be made."""

    code = "bundle"


class UpgradeError(MlflowComposeError):
    """The data is of an older version than the servers, or an upgrade of it failed."""

    code = "upgrade"


class RosterError(MlflowComposeError):
    """A roster cannot be read."""

    code = "roster"


class ClassError(MlflowComposeError):
    """A class cannot be set up or changed."""

    code = "class"


class UserError(MlflowComposeError):
    """MLflow refuses to add, change or remove a user."""

    code = "user"
