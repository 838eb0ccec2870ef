"""A host is killed, and its backup is put back in each wrong way: refused, or merged rightly, and
nothing that was answered is forgotten without a word. Real processes, real connections."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.host.conftest import Machine
from tests.host.processes import HostProcess, exchange, http_request, prepare

from muster.cli import compose
from muster.cli.main import muster
from muster.host import look
from muster.host.tables import ledger
from muster.lease import strict
from muster.testing.tiny_publisher import TinyPublisher

BEFORE, AFTER = range(1, 6), range(6, 9)
"""Machines that asked before the backup, and after it."""


async def activate(port: int, publisher: TinyPublisher, machine: Machine) -> str:
    """Ask once, meeting a challenge; "" or the code of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        status, body = await exchange(reader, writer, http_request(publisher, machine))
        if status == 428:
            challenge = json.loads(body)["params"]["challenge"]
            again = http_request(publisher, machine, challenge)
            status, body = await exchange(reader, writer, again)
    finally:
        writer.close()
    return "" if status == 200 else str(json.loads(body)["code"])


class Site:
    """A host in a store, what its administrator types, and the machines that ask it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "host"
        self.publisher: TinyPublisher = prepare(root)
        self.turns: dict[int, int] = {}

    @property
    def database(self) -> Path:
        return self.folder / "host.db"

    def types(self, *words: str, code: int = 0) -> dict[str, Any]:
        line = ("host", *words, "--store", str(self.root), "--json")
        done = CliRunner().invoke(muster, line, catch_exceptions=False)
        assert done.exit_code == code, done.output
        value = json.loads(done.stdout)
        assert isinstance(value, dict)
        return value

    def refused(self, *words: str, code: int = 3) -> str:
        """The code for which a command is refused; what is in the store stays as it was."""
        before = self.files()
        told = self.types(*words, code=code)["error"]
        assert self.files() == before
        assert told["fix"]
        return str(told["code"])

    def files(self) -> dict[str, bytes]:
        names = ("host.db", "host.db-wal", "host.db-mark")
        paths = [self.folder / name for name in names]
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def ask(self, machines: Iterator[int] | range, *, kill: bool = True) -> list[str]:
        """Each asks once more of the running host, which is killed or stopped then; the answers:
        "" or the code."""
        answers: list[str] = []
        with HostProcess(self.root) as host:
            for number in machines:
                turn = self.turns.get(number, -1) + 1
                self.turns[number] = turn
                machine = replace(Machine(number), turn=turn)
                answers.append(asyncio.run(activate(host.port, self.publisher, machine)))
            if kill:
                host.kill()
            else:
                assert host.terminate() == 0
        return answers

    def counted(self) -> int:
        with compose.open_host(self.root) as opened:
            return sum(row.count for row in look.applications(opened))

    def clones(self) -> int:
        with compose.open_host(self.root) as opened, opened.database.snapshot() as reader:
            return sum(row.duplicates for row in ledger.machines(reader, 100))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host that was killed: five machines before the backup, three after it; the backup as a file
    and, as people do it, as a copy of `host.db`."""
    site = Site(tmp_path / "store")
    site.ask(BEFORE, kill=False)
    shutil.copy(site.database, tmp_path / "host.db")
    site.types("backup", str(tmp_path / "backup"))
    site.ask(AFTER)
    assert (site.folder / "host.db-wal").stat().st_size
    return site


def all_ask_again(site: Site, counted: int) -> None:
    """Every machine asks once more: none is taken for a clone, and all are counted then."""
    answers = site.ask(range(1, 9))
    assert set(answers) <= {"", "host/insufficient-count"}, answers
    assert site.clones() == 0
    assert site.counted() == counted


def test_beside_the_log_of_the_killed_host(site: Site, tmp_path: Path) -> None:
    """The log was begun anew since the copy: mixed, they would be a damaged database."""
    for _ in range(3):
        site.types("status")  # brings the log into the file, as each last program does
        site.ask(AFTER)
    shutil.copy(tmp_path / "host.db", site.database)
    for words in (("status",), ("serve", "--port", "0"), ("backup", str(tmp_path / "new"))):
        assert site.refused(*words) in {"db/log", "db/older"}
    done = site.types("restore", "--in-place")
    assert site.counted() == 5
    assert "host.db-mark" in {file.name for file in Path(done["aside"]).iterdir()}
    all_ask_again(site, 8)


def test_half_copied(site: Site, tmp_path: Path) -> None:
    whole = (tmp_path / "backup").read_bytes()
    half = tmp_path / "half"
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        half.write_bytes(whole[:size])
        for option in ((), ("--replace",), ("--merge",)):
            assert site.refused("restore", str(half), *option, code=2) == "backup/damaged"
    copy = (tmp_path / "host.db").read_bytes()
    for log in site.folder.glob("host.db-*"):
        log.unlink()
    site.database.write_bytes(copy[: len(copy) // 2])
    assert site.refused("serve", "--port", "0") == "db/corrupt"
    done = site.types("restore", str(tmp_path / "backup"), "--replace")
    assert (Path(done["aside"]) / "host.db").stat().st_size == len(copy) // 2
    assert (site.counted(), done["missing_keys"]) == (5, [])
    all_ask_again(site, 8)


def test_older(site: Site, tmp_path: Path) -> None:
    """A backup from before: merged it lowers nothing; an older copy of the file is refused."""
    assert site.counted() == 8
    assert site.refused("restore", str(tmp_path / "backup"), code=1) == "backup/not-empty"
    done = site.types("restore", str(tmp_path / "backup"), "--merge")
    assert (done["merged"], done["skipped"], site.counted()) == (True, 0, 8)
    for log in site.folder.glob("host.db-[ws]*"):
        log.unlink()
    shutil.copy(tmp_path / "host.db", site.database)
    assert site.refused("status") == "db/older"
    done = site.types("restore", str(tmp_path / "backup"), "--replace")
    assert site.counted() == 5
    all_ask_again(site, 8)
    events = [row["event"] for row in site.types("log", "--audit")["audit"]]
    assert "host:store:restore" in events


def test_of_another_host(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other")
    other.ask(BEFORE, kill=False)
    other.types("backup", str(tmp_path / "others"))
    assert site.counted() == 8
    assert site.refused("restore", str(tmp_path / "others"), "--merge", code=1) == (
        "backup/other-host"
    )
    shutil.copy(other.database, site.database)
    assert site.refused("status") in {"db/log", "db/other"}
    for log in site.folder.glob("host.db-[ws]*"):
        log.unlink()
    assert site.refused("serve", "--port", "0") == "db/other"
    done = site.types("restore", str(tmp_path / "others"), "--replace")
    assert done["missing_keys"] == [site.publisher.publisher], "its grants are of another key"


def test_from_a_newer_version(site: Site, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (tmp_path / "backup").read_bytes().splitlines()[:-1]]
    changes: list[Callable[[], object]] = [
        lambda: lines[0].update(v=2),
        lambda: lines[0].update(v=1, schema=lines[0]["schema"] + 1),
    ]
    for change in changes:
        change()
        body = b"".join(strict.canonical(line) + b"\n" for line in lines)
        foot: strict.JSONObject = {
            "rows": len(lines) - 1,
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        newer = tmp_path / "newer"
        newer.write_bytes(body + strict.canonical(foot) + b"\n")
        for option in ((), ("--merge",), ("--replace",)):
            assert site.refused("restore", str(newer), *option, code=2) == "backup/newer"
    assert site.counted() == 8


def test_without_keys(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup without keys says which grants are useless; one with keys brings them back."""
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    sealed = str(tmp_path / "sealed")
    assert site.types("backup", sealed, "--with-keys")["keys"] == [site.publisher.publisher]
    key = next((site.folder / "keys").iterdir())
    raw = key.read_text().split()[1]
    assert raw not in Path(sealed).read_text()
    shutil.rmtree(site.folder)
    done = site.types("restore", str(tmp_path / "backup"))
    assert done["missing_keys"] == [site.publisher.publisher]
    assert site.ask(range(1, 2)) == ["wire/unavailable"]
    monkeypatch.setenv("MUSTER_PASSPHRASE", "wrong")
    words = ("restore", sealed, "--merge", "--with-keys")
    assert site.refused(*words, code=1) == "keyfile/passphrase"
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    done = site.types(*words)
    assert (done["keys"], done["missing_keys"]) == ([site.publisher.publisher], [])
    assert key.stat().st_mode & 0o777 == 0o600
    all_ask_again(site, 8)


def test_while_the_host_serves(site: Site, tmp_path: Path) -> None:
    with HostProcess(site.root) as host:
        for words in (("--in-place",), (str(tmp_path / "backup"), "--merge")):
            told = site.types("restore", *words, code=1)
            assert told["error"]["code"] == "backup/in-use"
        told = site.types("restore", str(tmp_path / "backup"), "--replace", code=1)
        assert told["error"]["code"] == "backup/in-use"
        assert asyncio.run(activate(host.port, site.publisher, Machine(9))) != "host/request-old"
        assert host.terminate() == 0
