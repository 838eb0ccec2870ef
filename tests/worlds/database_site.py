"""A publisher whose database stands on a machine of its own, and people who ask it all the while.

Each is in a network namespace; what the publisher sends to its database, and hears of it, may be
dropped without a word.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.testing.netns import Lab, why_not
from muster.testing.postgres import PostgresServer, programs
from muster.testing.programs import Printed, Programs

ASKING = Path(__file__).with_name("asking.py")
MACHINES = 4000
"""Installation IDs that are ready to be asked with."""
BOUND = 60.0
"""Seconds that anything may take; most take one or two."""


def missing() -> str | None:
    """What this machine lacks for the test, or None."""
    if shutil.which("nft") is None:
        return "needs nftables: apt-get install nftables"
    if programs() is None:
        return "needs PostgreSQL: apt-get install postgresql"
    return why_not()


class Site:
    """Database, publisher and people, each on a machine of its own.

    Args:
        folder: for all of it.
        stack: ends it.
        threads: people that ask the publisher at the same time.
        environment: more settings of all programs.
        pause: seconds from one request of a person to the next.
    """

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        threads: int,
        environment: dict[str, str] | None = None,
        pause: float = 0.0,
    ) -> None:
        self.lab = lab = stack.enter_context(Lab())
        self.publisher, self.people = lab.node("publisher"), lab.node("people")
        self.database = lab.node("db")
        self.server = stack.enter_context(PostgresServer(self.database))
        settings = {"MUSTER_PUBLISHER_DATABASE": self.server.database(), **(environment or {})}
        self.programs = stack.enter_context(Programs(folder, settings))
        self._folder, self._store = folder, str(folder / "publisher")
        made = self.run(
            "init", "--sample", "--reserve-root", str(folder / "reserve-root.key"),
            "--kdf-memory", "8192", "--kdf-passes", "1",
        )  # fmt: skip
        pool = ("--kind", "mak", "--group", "client-volume", "--pool", str(MACHINES))
        issued = self.run("key", "issue", *pool)
        self.key = parse_product_key(issued.rows("keys")[0].text("key"))
        proof = proof_key(made.text("publisher"), self.key.key_id, self.key.tag_bytes)
        self.requests = [
            make_installation_id(1, self.key.key_id, f"{number:025x}", None, proof).text
            for number in range(1, MACHINES + 1)
        ]
        self.url = f"http://{self.publisher.address}:16882"
        self._operation = f"http://{self.publisher.address}:16884"
        self.serving = self.programs.start(
            "publisher", "publisher", "serve", "--store", self._store,
            "--bind", self.publisher.address,
            "--operation-address", f"{self.publisher.address}:16884",
            node=self.publisher,
        )  # fmt: skip
        self._told = (folder / "told").open("wb")
        self._stop = folder / "stop"
        stack.callback(self._told.close)
        self._asking = subprocess.Popen(
            self.people.wrap([sys.executable, str(ASKING)]),
            stdin=subprocess.PIPE,
            stdout=self._told,
        )
        stack.callback(self._asking.kill)
        assert self._asking.stdin is not None
        asked = {"url": self.url, "requests": self.requests, "threads": threads, "pause": pause}
        self._asking.stdin.write(json.dumps({**asked, "stop": str(self._stop)}).encode())
        self._asking.stdin.close()

    def run(self, *words: str) -> Printed:
        """A command of the publisher, on its machine."""
        return self.programs.muster(
            "publisher", *words, "--store", self._store, node=self.publisher
        )

    def told(self) -> list[tuple[str, int, str, bool, float]]:
        """What people were told so far, and how long each waited, in seconds."""
        lines = (self._folder / "told").read_bytes().split(b"\n")[:-1]
        return [tuple(json.loads(line)) for line in lines]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll a condition with a bound."""
        end = time.monotonic() + BOUND
        while not condition():
            assert time.monotonic() < end, f"{what}; the log ends {self.log()[-1500:]}"
            time.sleep(0.1)

    def answered(self, *, more: int, status: int = 200) -> None:
        """Wait until so many more are answered, reading and drawing both."""

        def numbers() -> tuple[int, int]:
            told = [what for what, found, *_ in self.told() if found == status]
            reads = sum(what == "catalogue" for what in told)
            return reads, len(told) - reads

        before = numbers()
        self.until(
            lambda: all(now >= then + more for now, then in zip(numbers(), before, strict=True)),
            f"too few are answered {status}",
        )

    def health(self, path: str) -> tuple[int, str]:
        """What administrators get, at once."""
        return self.get(self._operation, path)

    def get(self, url: str, path: str) -> tuple[int, str]:
        """What anybody gets of a server."""
        asked = "import json, sys; sys.path[:0] = sys.argv[1:2]; from asking import ask;"
        asked += (
            " print(json.dumps([(f := ask(*sys.argv[2:4], sys.argv[4], None))[0], f[2].decode()]))"
        )
        done = subprocess.run(
            self.people.wrap([sys.executable, "-c", asked, str(ASKING.parent), url, "GET", path]),
            capture_output=True,
            check=True,
        )
        status, body = json.loads(done.stdout)
        assert status > 0, f"{path} was not answered"
        return int(status), str(body)

    def log(self) -> str:
        return self.programs.log("publisher")

    def nft(self, *lines: str) -> None:
        """Filter what the publisher sends to its database and hears of it."""
        subprocess.run(
            self.publisher.wrap(["nft", "-f", "-"]), input="\n".join(lines).encode(), check=True
        )

    def swallow(self, what: str) -> None:
        """Drop packets without a word."""
        out, into = what.format(way="daddr", port="sport"), what.format(way="saddr", port="dport")
        self.nft(
            "table inet silent {",
            f"chain out {{ type filter hook output priority 0; {out} drop; }}",
            f"chain into {{ type filter hook input priority 0; {into} drop; }}",
            "}",
        )

    def ports(self) -> str:
        """The publisher's own ports of the connections to its database."""
        listed = subprocess.run(
            self.publisher.wrap(["ss", "-Htn", "dst", self.database.address]),
            capture_output=True,
            check=True,
        ).stdout.decode()
        found = re.findall(r"10\.77\.0\.\d+:(\d+)\s+10\.77\.0\.", listed)
        assert found
        return ", ".join(found)

    def backends(self) -> int:
        """Processes of the database that serve the publisher, as the database's machine sees it."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'muster'"
        return int(self.server.sql("postgres", query))

    def end_asking(self) -> None:
        self._stop.touch()
        assert self._asking.wait(60) == 0
