"""Tell whether values that MLflow encrypts in its database can be read with a stack's keys."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

# Tables with encrypted values: the API keys of the gateway, and the secrets of webhooks.
ENCRYPTED = ("secrets", "webhooks")
# Variables with the keys: of the gateway, and of webhooks.
KEYS = ("MLFLOW_CRYPTO_KEK_PASSPHRASE", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
SALT_BYTES, DIGEST_BYTES = 16, 16
# Parameters of scrypt: a tenth of a second, and 64 MB.
COST, BLOCK, MEMORY = 2**16, 8, 2**27


@dataclass(frozen=True)
class Fingerprint:
    """The fingerprint of the keys that a database is encrypted with.

    Attributes:
        salt: Random hexadecimal digits.
        digest: The keys' digest with this salt.
    """

    salt: str
    digest: str

    def fits(self, keys: str) -> bool:
        """Tell whether these are the keys."""
        return hmac.compare_digest(self.digest, _digest(keys, self.salt))


def keys_in(variables: Mapping[str, str]) -> str:
    """Return the keys among the variables of MLflow as one text, empty if one is missing."""
    return "\0".join(variables[name] for name in KEYS) if {*KEYS} <= variables.keys() else ""


def fingerprint(keys: str, rows: Mapping[str, int]) -> Fingerprint | None:
    """Return the fingerprint of a stack's keys, None if nothing is encrypted with them.

    It reveals nothing new: a guess can also be tested with an encrypted value, and faster.

    Args:
        keys: The keys of the stack, as one text.
        rows: Number of rows by table.
    """
    if not keys or not any(rows.get(table) for table in ENCRYPTED):
        return None
    salt = secrets.token_hex(SALT_BYTES)
    return Fingerprint(salt, _digest(keys, salt))


def _digest(keys: str, salt: str) -> str:
    return hashlib.scrypt(
        keys.encode(),
        salt=salt.encode(),
        n=COST,
        r=BLOCK,
        p=1,
        maxmem=MEMORY,
        dklen=DIGEST_BYTES,
    ).hex()
