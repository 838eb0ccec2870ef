"""What years of a publisher bring, in two minutes: its database is silent for one of them, under
load; then a revocation, a rotation and a raised limit arrive at two hosts and ten machines on which
nobody types. Nothing that was answered is lost, and nobody waits for long.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from tests.worlds.database_site import Site, missing

from muster.testing.netns import Node
from muster.testing.programs import Printed
from muster.testing.site import simulated_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

PRODUCT = "contoso-server-2008-standard"
SILENT = 60.0
"""Seconds for which nothing is heard of the database."""
LONGEST = 10.0
"""Seconds that a request waits at most; what this machine itself comes late is added."""
MACHINES = 5
"""Of each host; as many as the product needs."""
EVERY = 5
"""Seconds from one asking of a host for news to the next."""
AHEAD = 960
"""Seconds by which the clocks of the machines jump from try to try."""


class Branch:
    """A host on a machine of its own."""

    def __init__(self, site: Years, name: str) -> None:
        self.site, self.name = site, name
        self.node: Node = site.lab.node(name)
        self.store = str(site.folder / name)
        self.url = f"http://{self.node.address}:16880"
        self.facts = str(site.programs.facts(name, simulated_facts(name)))

    def muster(self, *words: str) -> Printed:
        return self.site.programs.muster("host", *words, "--store", self.store, node=self.node)

    def enrol(self, *keys: str) -> None:
        self.muster("init", "--publisher", str(self.site.file))
        for key in keys:
            self.muster("install-key", "--facts", self.facts, key)

    def activate(self) -> str:
        """Ask for the grants, once; why none came."""
        words = ("host", "activate", "--store", self.store)
        return self.site.programs.run(*words, node=self.node).error

    def serve(self) -> None:
        self.site.programs.start(
            self.name, "host", "serve", "--store", self.store, "--no-dns",
            "--bind", self.node.address, node=self.node,
        )  # fmt: skip

    def serves(self) -> list[tuple[int, int, list[str]]]:
        """Trust, catalogue and key groups of each publisher that it serves, as anybody is told."""
        told = json.loads(self.site.get(self.url, "/v1/publishers")[1])["publishers"]
        return [(one["trust"], one["catalogue"], one["groups"]) for one in told]

    def news(self) -> str:
        """Why it has no news now, "" where it has."""
        return self.muster("status").rows("news")[0].text("code")

    def leases(self) -> dict[str, str]:
        """The newest lease of each machine that is in its database, by the nonce it answers."""
        (path,) = Path(self.store).rglob("host.db")
        with closing(sqlite3.connect(path)) as database:
            return dict(database.execute("SELECT cmid, nonce FROM lease"))


class Years(Site):
    """Publisher, its database, people, two hosts, and their machines."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        settings = {"MUSTER_HOST_NEWS_INTERVAL": str(EVERY), "MUSTER_HOST_RENEWAL_INTERVAL": "900"}
        super().__init__(folder, stack, 2, settings, pause=0.1)
        self.folder, self.file = folder, folder / "contoso.publisher"
        self.server_key, self.office_key = (
            self.run("key", "issue", "--kind", "host", "--group", group).rows("keys")[0]
            for group in ("server-b", "office-2010")
        )
        self.run("export", str(self.file), "--url", self.url)
        self.run("descriptor", PRODUCT, "--out", str(folder / "descriptor"))
        self.run("key", "limit", self.server_key.text("id"), "--hosts", "1", "--reason", "one site")
        self.north, self.south = Branch(self, "north"), Branch(self, "south")
        self.north.enrol(self.server_key.text("key"), self.office_key.text("key"))
        self.south.enrol(self.server_key.text("key"))
        self.branches = (self.north, self.south)

    def live(self, stack: ExitStack) -> None:
        """Machines ask from now on."""
        (self.folder / "machines").mkdir()
        (self.folder / "machines" / "told").touch()
        self.living = subprocess.Popen(
            self.people.wrap([sys.executable, "-m", "tests.worlds.machines"]),
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.enter_context(self.living)  # closes what is between them
        stack.callback(self.living.kill)
        asked = {
            "hosts": {branch.name: branch.url for branch in self.branches},
            "descriptor": str(self.folder / "descriptor"),
            "folder": str(self.folder / "machines"),
            "machines": MACHINES,
            "askers": 2,
            "stop": str(self.folder / "stop"),
        }
        self._say(json.dumps(asked))

    def _say(self, line: str) -> None:
        assert self.living.stdin is not None
        self.living.stdin.write(line + "\n")
        self.living.stdin.flush()

    def end(self) -> None:
        """Nobody asks any more; what was asked is answered."""
        self.end_asking()
        assert self.living.stdin is not None
        self.living.stdin.close()
        assert self.living.wait(60) == 0

    def turn(self, what: str) -> list[dict[str, Any]]:
        """Machines do what is due, or what is typed; what they have and know then."""
        self._say(what)
        assert self.living.stdout is not None
        states: list[dict[str, Any]] = json.loads(self.living.stdout.readline())
        return states

    def machines_told(self) -> list[tuple[str, str, str, int, float]]:
        """What those that ask all the while were told."""
        lines = (self.folder / "machines" / "told").read_bytes().split(b"\n")[:-1]
        return [tuple(json.loads(line)) for line in lines]

    def leased(self, host: str, more: int) -> None:
        """Wait until a host has given so many more leases."""

        def number() -> int:
            return sum(told[0] == host and told[3] == 200 for told in self.machines_told())

        before = number()
        self.until(lambda: number() >= before + more, f"{host} gives no leases")


@pytest.fixture
def years(tmp_path: Path) -> Iterator[Years]:
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        site = Years(tmp_path, stack)
        assert site.north.activate() == ""
        assert site.south.activate() == "publisher/hosts-used-up"
        for branch in site.branches:
            branch.serve()
        site.live(stack)
        yield site


def test_news_arrive_by_themselves_though_the_database_was_silent(years: Years) -> None:
    years.leased("north", 6)
    licensed = [state["licensed"] for state in years.turn("typed")]
    assert licensed == [True] * MACHINES + [False] * MACHINES, "south has no grant yet"

    # The engineer revokes a key; then nothing is heard of the database, for a minute.
    office, server = (key.text("id") for key in (years.office_key, years.server_key))
    years.run("key", "revoke", office)
    years.swallow(f"ip {{way}} {years.database.address}")
    end = time.monotonic() + SILENT
    years.answered(more=2, status=503)
    years.leased("north", 20)
    years.until(lambda: "" not in {branch.news() for branch in years.branches}, "news come")
    years.until(lambda: time.monotonic() >= end, "a minute")
    years.leased("north", 20)

    # Back again. He rotates the keys and withdraws the old ones: what these signed is refused, and
    # every host takes its grants anew. And he lets one more host in. Nobody else types anything.
    years.nft("delete table inet silent")
    years.answered(more=2)
    rotate = ("trust", "rotate", "--withdraw", "--kdf-memory", "8192", "--kdf-passes", "1")
    rotated = years.run(*rotate)
    assert rotated.number("activate_again") > 1, "the grant of north, and machines"
    years.run("key", "limit", server, "--hosts", "2", "--reason", "one more site")
    newest = (rotated.inner("trust").number("version"), rotated.number("catalogue"))

    def arrived() -> bool:
        covered = ["client-volume", "server-b"]
        return all(branch.serves() == [(*newest, covered)] for branch in years.branches)

    years.until(arrived, "the hosts are behind")
    years.leased("south", 6)
    wanted = {"licensed": True, "trust": newest[0], "catalogue": newest[1]}
    states: list[dict[str, Any]] = []

    def everywhere() -> bool:
        states[:] = years.turn(str(AHEAD))
        return all(state.items() >= wanted.items() for state in states)

    years.until(everywhere, "machines are behind")
    assert all(office in state["revoked"] for state in states)
    keys = {key.text("id"): key for key in years.run("key", "list").rows("keys")}
    assert keys[server].number("hosts") == 2, "each host has drawn once"

    # What was answered is there, and nobody waited for long.
    years.end()
    late = float((years.folder / "machines" / "late").read_text())
    asked = years.machines_told()
    assert {status for *_, status, _ in asked} <= {200, 428, 403, 409}, "no host was away"
    for branch in years.branches:
        kept = branch.leases()
        answered = {
            cmid: nonce
            for host, cmid, nonce, status, _ in asked
            if (host, status) == (branch.name, 200)
        }
        assert answered.items() <= kept.items()
    told = years.told()
    # 409: who asks by the trust of before the rotation, and knows no key that signs now.
    statuses = [status for _, status, *_ in told]
    assert {200, 503} <= set(statuses) <= {200, 409, 503}
    drawn = years.run("key", "show", years.key.key_id.text).inner("key").inner("pool")
    activated = {what: digits for what, status, digits, *_ in told if digits}
    assert drawn.number("drawn") >= len(activated)
    waits = [one[-1] for one in (*asked, *told)]
    assert max(waits) <= LONGEST + 2 * late
