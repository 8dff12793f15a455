"""What can happen to a machine: processes that are killed, a full disk, a network that is cut."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from .docker_stack import DockerStack, docker
from .local_stack import LocalStack
from .running import RunningStack
from .tool import run

MEGABYTE = 1 << 20
# Free space on a small disk before it is filled.
ROOM = 40 * MEGABYTE
VOLUMES = {"postgres": "postgres_data", "s3": "minio_data"}
FILLER = "filler"


def needs(*programs: str) -> None:
    """Skip the test unless this is root, and has these programs."""
    if os.geteuid() or not all(map(shutil.which, programs)):
        pytest.skip(f"needs root, and {', '.join(programs)}")


# --- a full disk


def data_folder(stack: RunningStack, service: str) -> Path:
    """Return the folder of this machine that has a server's data."""
    if isinstance(stack, LocalStack):
        return (stack.local_folder / "data" / VOLUMES[service]).resolve()
    volume = f"{stack.name}_{VOLUMES[service]}"
    return Path(docker("volume", "inspect", "--format={{.Mountpoint}}", volume).out.strip())


@contextmanager
def small_disk(stack: RunningStack, service: str, images: Path) -> Iterator[Path]:
    """Move a server's data to a disk of its own while the block runs; yield its folder."""
    needs("mkfs.ext4", "mount")
    folder, image = data_folder(stack, service), images / f"{service}.img"
    stack.stop(service)
    used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    with image.open("wb") as file:
        file.truncate(used * 5 // 4 + ROOM)
    run("mkfs.ext4", "-q", "-m", "0", str(image))
    mounted = images / service
    mounted.mkdir()
    run("mount", "-o", "loop", str(image), str(mounted))
    shutil.rmtree(mounted / "lost+found")
    run("cp", "-a", f"{folder}/.", str(mounted))
    run("mount", "--move", str(mounted), str(folder))
    try:
        stack.restart(service)
        yield folder
        stack.stop(service)
        run("cp", "-a", f"{folder}/.", str(mounted))
    finally:
        run("umount", "--lazy", str(folder))
    run("cp", "-a", f"{mounted}/.", str(folder))
    stack.restart(service)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the disk of a folder while the block runs."""
    filler = folder / FILLER
    with filler.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    try:
        yield
    finally:
        filler.unlink()


# --- a network that is cut


@contextmanager
def cut_off(stack: RunningStack, service: str) -> Iterator[None]:
    """Let no packet reach a server while the block runs; without a network, freeze it."""
    if isinstance(stack, DockerStack):
        needs("nsenter", "iptables")
        pid = stack.containers()[service]["State"]["Pid"]
        inside = ("nsenter", "--target", str(pid), "--net", "iptables")
        # Not its health check, which is in the same container.
        rule = ("INPUT", "!", "-i", "lo", "-j", "DROP")
        run(*inside, "-A", *rule)
        try:
            yield
        finally:
            run(*inside, "-D", *rule)
        return
    assert isinstance(stack, LocalStack)
    server = psutil.Process(stack.pids()[service])
    frozen = [server, *server.children(recursive=True)]
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in frozen:
            process.send_signal(signal.SIGCONT)
