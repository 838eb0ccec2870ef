"""What a host answers: every refusal and every lease is decided here, by pure functions.

A refusal is a value (an error of the catalogue), not an exception. Refuses to know tables, clocks
and bytes: what is stored and what time it is are passed in. Obeys docs/spec/06-counting.md,
sections 6.2 to 6.5, in this order: served, allowed, in time, proved, new, challenged, not a clone,
[counted], a seat left, enough machines, lease.
"""

from __future__ import annotations

from collections.abc import Mapping

from muster.core import grammar, identity
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import DAY, SKEW, Product
from muster.core.text import instant_text
from muster.core.values import dataclass
from muster.host import challenges, lines
from muster.host.challenges import Kept
from muster.host.count import shown
from muster.host.lines import Asked, Line, Row
from muster.host.model import HeldGrant, HostKey, HostView, KnownMachine, PublisherView, Settings
from muster.lease.lease import LeaseClaims
from muster.lease.steps import EARLY
from muster.lease.terms import Terms
from muster.wire.activation import ActivationRequest
from muster.wire.release import ReleaseRequest

NO_EXPIRY = 2**53
"""Stands for the end of a grant that does not end."""


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What entitles this host to answer for a product: the grant that signs, and its terms."""

    publisher: PublisherView
    product: Product
    held: HeldGrant


_KEY_RETRY = 300
"""Seconds after which a machine may ask a host again whose signing key cannot be read."""


def live(view: PublisherView, held: HeldGrant, now: int) -> MusterError | None:
    """None when the grant may sign now, else the refusal: revoked, ended, not yet, no terms."""
    grant = held.grant
    if view.catalogue is not None:
        if view.catalogue.revoked(grant.jti, grant.key) is not None:
            return error("host/grant-revoked", label=view.label)
        group = next((group for group in view.catalogue.groups if group.id == grant.group), None)
        if group is not None and group.terms == "required" and held.terms is None:
            return error("host/terms-required", label=view.label)
    if grant.exp is not None and grant.exp <= now:
        return error("host/grant-expired", label=view.label)
    if now < grant.iat - EARLY:
        return error("host/grant-not-yet", label=view.label)
    return None


def _length(held: HeldGrant) -> tuple[int, int, str]:
    """Order of grants: which lives longest, then which is newer, then by name."""
    grant = held.grant
    return (NO_EXPIRY if grant.exp is None else grant.exp, grant.iat, grant.jti)


def serves(view: PublisherView, now: int) -> bool:
    """Whether the host can answer for this publisher now: a live grant, a key, a catalogue."""
    return (
        view.signer is not None
        and view.catalogue is not None
        and any(live(view, held, now) is None for held in view.grants)
    )


def longest_grant(view: PublisherView, now: int) -> HeldGrant:
    """Of the grants that may sign now, the one that lives longest; the view `serves`."""
    return max((held for held in view.grants if live(view, held, now) is None), key=_length)


def unserved(view: PublisherView, now: int) -> MusterError | None:
    """Why the host cannot answer for this publisher now, None where it can. What keeps it from its
    signing key is told where that was read."""
    if serves(view, now) or view.key_fault is not None:
        return None
    if not view.keys:
        return error("host/no-key")
    if view.catalogue is None:
        return error("host/no-catalogue", label=view.label)
    refused = (live(view, held, now) for held in view.grants)
    return next(refused, None) or error("host/not-activated", label=view.label)


def unused(view: PublisherView, now: int) -> list[tuple[HostKey, MusterError]]:
    """Keys of a publisher whose grants may not sign now, and why, where no other grant that may
    sign covers the same key groups: machines of these are refused, though the host serves."""
    granted = set(granted_groups(view, now))
    found = []
    for held in view.grants:
        fault = live(view, held, now)
        key = next((key for key in view.keys if key.key_id == held.grant.key), None)
        if fault is not None and key is not None and not granted.issuperset(held.grant.covers):
            found.append((key, fault))
    return found


def problems(view: PublisherView, now: int) -> list[MusterError]:
    """What keeps the host from its work for a publisher, or from a part of it."""
    whole = unserved(view, now)
    if whole is not None or not serves(view, now):
        return [] if whole is None else [whole]
    faults = [
        error(
            "host/grant-unused",
            key=key.key_id,
            detail=f"{fault.code}: {fault.what[:-1]}",
            fix=fault.fix,
        )
        for key, fault in unused(view, now)
    ]
    granted = {held.grant.key for held in view.grants}
    return faults + [
        error("host/grant-refused", key=key.key_id, code=key.refusal)
        for key in view.keys
        if key.asked_at is not None and key.key_id not in granted
    ]


def labels(view: HostView, now: int) -> list[str]:
    """Labels of the publishers that the host can serve now, sorted."""
    return sorted(
        publisher.label for publisher in view.publishers.values() if serves(publisher, now)
    )


def granted_groups(view: PublisherView, now: int) -> list[str]:
    """Ids of the key groups that live grants cover, sorted."""
    return sorted(
        {
            group
            for held in view.grants
            if live(view, held, now) is None
            for group in held.grant.covers
        }
    )


def find_entitlement(
    view: HostView, publisher: str, product: str, now: int
) -> Entitlement | MusterError:
    """What entitles the host to answer for a product, or the refusal.

    Args:
        view: what the host knows.
        publisher, product: as the request names them.
        now: Unix seconds of the host.
    Returns:
        The grant that covers the product's key group and lives longest; or `host/not-served`,
        `host/not-activated`, `host/grant-expired`, `host/grant-revoked`, `host/grant-not-yet`,
        `host/terms-required`, `host/product-revoked`; `wire/unavailable` where the file of the
        signing key cannot be read.
    Source: docs/spec/06-counting.md, section 6.3.
    """
    known = view.publishers.get(publisher)
    if known is None:
        return _not_served(view, product, now)
    if known.signer is None and known.key_fault is not None and known.keys:
        # Activated, and kept from its key for now: machines ask again, and another host meanwhile.
        return error("wire/unavailable", retry_after=_KEY_RETRY)
    if known.signer is None or not known.grants:
        return error("host/not-activated", label=known.label)
    if known.catalogue is None:
        return _not_served(view, product, now)
    try:
        wanted = known.catalogue.product(product)
    except MusterError:
        return _not_served(view, product, now)
    if wanted.channel != "volume":
        return _not_served(view, product, now)
    if known.catalogue.product_revoked(wanted) is not None:
        return error("host/product-revoked", product=wanted.id, label=known.label)
    covering = [held for held in known.grants if wanted.group in held.grant.covers]
    if not covering:
        return _not_served(view, product, now)
    longest = sorted(covering, key=_length, reverse=True)
    faults = [live(known, held, now) for held in longest]
    for held, fault in zip(longest, faults, strict=True):
        if fault is None:
            return Entitlement(known, wanted, held)
    assert faults[0] is not None
    return faults[0]


def _not_served(view: HostView, product: str, now: int) -> MusterError:
    return error("host/not-served", product=product, labels=labels(view, now))


def screen(request: ActivationRequest, product: Product, now: int) -> MusterError | None:
    """What is refused without being counted, by the request alone.

    Returns:
        None, or `wire/bad-request` (a nonce that no lease can carry), `host/identity-mode`,
        `host/no-facts`, `host/clock-skew`.
    Source: docs/spec/06-counting.md, section 6.2.
    """
    if not grammar.BASE64URL_16.fullmatch(request.nonce):
        return error("wire/bad-request", detail="message.nonce: not canonical base64url")
    if request.identity not in product.identity:
        return error(
            "host/identity-mode",
            product=product.id,
            identity=request.identity,
            allowed=", ".join(product.identity),
        )
    if not request.fingerprint and request.identity != "explicit":
        return error("host/no-facts")
    if abs(request.sent_at - now) > SKEW:
        return error("host/clock-skew", host_time=instant_text(now), host_seconds=now)
    return None


def unproved(request: ActivationRequest) -> MusterError | None:
    """`host/request-proof` where the request does not come from the machine that it names.

    Source: docs/spec/06-counting.md, sections 6.2, step 7, and 6.4.1.
    """
    try:
        request.check_proof()
    except MusterError as refusal:
        return refusal
    return None


def line(request: ActivationRequest, known: KnownMachine | None, now: int) -> tuple[Row, Line]:
    """What a proved request is among those of its machine, and the line to keep.

    Source: docs/spec/06-counting.md, section 6.4.2.
    """
    asked = Asked(
        nonce=request.nonce,
        shown=frozenset(request.line),
        sent_at=request.sent_at,
        explicit=request.identity == "explicit",
        same_facts=known is None
        or not known.fingerprint
        or identity.matches(known.fingerprint, request.fingerprint),
    )
    return lines.classify(None if known is None else known.line, asked, now)


def unchallenged(
    request: ActivationRequest,
    known: KnownMachine | None,
    publisher: PublisherView,
    now: int,
) -> MusterError | None:
    """`host/challenge`, with a fresh one, where the request carries none of this host that holds.

    Source: docs/spec/06-counting.md, sections 6.2, step 8, and 6.4.1.
    """
    key, named = publisher.challenge_key, (request.publisher, request.cmid)
    kept = kept_of(None if known is None else known.line, request.identity)
    if challenges.holds(key, *named, kept, request.challenge, request.sent_at, now):
        return None
    return error("host/challenge", challenge=challenges.fresh(key, *named, kept, now))


def kept_of(line: Line | None, mode: str) -> Kept:
    """What challenges name of a machine with this line, None where it is not known."""
    explicit = mode == "explicit"
    return Kept(explicit=explicit) if line is None else Kept(line.nonce, line.asked_at, explicit)


def release_refused(
    request: ReleaseRequest,
    claims: LeaseClaims,
    known: KnownMachine | None,
    publisher: PublisherView,
    now: int,
) -> MusterError | None:
    """Why a release whose proof is right is refused: not now, not the last of its line, or
    without a challenge of these minutes.

    Returns:
        None, or `host/clock-skew`, `host/request-old`, `host/release-unknown`,
        `host/release-proof`, `host/challenge`.
    Source: docs/spec/06-counting.md, section 6.9.
    """
    if known is None:
        return error("host/release-unknown")
    if abs(request.sent_at - now) > SKEW:
        return error("host/clock-skew", host_time=instant_text(now), host_seconds=now)
    explicit = claims.identity == "explicit"
    shown = frozenset(request.line)
    if not explicit and lines.is_old(known.line, request.sent_at - 1, shown, now):
        return error("host/request-old")
    if not explicit and not lines.shows(shown, known.line.nonce):
        return error("host/release-proof", detail="the machine has had newer licences since")
    key, named = publisher.challenge_key, (claims.publisher, claims.cmid)
    kept = kept_of(known.line, claims.identity)
    if challenges.holds_for_release(key, *named, kept, request.challenge, now):
        return None
    return error("host/challenge", challenge=challenges.of_release(key, *named, kept, now))


def seat_refused(terms: Terms | None, taken: int, holds_one: bool) -> MusterError | None:
    """Whether the ceiling of the grant refuses this machine (`host/limit-reached`).

    Args:
        terms: of the grant; None or `over` "report" refuse nobody.
        taken: machines that hold a live lease under the grant.
        holds_one: whether this machine is one of them.
    Source: docs/spec/06-counting.md, section 6.5.
    """
    if terms is None or terms.over != "refuse" or holds_one or taken < terms.limit:
        return None
    return error("host/limit-reached", limit=terms.limit)


def insufficient(count: int, product: Product, settings: Settings) -> MusterError | None:
    """`host/insufficient-count` below the product's need, else None."""
    if count >= product.need:
        return None
    return error(
        "host/insufficient-count",
        count=shown(count, product.need),
        need=product.need,
        retry_after=retry_after(product, settings),
    )


def retry_after(product: Product, settings: Settings) -> int:
    """Seconds after which a machine that was refused asks again."""
    return product.spans.retry_after if settings.retry_after is None else settings.retry_after


def renew_after(product: Product, settings: Settings, terms: Terms | None = None) -> int:
    """Seconds after which a licensed machine renews: at most half of what terms let a lease last.

    Source: docs/spec/06-counting.md, section 6.2.
    """
    wanted = product.spans.renew_after if settings.renew_after is None else settings.renew_after
    if terms is None or terms.max_lease is None:
        return wanted
    return min(wanted, terms.max_lease // 2)


def silent_after(product: Product, settings: Settings, terms: Terms | None) -> int:
    """Seconds after which a machine that holds a lease and was not seen is shown as silent.

    Source: docs/spec/06-counting.md, section 6.5.
    """
    return max(DAY, 2 * renew_after(product, settings, terms))


def lease_claims(
    request: ActivationRequest,
    entitled: Entitlement,
    settings: Settings,
    count: int,
    jti: str,
    now: int,
) -> LeaseClaims:
    """The lease of a machine that may have one.

    It ends at the earliest of the product's span, the group's longest lease, that of the terms,
    and the grant's end.
    Source: docs/spec/06-counting.md, section 6.2.
    """
    product, grant, terms = entitled.product, entitled.held.grant, entitled.held.terms
    longest = None if terms is None else terms.max_lease
    end = min(
        now + product.spans.lease,
        now + (grant.max_lease or 0),
        NO_EXPIRY if longest is None else now + longest,
        NO_EXPIRY if grant.exp is None else grant.exp,
    )
    return LeaseClaims(
        cmid=request.cmid,
        publisher=request.publisher,
        product=product.id,
        iat=now,
        exp=end,
        jti=jti,
        group=product.group,
        identity=request.identity,
        nonce=request.nonce,
        renew_after=renew_after(product, settings, terms),
        retry_after=retry_after(product, settings),
        count=shown(count, product.need),
        need=product.need,
        fingerprint=tuple(sorted(set(request.fingerprint))),
        catalogue=entitled.publisher.catalogue_version,
        trust=entitled.publisher.trust.version,
    )


def still_held(leases: Mapping[str, tuple[int, int]], product: str, now: int) -> bool:
    """Whether a machine holds a live lease of another product of the application.

    Args:
        leases: (expires_at, released_at) by product id.
        product: the one that is being released.
    """
    return any(
        name != product and expires > now and not gone for name, (expires, gone) in leases.items()
    )
