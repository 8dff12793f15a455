"""What to do if packages cannot be installed, by the installer's output."""

CERTIFICATE = ("certificate verify failed", "unknownissuer", "invalid peer certificate")
INDEX = (
    "name or service not known",
    "temporary failure in name resolution",
    "dns error",
    "failed to fetch",
    "could not connect",
    "connection refused",
    "no matching distribution found",
    "was not found in the package registry",
    "was not found in the provided package locations",
    "401 error",
    "401 client error",
    "401 unauthorized",
    "403 client error",
    "403 forbidden",
)
DISK = ("no space left on device", "disk quota exceeded")
# Last line of a build that fails because of them.
USERS_PACKAGES = "JUPYTER_PACKAGES cannot be installed"
VERSION = ("there is no version of mlflow",)
USERS_HINT = (
    "set JUPYTER_PACKAGES in .env to packages and versions that the package index has and that can "
    "be installed on this machine"
)
NO_PACKAGE = "there is no package for this machine and this Python; use Docker, or another Python"
PLATFORM = (
    "no wheels with a matching",
    "no wheels are usable",
    "has no usable wheels",
    "no matching distribution for",
    "not a supported wheel",
    "only has wheels for",
    "requires python",
)


def install_hint(output: str) -> str | None:
    """Return what to do if packages cannot be installed, None if the reason is unknown."""
    text = output.lower()
    hints = (
        (VERSION, "set MLFLOW_VERSION to one that the package index has"),
        (DISK, "make room on the disk, about 1 GB"),
        (CERTIFICATE, "set BUILD_CA_CERTS to the file of your network's CA certificates"),
        ((USERS_PACKAGES.lower(),), USERS_HINT),
        (PLATFORM, NO_PACKAGE),
        (INDEX, "set PIP_INDEX_URL to a package index that this machine reaches"),
    )
    return next((hint for words, hint in hints if any(word in text for word in words)), None)
