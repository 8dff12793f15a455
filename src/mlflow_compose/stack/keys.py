"""Keys that users do not choose: those of MLflow's server, of the database's reader, and DVC's.

If MLflow's are not set, each worker generates a random one, or every stack has the same well-known
one. Here they are derived from a stored secret: the same in every worker and at every start.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from mlflow_compose.settings import Settings
from mlflow_compose.settings.typed import new_password

FLASK_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"
GATEWAY_PASSPHRASE = "MLFLOW_CRYPTO_KEK_PASSPHRASE"  # noqa: S105 - its name
WEBHOOK_KEY = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"
# Bucket for DVC that is used if no other is chosen.
DVC_BUCKET = "dvc"
# Characters of an S3 access key id, and of a secret access key.
KEY_ID_LENGTH, SECRET_LENGTH = 20, 40


def derived(settings: Settings, kept: str) -> Mapping[str, str]:
    """Return the keys, by MLflow's variables.

    Keys that encrypt database values depend on one secret, also without login, so that the values
    stay readable after login is turned on or off. The key of login forms may change with any
    password.

    Args:
        settings: Settings with PG_PASSWORD, which changes least of all secrets in the env file,
            and which stacks on other machines share if they use the same database.
        kept: Secret that was generated for a stack without that password; it stays in use,
            whatever is set later.
    """
    password = kept or settings.pg_password.get_secret_value()
    keys = {
        GATEWAY_PASSPHRASE: _derive(GATEWAY_PASSPHRASE, password).hex(),
        # Fernet's key format (https://github.com/fernet/spec).
        WEBHOOK_KEY: base64.urlsafe_b64encode(_derive(WEBHOOK_KEY, password)).decode(),
    }
    if settings.mlflow_auth == "basic":
        admin = settings.mlflow_admin_password.get_secret_value()
        keys[FLASK_KEY] = _derive(FLASK_KEY, admin, password).hex()
    return keys


def reader(settings: Settings, stack_id: str) -> tuple[str, str]:
    """Return the name and the password of the PostgreSQL role that can only read.

    Roles belong to the whole server, which stacks may share; the name says whose role it is.
    """
    role = f"mlflow_reader_{stack_id}"
    password = settings.pg_password.get_secret_value()
    return role, hmac.new(password.encode(), role.encode(), hashlib.sha256).hexdigest()


def dvc_key(settings: Settings, bucket: str) -> tuple[str, str]:
    """Return the id and the secret of the S3 key that DVC has for a bucket.

    They depend on the root password, which MLflow does not know. So nothing has to be stored, and
    the same project in another folder gets the same key.
    """
    root = settings.minio_root_password.get_secret_value()
    key_id = _derive("DVC_ACCESS_KEY_ID", root, bucket).hex()
    secret = _derive("DVC_SECRET_ACCESS_KEY", root, bucket).hex()
    return key_id[:KEY_ID_LENGTH], secret[:SECRET_LENGTH]


def seat_secret(settings: Settings, name: str, seat: str) -> str:
    """Return a secret of a seat, which no other seat can compute.

    Args:
        settings: Settings with CLASS_SECRET, which only the teacher has.
        name: What the secret is for.
        seat: Name of the seat.
    """
    return _derive(name, settings.class_secret.get_secret_value(), seat).hex()


def seat_key(settings: Settings, seat: str) -> tuple[str, str]:
    """Return the id and the secret of a seat's S3 key."""
    key_id = seat_secret(settings, "MINIO_ACCESS_KEY", seat)
    return key_id[:KEY_ID_LENGTH], seat_secret(settings, "MINIO_SECRET_ACCESS_KEY", seat)[
        :SECRET_LENGTH
    ]


def seat_password(settings: Settings, seat: str) -> str:
    """Return the password of a seat's login, such as `h4kp-9wzn-e2rt-mc6b`: 80 bits."""
    found = iter(_derive("PASSWORD", settings.class_secret.get_secret_value(), seat))
    # There are 32 characters, so that each byte gives one without a bias.
    return new_password(lambda characters: characters[next(found) % len(characters)])


def _derive(name: str, *secrets: str) -> bytes:
    return hmac.new("\0".join(secrets).encode(), name.encode(), hashlib.sha256).digest()
