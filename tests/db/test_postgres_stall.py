"""PostgreSQL that keeps silent, moves, or is locked by somebody: every wait ends (ADR 0020)."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from muster.core.errors import MusterError
from muster.db.engine import Database
from muster.db.open import open_database
from muster.testing.postgres import PostgresServer

TABLE = "CREATE TABLE t (id BIGINT)"


@contextlib.contextmanager
def served(server: PostgresServer) -> Iterator[Database]:
    """A database with a table, as a server opens it."""
    with open_database(server.database(), busy_seconds=2) as database:
        with database.transaction() as tx:
            tx.execute(TABLE)
        database.bound_waits(1)
        yield database


def add(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("INSERT INTO t (id) VALUES (1)")


def code_of(act: Callable[[], object]) -> str:
    """The error that an act ends with; it ends."""
    found: list[str] = []

    def run() -> None:
        try:
            act()
        except MusterError as fault:
            found.append(fault.code)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it waits without a bound"
    return found[0] if found else ""


def works_again(database: Database) -> bool:
    for _ in range(200):
        with contextlib.suppress(MusterError):
            add(database)
            return True
        threading.Event().wait(0.1)
    return False


def backends(server: PostgresServer, database: Database) -> list[int]:
    name = database.name.rpartition("/")[2]
    asked = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}'"
    return [int(line) for line in server.sql("postgres", asked).split()]


@pytest.mark.parametrize("moment", ["idle", "in a transaction"])
def test_a_backend_that_stands_still_is_given_up(
    postgres_server: PostgresServer, moment: str
) -> None:
    with served(postgres_server) as database:
        frozen: list[int] = []

        def freeze() -> None:
            for pid in backends(postgres_server, database):
                frozen.append(pid)
                os.kill(pid, signal.SIGSTOP)

        def stopped_inside() -> None:
            with database.transaction() as tx:
                freeze()
                tx.execute("INSERT INTO t (id) VALUES (2)")

        try:
            if moment == "idle":
                # Found when it is looked at before it is used, and replaced.
                freeze()
                assert works_again(database)
            else:
                assert code_of(stopped_inside) == "db/unavailable"
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        assert works_again(database)
        assert database.query("SELECT id FROM t WHERE id = 2") == []


def test_a_server_that_lets_nobody_in_is_given_up_and_found_again() -> None:
    with PostgresServer() as server, served(server) as database:
        pids = [server.pid, *backends(server, database)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert code_of(lambda: add(database)) == "db/unavailable"
            # While one tries, the others are told at once.
            assert {code_of(lambda: add(database)) for _ in range(3)} == {"db/unavailable"}
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
        assert works_again(database)


def test_a_slow_statement_is_ended_by_the_server(postgres_server: PostgresServer) -> None:
    with served(postgres_server) as database:
        before = backends(postgres_server, database)
        assert code_of(lambda: database.query("SELECT pg_sleep(1000)")) == "db/unavailable"
        assert works_again(database)
        assert set(before) & set(backends(postgres_server, database)), "the connection was kept"


def test_another_server_at_the_same_address_is_no_defect(postgres_server: PostgresServer) -> None:
    with served(postgres_server) as database:
        name = database.name.rpartition("/")[2]
        # What a standby says that is not the primary yet.
        read_only = f"ALTER DATABASE {name} SET default_transaction_read_only = on"
        postgres_server.sql("postgres", read_only)
        for pid in backends(postgres_server, database):
            postgres_server.sql("postgres", f"SELECT pg_terminate_backend({pid})")
        assert code_of(lambda: add(database)) == "db/unavailable"
        assert code_of(lambda: add(database)) == "db/unavailable"
        write = f"ALTER DATABASE {name} SET default_transaction_read_only = off"
        postgres_server.sql("postgres", write)
        for pid in backends(postgres_server, database):
            postgres_server.sql("postgres", f"SELECT pg_terminate_backend({pid})")
        assert works_again(database)


def test_nobody_without_rights_holds_us_and_who_does_is_named(
    postgres_server: PostgresServer,
) -> None:
    with served(postgres_server) as database:
        name = database.name.rpartition("/")[2]
        postgres_server.sql("postgres", f"CREATE ROLE stranger_{name} LOGIN")
        stranger = database.name.replace("//muster@", f"//stranger_{name}@")
        with psycopg.connect(stranger, autocommit=False) as other:
            # The lock that whoever may connect can take.
            other.execute("SELECT pg_advisory_lock(%s)", (0x6D757374,))
            add(database)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute("LOCK TABLE muster_writer IN ACCESS SHARE MODE")
        with psycopg.connect(database.name, application_name="a guest") as other:
            other.execute("LOCK TABLE muster_writer IN EXCLUSIVE MODE")
            with pytest.raises(MusterError) as caught:
                add(database)
            assert caught.value.code == "db/busy"
            pid = other.info.backend_pid
            assert f"locked by muster (a guest, process {pid})" in caught.value.what
        add(database)


def test_a_stop_does_not_wait_for_a_silent_server() -> None:
    with PostgresServer() as server:
        database = open_database(server.database())
        with database.transaction() as tx:
            tx.execute(TABLE)
        pids = [server.pid, *backends(server, database)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            assert code_of(lambda: add(database)) == "db/unavailable"
            assert code_of(database.close) == ""
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
        # It goes on before it is stopped [a stop in the midst of that is lost now and then].
        assert server.sql("postgres", "SELECT 1") == "1\n"
