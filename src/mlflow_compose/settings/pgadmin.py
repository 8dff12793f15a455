"""The settings of pgAdmin."""

from pydantic_settings import BaseSettings

from mlflow_compose.settings.fields import Flag, Generated, LoginPassword, Memory, Port, setting
from mlflow_compose.settings.sections import MEMORY, PGADMIN

# Name of pgAdmin's only login; it accepts nothing but an e-mail address.
PGADMIN_EMAIL = "mlflow@example.com"


class PgAdminSettings(BaseSettings):
    """Whether and how the stack runs pgAdmin."""

    pgadmin: Flag = setting(
        False,  # noqa: FBT003 - a default, not an argument
        "Run pgAdmin, connected to the database as a role that can only read.",
        section=PGADMIN,
    )
    pgadmin_port: Port = setting(5050, "Port of pgAdmin on this machine.", section=PGADMIN)
    pgadmin_password: LoginPassword = setting(
        Generated(24, required=False),
        f"Password of {PGADMIN_EMAIL}, pgAdmin's only login, at least 12 characters.",
        section=PGADMIN,
    )
    pgadmin_memory: Memory = setting("", "Memory limit of pgadmin.", section=MEMORY)
