"""pgAdmin with the stack's login, and with the stack's database in its list.

Both are brought up to date at each start; preferences and saved queries stay.
"""

import configparser
import importlib.util
import os
import sys
import uuid
from pathlib import Path
from typing import Any

EMAIL = "mlflow@example.com"
SERVICE, ROLE = "mlflow-reader", "Reader"
# What can be done with tables that can only be read; no other servers, no other logins.
PERMISSIONS = (
    "tools_query_tool",
    "tools_erd_tool",
    "tools_search_objects",
    "tools_schema_diff",
    "storage_add_folder",
    "storage_remove_folder",
)


def load() -> Any:  # noqa: ANN401 - it has no types
    """Import pgAdmin, which creates or updates its own database, and return it."""
    found = importlib.util.find_spec("pgadmin4")
    sys.path[:0] = found.submodule_search_locations or () if found else ()
    # Only read by this process; the password of a new database's first user.
    os.environ["PGADMIN_SETUP_EMAIL"] = EMAIL
    os.environ["PGADMIN_SETUP_PASSWORD"] = password()
    import config

    if not config.SERVER_MODE or os.environ["PGADMIN_DATA"] != config.DATA_DIR:
        # Such as a file of an administrator of this machine, in /etc/pgadmin.
        raise SystemExit("pgadmin: another configuration of pgAdmin on this machine overrides this")
    import pgAdmin4

    return pgAdmin4.app


def password() -> str:
    """Return the password of the login."""
    return Path(os.environ["PGADMIN_PASSWORD_FILE"]).read_text(encoding="utf-8")


def update(app: Any) -> None:  # noqa: ANN401 - it has no types
    """Bring login and server up to date."""
    from pgadmin.model import Role, Server, ServerGroup, User, db

    with app.app_context():
        user = User.query.filter_by(username=EMAIL).one()
        update_login(user)
        role = Role.query.filter_by(name=ROLE).first() or Role(name=ROLE)
        role.description, role.permissions = "Reads the stack's database.", [*PERMISSIONS]
        user.roles = [role]
        server = Server.query.filter_by(user_id=user.id, service=SERVICE).first() or Server()
        group = ServerGroup.query.filter_by(user_id=user.id).order_by("id").first()
        server.user_id, server.servergroup_id = user.id, group.id
        update_server(server)
        db.session.add_all([user, role, server])
        db.session.commit()


def update_login(user: Any) -> None:  # noqa: ANN401 - it has no types
    """Set the password if it is not the user's; that ends all sessions."""
    from flask_security.utils import hash_password, verify_password

    if not verify_password(password(), user.password):
        user.password = hash_password(password())
        user.fs_uniquifier = uuid.uuid4().hex
    user.active, user.locked, user.login_attempts = True, False, 0


def update_server(server: Any) -> None:  # noqa: ANN401 - it has no types
    """Describe the database; libpq reads the password from the service file."""
    services = configparser.ConfigParser(interpolation=None)
    services.read(os.environ["PGSERVICEFILE"], encoding="utf-8")
    found = services[SERVICE]
    server.name, server.service = "MLflow", SERVICE
    server.host, server.port = found["host"], int(found["port"])
    server.maintenance_db = server.db_res = found["dbname"]
    server.username = found["user"]
    server.comment = "The tables of runs, which this login can only read."
    # pgAdmin's own values would override the service file's.
    server.connection_params = {"sslmode": found["sslmode"], "connect_timeout": 10}
    for name in ("save_password", "use_ssh_tunnel", "tunnel_authentication"):
        setattr(server, name, 0)
    server.tunnel_prompt_password, server.shared = 0, False


application = load()
update(application)
