"""Run on a node by `test_bad_network`: hosts that give nothing, an old DNS server, and a proxy.

    python bad_hosts.py FOLDER

Silent hosts listen on 127.0.0.11 to .17, one that sends rubbish on .18, one that lies on .19, all
at port 16880. The DNS server on 127.0.0.2 answers FORMERR to questions with EDNS and hands others
to 127.0.0.1. The proxy on 127.0.0.21:3128 wants a login, and refuses each. FOLDER/ready is written
when all listen; FOLDER/asked gets one line for each question with EDNS, and for each connection;
FOLDER/logins one for each request to the proxy that brought a login.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

SILENT = [f"127.0.0.{number}" for number in range(11, 18)]
RUBBISH, LIAR = "127.0.0.18", "127.0.0.19"
PORT = 16880
PROXY = ("127.0.0.21", 3128)


def silent(link: socket.socket) -> None:
    """Hold the connection."""
    time.sleep(600)
    link.close()


def rubbish(link: socket.socket) -> None:
    """The bytes that once ended activation with a ValueError."""
    link.recv(65536)
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: \x1c2\r\n\r\n{}")


def liar(link: socket.socket) -> None:
    """A lease that nobody signed, from a host that claims newer trust."""
    link.recv(65536)
    lease = "eyJhbGciOiJFZERTQSJ9.e30.AAAA"
    answer = {"v": 1, "lease": lease, "grant": lease, "signer": {"kty": "OKP"}, "count": 99,
              "need": 1, "trust": 1000, "catalogue": 1000}  # fmt: skip
    body = json.dumps(answer).encode()
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def proxy(folder: Path) -> Callable[[socket.socket], None]:
    """What the proxy does with a connection: it wants another login."""

    def act(link: socket.socket) -> None:
        if b"\r\nproxy-authorization: basic " in link.recv(65536).lower():
            note(folder, "login", "logins")
        link.sendall(
            b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n'
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )

    return act


def serve(
    folder: Path, address: str, act: Callable[[socket.socket], None], port: int = PORT
) -> None:
    """Answer at one address, each connection on a thread."""
    listener = socket.create_server((address, port), backlog=50)

    def play(link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            act(link)

    def run() -> None:
        while True:
            link, _ = listener.accept()
            note(folder, address)
            threading.Thread(target=play, args=(link,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()


def old_dns(folder: Path, sock: socket.socket) -> None:
    """FORMERR without OPT to whatever has additional records; other questions are handed on."""
    while True:
        question, peer = sock.recvfrom(4096)
        if struct.unpack(">H", question[10:12])[0]:
            note(folder, "edns")
            sock.sendto(question[:2] + b"\x81\x81" + b"\0" * 8, peer)
            continue
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward,
            contextlib.suppress(OSError),
        ):
            onward.settimeout(2)
            onward.sendto(question, ("127.0.0.1", 53))
            sock.sendto(onward.recv(4096), peer)


def note(folder: Path, what: str, name: str = "asked") -> None:
    """Add a line to what was asked."""
    with (folder / name).open("a") as file:
        file.write(what + "\n")


def main() -> None:
    """Listen until killed."""
    folder = Path(sys.argv[1])
    for name in ("asked", "logins"):
        (folder / name).touch()
    for address in SILENT:
        serve(folder, address, silent)
    serve(folder, RUBBISH, rubbish)
    serve(folder, LIAR, liar)
    serve(folder, PROXY[0], proxy(folder), PROXY[1])
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind(("127.0.0.2", 53))
    (folder / "ready").touch()
    old_dns(folder, dns)


if __name__ == "__main__":
    main()
