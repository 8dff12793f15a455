"""pgAdmin with the stack's login, and with the stack's database in its list.

Both are brought up to date whenever it starts; preferences and saved queries are kept.
"""

import configparser
import importlib
import importlib.util
import os
import sys
import uuid
from pathlib import Path
from typing import Any

# Section of the service file; name of the only role of pgAdmin's own that the login has.
READER = "reader"
# What can be done with tables that can only be read: no other servers, no other password.
PERMISSIONS = (
    "tools_query_tool",
    "tools_erd_tool",
    "tools_search_objects",
    "tools_schema_diff",
    "storage_add_folder",
    "storage_remove_folder",
)


# Endpoints that connect to any server with any login, for which pgAdmin asks for no permission.
OTHER_SERVERS = ("workspace.adhoc_connect_server", "cloud.", "rds.", "azure.", "google.")


def load() -> Any:  # noqa: ANN401 - pgAdmin has no types
    """Import pgAdmin, which creates or migrates its own database; return the application."""
    package = importlib.util.find_spec("pgadmin4")
    sys.path[:0] = (package and package.submodule_search_locations) or ()
    # The first user of a new database. Only this process sees what it sets here.
    os.environ["PGADMIN_SETUP_EMAIL"] = os.environ["PGADMIN_EMAIL"]
    os.environ["PGADMIN_SETUP_PASSWORD"] = password()
    options: Any = importlib.import_module("config")
    if not options.SERVER_MODE or os.environ["PGADMIN_DATA"] != options.DATA_DIR:
        # Those of this machine take precedence, if there is no container.
        raise SystemExit("pgadmin: options in /etc/pgadmin override those of the stack")
    import pgAdmin4

    return pgAdmin4.app


def password() -> str:
    """Return the password of the login."""
    return Path(os.environ["PGADMIN_PASSWORD_FILE"]).read_text(encoding="utf-8")


def update(application: Any) -> None:  # noqa: ANN401 - see above
    """Bring the login and the list of servers up to date."""
    from pgadmin.model import Role, Server, ServerGroup, User, db

    with application.app_context():
        user = User.query.filter_by(username=os.environ["PGADMIN_EMAIL"]).one()
        role = Role.query.filter_by(name=READER).first() or Role(name=READER)
        server = Server.query.filter_by(user_id=user.id, service=READER).first() or Server()
        group = ServerGroup.query.filter_by(user_id=user.id).order_by("id").first()
        role.description, role.permissions = "Reads the database.", [*PERMISSIONS]
        user.roles = [role]
        server.user_id, server.servergroup_id = user.id, group.id
        update_login(user)
        update_server(server)
        db.session.add_all([role, user, server])
        db.session.commit()


def update_login(user: Any) -> None:  # noqa: ANN401 - see above
    """Set the password; a new one ends all sessions."""
    from flask_security.utils import hash_password, verify_password

    if not verify_password(password(), user.password):
        user.password = hash_password(password())
        user.fs_uniquifier = uuid.uuid4().hex


def update_server(server: Any) -> None:  # noqa: ANN401 - see above
    """Describe the database; libpq takes the password from the service file."""
    services = configparser.ConfigParser(interpolation=None)
    services.read(os.environ["PGSERVICEFILE"], encoding="utf-8")
    login = services[READER]
    values = {
        "name": "MLflow",
        "comment": "The stack's database, which can only be read here.",
        "service": READER,
        "host": login["host"],
        "port": int(login["port"]),
        "username": login["user"],
        "maintenance_db": login["dbname"],
        # Other databases of a shared server are not shown; commas separate names here.
        "db_res": None if "," in login["dbname"] else login["dbname"],
        # pgAdmin's defaults would take precedence over the service file.
        "connection_params": {"sslmode": login["sslmode"], "connect_timeout": 10},
        **dict.fromkeys(("save_password", "use_ssh_tunnel", "tunnel_authentication"), 0),
        **dict.fromkeys(("tunnel_prompt_password", "shared"), 0),
    }
    for name, value in values.items():
        setattr(server, name, value)


def refuse_other_servers() -> None:
    """Answer 403 to what would connect to another server, or with another login."""
    from flask import abort, request

    if (request.endpoint or "").startswith(OTHER_SERVERS):
        abort(403)


application = load()
application.before_request(refuse_other_servers)
update(application)
