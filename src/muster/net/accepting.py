"""The end of accepting: nobody whom the kernel has accepted is cut when a listener closes.

Closing a listening socket resets what waits in its accept queue, and between the last `accept` and
the `close` another handshake can end. So a stop first turns new handshakes away in the kernel
[a filter on the listening socket; a SYN that it drops is sent again after a second and then refused
by the closed port], lets those that have begun come to their end, and only then closes. Where the
system has no such filter, the moment between the two calls remains.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import sys

HANDSHAKE_SECONDS = 0.2
"""Time for handshakes that have begun: their last packet is on its way to us."""
_LONGEST_SECONDS = 2.0
"""Most time in which an accept queue is emptied; whoever fills it faster than that loses."""

_SO_ATTACH_FILTER = 26
# Classic BPF on the TCP header: drop what has SYN without ACK, pass everything else.
_NO_SYN = (
    (0x30, 0, 0, 13),  # A = flags
    (0x54, 0, 0, 0x12),  # A &= SYN | ACK
    (0x15, 0, 1, 0x02),  # A == SYN ?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # pass
)


def turn_away(sock: socket.socket) -> bool:
    """Let no new handshake begin on a listening socket; whether this system can."""
    if not sys.platform.startswith("linux"):
        return False
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in _NO_SYN)
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(_NO_SYN), ctypes.addressof(kept))
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        return True
    return False


def is_waiting(sock: socket.socket) -> bool:
    """Whether a connection waits in the accept queue."""
    if sys.platform == "win32":
        return False
    import select

    asked = select.poll()
    asked.register(sock, select.POLLIN)
    return bool(asked.poll(0))


async def let_in_the_last(sock: socket.socket) -> None:
    """Turn new connections away and return when those that were let in have been accepted.

    Whoever accepts does so beside this, on the same loop. Takes `HANDSHAKE_SECONDS`, and longer
    only while the queue is not empty.
    """
    turn_away(sock)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        await asyncio.sleep(0.02)
        passed = loop.time() - begun
        if passed > _LONGEST_SECONDS or (passed > HANDSHAKE_SECONDS and not is_waiting(sock)):
            return
