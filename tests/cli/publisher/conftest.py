"""A publisher's store, and the commands that an engineer types at it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster
from muster.core.identity import Fact, hardware_id, host_binding
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.lease.jws import MemorySigningKey

CHEAP = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")


@dataclass
class Desk:
    """A store, and the commands that an engineer types at it."""

    folder: Path
    env: dict[str, str]

    def run(self, *words: str, env: dict[str, str] | None = None) -> Result:
        found = CliRunner().invoke(muster, ["publisher", *words], env=self.env | (env or {}))
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    def text(self, *words: str) -> str:
        found = self.run(*words)
        assert found.exit_code == 0, found.output
        return found.stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        found = self.run(*words, "--json")
        assert found.exit_code == code, found.output
        value: dict[str, Any] = json.loads(found.stdout)
        return value

    def refused(self, *words: str, code: int, env: dict[str, str] | None = None) -> str:
        found = self.run(*words, "--json", env=env)
        assert found.exit_code == code, found.output
        return str(json.loads(found.stdout)["error"]["code"])

    def init(self, *more: str) -> dict[str, Any]:
        reserve = str(self.folder.parent / "reserve.key")
        return self.data("init", "--sample", "--reserve-root", reserve, *CHEAP, *more)

    def request(self, key_text: str, publisher: str, number: int = 1) -> str:
        """The installation ID of a host with this key."""
        key = parse_product_key(key_text)
        signing = MemorySigningKey(number.to_bytes(32, "big"))
        machine = Fact("system-uuid", f"00000000-0000-4000-8000-{number:012d}")
        return make_installation_id(
            1,
            key.key_id,
            host_binding(publisher, key.key_id, signing.public.raw),
            hardware_id(publisher, key.key_id, key.tag_bytes, machine),
            proof_key(publisher, key.key_id, key.tag_bytes),
        ).text


@pytest.fixture
def empty(tmp_path: Path) -> Desk:
    folder = tmp_path / "stores"
    return Desk(folder, {"MUSTER_STORE": str(folder), "MUSTER_PASSPHRASE": "correct horse"})


@pytest.fixture
def desk(empty: Desk) -> Desk:
    empty.init()
    return empty


@contextlib.contextmanager
def serving(desk: Desk, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`muster publisher serve` as a process, and what it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "muster", "publisher", "serve", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **desk.env},
    )
    try:
        assert process.stdout is not None
        said = ""
        while True:
            line = process.stdout.readline()
            said += line
            if line in ("", "}\n"):
                break
        yield process, json.loads(said) if said else {}
    finally:
        process.kill()
        process.communicate()
