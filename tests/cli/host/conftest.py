"""An administrator at a host; publisher and DNS answer for real."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.cli.desk import Typist
from tests.host.conftest import Machine, answer_of, body_meeting

from muster.cli import compose
from muster.net.dnsupdate import TSIGKey
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.system.facts import facts_file
from muster.testing.nanodns import NanoDNS
from muster.testing.tiny_publisher import TinyPublisher

FACTS = {"system-uuid": "4c4c4544-0042-3510-8052-b4c04f4d3132"}


class Desk(Typist):
    """An administrator at a host."""

    noun = "host"

    def __init__(self, folder: Path, publisher: TinyPublisher) -> None:
        self.folder = folder
        self.publisher = publisher
        self.file = folder / "contoso.muster"
        self.file.write_bytes(publisher.file().encode())

    def type(self, *words: str, code: int = 0) -> Result:
        if words[0] == "install-key":
            words = (*words, "--facts", str(self.folder / "facts.json"))
        return super().type(*words, code=code)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(FACTS))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return Desk(tmp_path, TinyPublisher("contoso", now=compose.clock().now() - 3600))


@pytest.fixture
def made(desk: Desk) -> Desk:
    """A host that knows the publisher."""
    desk.data("init", "--publisher", str(desk.file))
    return desk


@pytest.fixture
def active(made: Desk) -> Desk:
    """A host that is activated for desktops and servers."""
    made.data("install-key", made.publisher.host_key("server").text)
    with ThreadServer(made.publisher.router()) as server:
        assert made.data("activate", "--publisher-url", server.url)["changed"]
    return made


@pytest.fixture
def zone(desk: Desk) -> Iterator[NanoDNS]:
    key = TSIGKey("host-key", "hmac-sha256", b"k" * 32)
    (desk.folder / "tsig").write_text(
        'key "host-key" { algorithm hmac-sha256;'
        ' secret "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="; };\n'
    )
    (desk.folder / "tsig").chmod(0o600)
    with NanoDNS("example.test", keys=[key]) as dns:
        yield dns


def dns_words(desk: Desk, zone: NanoDNS) -> tuple[str, ...]:
    return (
        *("--dns-server", zone.server, "--dns-zone", "example.test"),
        *("--tsig-key", str(desk.folder / "tsig"), "--advertise", "host.example.test"),
    )


def serve(*words: str) -> tuple[subprocess.Popen[str], str]:
    """Start `muster host serve` and return it with its ready line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "muster", "host", "serve", "--bind", "127.0.0.1", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline()


def ask(desk: Desk, port: int, number: int, product: str = "server-standard", **more: Any) -> int:
    machine, now = Machine(number), compose.clock().now()
    asked = machine.request(desk.publisher.publisher, product, now, **more)
    body, http = asked.body, HTTPClient(timeout=30)
    while True:
        url = f"http://127.0.0.1:{port}/v1/activate"
        answer = http.request("POST", url, body, {"Content-Type": "application/json"})
        key = more.get("key", machine.key)
        body = body_meeting(asked, key, answer.status, answer.body)
        if not body:
            return answer.status


def stop(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


def asked(active: Desk, number: int, name: str) -> str:
    """The CMID of a machine that asked once and calls itself so."""
    with compose.host_database(None) as database:
        request = Machine(number).request(
            active.publisher.publisher, "desktop-pro", compose.clock().now()
        )
        request = replace(request, client=replace(request.client, name=name))
        request = request.prove(Machine(number).key)
        service = compose.host_service(None, database)
        answer_of(service, request, Machine(number).key, f"192.0.2.{number}")
    return request.cmid
