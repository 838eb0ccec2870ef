"""A host that never meets its publisher: activated by telephone, QR code or file, it serves.

Programs as an administrator starts them. The publisher serves nothing: its engineer answers with
commands, and what is carried are digits, a picture, or files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from muster.testing.programs import Printed, Programs
from muster.testing.site import simulated_facts

NEED = 5


class Island:
    """A publisher here, a host there, and no network between them."""

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        self.folder = programs.folder
        self.office, self.host = self.folder / "office", self.folder / "host"
        self.facts = programs.facts("host", simulated_facts("host"))
        self.publisher("init", "--sample", "--reserve-root", str(self.folder / "reserve.key"))
        self.known = self.folder / "contoso.json"
        self.publisher("export", str(self.known))
        products = self.publisher("catalogue", "show").rows("products")
        self.product = next(one for one in products if one["need"] == NEED)
        issued = self.publisher(
            "key", "issue", "--kind", "host", "--group", self.product.text("group")
        )
        key = issued.rows("keys")[0].text("key")
        self.at_host("init", "--publisher", str(self.known))
        self.at_host("install-key", "--facts", str(self.facts), str(key))

    def publisher(self, *words: str) -> Printed:
        return self.programs.muster("publisher", *_in(self.office, words))

    def at_host(self, *words: str) -> Printed:
        return self.programs.muster("host", *_in(self.host, words), facts=self.facts)

    def clients(self) -> list[int]:
        """Serve, let six servers ask, and tell their states."""
        ready = self.programs.start(
            "serve", "host", "serve", "--store", str(self.host), "--port", "0",
            "--bind", "127.0.0.1", "--no-dns", facts=self.facts,
        )  # fmt: skip
        descriptor = self.folder / "product.json"
        self.publisher("descriptor", self.product.text("id"), "--out", str(descriptor))
        states: list[int] = []
        for number in range(NEED + 1):
            store, name = self.folder / f"pc{number}", f"pc{number}"
            facts = self.programs.facts(name, simulated_facts(name))
            options = ("--store", str(store), "--facts", str(facts))
            run = self.programs.run
            assert run("client", "product", "add", str(descriptor), *options).code == 0
            where = f"127.0.0.1:{ready['port']}"
            assert run("client", "set-host", where, *options).code == 0
            done = run("client", "activate", *options)
            states.append(done.data.rows("products")[0].number("state"))
        return states


def _in(store: Path, words: tuple[str, ...]) -> list[str]:
    """Words of a command with its store behind the names of sub-commands."""
    names = 2 if words[0] in ("key", "catalogue") else 1
    return [*words[:names], "--store", str(store), *words[names:]]


@pytest.fixture
def island(tmp_path: Path) -> Iterator[Island]:
    with Programs(tmp_path) as programs:
        yield Island(programs)


def by_telephone(island: Island) -> None:
    spoken = island.at_host("activate", "--telephone").text("installation_id")
    assert len(spoken.split("-")) == 15
    digits = island.publisher("confirm", *spoken.split("-")).text("confirmation_id")
    island.at_host("activate", "--confirmation-id", digits)


def by_code(island: Island) -> None:
    picture, asked = island.folder / "request.png", island.folder / "request.json"
    answer, said = island.folder / "answer.png", island.folder / "answer.json"
    island.at_host("activate", "--telephone", "--qr", str(picture))
    asked.write_bytes(read(picture))
    island.publisher("confirm", "--request", str(asked), "--qr", str(answer))
    said.write_bytes(read(answer))
    island.at_host("activate", "--reply", str(said))


def by_file(island: Island) -> None:
    request, reply = island.folder / "request.json", island.folder / "reply.json"
    island.at_host("activate", "--request", str(request))
    island.publisher("confirm", "--request", str(request), "--reply", str(reply))
    island.at_host("activate", "--reply", str(reply))


def read(picture: Path) -> bytes:
    (code,) = zxingcpp.read_barcodes(Image.open(picture))
    found: bytes = code.bytes
    assert json.loads(found)["v"] == 1
    return found


@pytest.mark.parametrize("channel", [by_telephone, by_code, by_file], ids=lambda one: one.__name__)
def test_a_host_without_its_publisher_serves_clients(
    island: Island, channel: Callable[[Island], None]
) -> None:
    channel(island)
    states = island.clients()
    assert states == [2] * (NEED - 1) + [1, 1]
    hosts = island.publisher("key", "list", "--kind", "host").rows("keys")
    assert [one["hosts"] for one in hosts] == [1]
