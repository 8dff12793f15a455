"""Another Docker engine beside the one of the tests, which can be killed and started again."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from .faults import needs
from .tool import environment, run
from .waiting import wait_until

OPTIONS = ("--log-level=error", "--group=")


class SecondEngine:
    """A dockerd in a network namespace, so that its rules of iptables meet no other engine's.

    Attributes:
        folder: Folder of everything that it has; a short path, since sockets are in there.
        host: Its address, as in DOCKER_HOST.
    """

    def __init__(self, folder: Path, namespace: str) -> None:
        self.folder, self._namespace = folder, namespace
        self.host = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        paths = {"data-root": "data", "exec-root": "run", "pidfile": "pid"}
        options = [f"--{name}={self.folder / path}" for name, path in paths.items()]
        # Not `ip netns exec`, which hides the folders of cgroups.
        inside = ["nsenter", f"--net=/run/netns/{self._namespace}"]
        command = [*inside, "dockerd", f"--host={self.host}"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options, *OPTIONS], stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._answers, seconds=30, what=f"{self.host} answers")

    def end(self, number: signal.Signals) -> None:
        """Send a signal to it and wait for its end; after SIGKILL, its containers go on."""
        assert self._process
        children = psutil.Process(self._process.pid).children()
        self._process.send_signal(number)
        self._process.wait(60)
        if number == signal.SIGKILL:
            # Its containerd, which it would look for in vain; systemd would run it separately.
            for child in children:
                child.kill()
            psutil.wait_procs(children, timeout=10)
            for path in ("pid", "run/containerd/containerd.pid"):
                (self.folder / path).unlink(missing_ok=True)

    def load(self, images: Collection[str]) -> None:
        """Copy images from the engine of the tests."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            command = ["docker", "--host", self.host, "load", "--quiet"]
            subprocess.run(command, stdin=saved.stdout, stdout=subprocess.DEVNULL, check=True)
        assert saved.returncode == 0

    def destroy(self) -> None:
        """Stop it, with everything that it has left behind."""
        if self._process and self._process.poll() is None:
            self.end(signal.SIGTERM)
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in process.info["cmdline"] or ()):
                # Its containers, if it was killed.
                for one in (*process.children(recursive=True), process):
                    one.kill()
        for mount in sorted(self._mounts(), reverse=True):
            run("umount", "--lazy", mount)
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        return run("docker", "--host", self.host, "version", code=None).code == 0

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        points = (line.split()[4] for line in lines)
        return [point for point in points if point.startswith(f"{self.folder}/")]


@contextmanager
def second_engine() -> Iterator[SecondEngine]:
    """Run another engine while the block runs; `environment()` leads to it if it is in there."""
    needs("dockerd", "ip", "iptables", "nsenter")
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    run("ip", "netns", "add", namespace)
    engine = SecondEngine(Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp")), namespace)
    try:
        run("ip", "netns", "exec", namespace, "ip", "link", "set", "lo", "up")
        engine.start()
        yield engine
    finally:
        engine.destroy()
        run("ip", "netns", "delete", namespace)


@contextmanager
def instead(engine: SecondEngine) -> Iterator[None]:
    """Let every docker command go to another engine while the block runs."""
    before = environment().get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = engine.host
    try:
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        if before is not None:
            os.environ["DOCKER_HOST"] = before
