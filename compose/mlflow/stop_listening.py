"""Stop accepting connections without losing one.

When a listening socket is closed, Linux resets connections that it has established but that no
process has accepted, and clients lose the requests that they have sent. So new connections are
refused first, on which a proxy tries another server; then those that wait are accepted.
"""

import socket
import struct
import sys
import time

# The device of a container's connections to itself.
LOOPBACK = b"lo\0"
# Of a listening socket, `tcpi_unacked` in struct tcp_info is the number of connections that wait.
WAITING = struct.Struct("=24xI")
# Seconds: for handshakes to end, between two looks, and for workers to accept what waits.
PAUSE, LOOK_EVERY, PATIENCE = 0.05, 0.01, 2.0


def refuse_others(listening: socket.socket) -> None:
    """Let the kernel refuse new connections from other machines, in all processes.

    A socket that is bound to a device is none that other devices lead to. Any user may do that
    since Linux 5.7; what waits for this socket, and handshakes in progress, are not affected.
    """
    if sys.platform != "linux":
        return
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, LOOPBACK)
    except OSError as error:
        print(f"connections may be reset while the server stops: {error}", flush=True)  # noqa: T201


def waiting(listening: socket.socket) -> int:
    """Return the number of established connections that no process has accepted."""
    if sys.platform != "linux":
        return 0
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, WAITING.size)
    return int(WAITING.unpack(info)[0])


def wait_until_accepted(listening: socket.socket) -> None:
    """Wait until other processes have accepted all connections."""
    time.sleep(PAUSE)
    deadline = time.monotonic() + PATIENCE
    while waiting(listening) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
