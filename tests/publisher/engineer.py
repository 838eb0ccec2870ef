"""An engineer in a test: the acts and questions of a publisher by name, and what its tables hold.

What a document or a table says is read from the documents and tables themselves, not from what is
told of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from muster.core.audit import Who
from muster.core.clock import BootClock, Dice
from muster.core.keys import Kind, ProductKey, parse_product_key
from muster.core.products import Product
from muster.lease.catalogue import Catalogue
from muster.lease.trust import Trust, parse_trust
from muster.publisher import look, reading, tables
from muster.publisher.act import catalogue as catalogue_acts
from muster.publisher.act import hosts as host_acts
from muster.publisher.act import keys as key_acts
from muster.publisher.act import pools as pool_acts
from muster.publisher.act import trust as trust_acts
from muster.publisher.chain import Head
from muster.publisher.model import (
    AuditRow,
    HostGrant,
    IssuedKey,
    KeyOrder,
    MachineGrant,
    Seat,
)
from muster.publisher.office import Office
from muster.publisher.results import KeysIssued
from muster.publisher.store import open_store
from muster.publisher.vault import Vault
from muster.wire.exchange import PublisherFile


@dataclass(frozen=True)
class NewKey:
    """A key that was issued: its row, and the key that is shown once."""

    issued: IssuedKey
    key: ProductKey


@dataclass(frozen=True)
class DrawnHost:
    """A draw with its seat and key."""

    grant: HostGrant
    seat: Seat
    key: IssuedKey


class Engineer(Office):
    """One publisher, open."""

    def __enter__(self) -> Engineer:
        return self

    publish = catalogue_acts.publish
    revoke_product = catalogue_acts.revoke_product
    revoke_key = key_acts.revoke_key
    limit_key = key_acts.limit_key
    correct_pool = pool_acts.correct_pool
    extend_pool = pool_acts.extend_pool
    revoke_activation = pool_acts.revoke_activation
    revoke_host = host_acts.revoke_host
    release_host = host_acts.release_host
    issue_terms = host_acts.issue_terms
    rotate = trust_acts.rotate
    recover = trust_acts.recover
    difference = look.difference
    check_audit = look.check_audit

    def issue_host_keys(
        self, group: str, count: int = 1, term: int = 0, customer: str = ""
    ) -> list[NewKey]:
        order = KeyOrder(Kind.HOST, group, count, term, customer)
        return self._new(key_acts.issue_keys(self, order))

    def issue_pool_keys(
        self,
        kind: Kind,
        group: str,
        pool: int | None,
        count: int = 1,
        term: int = 0,
        alerts: Sequence[int] | None = None,
    ) -> list[NewKey]:
        levels = None if alerts is None else tuple(alerts)
        order = KeyOrder(kind, group, count, term, pool=pool, alerts=levels)
        return self._new(key_acts.issue_keys(self, order))

    def _new(self, done: KeysIssued) -> list[NewKey]:
        keys = [parse_product_key(one.key or "") for one in done.keys]
        return [NewKey(self.find_key(key.text), key) for key in keys]

    def trusts(self) -> tuple[Trust, ...]:
        with self.view() as reader:
            texts = tables.documents.trust_above(reader, 0, 1_000_000)
        return tuple(parse_trust(one.text) for one in texts)

    def trust(self) -> Trust:
        return self.trusts()[-1]

    def catalogue(self) -> Catalogue:
        with self.view() as reader:
            return reading.newest_documents(reader)[1]

    def product(self, name: str) -> Product:
        return look.product(self, name).product

    def descriptor(self, product: str, trust_version: int | None = None) -> bytes:
        return look.descriptor(self, product, trust_version).data

    def export(self, url: str | None) -> PublisherFile:
        return look.export(self, url).file

    def export_audit(self, write: Callable[[bytes], object]) -> Head:
        return look.export_audit(self, write)

    def keys(self, kind: Kind | None = None) -> tuple[IssuedKey, ...]:
        with self.view() as reader:
            return tables.keys.keys(reader, kind)

    def find_key(self, text: str) -> IssuedKey:
        with self.view() as reader:
            return reading.find_key(reader, self.publisher.id, text)

    def hosts(self, key: str | None = None) -> tuple[DrawnHost, ...]:
        with self.view() as reader:
            keys = {one.key_id.text: one for one in tables.keys.keys(reader, Kind.HOST)}
            seats = {(one.key, one.hw): one for one in tables.grants.seats(reader, key)}
            return tuple(
                DrawnHost(one, seats[one.key, one.hw], keys[one.key])
                for one in tables.grants.grants(reader, key=key)
            )

    def machines(self, key: str | None = None) -> tuple[MachineGrant, ...]:
        with self.view() as reader:
            return tables.pools.machines(reader, key=key)

    def audit(self, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
        with self.view() as reader:
            return tables.audit.rows(reader, after, limit)


def open_engineer(
    folder: Path, vault: Vault, clock: BootClock, dice: Dice, actor: Who, url: str = ""
) -> Engineer:
    return Engineer(folder, open_store(folder, clock.now(), url=url), vault, clock, dice, actor)
