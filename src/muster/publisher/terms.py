"""Terms that a publisher puts on one host's grant: issued, kept, and signed again after a rotation.

Decides the number of the next version and which key signs it. Refuses to know what the agreement
says. Obeys docs/spec/02-signed-objects.md, section 2.7.
"""

from __future__ import annotations

from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.products import day_of
from muster.db.engine import Transaction
from muster.lease.catalogue import Catalogue
from muster.lease.grant import read_grant
from muster.lease.jws import SigningKey
from muster.lease.terms import Ceiling, make_terms, read_terms
from muster.lease.trust import GRANT_ROLE, Trust, TrustKey
from muster.publisher import rules, tables
from muster.publisher.model import HostGrant, HostTerms


def signer_of(trust: Trust, now: int) -> TrustKey:
    """The grant key that signs terms today. Raises: `publisher/no-key`."""
    key = rules.choose_key(trust, trust, GRANT_ROLE, rules.today(now))
    if key is None:
        raise error("publisher/no-key", role=GRANT_ROLE, trust=trust.version)
    return key


def still_accepted(terms: HostTerms, trust: Trust) -> bool:
    """Whether hosts that hold this trust take the terms."""
    return rules.accepts_signature(trust, terms.kid, day_of(terms.iat))


def ceiling_of(terms: HostTerms) -> Ceiling:
    """What terms say."""
    return Ceiling(terms.limit, terms.over, terms.agreement, terms.customer, terms.max_lease)


def issue(
    tx: Transaction,
    grant: HostGrant,
    documents: tuple[Trust, Catalogue],
    key: SigningKey,
    now: int,
    actor: Who,
    ceiling: Ceiling,
) -> HostTerms:
    """Sign the next version of the terms of a grant, and keep it with its audit line.

    Args:
        grant: of the host; its key must still be in trust, else the host activates first.
        documents: the newest.
        key: that of `signer_of`.
    Raises: `publisher/terms-later` (the grant must be drawn again first), `publisher/clock`,
        `terms/claims`.
    """
    trust, catalogue = documents
    if not rules.accepts_signature(trust, grant.kid, grant.day):
        raise error("publisher/terms-later", host=grant.jti)
    held = tables.grants.host_terms(tx, grant.jti)
    version = 1 if held is None else held.version + 1
    read = read_grant(grant.grant, trust, trust.issuer)
    iat = rules.stamp(now, max(trust.iat, catalogue.iat, held.iat if held else 0))
    text = make_terms(read, ceiling, version, iat, key)
    read_terms(text, trust, read)
    terms = HostTerms(
        jti=grant.jti,
        version=version,
        iat=iat,
        limit=ceiling.limit,
        over=ceiling.over,
        customer=ceiling.customer,
        agreement=ceiling.agreement,
        kid=key.public.kid,
        text=text,
        max_lease=ceiling.max_lease,
    )
    tables.grants.add_host_terms(tx, terms)
    detail: dict[str, int | str] = {
        "agreement": terms.agreement,
        "kid": terms.kid,
        "limit": terms.limit,
        "over": terms.over,
        "version": version,
    }
    if terms.max_lease is not None:
        detail["max_lease"] = terms.max_lease
    tables.audit.write(tx, now, actor, Event.HOST_TERMS, grant.jti, detail)
    return terms
