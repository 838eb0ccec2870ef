"""News of publishers for a host: newer trust, catalogues and terms, by file or from their services.

Decides whom the host asks and in which order. Each publisher's news is verified and stored in a
transaction of its own, after its service has answered. Refuses to know how a service is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from muster.core.catalogue import error
from muster.host.act.enrol import host_admin
from muster.host.enrol import HostAdmin
from muster.host.model import Activated, HostView, PublisherView
from muster.host.online import PublisherClient
from muster.host.open import OpenHost
from muster.host.results import (
    CatalogueNews,
    KeyTerms,
    PublisherUpdate,
    TermsHeld,
    TermsNews,
    key_members,
    publisher_update,
)
from muster.host.view import publisher_id
from muster.lease.terms import read_terms
from muster.wire.exchange import PublisherFile, ReplyFile

Service = Callable[[PublisherView], PublisherClient]
"""Gives the client of a publisher's service. Raises: `host/no-url`."""


def import_catalogue(host: OpenHost, file: PublisherFile) -> PublisherUpdate:
    """Take the newer trust and catalogue out of a publisher file.

    Raises: `host/unknown-publisher`; as `HostAdmin.add_publisher`.
    """
    admin = host_admin(host)
    if file.publisher not in admin.view().publishers:
        raise error("host/unknown-publisher", publisher=file.publisher)
    return publisher_update(admin.add_publisher(file))


def fetch_catalogues(
    host: OpenHost, service: Service, publisher: str | None = None
) -> CatalogueNews:
    """Fetch newer trust and catalogue from the services of all publishers, or of one.

    Args:
        publisher: an id or a label.
    Raises: `host/unknown-publisher`, `host/no-url`, `net/…`; as `HostAdmin.update`.
    """
    admin = host_admin(host)
    updates = []
    for known in _chosen(admin.view(), publisher):
        client = service(known)
        trust = client.trust_above(known.trust.version)
        updates.append(publisher_update(admin.update(known.publisher, trust, client.catalogue())))
    return CatalogueNews(any(update.changed for update in updates), tuple(updates))


def import_terms(host: OpenHost, reply: ReplyFile) -> TermsNews:
    """Take the terms out of a publisher's reply. Raises: as `HostAdmin.accept_reply`."""
    admin = host_admin(host)
    return _terms(admin, [admin.accept_reply(reply)])


def fetch_terms(host: OpenHost, service: Service, publisher: str | None = None) -> TermsNews:
    """Ask the services of all publishers, or of one, for newer terms of activated keys.

    Draws nothing from a pool: the keys are activated already.
    Raises: as `fetch_catalogues`; as `HostAdmin.accept`.
    """
    admin = host_admin(host)
    accepted = []
    for known in _chosen(admin.view(), publisher):
        keys = [key for key in known.keys if key.grant is not None]
        if not keys:
            continue
        client = service(known)
        # Trust first: the key that signed what is held may be withdrawn.
        trust = client.trust_above(known.trust.version)
        admin.update(known.publisher, trust, client.catalogue())
        for key in keys:
            answer = client.activate(admin.installation_id(key))
            accepted.append(admin.accept(known.publisher, answer))
    return _terms(admin, accepted)


def _chosen(view: HostView, publisher: str | None) -> list[PublisherView]:
    chosen = publisher_id(view, publisher)
    return [known for known in view.publishers.values() if chosen in (None, known.publisher)]


def _terms(admin: HostAdmin, accepted: Sequence[Activated]) -> TermsNews:
    view = admin.view()
    keys = tuple(_key_terms(view.publishers[each.key.publisher], each) for each in accepted)
    return TermsNews(any(key.changed for key in keys), keys)


def _key_terms(known: PublisherView, accepted: Activated) -> KeyTerms:
    key, held = accepted.key, None
    if key.terms is not None:
        terms = read_terms(key.terms, known.trust, accepted.grant)
        held = TermsHeld(terms.version, terms.limit, terms.over)
    return KeyTerms(
        **key_members(key),
        changed=accepted.changed,
        terms=held,
    )
