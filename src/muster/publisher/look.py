"""What there is at a publisher: every question that an engineer asks, one function each.

Each reads one state of the store and gives frozen records. Refuses to change anything
(`muster.publisher.act`) and opens no key file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from muster.core.catalogue import error
from muster.core.keys import Kind
from muster.core.products import Product
from muster.lease.catalogue import Catalogue
from muster.lease.descriptor import make_descriptor
from muster.lease.trust import Trust, parse_trust
from muster.publisher import chain, reading, rules, tables
from muster.publisher.chain import Head
from muster.publisher.model import (
    AuditRow,
    Change,
    Content,
    HostGrant,
    IssuedKey,
    MachineGrant,
    Seat,
)
from muster.publisher.office import Office
from muster.wire.exchange import PublisherFile


@dataclass(frozen=True, slots=True)
class HostRow:
    """One draw with its seat and key, for lists."""

    grant: HostGrant
    seat: Seat
    key: IssuedKey


def trust(office: Office) -> Trust:
    """The newest trust."""
    with office.store.view() as reader:
        return reading.newest_trust(reader)


def trusts(office: Office) -> tuple[Trust, ...]:
    """Every version of trust, lowest first."""
    with office.store.view() as reader:
        return tuple(
            parse_trust(one.text) for one in tables.documents.trust_above(reader, 0, 1_000_000)
        )


def catalogue(office: Office) -> Catalogue:
    """The newest catalogue."""
    with office.store.view() as reader:
        return reading.newest_documents(reader)[1]


def product(office: Office, product: str) -> Product:
    """A product of the newest catalogue. Raises: `publisher/product`."""
    return reading.product_of(catalogue(office), product)


def descriptor(office: Office, product: str, trust_version: int | None = None) -> bytes:
    """The descriptor of a product, to be built into its program.

    Args:
        product: its id in the newest catalogue.
        trust_version: the version to pin; the newest by default.
    Raises: `publisher/product`, `publisher/no-trust`.
    """
    with office.store.view() as reader:
        known = reading.newest_documents(reader)[1]
        found = reading.product_of(known, product)
        newest = tables.documents.newest_trust(reader)
        pinned = newest
        if trust_version is not None:
            chosen = tables.documents.trust_from(reader, trust_version)
            if chosen is None or chosen.version != trust_version:
                raise error("publisher/no-trust", version=trust_version, newest=newest.version)
            pinned = chosen
    return make_descriptor(pinned.text, found, known.groups)


def export(office: Office, url: str | None) -> PublisherFile:
    """The publisher file: what hosts and offline sites need to know of this publisher."""
    with office.store.view() as reader:
        line = tables.documents.trust_above(reader, 0, 4097)
        return PublisherFile(
            publisher=office.publisher.id,
            anchor=line[0].text,
            trust=tuple(one.text for one in line[1:]),
            catalogue=tables.documents.newest_catalogue(reader).text,
            url=url,
        )


def keys(office: Office, kind: Kind | None = None) -> tuple[IssuedKey, ...]:
    """Issued product keys, in the order of issue."""
    with office.store.view() as reader:
        return tables.keys.keys(reader, kind)


def find_key(office: Office, text: str) -> IssuedKey:
    """The issued key of a key id, or of a product key as typed. Raises: as `reading.find_key`."""
    with office.store.view() as reader:
        return reading.find_key(reader, office.publisher.id, text)


def hosts(office: Office, key: str | None = None) -> tuple[HostRow, ...]:
    """Every host grant that was drawn, or those of one host key."""
    with office.store.view() as reader:
        keys = {one.key_id.text: one for one in tables.keys.keys(reader, Kind.HOST)}
        seats = {(one.key, one.hw): one for one in tables.grants.seats(reader, key)}
        return tuple(
            HostRow(one, seats[one.key, one.hw], keys[one.key])
            for one in tables.grants.grants(reader, key=key)
        )


def machines(office: Office, key: str | None = None) -> tuple[MachineGrant, ...]:
    """Every activation of a machine that was drawn, or those of one key."""
    with office.store.view() as reader:
        return tables.pools.machines(reader, key=key)


def difference(office: Office, content: Content) -> tuple[Change, ...]:
    """What publishing this content would change; checked, nothing is signed.

    Raises: `publisher/catalogue-file`, `publisher/catalogue-fixed`.
    """
    rules.check_content(content)
    old = reading.content_of(catalogue(office))
    rules.check_successor(old, content)
    return rules.diff(old, content)


def audit(office: Office, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
    """Rows of the audit table above a sequence number, oldest first."""
    with office.store.view() as reader:
        return tables.audit.rows(reader, after, limit)


def check_audit(office: Office, wanted: Head | None = None) -> Head:
    """Walk the chain of the audit table; its head. Raises: as `chain.check`."""
    with office.store.view() as reader:
        return chain.check(tables.audit.all_rows(reader), wanted)


def export_audit(office: Office, write: Callable[[bytes], object]) -> Head:
    """Give every row of the audit table to `write` as a line of JSON; the head.

    The rows are checked on the way: an export that ends well is a chain that holds.
    """
    head = Head()
    with office.store.view() as reader:
        for row in chain.walk(tables.audit.all_rows(reader)):
            write(chain.write_line(row))
            head = Head(row.seq, row.hash)
    return head
