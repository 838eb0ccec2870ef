"""Somebody who types slmgr's words, at a client and at a host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster
from muster.core.products import DAY
from muster.system.clock import SystemClock
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts

PRODUCT = "desktop-pro"
CMID_FIELD = "Client Machine ID (CMID)"


class Desk:
    """Somebody who types slmgr's words."""

    def __init__(self, folder: Path, served: LoopbackHost) -> None:
        self.folder = folder
        self.served = served
        self.setup_key = served.publisher.catalogue.product(PRODUCT).setup_key

    def run(self, *words: str, code: int = 0) -> Result:
        if words[0] in ("client", "slmgr") and "--help" not in words:
            words = (*words, "--facts", str(self.folder / "facts.json"))
        done = CliRunner().invoke(muster, words, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def slmgr(self, *words: str, code: int = 0) -> str:
        return self.run("slmgr", *words, code=code).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.run("slmgr", *words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def fields(self, *words: str) -> dict[str, str]:
        """The printed fields by name; the names are those at the start of lines."""
        pairs = [line.strip().partition(": ") for line in self.slmgr(*words).splitlines()]
        return {name: value for name, mark, value in pairs if mark}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A machine on which the product is set up."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with LoopbackHost() as served:
        found = Desk(tmp_path, served)
        descriptor = tmp_path / "descriptor.json"
        descriptor.write_bytes(served.publisher.descriptor(PRODUCT))
        descriptor.chmod(0o644)
        found.run("client", "product", "add", str(descriptor))
        yield found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Desk, TinyPublisher]]:
    """A host's store that knows a publisher; no process runs."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(machine_facts("kms1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    publisher = TinyPublisher("contoso", now=SystemClock().now() - 2 * DAY)
    known = tmp_path / "contoso.json"
    known.write_bytes(publisher.file().encode())
    known.chmod(0o600)
    with LoopbackHost(publisher) as served:
        desk = Desk(tmp_path, served)
        desk.run("host", "init", "--publisher", str(known))
        yield desk, publisher
