"""Draws on PostgreSQL: a thousand by eight programs on two servers, the model, a server lost.

What must hold stands in `test_pools_thousand.py` and `test_pools_model.py`; here it holds for
several publisher processes on one PostgreSQL server, and while that goes away and comes back.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from muster.core.errors import MusterError
from muster.db.engine import Database
from muster.db.open import open_database
from muster.system.entropy import SeededDice
from muster.testing.postgres import PostgresServer

from .conftest import Shop
from .test_pools_model import play, stock
from .test_pools_thousand import Draws, ask, environment_of, overlapping, two_servers

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("postgres-draws")]


@dataclass
class Cluster:
    """A server, and a database on it that holds Contoso with a key of each sort."""

    server: PostgresServer
    stocked: Path
    template: str

    def copy(self, folder: Path) -> Shop:
        """The publisher below a root of stores, on a database of its own."""
        name = f"copy{next(_NUMBERS)}"
        self.server.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {self.template}")
        root = folder / "stores"
        root.mkdir(mode=0o700)
        shutil.copytree(self.stocked / "publisher", root / "publisher")
        url = f"postgresql://muster@127.0.0.1:{self.server.port}/{name}"
        dice = SeededDice(f"contoso, {name}")
        return Shop(root / "publisher", self.stocked / "reserve.key", url=url, dice=dice)


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    folder = tmp_path_factory.mktemp("stocked-postgres")
    shop = Shop(folder / "publisher", folder / "reserve.key", url=postgres_server.database())
    shop.init()
    stock(shop)
    return Cluster(postgres_server, folder, shop.url.rpartition("/")[2])


@pytest.fixture
def draws(tmp_path: Path, cluster: Cluster) -> Iterator[Draws]:
    """Contoso on PostgreSQL, where programs find it."""
    shop = cluster.copy(tmp_path)
    found = Draws(
        shop, tmp_path, {**environment_of(tmp_path), "MUSTER_PUBLISHER_DATABASE": shop.url}
    )
    yield found
    found.close()
    for one in shop.opened:
        one.close()


@pytest.mark.timeout(600)
def test_a_thousand_draws_on_two_servers_one_killed(draws: Draws) -> None:
    two_servers(draws, pool=1000, count=1200)


@pytest.mark.torture
@pytest.mark.timeout(3000)
def test_ten_thousand_draws_on_two_servers_one_killed(draws: Draws) -> None:
    two_servers(draws, pool=10_000, count=11_000)


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_a_server_killed_within_batches_leaves_whole_draws_only(draws: Draws) -> None:
    pool, count = 2000, 2200
    key = draws.key(pool)
    machines = draws.machines(key, count, real=1)
    first = draws.serve()
    draws.serve_beside()
    draws.begin(
        [machines, machines[::-1], machines[900:1000]], lambda number: [2200, 700, 1][number]
    )
    draws.until(key, 1)
    first.kill()
    draws.check(key, pool, machines, draws.results())


# The model.


def on_postgres(cluster: Cluster) -> Callable[[], contextlib.AbstractContextManager[Shop]]:
    @contextlib.contextmanager
    def make() -> Iterator[Shop]:
        with TemporaryDirectory() as name:
            shop = cluster.copy(Path(name))
            try:
                yield shop
            finally:
                for one in shop.opened:
                    one.close()
                database = shop.url.rpartition("/")[2]
                cluster.server.sql("postgres", f"DROP DATABASE {database} WITH (FORCE)")

    return make


def test_the_model_holds_on_postgres(cluster: Cluster) -> None:
    play(on_postgres(cluster), 4)


@pytest.mark.torture
@pytest.mark.timeout(3000)
def test_the_model_holds_on_postgres_for_long(cluster: Cluster) -> None:
    play(on_postgres(cluster), 100)


# PostgreSQL goes away and comes back.


@pytest.mark.torture
@pytest.mark.timeout(300)
def test_after_a_long_time_away_it_is_found_again_at_once(draws: Draws, cluster: Cluster) -> None:
    """However long it was away, nobody waits for the next try of a server that has given up."""
    key = draws.key(10)
    one, two = draws.machines(key, 2, real=0)
    port = draws.serve().port
    assert ask(port, one)[0] == 200
    cluster.server.stop()
    try:
        for _ in range(8):  # each waits for the pool as long as it may
            assert ask(port, two)[0] == 503
    finally:
        cluster.server.start()
    assert 200 in (ask(port, two)[0] for _ in range(2))  # the first may still have waited in vain
    assert draws.drawn(key) == 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "how", [pytest.param(signal.SIGINT, marks=pytest.mark.torture), signal.SIGQUIT]
)
def test_a_database_that_goes_away_is_told_and_comes_back(
    draws: Draws, cluster: Cluster, how: signal.Signals
) -> None:
    """503 with Retry-After while it is away; then the same process draws, and nothing is half."""
    key = draws.key(10)
    one, two = draws.machines(key, 2, real=0)
    port = draws.serve().port
    status, _, first = ask(port, one)
    assert status == 200
    cluster.server.stop(how)
    try:
        status, headers, problem = ask(port, two)
        assert (status, problem["code"]) == (503, "wire/unavailable")
        assert int(headers["retry-after"]) > 0
    finally:
        cluster.server.start()
    back = time.monotonic() + 30
    while (found := ask(port, two))[0] == 503:
        assert time.monotonic() < back
        time.sleep(0.1)
    assert found[0] == 200
    status, _, again = ask(port, one)
    assert (status, again["confirmation_id"]) == (200, first["confirmation_id"])
    assert draws.drawn(key) == len(draws.admin.machines(key.key_id.text)) == 2


@pytest.mark.timeout(300)
def test_a_database_that_crashes_under_clients_leaves_no_half_draw(
    draws: Draws, cluster: Cluster
) -> None:
    """Clients in batches and alone go on asking; each gets its answer in the end."""
    pool, count = 600, 660
    key = draws.key(pool)
    machines = draws.machines(key, count, real=1)
    draws.serve()
    draws.serve_beside()
    lists = overlapping(machines, 1, seed=3)
    draws.begin(lists, lambda number: 40 if number < 2 else 1)
    draws.until(key, pool // 4)
    cluster.server.stop(signal.SIGQUIT)
    cluster.server.start()
    draws.check(key, pool, machines, draws.results())


@pytest.mark.timeout(120)
def test_a_transaction_that_stands_still_is_ended_and_undone(postgres_url: str) -> None:
    """The server ends it, so that a program that hangs holds nobody up; the program is told."""
    with open_database(postgres_url) as database:
        with database.transaction() as tx:
            tx.execute("CREATE TABLE note (one BIGINT)")
        with pytest.raises(MusterError) as caught:
            stand_still(database)
        assert caught.value.code == "db/unavailable"
        assert [tuple(one) for one in database.query("SELECT count(*) FROM note")] == [(0,)]


def stand_still(database: Database) -> None:
    """Write, and say nothing until the server has ended the transaction."""
    idle = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    with database.transaction() as tx:
        tx.execute("INSERT INTO note VALUES (1)")
        tx.execute("SET LOCAL idle_in_transaction_session_timeout = '20ms'")
        limit = time.monotonic() + 30
        while (found := database.one(idle)) is not None and found[0]:
            assert time.monotonic() < limit
        tx.query("SELECT 1")
