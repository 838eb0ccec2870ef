"""Unix sockets of programs on this machine, reached within a time.

Decides how long somebody waits for room in the queue of a program that listens: until an instant. A
Unix socket with a time limit does not wait for that by itself, as a blocking one does, and a TCP
socket. Refuses to know what is said.
"""

from __future__ import annotations

import socket
import time

_PAUSE_SECONDS = 0.02


def connect(sock: socket.socket, path: str, end: float) -> None:
    """Connect until the monotonic instant `end`.

    Raises: BlockingIOError where the queue was full until then; other errors of the system.
    """
    while True:
        sock.settimeout(max(0.01, end - time.monotonic()))
        try:
            return sock.connect(path)
        except BlockingIOError:
            if time.monotonic() + _PAUSE_SECONDS >= end:
                raise
            time.sleep(_PAUSE_SECONDS)
