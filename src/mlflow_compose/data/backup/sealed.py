"""Secret files in a snapshot, encrypted with a passphrase.

The file is a tar archive in the format of age (https://age-encryption.org/v1), so that it can also
be read without this tool: `age --decrypt secrets.age | tar --extract`.
"""

import io
import tarfile
from collections.abc import Mapping

from mlflow_compose.data.backup.manifest import SECRETS
from mlflow_compose.errors import SnapshotError

MODE = 0o600
# Characters of a passphrase: with age's key derivation, guessing takes long.
SHORTEST = 12


def seal(files: Mapping[str, bytes], passphrase: str) -> bytes:
    """Return files, by path, as one encrypted file."""
    from pyrage import passphrase as age

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), MODE
            tar.addfile(member, io.BytesIO(content))
    return age.encrypt(packed.getvalue(), passphrase)


def unseal(sealed: bytes, passphrase: str) -> Mapping[str, bytes]:
    """Return the files in an encrypted file, by path.

    Raises:
        SnapshotError: The passphrase is wrong, or the file is damaged.
    """
    from pyrage import DecryptError
    from pyrage import passphrase as age

    try:
        packed = age.decrypt(sealed, passphrase)
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
            files = {each.name: tar.extractfile(each) for each in tar}
            return {name: file.read() for name, file in files.items() if file}
    except (DecryptError, tarfile.TarError):
        raise SnapshotError(
            f"{SECRETS} cannot be decrypted: the passphrase is wrong, or the file is damaged",
            hint="mlflow-compose backup --verify NAME tells whether it is damaged",
        ) from None
