"""What there is at a publisher: every question that an engineer asks, one function each.

Each reads one state of the store and gives frozen records, most of them of
`muster.publisher.results`. Refuses to change anything (`muster.publisher.act`) and opens no key
file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from muster.core import reach
from muster.core.catalogue import error
from muster.core.ids import InstallationId, check_proof
from muster.core.keys import Kind
from muster.core.products import DAY, day_start
from muster.db.engine import LOOK_CHECK_SECONDS, Reader
from muster.health.process import ServerProcess
from muster.lease.descriptor import make_descriptor
from muster.lease.grant import TERM
from muster.lease.trust import parse_trust
from muster.net.firewall import FirewallRules, firewall_rules
from muster.publisher import chain, evidence, reading, rules, tables
from muster.publisher import reading as documents
from muster.publisher.chain import Head
from muster.publisher.model import AuditRow, Content
from muster.publisher.office import Office
from muster.publisher.results import (
    AuditList,
    CatalogueDifference,
    CatalogueShown,
    ClockEvidence,
    ClockShown,
    DatabaseCheck,
    Descriptor,
    Export,
    HostList,
    HostRow,
    KeyList,
    KeyRow,
    KeyShown,
    ProductList,
    ProductShown,
    TrustList,
    audit_entry,
    catalogue_shown,
    host_row,
    key_detail,
    key_row,
    trust_version,
)
from muster.publisher.running import EndingGrant, PublisherStatus, PublisherSurroundings
from muster.wire.exchange import PublisherFile

ENDING_DAYS, ENDED_DAYS = 30, 30
"""How many days before and after its end the doctor names a grant."""
_EVERY = 1_000_000
"""More versions of trust than there can be."""


# The clock.


def clock(office: Office) -> ClockShown:
    """Whether the clock is believed, why not, and what was dated in the future."""
    reading = office.checked.read()
    now, today = reading.now, rules.today(reading.now)
    with office.view() as reader:
        found, known = office.checked.doubt(reader, reading)
        return ClockShown(
            time=now,
            doubt=None if found is None else evidence.refusal(now, found).what,
            evidence=tuple(
                ClockEvidence(item.what, item.at)
                for item in sorted(known, key=lambda item: item.at, reverse=True)
            ),
            hosts=len(tables.grants.grants_after(reader, today)),
            machines=len(tables.pools.machines_after(reader, today)),
            revocations=len(tables.documents.revoked_after(reader, today)),
        )


def firewall(office: Office, port: int, address: str) -> FirewallRules:
    """The lines that open the port for hosts and machines.

    Args:
        port, address: of the settings, for where no service runs.
    """
    process = office.process()
    if process is not None and process.port:
        return firewall_rules("muster-publisher", process.port, process.address, running=True)
    return firewall_rules("muster-publisher", port, address)


def status(office: Office) -> PublisherStatus:
    """The publisher, its clock, and the process that serves it. Raises: `db/corrupt`, of one that
    does not run too."""
    process, reading = _asked(office), office.checked.read()
    with office.view() as reader:
        trust = tables.documents.newest_trust(reader).version
        catalogue = tables.documents.newest_catalogue(reader).version
        return _status(office, reader, process, reading, trust, catalogue)


def surroundings(office: Office) -> PublisherSurroundings:
    """What the doctor begins with. Raises: as `status`."""
    process, reading = _asked(office), office.checked.read()
    with office.view() as reader:
        trust, catalogue = documents.newest_documents(reader)
        day, units = rules.today(reading.now), TERM // DAY
        rows = tables.grants.ending(reader, units, day - ENDED_DAYS, day + ENDING_DAYS)
        return PublisherSurroundings(
            now=reading.now,
            status=_status(office, reader, process, reading, trust.version, catalogue.version),
            database=office.store.database.name,
            trust_at=trust.iat,
            catalogue_at=catalogue.iat,
            ending=tuple(
                EndingGrant(row.key, row.name, day_start(row.day + row.term * units))
                for row in rows
            ),
        )


def _asked(office: Office) -> ServerProcess | None:
    """The process that serves; where none does, the database is looked through instead."""
    process = office.process()
    if process is None:
        office.store.database.check(LOOK_CHECK_SECONDS)
    return process


def _status(
    office: Office,
    reader: Reader,
    process: ServerProcess | None,
    reading: evidence.Reading,
    trust: int,
    catalogue: int,
) -> PublisherStatus:
    found, _ = office.checked.doubt(reader, reading)
    who = office.publisher
    return PublisherStatus(
        publisher=who.id,
        label=who.label,
        name=who.name,
        store=str(office.folder),
        trust=trust,
        catalogue=catalogue,
        clock=None if found is None else evidence.refusal(reading.now, found).what,
        process=process,
    )


# Documents.


def trust(office: Office, *, every: bool = False) -> TrustList:
    """The newest trust, or every version of it, lowest first."""
    with office.view() as reader:
        if every:
            texts = tables.documents.trust_above(reader, 0, _EVERY)
            line = tuple(parse_trust(text.text) for text in texts)
        else:
            line = (reading.newest_trust(reader),)
    who = office.publisher
    return TrustList(who.id, who.label, who.name, tuple(map(trust_version, line)))


def catalogue(office: Office) -> CatalogueShown:
    """The newest catalogue."""
    with office.view() as reader:
        return catalogue_shown(reading.newest_documents(reader)[1])


def difference(office: Office, content: Content) -> CatalogueDifference:
    """What publishing this content would change; checked, nothing is signed.

    Raises: `publisher/catalogue-file`, `publisher/catalogue-fixed`.
    """
    rules.check_content(content)
    with office.view() as reader:
        newest = reading.newest_documents(reader)[1]
    old = reading.content_of(newest)
    rules.check_successor(old, content)
    return CatalogueDifference(newest.version, rules.diff(old, content))


def products(office: Office) -> ProductList:
    """The products of the newest catalogue."""
    with office.view() as reader:
        newest = reading.newest_documents(reader)[1]
    return ProductList(newest.version, newest.products)


def product(office: Office, product: str) -> ProductShown:
    """A product of the newest catalogue. Raises: `publisher/product`."""
    with office.view() as reader:
        newest = reading.newest_documents(reader)[1]
    return ProductShown(reading.product_of(newest, product))


def descriptor(office: Office, product: str, trust_version: int | None = None) -> Descriptor:
    """The descriptor of a product, to be built into its program.

    Args:
        product: its id in the newest catalogue.
        trust_version: the version to pin; the newest by default.
    Raises: `publisher/product`, `publisher/no-trust`.
    """
    with office.view() as reader:
        known = reading.newest_documents(reader)[1]
        wanted = reading.product_of(known, product)
        newest = tables.documents.newest_trust(reader)
        pinned = newest
        if trust_version is not None:
            chosen = tables.documents.trust_from(reader, trust_version)
            if chosen is None or chosen.version != trust_version:
                raise error("publisher/no-trust", version=trust_version, newest=newest.version)
            pinned = chosen
    data = make_descriptor(pinned.text, wanted, known.groups)
    return Descriptor(product, pinned.version, data)


def export(office: Office, url: str | None) -> Export:
    """The publisher file: what hosts and offline sites need to know of this publisher.

    Raises: `settings/nowhere`.
    """
    if url is not None:
        reach.check_url(url)
    with office.view() as reader:
        line = tables.documents.trust_above(reader, 0, 4097)
        newest = tables.documents.newest_trust(reader).version
        signed = tables.documents.newest_catalogue(reader)
    file = PublisherFile(
        publisher=office.publisher.id,
        anchor=line[0].text,
        trust=tuple(version.text for version in line[1:]),
        catalogue=signed.text,
        url=url,
    )
    return Export(file, newest, signed.version)


# Product keys and what was drawn on them.


def keys(office: Office, kind: Kind | None = None) -> KeyList:
    """Issued product keys, in the order of issue."""
    with office.view() as reader:
        return KeyList(tuple(map(key_row, tables.keys.keys(reader, kind))))


def key(office: Office, text: str) -> KeyShown:
    """What is known of a product key, with the hosts or machines that drew on it.

    Args:
        text: its key id, or the product key as typed.
    Raises: as `reading.find_key`.
    """
    with office.view() as reader:
        issued = reading.find_key(reader, office.publisher.id, text)
        name = issued.key_id.text
        drawn = _hosts(reader, name) if issued.key_id.kind is Kind.HOST else ()
        machines = tables.pools.machines(reader, key=name) if issued.pool else ()
    return KeyShown(key_detail(issued, drawn, machines))


def hosts(office: Office, key: str | None = None) -> HostList:
    """Every host grant that was drawn, or those of one host key.

    Args:
        key: its key id, or the product key as typed.
    Raises: as `reading.find_key`.
    """
    with office.view() as reader:
        name = None
        if key is not None:
            name = reading.find_key(reader, office.publisher.id, key).key_id.text
        return HostList(_hosts(reader, name))


def _hosts(reader: Reader, key: str | None) -> tuple[HostRow, ...]:
    keys = {
        issued_key.key_id.text: issued_key for issued_key in tables.keys.keys(reader, Kind.HOST)
    }
    seats = {(seat.key, seat.hw): seat for seat in tables.grants.seats(reader, key)}
    return tuple(
        host_row(grant, seats[grant.key, grant.hw], keys[grant.key])
        for grant in tables.grants.grants(reader, key=key)
    )


# Audit.


def audit(office: Office, after: int | None = None, limit: int = 1000) -> AuditList:
    """Rows of the audit table, oldest first: the first ones above a sequence number, or the newest
    ones where none is given."""
    with office.view() as reader:
        rows = (
            tables.audit.newest(reader, limit)
            if after is None
            else tables.audit.rows(reader, after, limit)
        )
    return AuditList(tuple(map(audit_entry, rows)))


def check_installation_id(office: Office, iid: InstallationId) -> KeyRow:
    """The key of this publisher that an installation ID was made with; uses no activation.

    Raises: `publisher/unknown-key`, `id/proof`.
    """
    with office.view() as reader:
        key = tables.keys.key(reader, iid.key_id)
    if key is None:
        raise error("publisher/unknown-key", key=iid.key_id.text)
    check_proof(iid, key.proof_key)
    return key_row(key)


def check_audit(office: Office, wanted: Head | None = None) -> Head:
    """Walk the chain of the audit table; its head. Raises: as `chain.check`."""
    with office.view() as reader:
        return chain.check(tables.audit.all_rows(reader), wanted)


def export_audit(office: Office, write: Callable[[bytes], object]) -> Head:
    """Give every row of the audit table to `write` as a line of JSON; the head.

    The rows are checked on the way: an export that ends well is a chain that holds. A row never
    changes, so each page is read from a short state of its own, which is over when `write` is
    called: that may wait for whoever reads a pipe.
    """
    with office.view() as reader:
        end = tables.audit.head(reader).seq
    head = Head()
    for row in chain.walk(_pages(office, end)):
        write(chain.write_line(row))
        head = Head(row.seq, row.hash)
    return head


def _pages(office: Office, end: int) -> Iterator[AuditRow]:
    """The rows of the audit table up to a number."""
    after = tables.audit.FIRST
    while True:
        with office.view() as reader:
            page = tables.audit.rows(reader, after)
        yield from (row for row in page if row.seq <= end)
        if not page or page[-1].seq >= end:
            return
        after = page[-1].seq


def check_database(office: Office) -> DatabaseCheck:
    """That the database in the store is the one that was here, which opening it showed, that its
    pages fit together, and that the audit chain holds. Raises: `db/corrupt`; as `chain.check`."""
    office.store.database.check()
    return DatabaseCheck(office.store.database.name, check_audit(office).text)
