"""Somebody pages through a long list and goes to lunch: the pipe is full, and the command stands
still. The host serves on meanwhile, and its log is brought into the database."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.host.conftest import Machine
from tests.host.processes import HostProcess, exchange, http_request, prepare

from muster.cli import compose

ROWS = 3_000
"""More than a pipe of 64 KiB holds of any list."""


@contextmanager
def standing_still(*words: str) -> Iterator[None]:
    """A command of which the first byte was read and the rest is not."""
    command = [sys.executable, "-m", "muster", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(1)
            yield
            assert process.poll() is None, "the pipe held all of it"
        finally:
            process.kill()


def brought_in(path: Path) -> bool:
    """Whether the whole log of a database can be brought into it, and cut."""
    with contextlib.closing(sqlite3.connect(path)) as tool:
        busy, _, _ = tool.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def test_lists_of_a_host(tmp_path: Path) -> None:
    publisher = prepare(tmp_path)
    with compose.open_host(tmp_path) as opened, opened.database.transaction() as tx:
        ids = [f"{number:08}-0000-4000-8000-000000000000" for number in range(ROWS)]
        name = publisher.publisher
        tx.execute_many(
            "INSERT INTO machine (publisher, cmid, identity, fingerprint, address, os, version,"
            " state, first_seen, last_seen, name)"
            " VALUES (?, ?, 'machine', '', '192.0.2.1', '', '', 1, 1, 1, '')",
            [(name, cmid) for cmid in ids],
        )
        tx.execute_many(
            "INSERT INTO request_log (at, publisher, product, cmid, address, code, field_code,"
            " need, shown_count, client_time, state, minutes, os, version)"
            " VALUES (1, ?, 'p', ?, '', '', '', 25, 25, 1, 1, 1, '', '')",
            [(name, cmid) for cmid in ids],
        )
    path = tmp_path / "host" / "host.db"

    async def ask(port: int, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await exchange(reader, writer, http_request(publisher, Machine(number)))
        writer.close()

    with HostProcess(tmp_path) as host:
        for number, words in enumerate(
            (
                ("clients",),
                ("clients", "--csv"),
                ("clients", "--json"),
                ("log",),
                ("log", "--csv"),
            )
        ):
            with standing_still("host", *words, "--limit", "1000000", "--store", str(tmp_path)):
                asyncio.run(ask(host.port, number))
                assert brought_in(path), words
