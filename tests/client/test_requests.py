"""What leaves a machine: every byte of a request, as somebody on the network path takes it down."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muster.system.facts import facts_file
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts

pytestmark = pytest.mark.real

PRODUCT = "desktop-pro"
ANSWER = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Tap:
    """Somebody who listens at the address of a host, and answers nothing useful."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(30)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(30)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += peer.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                while len(body) < length:
                    body += peer.recv(65536)
                self.taken.append(head + b"\r\n\r\n" + body)
                peer.sendall(ANSWER)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)


@pytest.fixture
def tap() -> Iterator[Tap]:
    made = Tap()
    yield made
    made.close()


class Place:
    """A machine whose commands are processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.facts = machine_facts("pc-1")
        path = folder / "facts.json"
        path.write_bytes(facts_file(self.facts))
        path.chmod(0o600)
        self.publisher = TinyPublisher(now=int(time.time()) - 86_400)
        self.descriptor = folder / "descriptor.json"
        self.descriptor.write_bytes(self.publisher.descriptor(PRODUCT))
        self.descriptor.chmod(0o600)
        self.environment = {
            **os.environ,
            "MUSTER_STORE": str(folder / "store"),
            "MUSTER_FACTS": str(path),
        }

    def type(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "muster", "client", *words, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    assert made.type("product", "add", str(made.descriptor))["changed"]
    return made


def members(value: object, above: str = "") -> set[str]:
    """The names of all members of a message, with those above them."""
    if not isinstance(value, dict):
        return set()
    found: set[str] = set()
    for name, inner in value.items():
        found |= {above + name} | members(inner, f"{above}{name}.")
    return found


def taken(tap: Tap) -> tuple[bytes, dict[str, Any]]:
    """The one request that crossed the wire, whole, and its body."""
    (request,) = tap.taken
    body: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])
    return request, body


def nothing_of_this_place(request: bytes, place: Place, names: tuple[str, ...]) -> None:
    """No fact, no user, no path stands in what left."""
    for fact in place.facts.values():
        assert fact.encode() not in request
    for word in names:
        assert word.encode() not in request


def test_a_request_to_a_host_holds_what_the_page_says_and_nothing_else(
    place: Place, tap: Tap
) -> None:
    place.environment["USER"] = place.environment["LOGNAME"] = "somebody-of-fabrikam"
    place.environment["MUSTER_CLIENT_SEND_NAME"] = "false"
    assert place.type("set-host", f"127.0.0.1:{tap.port}")["changed"]
    place.type("activate")
    request, body = taken(tap)
    assert members(body) <= {
        *("v", "publisher", "product", "cmid", "nonce", "fingerprint", "identity", "state"),
        *("key", "line", "proof"),
        *("trust", "catalogue"),
        *("sent_at", "client", "client.version", "client.os", "client.virtual"),
    }
    headers = {
        line.partition(b":")[0].lower() for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    }
    assert headers <= {
        b"host",
        b"content-type",
        b"content-length",
        b"accept",
        b"accept-encoding",
        b"connection",
    }
    own = ("somebody-of-fabrikam", str(place.descriptor.parent))
    nothing_of_this_place(request, place, own)


def test_a_request_to_a_publisher_holds_the_installation_id_alone(place: Place, tap: Tap) -> None:
    place.environment["USER"] = place.environment["LOGNAME"] = "somebody-of-fabrikam"
    key = place.publisher.machine_key("desktop")
    place.type("install-key", key.text)
    place.type("activate", "--publisher-url", f"http://127.0.0.1:{tap.port}")
    request, body = taken(tap)
    assert members(body) == {"v", "installation_id"}
    own = ("somebody-of-fabrikam", str(place.descriptor.parent), key.text, key.text[:17])
    nothing_of_this_place(request, place, own)
