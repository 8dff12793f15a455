"""Send the files of a folder to standard output, one after the other.

Each part of a file is a line with the number of its key and the number of its bytes, followed by
these bytes; a part without bytes ends the file. So its size need not be known before it is read,
which may change meanwhile.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from mlflow_compose.engines.inside.answer import Request

CHUNK = 1024 * 1024


def main(request: Request) -> None:
    """Send the files of some keys; those that have been deleted since are left out.

    Args:
        request: `folder`, and `keys`: paths below it.
    """
    top, out = Path(request["folder"]), sys.stdout.buffer
    for number, key in enumerate(request["keys"]):
        with suppress(FileNotFoundError), (top / key).open("rb") as file:
            _send(number, file, out)
    out.flush()


def _send(number: int, file: IO[bytes], out: IO[bytes]) -> None:
    while chunk := file.read(CHUNK):
        out.write(b"%d %d\n" % (number, len(chunk)))
        out.write(chunk)
    out.write(b"%d 0\n" % number)
