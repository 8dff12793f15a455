"""Let the admin of the stack's settings log in with users that came from another stack."""

import configparser
import os

from mlflow_compose.data.inside import tables
from mlflow_compose.engines.inside.answer import Request


def main(request: Request) -> bool:
    """Set the admin's password; return whether the database had another one.

    MLflow itself only sets it when it creates the user.

    Args:
        request: `backend` (URI).
    """
    from sqlalchemy import MetaData, Table, select, update
    from sqlalchemy.exc import NoSuchTableError

    # MLflow hashes passwords with these (`mlflow/server/auth/sqlalchemy_store.py`).
    from werkzeug.security import check_password_hash, generate_password_hash

    name, password = configured_admin()
    with tables.database_errors(), tables.open_database(request["backend"]).begin() as connection:
        try:
            users = Table("users", MetaData(), autoload_with=connection)
        except NoSuchTableError:
            return False
        is_admin = users.c.username == name
        found = select(users.c.password_hash, users.c.is_admin).where(is_admin)
        known = connection.execute(found).first()
        if known is None or (known.is_admin and check_password_hash(known[0], password)):
            return False
        values = {"password_hash": generate_password_hash(password), "is_admin": True}
        connection.execute(update(users).where(is_admin).values(values))
    return True


def configured_admin() -> tuple[str, str]:
    """Return name and password of the admin in MLflow's login configuration."""
    config = configparser.ConfigParser()
    config.read(os.environ["MLFLOW_AUTH_CONFIG_PATH"], encoding="utf-8")
    section = config["mlflow"]
    return section["admin_username"], section["admin_password"]
