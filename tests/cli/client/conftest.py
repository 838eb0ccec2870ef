"""Somebody at a machine; a real host on a socket answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.world import machine_facts

PRODUCT = "desktop-pro"


class Desk:
    """Somebody at a machine. `type` runs a command and checks its exit code."""

    def __init__(self, folder: Path, served: LoopbackHost) -> None:
        self.served = served
        self.store = folder / "store"
        self.descriptor = folder / "descriptor.json"
        self.descriptor.write_bytes(served.publisher.descriptor(PRODUCT))
        self.descriptor.chmod(0o644)
        self.setup_key = served.publisher.catalogue.product(PRODUCT).setup_key

    def type(self, *words: str, code: int = 0) -> Result:
        if words[0] in ("client", "verify") and "--facts" not in words and "--help" not in words:
            words = (*words, "--facts", str(self.store.parent / "facts.json"))
        done = CliRunner().invoke(muster, words, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def client(self, *words: str, code: int = 0) -> str:
        return self.type("client", *words, code=code).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.type("client", *words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def error(self, *words: str, code: int) -> str:
        found = self.data(*words, code=code)["error"]
        assert found["what"]
        assert found["fix"]
        assert str(found["code"]) in self.type("client", *words, code=code).stderr
        return str(found["code"])


@contextlib.contextmanager
def seated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Somebody at a machine that nobody has used yet."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with LoopbackHost() as served:
        yield Desk(tmp_path, served)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with seated(tmp_path, monkeypatch) as found:
        yield found


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """The same with the product set up and the host set."""
    desk.client("product", "add", str(desk.descriptor))
    desk.client("set-host", desk.served.address.text)
    return desk
