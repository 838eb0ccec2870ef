"""A pool of 1,000 under 8 client processes, with a server killed on the way: exactly 1,000 draws.

The clients are programs that speak HTTP to programs `muster publisher serve`; there are more
machines than the pool has room for, and several clients ask for the same machine at the same
moment. Afterwards the tables are counted, and each machine asks again. Obeys
docs/spec/11-pools.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.publisher.engineer import Engineer

from muster.cli import compose
from muster.core.audit import Event
from muster.core.identity import Fact, facts_salt, salted_binding
from muster.core.ids import make_installation_id, parse_confirmation_id, proof_key
from muster.core.keys import Kind, ProductKey
from muster.core.products import day_of
from muster.lease.grant import rebuild_grant
from muster.net.http import HTTPClient
from muster.publisher.act import clock
from muster.publisher.store import DATABASE_FILE

from .conftest import PASSPHRASE, Shop

GROUP = "client-volume"
CLIENTS = 8
Outcome = tuple[str, str, str, str]
"""Installation ID, outcome, confirmation ID, grant: a line of `drawing.py`."""


@dataclass
class Server:
    """`muster publisher serve` on loopback."""

    shop: Shop
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    root: Path | None = None

    def start(self) -> Server:
        store = str(self.root or self.shop.folder.parent)
        command = [sys.executable, "-m", "muster", "publisher", "serve", "--store", store]
        self.process = subprocess.Popen(
            [*command, "--bind", "127.0.0.1", "--port", str(self.port), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            text=True,
        )
        assert self.process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, f"the server did not start: {self.process.wait(30)}"
            said += line
        self.port = urlsplit(json.loads(said)["url"]).port or 0
        return self

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """End it by its process id, if it still runs."""
        assert self.process is not None
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()


@dataclass
class Draws:
    """One pool, its machines, and the programs around it."""

    shop: Shop
    folder: Path
    environment: dict[str, str]
    servers: list[Server] = field(default_factory=list)
    clients: list[subprocess.Popen[str]] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Servers go by the clock of this machine, so the engineer says that it is right."""
        self.shop.clock.seconds = compose.clock().now()
        clock.confirm(self.admin, day_of(self.shop.clock.seconds))

    @cached_property
    def admin(self) -> Engineer:
        """The acts of the publisher's engineer, on the tables that the servers write."""
        return self.shop.admin()

    def serve(self, root: Path | None = None) -> Server:
        """Start a server, on a root of stores of its own if one is named."""
        server = Server(self.shop, environment=self.environment, root=root).start()
        self.servers.append(server)
        return server

    def serve_beside(self) -> Server:
        """A second server on the database of the first, with a store of its own."""
        root = self.folder / "second"
        shutil.copytree(self.shop.folder / "keys", root / "publisher" / "keys")
        return self.serve(root)

    def key(self, pool: int) -> ProductKey:
        return self.admin.issue_pool_keys(Kind.MAK, GROUP, pool)[0].key

    def machines(self, key: ProductKey, count: int, real: int = 12) -> list[str]:
        """Installation IDs of distinct machines. The first `real` ones bind the facts of a
        machine as a client does, at 50 ms each; the others hold any binding."""
        publisher = self.admin.publisher.id
        proof = proof_key(publisher, key.key_id, key.tag_bytes)
        salt = facts_salt(publisher, key.key_id, key.tag_bytes)
        found = []
        for number in range(count):
            fact = Fact("system-uuid", f"4c4c4544-0042-3510-8052-{number:012x}")
            bound = (
                salted_binding(publisher, key.key_id, salt, fact)
                if number < real
                else f"{number:025x}"
            )
            found.append(make_installation_id(1, key.key_id, bound, None, proof).text)
        return found

    def drawn(self, key: ProductKey) -> int:
        return self.admin.find_key(key.key_id.text).drawn

    def begin(self, lists: list[list[str]], rows: Callable[[int], int] = lambda _: 1) -> None:
        """Start a client for each list, all off at one shot."""
        start = self.folder / "start"
        script = Path(__file__).with_name("drawing.py")
        for number, requests in enumerate(lists):
            log = self.folder / f"client-{number}.log"
            self.logs.append(log)
            with log.open("w") as output:
                client = subprocess.Popen(
                    [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=output, text=True
                )
            self.clients.append(client)
            assert client.stdin is not None
            with client.stdin as pipe:
                json.dump(
                    {
                        "servers": [("127.0.0.1", one.port) for one in self.servers],
                        "requests": requests,
                        "start": str(start),
                        "first": number,
                        "rows": rows(number),
                    },
                    pipe,
                )
        limit = time.monotonic() + 60
        while not all(one.read_text().startswith("ready\n") for one in self.logs):
            assert time.monotonic() < limit
            time.sleep(0.01)
        start.touch()

    def until(self, key: ProductKey, count: int) -> None:
        """Wait until so many are drawn."""
        limit = time.monotonic() + 120
        while self.drawn(key) < count:
            assert time.monotonic() < limit
            time.sleep(0.01)

    def results(self) -> list[Outcome]:
        """Wait for the clients; what all of them got."""
        found: list[Outcome] = []
        for client, log in zip(self.clients, self.logs, strict=True):
            assert client.wait(280) == 0
            for line in log.read_text().splitlines()[1:]:
                digits, outcome, confirmation, grant = json.loads(line)
                found.append((digits, outcome, confirmation, grant))
        self.clients, self.logs = [], []
        (self.folder / "start").unlink()
        return found

    def ask_again(self, machines: list[str]) -> list[Outcome]:
        """Each machine asks once more, alone."""
        self.begin([machines])
        return self.results()

    def close(self) -> None:
        for client in self.clients:
            client.kill()
            client.wait(30)
        for server in self.servers:
            server.stop()

    # What must hold.

    def check(self, key: ProductKey, pool: int, machines: list[str], got: list[Outcome]) -> None:
        """Exactly `pool` distinct draws; one confirmation a machine, the same for ever."""
        admin = self.admin
        grants = admin.machines(key.key_id.text)
        assert self.drawn(key) == len(grants) == len({one.binding for one in grants}) == pool
        assert len({one.jti for one in grants}) == pool
        rows = [one for one in admin.audit(0, 100_000) if one.event == Event.MACHINE_ACTIVATE.value]
        assert sorted(one.subject for one in rows) == sorted(one.jti for one in grants)
        assert {one for _, one, _, _ in got} <= {"granted", "publisher/pool-used-up"}
        held = {one.confirmation: one.grant for one in grants}
        told: dict[str, tuple[str, str]] = {}
        for digits, outcome, confirmation, grant in got:
            if outcome == "granted":
                assert told.setdefault(digits, (confirmation, grant)) == (confirmation, grant)
                assert held[confirmation] == grant
        again = self.ask_again(machines)
        outcomes = Counter(outcome for _, outcome, _, _ in again)
        assert outcomes == {"granted": pool, "publisher/pool-used-up": len(machines) - pool}
        for digits, outcome, confirmation, grant in again:
            if digits in told:
                assert (outcome, confirmation, grant) == ("granted", *told[digits])
            elif outcome == "granted":
                # Drawn for a client whose server died before it could say so.
                assert held[confirmation] == grant
        assert self.drawn(key) == pool
        self._rebuilt(key, grants[:: max(1, pool // 20)])

    def _rebuilt(self, key: ProductKey, grants: object) -> None:
        """Digits alone rebuild the grants."""
        admin = self.admin
        trust, group = admin.trust(), admin.catalogue().group(GROUP)
        assert isinstance(grants, tuple)
        for one in grants:
            confirmation = parse_confirmation_id(one.confirmation)
            publisher = admin.publisher.id
            again = rebuild_grant(
                confirmation, publisher, key.key_id, one.binding, None, group, trust
            )
            assert again == one.grant


def overlapping(machines: list[str], times: int, seed: int) -> list[list[str]]:
    """Lists for the clients: each machine in `times` of them, all in nearly the same order, so that
    the same machine is asked for by several at the same moment."""
    dice = random.Random(seed)
    order = machines[:]
    dice.shuffle(order)
    lists: list[list[str]] = [[] for _ in range(CLIENTS)]
    for digits in order:
        for client in dice.sample(range(CLIENTS), times):
            lists[client].append(digits)
    return lists


@pytest.fixture
def draws(tmp_path: Path, freshly_made: Callable[[str], Path]) -> Iterator[Draws]:
    """The publisher Contoso on SQLite, where a program finds it."""
    shop = shop_at(tmp_path, freshly_made)
    found = Draws(shop, tmp_path, environment_of(tmp_path))
    yield found
    found.close()
    for one in shop.opened:
        one.close()


def shop_at(folder: Path, freshly_made: Callable[[str], Path]) -> Shop:
    """The publisher Contoso below a root of stores."""
    root = folder / "stores"
    root.mkdir(mode=0o700)
    made = freshly_made("contoso")
    shutil.copytree(made / "store", root / "publisher")
    return Shop(root / "publisher", made / "reserve.key")


def environment_of(folder: Path) -> dict[str, str]:
    """No setting of the caller leaks into a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    kept.pop("XDG_CONFIG_HOME", None)
    return {**kept, "HOME": str(folder), "MUSTER_PASSPHRASE": PASSPHRASE}


@pytest.mark.real
@pytest.mark.timeout(600)
def test_one_server_on_sqlite_killed_and_started_again(draws: Draws) -> None:
    pool, count = 1000, 1200
    key = draws.key(pool)
    machines = draws.machines(key, count)
    server = draws.serve()
    draws.begin(overlapping(machines, 2, seed=1))
    draws.until(key, pool * 2 // 5)
    server.kill()
    assert draws.drawn(key) < pool
    server.start()
    draws.check(key, pool, machines, draws.results())


@pytest.mark.real
def test_one_server_serves_a_store_and_a_second_is_told_which(draws: Draws) -> None:
    server = draws.serve()
    assert server.process is not None
    words = [sys.executable, "-m", "muster", "publisher", "serve", "--json", "--port", "0"]
    words += ["--store", str(draws.shop.folder.parent)]
    done = subprocess.run(words, env=draws.environment, capture_output=True, check=False)
    fault = json.loads(done.stdout)["error"]
    assert (done.returncode, fault["code"]) == (1, "file/served")
    assert (
        f"process {server.process.pid}, which listens at 127.0.0.1:{server.port}" in fault["what"]
    )
    server.kill()
    server.start()


def two_servers(draws: Draws, pool: int, count: int) -> None:
    """One of two servers is killed in the middle and stays away; the clients go to the other. Each
    has a store of its own with the keys; they share the database."""
    key = draws.key(pool)
    machines = draws.machines(key, count)
    draws.serve()
    second = draws.serve_beside()
    draws.begin(overlapping(machines, 2, seed=2))
    draws.until(key, pool * 2 // 5)
    second.kill()
    assert draws.drawn(key) < pool
    draws.check(key, pool, machines, draws.results())


# The database is held by somebody else.


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_database_that_is_held_is_told_and_draws_nothing(draws: Draws) -> None:
    """Another program keeps the tables locked: 503 with Retry-After, repeats are answered; when it
    lets go, the same server draws."""
    key = draws.key(10)
    one, two = draws.machines(key, 2, real=0)
    port = draws.serve().port
    assert ask(port, one)[0] == 200
    holder = sqlite3.connect(draws.shop.folder / DATABASE_FILE, isolation_level=None)
    with contextlib.closing(holder):
        holder.execute("BEGIN IMMEDIATE")
        status, headers, problem = ask(port, two)
        assert (status, problem["code"]) == (503, "wire/unavailable")
        assert int(headers["retry-after"]) > 0
        assert ask(port, one)[0] == 200
        holder.execute("ROLLBACK")
    assert draws.drawn(key) == 1
    assert ask(port, two)[0] == 200
    assert draws.drawn(key) == len(draws.admin.machines(key.key_id.text)) == 2


def ask(port: int, digits: str) -> tuple[int, Mapping[str, str], dict[str, Any]]:
    """One machine asks: status, headers, body."""
    body = json.dumps({"v": 1, "installation_id": digits}).encode()
    answer = HTTPClient(timeout=60).request(
        "POST",
        f"http://127.0.0.1:{port}/v1/activations",
        body,
        {"Content-Type": "application/json"},
    )
    return answer.status, answer.headers, json.loads(answer.body)


# Batches that are cut.


def post(digits: list[str]) -> bytes:
    """The bytes of a batch request."""
    body = json.dumps({"v": 1, "installation_ids": digits}).encode()
    head = (
        "POST /v1/activations/batch HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_batch_whose_request_is_cut_draws_nothing(draws: Draws) -> None:
    key = draws.key(100)
    machines = draws.machines(key, 100, real=1)
    port = draws.serve().port
    whole = post(machines)
    for size in (10, len(whole) // 2, len(whole) - 1):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(whole[:size])
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)  # b"" or a refusal: whatever it is, it is the end
            assert not answer.startswith(b"HTTP/1.1 200")
        assert draws.drawn(key) == 0
    draws.begin([machines], rows=lambda _: 100)
    assert {outcome for _, outcome, _, _ in draws.results()} == {"granted"}


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_batch_whose_asker_leaves_is_drawn_once_and_answered_again(draws: Draws) -> None:
    key = draws.key(900)
    machines = draws.machines(key, 1000, real=1)
    port = draws.serve().port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(post(machines))
    # Nobody waits for the answer; some pieces may be drawn, whole pieces only.
    draws.begin([machines, machines[::-1]], rows=lambda number: 300 + number)
    draws.check(key, 900, machines, draws.results())


@pytest.mark.real
@pytest.mark.timeout(300)
def test_a_server_killed_within_batches_leaves_whole_draws_only(draws: Draws) -> None:
    """Clients in batches and alone at once; kill -9 after the first piece was drawn."""
    pool, count = 3000, 3200
    key = draws.key(pool)
    machines = draws.machines(key, count, real=1)
    server = draws.serve()
    draws.begin(
        [machines, machines[::-1], machines[1600:1800]], lambda number: [3200, 2500, 1][number]
    )
    draws.until(key, 1)
    server.kill()
    cut = draws.drawn(key)
    grants = draws.admin.machines(key.key_id.text)
    assert cut == len(grants) < pool
    server.start()
    draws.check(key, pool, machines, draws.results())
