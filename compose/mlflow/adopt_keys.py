"""Encrypt stored keys of MLflow's gateway with the passphrase that the server is started with.

Those that were stored while it had none, such as before login was turned on, are encrypted with
MLflow's own default and could not be read any more.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

OPTION = "--backend-store-uri="
TABLE = "secrets"
STORED = "SELECT secret_id, wrapped_dek, encrypted_value, kek_version FROM secrets"
CHANGE = "UPDATE secrets SET wrapped_dek = :key WHERE secret_id = :id"


def main(arguments: Sequence[str]) -> None:
    """Do it for the server that these arguments start; it is started whatever becomes of this."""
    uri = next((text.removeprefix(OPTION) for text in arguments if text.startswith(OPTION)), "")
    if not uri or not os.environ.get("MLFLOW_CRYPTO_KEK_PASSPHRASE"):
        return
    # Not before: most stacks have no login, and their start should not wait for it.
    import sqlalchemy

    try:
        with sqlalchemy.create_engine(uri).begin() as connection:
            if sqlalchemy.inspect(connection).has_table(TABLE):
                adopt(connection)
    except sqlalchemy.exc.SQLAlchemyError as error:
        print(f"the keys of the gateway could not be looked at: {type(error).__name__}")


def adopt(connection: Any) -> None:  # noqa: ANN401 - sqlalchemy is not among our types
    """Rewrite those that can be read with MLflow's default."""
    from sqlalchemy import text

    rows = connection.execute(text(STORED)).all()
    if not rows:
        return
    # It takes a second to import, and most stacks have no such key.
    from mlflow.exceptions import MlflowException
    from mlflow.utils.crypto import DEFAULT_KEK_PASSPHRASE, KEKManager, rotate_secret_encryption

    for row in rows:
        default = KEKManager(passphrase=DEFAULT_KEK_PASSPHRASE, kek_version=row.kek_version)
        own = KEKManager(kek_version=row.kek_version)
        try:
            found = rotate_secret_encryption(
                bytes(row.encrypted_value), bytes(row.wrapped_dek), default, own
            )
        except MlflowException:
            # It is encrypted with another one already.
            continue
        connection.execute(text(CHANGE), {"key": found.wrapped_dek, "id": row.secret_id})


if __name__ == "__main__":
    main(sys.argv[1:])
