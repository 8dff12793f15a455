"""Compare what a fresh stack needs with what it needed before: processes and memory.

guard.py PROJECT: exit with 1 if a service of this Compose project has more processes or memory than
below. Such counts hardly depend on the machine; times do, so `make bench` measures those. Without
root it compares nothing: the processes of containers belong to other users.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.commands import BenchError
from bench.docker import services
from bench.processes import pss, tree

# Processes and megabytes (PSS) of each service, right after `make up` has proven the stack. A
# health check may be running too: a shell and its command.
EXPECTED = {"mlflow": (3, 335), "s3": (1, 115), "postgres": (12, 40)}
CHECK = 2
MARGIN = 1.15


def main(project: str) -> int:
    """Print what each service needs, and return whether one needs too much."""
    if os.geteuid() != 0:
        print("not compared: only root can see the memory of containers' processes")
        return 0
    failed, running = False, services(project)
    for service, (processes, memory) in EXPECTED.items():
        pid = running[service]
        count, size = len(tree(pid)), pss([pid])
        too_much = count > processes + CHECK or size > memory * MARGIN
        failed |= too_much
        print(
            f"{service:<9} {count:2} processes, {size:4.0f} MB"
            f" (expected: {processes}, {memory} MB){' TOO MUCH' if too_much else ''}"
        )
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except BenchError as error:
        sys.exit(f"error: {error}")
