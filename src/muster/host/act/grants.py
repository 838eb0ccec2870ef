"""The grants of host keys: taken from a publisher's answer, or from digits that were read out.

Decides which key a grant belongs to and what of an answer is stored. Every channel ends in `_take`.
Obeys docs/spec/04-grant-function.md and docs/spec/08-http.md, section 8.5. Every function is
idempotent: a second run changes nothing and says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError, Retry
from muster.core.ids import ConfirmationId, parse_confirmation_id
from muster.core.keys import KeyId
from muster.core.values import replace
from muster.db.engine import Transaction
from muster.host import keys
from muster.host.act.updates import follow_trust, keep_catalogue, known_publisher
from muster.host.model import Activated, HostKey, PublisherView
from muster.host.open import OpenHost
from muster.host.tables import audit, host_keys, own
from muster.host.view import publisher_id
from muster.lease.catalogue import Catalogue, accept_catalogue
from muster.lease.grant import HOST, Grant, read_grant, rebuild_grant
from muster.lease.terms import accept_terms, read_terms
from muster.lease.trust import Trust
from muster.wire.publisher import ConfirmAnswer

_log = logging.getLogger("muster.host")


def accept(host: OpenHost, publisher: str, answer: ConfirmAnswer) -> Activated:
    """Take a publisher's answer: follow its trust, keep grant, terms and catalogue.

    Nothing of it is kept unless the grant verifies and is this host's.
    Raises: `host/reply`, `host/unknown-publisher`, `trust/…`, `licence/…`, `terms/…`,
        `catalogue/…`.
    """
    with host.database.transaction() as tx:
        known = known_publisher(tx, host, publisher)
        if known is None:
            raise error("host/unknown-publisher", publisher=publisher)
        trust = follow_trust(tx, host, known, answer.trust)
        taken = _newest(known, answer.catalogue, trust)
        grant = read_grant(answer.grant, trust, publisher)
        following = replace(known, trust=trust, catalogue=taken)
        activated = _take(tx, host, following, grant, answer.terms)
        newer_catalogue = keep_catalogue(tx, host, known, taken)
    newer_trust = trust.version != known.trust.version
    return replace(activated, documents_changed=newer_trust or newer_catalogue)


def confirm(host: OpenHost, digits: str, publisher: str | None = None) -> Activated:
    """Take the confirmation ID that was read out on the telephone.

    With several keys waiting, the one that verifies wins; `publisher` (id or label) limits
    them to its own.
    Raises: `host/unknown-publisher`, `digits/…`, `id/…`, `host/no-key`, `confirmation/…`.
    """
    confirmation = parse_confirmation_id(digits)
    with host.database.transaction() as tx:
        view = host.view(tx)
        waiting = keys.pending(view, publisher_id(view, publisher), now=host.clock.now())
        if not waiting:
            raise error("host/no-key")
        first_fault: MusterError | None = None
        for key in waiting:
            known = view.publishers[key.publisher]
            try:
                grant = _rebuilt(known, key, confirmation)
            except MusterError as fault:
                first_fault = fault
                continue
            return _take(tx, host, known, grant, None)
    assert first_fault is not None
    raise first_fault


def wait(host: OpenHost, key: HostKey, name: str, refusal: MusterError) -> None:
    """Remember that an administrator asked online for the grant of a key and did not get it: the
    running host asks again with the news of that publisher, until it comes.

    Not where asking again brings nothing, or the publisher has no address to ask.
    Args:
        name: of this host, as the administrator gave it.
        refusal: why it did not come.
    """
    with host.database.transaction() as tx:
        known = host.view(tx).publishers.get(key.publisher)
        held = None if known is None else _like(known.keys, key)
        if known is None or known.url is None or held is None or refusal.row.retry is Retry.NEVER:
            return
        now = host.clock.now()
        host_keys.put(tx, replace(held, asked_at=now, asked_name=name, refusal=refusal.code))
        event = Event.HOST_GRANT_REFUSE
        audit.write(tx, now, host.actor, event, key.publisher, key.partial, refusal.code)


def wait_on(host: OpenHost, key: HostKey, refusal: MusterError) -> None:
    """Remember why a key that waits did not get its grant this time."""
    with host.database.transaction() as tx:
        held = _like(host_keys.rows(tx, key.publisher), key)
        if held is not None and held.asked_at is not None and held.refusal != refusal.code:
            host_keys.put(tx, replace(held, refusal=refusal.code))


def _like(held: Sequence[HostKey], key: HostKey) -> HostKey | None:
    """The key as it is held now, None where it was removed or installed anew meanwhile."""
    named = (one for one in held if (one.key_id, one.binding) == (key.key_id, key.binding))
    return next(named, None)


def _newest(known: PublisherView, text: str, trust: Trust) -> Catalogue | None:
    """The newer of the catalogue held and the one that came; an older one is passed over."""
    try:
        return accept_catalogue(known.catalogue, text, trust)
    except MusterError as fault:
        if fault.code == "catalogue/older":
            return known.catalogue
        raise


def _take(
    tx: Transaction, host: OpenHost, known: PublisherView, grant: Grant, terms: str | None
) -> Activated:
    key = _fitting(known, grant)
    kept = _accepted_terms(known, key, grant, terms)
    now = host.clock.now()
    host_key = replace(
        key,
        grant=grant.text,
        terms=kept,
        activated_at=key.activated_at or now,
        asked_at=None,
        asked_name="",
        refusal="",
    )
    lacks = kept is None and _requires_terms(known.catalogue, grant.group)
    activated = Activated(host_key, grant, host_key != key, known.label, lacks)
    if not activated.changed:
        return activated
    host_keys.put(tx, host_key)
    if host_key.grant != key.grant:
        event = Event.HOST_GRANT_ACCEPT
        audit.write(tx, now, host.actor, event, key.publisher, key.partial, grant.jti)
    if host_key.terms != key.terms:
        event = Event.HOST_TERMS_ACCEPT
        audit.write(tx, now, host.actor, event, key.publisher, key.partial, grant.jti)
    own.touch(tx)
    return activated


def _fitting(known: PublisherView, grant: Grant) -> HostKey:
    """The installed key that a grant is for. Raises: `host/reply`."""
    key = next((key for key in known.keys if key.key_id == grant.key), None)
    if grant.kind != HOST:
        raise error("host/reply", detail="it licenses a single machine, not a host")
    if key is None:
        raise error("host/reply", detail=f"its host key {grant.key} is not installed here")
    if grant.binding != key.binding:
        raise error("host/reply", detail="it is bound to another host signing key")
    return key


def _accepted_terms(
    known: PublisherView, key: HostKey, grant: Grant, terms: str | None
) -> str | None:
    """The terms that came, else those held where they are of this grant.

    A grant for another signing key is another licence: terms of the old one say nothing of it.
    """
    held = None
    if key.terms is not None:
        try:
            held = read_terms(key.terms, known.trust, grant)
        except MusterError as fault:
            if terms is None:
                _log.warning("terms of the host key %s are left: %s", key.partial, fault)
    if terms is not None:
        return accept_terms(held, terms, known.trust, grant).text
    return None if held is None else held.text


def _requires_terms(catalogue: Catalogue | None, group: str) -> bool:
    groups = () if catalogue is None else catalogue.groups
    return any(key_group.id == group and key_group.terms == "required" for key_group in groups)


def _rebuilt(known: PublisherView, key: HostKey, confirmation: ConfirmationId) -> Grant:
    key_id = KeyId.parse(key.key_id)
    if known.catalogue is None:
        raise error("host/key-group", group=key_id.group, masked=key.partial)
    group = known.catalogue.group_numbered(key_id.group)
    text = rebuild_grant(
        confirmation, key.publisher, key_id, key.binding, key.hw, group, known.trust
    )
    return read_grant(text, known.trust, key.publisher)
