"""Values that code inside and outside share."""

import mimetypes
from pathlib import Path

PARALLEL_REQUESTS = 8
SQLITE = "sqlite:///"
UNKNOWN_TYPE = "application/octet-stream"


def content_type(path: Path) -> str:
    """Return the content type with which a file is uploaded."""
    return mimetypes.guess_type(path.name)[0] or UNKNOWN_TYPE
