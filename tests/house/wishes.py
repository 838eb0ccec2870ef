"""Counts what each wish and each question of a wing with a database takes, while commands play.

Every public function of `act` and `look` is wrapped where it is looked up; what one of them calls
of the others is a part of it. A client has no database: its acts load and save one store under a
lock, and are not counted here. Used by tests/cli/test_shapes_plays.py, which plays every command.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import pkgutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import muster.host.act
import muster.host.look
import muster.host.tables.audit
import muster.manager.act
import muster.manager.look
import muster.manager.tables.audit
import muster.publisher.act
import muster.publisher.look
import muster.publisher.tables.audit
from muster.db.postgres import PostgresDatabase
from muster.db.sqlite import SQLiteDatabase

WINGS = (muster.host, muster.manager, muster.publisher)

MORE_ROWS = {
    "host.act.enrol.pin": "a transaction and a row for each publisher",
    "host.act.news.fetch_terms": "each publisher's news and each key's grant is stored by itself",
    "host.act.activate.apply_reply": "a row for each document that was newer",
    "host.act.activate.activate": "each key's grant is stored by itself, as its service answers",
    "publisher.act.setup.init_publisher": "migrations; a row for each product and key",
    "publisher.act.trust.recover": "a new reserve root is a second version of trust",
    "publisher.act.keys.issue_keys": "a row for each key",
    "publisher.act.catalogue.publish": "a row for each product that is changed, and each setup key",
    "publisher.act.clock.repair": "a row for each grant that is dated again",
}
"""Wishes over many things, which have a row each, and why (docstring of `muster.publisher.act`)."""
MORE_STATES = {
    "host.look.clients": "more than a page: no state lasts as long as a fleet takes to be read",
    "host.look.requests": "more than a page: a row of the log never changes",
    "publisher.look.export_audit": "a row never changes, and who reads the export may stand still",
}
"""Questions that may read several states, and why."""
PARTS = frozenset(
    {
        "host.act.backup.open_keys",
        "host.act.grants.accept",
        "host.act.grants.confirm",
        "host.act.grants.wait",
        "host.act.grants.wait_on",
        "host.act.updates.add_publisher",
        "host.act.updates.fetch",
        "host.act.updates.follow_trust",
        "host.act.updates.keep_catalogue",
        "host.act.updates.known_publisher",
        "host.act.updates.update",
        "publisher.act.catalogue.audit_change",
        "publisher.act.catalogue.in_need_of_setup",
        "publisher.act.keys.register",
        "publisher.act.signing.issuer_of",
        "publisher.act.signing.kids",
        "publisher.act.signing.read_ground",
        "publisher.act.signing.sign_catalogue",
        "publisher.act.signing.sign_next",
        "publisher.act.signing.signed_by",
    }
)
"""What several wishes of a wing have in common; none is a wish by itself."""
ELSEWHERE = frozenset(
    {
        "host.act.activate.activate",  # tests/cli/host/test_activate.py: over HTTP
        "host.act.activate.confirm",  # by telephone
        "host.act.backup.adopt",  # tests/host/act/test_backup.py: --in-place
        "host.act.backup.restore",  # into an empty store
        "host.act.news.follow",  # tests/worlds/test_news.py: a running host
        "host.look.applications",  # metrics of a running host
        "host.look.surroundings",  # muster doctor
        "publisher.act.backup.adopt",  # tests/publisher/act/test_backup.py: --in-place
        "publisher.look.surroundings",  # muster doctor
        "publisher.look.check_installation_id",  # typed at the desk
    }
)
"""Wishes and questions of other ways than the commands that are played here."""


@dataclass
class Count:
    """What one call took; `result` what it returned."""

    name: str
    transactions: int = 0
    snapshots: int = 0
    rows: int = 0
    result: object = field(default=None, repr=False)

    @property
    def faults(self) -> list[str]:
        """What of the two laws of the house it breaks."""
        if self.name in PARTS:
            return []
        if ".look" in self.name:
            laws: dict[str, object] = {
                "writes": self.transactions or self.rows,
                "reads several states": self.snapshots > 1 and self.name not in MORE_STATES,
                "returns no record": not dataclasses.is_dataclass(self.result),
            }
        else:
            changed = getattr(self.result, "changed", None)
            laws = {
                "does not say changed": not isinstance(changed, bool),
                "says changed and wrote no row": changed and not self.rows,
                "says nothing changed and wrote a row": not changed and self.rows,
                "takes several transactions": self.transactions > 1 and self.name not in MORE_ROWS,
                "writes several rows": self.rows > 1 and self.name not in MORE_ROWS,
            }
        return [f"{self.name} {law}: {self}" for law, broken in laws.items() if broken]


def functions() -> dict[str, Callable[..., Any]]:
    """Every public function of `act` and `look`, by its name below `muster`."""
    names = [f"{wing.__name__}.look" for wing in WINGS]
    for wing in WINGS:
        folder = importlib.import_module(f"{wing.__name__}.act")
        names += [f"{folder.__name__}.{row.name}" for row in pkgutil.iter_modules(folder.__path__)]
    found = {}
    for name in names:
        module = importlib.import_module(name)
        for function, value in vars(module).items():
            own = inspect.isfunction(value) and value.__module__ == name
            if own and not function.startswith("_"):
                found[f"{name.removeprefix('muster.')}.{function}"] = value
    return found


@contextlib.contextmanager
def counted() -> Iterator[list[Count]]:
    """What every wish and question took that ended inside the block and raised nothing.

    What other threads do meanwhile counts for nobody.
    """
    counts: list[Count] = []
    running = threading.local()

    def add(what: str, number: int = 1) -> None:
        count = getattr(running, "count", None)
        if count is not None:
            setattr(count, what, getattr(count, what) + number)

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **more: Any) -> Any:
            if getattr(running, "count", None) is not None:
                return function(*args, **more)
            running.count = count = Count(name)
            try:
                count.result = function(*args, **more)
            finally:
                running.count = None
            counts.append(count)
            return count.result

        return call

    def adding(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **more: Any) -> Any:
            add(what)
            return function(*args, **more)

        return call

    def written(tx: Any, now: int, actor: Any, entries: Any) -> Any:
        rows = list(entries)
        add("rows", len(rows))
        return write_many(tx, now, actor, rows)

    write_many = muster.publisher.tables.audit.write_many
    logs = (muster.host.tables.audit, muster.manager.tables.audit)
    instead = {id(value): wrapped(name, value) for name, value in functions().items()}
    modules = [value for name, value in sys.modules.items() if name.startswith("muster.")]
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            for name, value in list(vars(module).items()):
                if id(value) in instead:
                    patch.setattr(module, name, instead[id(value)])
        for database in (SQLiteDatabase, PostgresDatabase):
            for state in ("snapshot", "transaction"):
                patch.setattr(database, state, adding(f"{state}s", getattr(database, state)))
        patch.setattr(muster.publisher.tables.audit, "write_many", written)
        for log in logs:
            patch.setattr(log, "write", adding("rows", log.write))
        yield counts


def breaches(counts: list[Count]) -> list[str]:
    """What the calls break of the two laws, once for each function and law."""
    return list({fault.split(":")[0]: fault for count in counts for fault in count.faults}.values())


def unplayed(wing: str, counts: list[Count]) -> list[str]:
    """Wishes and questions of a wing that no command asked for, but those that are named above."""
    played = {count.name for count in counts} | PARTS | ELSEWHERE
    return [name for name in functions() if name.startswith(f"{wing}.") and name not in played]
