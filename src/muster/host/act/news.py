"""News of publishers for a host: newer trust, catalogues and terms, by file or from their services.

Decides whom the host asks and in which order. Each publisher's news is verified and stored in a
transaction of its own, after its service has answered. Refuses to know how a service is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import replace
from muster.host import keys
from muster.host.act import grants, updates
from muster.host.model import Activated, HostKey, HostView, PublisherView
from muster.host.online import PublisherClient
from muster.host.open import OpenHost
from muster.host.results import (
    CatalogueNews,
    Followed,
    KeyTerms,
    PublisherUpdate,
    RefusedKey,
    RefusedPublisher,
    TermsHeld,
    TermsNews,
    key_members,
)
from muster.host.view import publisher_id
from muster.lease.terms import read_terms
from muster.wire.exchange import PublisherFile, ReplyFile

Service = Callable[[PublisherView], PublisherClient]
"""Gives the client of a publisher's service. Raises: `host/no-url`."""


def import_catalogue(host: OpenHost, file: PublisherFile) -> PublisherUpdate:
    """Take the newer trust and catalogue out of a publisher file.

    Raises: `host/unknown-publisher`; as `updates.add_publisher`.
    """
    if file.publisher not in host.current().publishers:
        raise error("host/unknown-publisher", publisher=file.publisher)
    return updates.add_publisher(host, file)


def fetch_catalogues(
    host: OpenHost, service: Service, publisher: str | None = None, *, one_address: bool = False
) -> CatalogueNews:
    """Fetch newer trust and catalogue from the services of all publishers, or of one; a service
    that does not answer stops no other.

    Args:
        publisher: an id or a label.
        one_address: the service is at one address for all, so that one publisher must be meant.
    Raises: `host/unknown-publisher`, `host/which-publisher`; where there is one and it gave
        nothing, why: `host/no-url`, `net/…`, as `updates.update`.
    """
    taken, refused = [], []
    for known in _chosen(host.current(), publisher, one_address=one_address):
        try:
            taken.append(updates.fetch(host, service(known), known, came=True))
        except MusterError as fault:
            refused.append(RefusedPublisher(known.publisher, known.label, fault))
    if len(refused) == 1 and not taken:
        raise refused[0].error
    return CatalogueNews(any(update.changed for update in taken), tuple(taken), tuple(refused))


def import_terms(host: OpenHost, reply: ReplyFile) -> TermsNews:
    """Take the terms out of a publisher's reply. Raises: as `grants.accept`."""
    return _terms(host, [grants.accept(host, reply.publisher, reply.answer)])


def fetch_terms(
    host: OpenHost, service: Service, publisher: str | None = None, *, one_address: bool = False
) -> TermsNews:
    """Ask the services of all publishers, or of one, for newer terms of activated keys.

    Uses no activation: the keys are activated already. A key that is refused, and a service that
    does not answer, stop no other.
    Raises: `host/which-publisher`; where there is one key and it is refused, why: as
        `fetch_catalogues`, as `grants.accept`.
    """
    accepted: list[Activated] = []
    refused: list[RefusedKey] = []
    newer = False
    for known in _chosen(host.current(), publisher, one_address=one_address):
        activated = keys.activated(known)
        if not activated:
            continue
        try:
            client = service(known)
            # Trust first: the key that signed what is held may be withdrawn.
            newer |= updates.fetch(host, client, known).changed
        except MusterError as fault:
            refused += [RefusedKey(**key_members(key), error=fault) for key in activated]
            continue
        of_keys = _ask_again(host, client, known.publisher, activated)
        accepted += of_keys[0]
        refused += of_keys[1]
    if len(refused) == 1 and not accepted:
        raise refused[0].error
    news = _terms(host, accepted)
    return replace(news, changed=newer or news.changed, refused=tuple(refused))


def follow(host: OpenHost, service: Service, publisher: str) -> Followed:
    """Take all that a publisher has newer: trust and catalogue, and for keys that were activated
    their terms, and a new grant where the key that signed the old one is withdrawn; these use no
    activation. A key whose grant an administrator asked for and did not get is asked for again.

    What it says of keys that are revoked is in the catalogue; nothing of that is an error here.
    Raises: `host/unknown-publisher`, `host/no-url`, `net/…`; as `updates.update` and
        `grants.accept`.
    """
    known = _known(host, publisher)
    client = service(known)
    newer = updates.fetch(host, client, known).changed
    known = _known(host, publisher)
    lost = keys.lost(known, host.clock.now())
    activated = keys.activated(known)
    if any(key.key_id not in lost for key in activated):
        accepted, refused = _ask_again(host, client, publisher, activated)
        if refused and not accepted:
            raise refused[0].error
        newer |= _terms(host, accepted).changed
    given, waits = _ask_for_waiting(host, client, known)
    return Followed(newer or given, waits)


def _known(host: OpenHost, publisher: str) -> PublisherView:
    known = host.current().publishers.get(publisher)
    if known is None:
        raise error("host/unknown-publisher", publisher=publisher)
    return known


def _ask_again(
    host: OpenHost, client: PublisherClient, publisher: str, activated: Sequence[HostKey]
) -> tuple[list[Activated], list[RefusedKey]]:
    """Show activated keys to their service again, for grants and terms; uses no activation."""
    accepted, refused = [], []
    for key in activated:
        try:
            answer = client.activate(keys.installation_id(host.current(), key))
            accepted.append(grants.accept(host, publisher, answer))
        except MusterError as fault:
            refused.append(RefusedKey(**key_members(key), error=fault))
    return accepted, refused


def _ask_for_waiting(
    host: OpenHost, client: PublisherClient, known: PublisherView
) -> tuple[bool, MusterError | None]:
    """Ask for the grants that an administrator waits for: whether any came, and why the first one
    does not."""
    given = False
    waiting = [key for key in known.keys if key.asked_at is not None]
    refusal = known.key_fault if waiting else None
    for key in () if refusal else waiting:
        try:
            asked = keys.installation_id(host.current(), key)
            grants.accept(host, known.publisher, client.activate(asked, key.asked_name))
            given = True
        except MusterError as fault:
            grants.wait_on(host, key, fault)
            refusal = refusal or fault
    return given, refusal


def _chosen(view: HostView, publisher: str | None, *, one_address: bool) -> list[PublisherView]:
    name = publisher_id(view, publisher)
    chosen = [known for known in view.publishers.values() if name in (None, known.publisher)]
    if one_address:
        keys.one_publisher(known.publisher for known in chosen)
    return chosen


def _terms(host: OpenHost, accepted: Sequence[Activated]) -> TermsNews:
    view = host.current()
    terms = tuple(
        _key_terms(view.publishers[activated.key.publisher], activated) for activated in accepted
    )
    newer = any(activated.documents_changed for activated in accepted)
    return TermsNews(newer or any(key.changed for key in terms), terms)


def _key_terms(known: PublisherView, accepted: Activated) -> KeyTerms:
    key, held = accepted.key, None
    if key.terms is not None:
        terms = read_terms(key.terms, known.trust, accepted.grant)
        held = TermsHeld(terms.version, terms.limit, terms.over)
    return KeyTerms(
        **key_members(key),
        changed=accepted.changed,
        terms=held,
        lacks_terms=accepted.lacks_terms,
    )
