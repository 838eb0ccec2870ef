"""What a host takes of a publisher's trust and catalogue: pinned by file, followed from then on.

Decides what verifies against what is held, and what of it is stored. Obeys
docs/spec/03-trust-and-catalogue.md and docs/spec/08-http.md, section 8.6. Every function is
idempotent: a second run changes nothing and says so. Functions that are given a transaction are
parts of a wish, whose transaction it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.db.engine import Transaction
from muster.host.model import PublisherView
from muster.host.online import PublisherClient
from muster.host.open import OpenHost
from muster.host.results import PublisherUpdate
from muster.host.tables import audit, documents, news, own
from muster.lease.catalogue import Catalogue, accept_catalogue, read_catalogue, still_valid
from muster.lease.trust import Trust, anchor, follow, parse_trust
from muster.wire.exchange import PublisherFile


def add_publisher(host: OpenHost, file: PublisherFile) -> PublisherUpdate:
    """Pin a publisher by its file; of one that is pinned, take what is newer.

    Raises: `host/anchor` (the file does not follow from what is pinned), `trust/…`,
        `catalogue/…`, `licence/…`.
    """
    with host.database.transaction() as tx:
        own.initialise(tx, host.dice.token(32))
        known = known_publisher(tx, host, file.publisher)
        if known is None:
            return _pin(tx, host, file)
        taken = _update(tx, host, known, (file.anchor, *file.trust), file.catalogue, file.url)
        news.came(tx, file.publisher, host.clock.now())
        return taken


def update(
    host: OpenHost,
    publisher: str,
    trust: Iterable[str] = (),
    catalogue: str | None = None,
    url: str | None = None,
    *,
    came: bool = False,
) -> PublisherUpdate:
    """Follow trust and take a newer catalogue of a known publisher.

    Args:
        came: remember that news came; the running host does so itself, when all has come.
    Raises: `host/unknown-publisher`, `catalogue/older`, and as `add_publisher`.
    """
    with host.database.transaction() as tx:
        known = known_publisher(tx, host, publisher)
        if known is None:
            raise error("host/unknown-publisher", publisher=publisher)
        taken = _update(tx, host, known, trust, catalogue, url)
        if came:
            news.came(tx, publisher, host.clock.now())
        return taken


def fetch(
    host: OpenHost, client: PublisherClient, known: PublisherView, *, came: bool = False
) -> PublisherUpdate:
    """Take newer trust and the newest catalogue from a service; `came` as `update`.

    Raises: `net/…`; as `update`.
    """
    trust = client.trust_above(known.trust.version)
    return update(host, known.publisher, trust, client.catalogue(), came=came)


def known_publisher(tx: Transaction, host: OpenHost, publisher: str) -> PublisherView | None:
    """A pinned publisher, verified; one that is stored and does not verify raises."""
    for row in documents.publishers(tx):
        if row.publisher == publisher:
            known = host.view(tx).publishers.get(publisher)
            if known is None:
                raise error("host/anchor", publisher=publisher)
            return known
    return None


def follow_trust(
    tx: Transaction, host: OpenHost, known: PublisherView, texts: Iterable[str]
) -> Trust:
    """The newest trust that the texts lead to, stored; what is held already is passed over.

    A version that is held with another text was signed by a thief of the working root, here or
    there: only a version that follows all the same, by the reserve root, tells which.
    """
    trust, steps, fork = known.trust, [], False
    held = {version.version: version.text for version in known.line}
    for text in texts:
        offered = parse_trust(text)
        if offered.issuer != known.publisher:
            raise error("host/anchor", publisher=known.publisher)
        if offered.version <= trust.version:
            # A line that comes back to what is held is no fork any more.
            fork = held.get(offered.version, text) != text
            if fork and offered.version == known.line[0].version:
                raise error("host/anchor", publisher=known.publisher)
            continue
        trust = follow(trust, text)
        steps.append((trust.version, text))
    if fork and not steps:
        raise error("host/anchor", publisher=known.publisher)
    if steps:
        documents.add_trust(tx, known.publisher, steps)
        _audit_update(tx, host, Event.HOST_TRUST_FOLLOW, known, trust.version)
    return trust


def keep_catalogue(
    tx: Transaction, host: OpenHost, known: PublisherView, taken: Catalogue | None
) -> bool:
    """Store the catalogue that was taken, or forget the one held, where that is new, and say
    whether it was."""
    held = None if known.catalogue is None else known.catalogue.text
    text = None if taken is None else taken.text
    if text == held:
        return False
    documents.set_catalogue(tx, known.publisher, text)
    if taken is None:
        own.touch(tx)
    else:
        _audit_update(tx, host, Event.HOST_CATALOGUE_ACCEPT, known, taken.version)
    return True


def _pin(tx: Transaction, host: OpenHost, file: PublisherFile) -> PublisherUpdate:
    pinned = anchor(file.anchor)
    # Only version 1 proves its publisher id [a higher anchor could claim anybody's id, and
    # the host would keep the true publisher out].
    if pinned.issuer != file.publisher or pinned.version != 1:
        raise error("host/anchor", publisher=file.publisher)
    trust, line = pinned, []
    for text in file.trust:
        trust = follow(trust, text)
        line.append((trust.version, text))
    catalogue = read_catalogue(file.catalogue, trust)
    now = host.clock.now()
    documents.add_publisher(
        tx, documents.PublisherRow(file.publisher, file.anchor, file.url, file.catalogue, now)
    )
    documents.add_trust(tx, file.publisher, line)
    audit.write(tx, now, host.actor, Event.HOST_INIT, file.publisher, pinned.label)
    own.touch(tx)
    return PublisherUpdate(
        changed=True,
        added=True,
        publisher=file.publisher,
        label=pinned.label,
        trust_before=0,
        trust=trust.version,
        catalogue_before=0,
        catalogue=catalogue.version,
    )


def _update(
    tx: Transaction,
    host: OpenHost,
    known: PublisherView,
    texts: Iterable[str],
    catalogue: str | None,
    url: str | None,
) -> PublisherUpdate:
    trust = follow_trust(tx, host, known, texts)
    held = known.catalogue
    if held is not None and not still_valid(held, trust):
        held = None
    taken = held if catalogue is None else accept_catalogue(held, catalogue, trust)
    changed = keep_catalogue(tx, host, known, taken) or trust.version != known.trust.version
    if url is not None and url != known.url:
        documents.set_url(tx, known.publisher, url)
        own.touch(tx)
        changed = True
    before = (known.trust.version, known.catalogue_version)
    after = (trust.version, 0 if taken is None else taken.version)
    return PublisherUpdate(
        changed=changed,
        added=False,
        publisher=known.publisher,
        label=known.label,
        trust_before=before[0],
        trust=after[0],
        catalogue_before=before[1],
        catalogue=after[1],
    )


def _audit_update(
    tx: Transaction, host: OpenHost, event: Event, known: PublisherView, version: int
) -> None:
    detail = f"version {version}"
    audit.write(tx, host.clock.now(), host.actor, event, known.publisher, known.label, detail)
    own.touch(tx)
