"""Terms: a ceiling that a publisher may put on one host's grant.

Decides whether terms are the publisher's and whose grant they bind. Refuses to know how many
seats are taken. Obeys docs/spec/02-signed-objects.md, section 2.7.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import day_of
from muster.core.values import dataclass
from muster.lease import claims, strict
from muster.lease.catalogue import MAX_SPAN
from muster.lease.claims import Claims
from muster.lease.grant import Grant
from muster.lease.jws import TERMS_TYP, SigningKey, check_header, parse, sign
from muster.lease.strict import JSONObject, JSONValue
from muster.lease.trust import GRANT_ROLE, Trust

SHORTEST_MAX_LEASE = 86_400
"""Seconds; terms may make leases no shorter than a day."""
OVER = ("refuse", "report")
"""What a host does above the limit: refuse, or allow and report."""

_WHAT = "terms"
_CODE = "terms/claims"


@dataclass(frozen=True, slots=True)
class Terms:
    """Verified terms. `grant_jti` names the host grant that they bind; `limit` machines;
    `over` "refuse" or "report"; `max_lease` the longest lease in seconds, None where they say
    nothing of it; `kid` signed it; `text` is the compact JWS; `iat` Unix seconds.
    """

    issuer: str
    group: str
    grant_jti: str
    iat: int
    version: int
    limit: int
    over: str
    customer: str
    agreement: str
    kid: str
    text: str
    max_lease: int | None = None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What terms say: the host leases to `limit` machines at most; above it does as `over` says,
    "refuse" or "report".

    `agreement` is a contract's name or number, and like `customer` (may be empty) shown to the
    customer. `max_lease` bounds leases under it, in seconds; None leaves that to the product and
    the key group.
    """

    limit: int
    over: str
    agreement: str
    customer: str = ""
    max_lease: int | None = None


def make_terms(grant: Grant, ceiling: Ceiling, version: int, iat: int, key: SigningKey) -> str:
    """Sign terms for a host grant with the publisher's grant key; returns the compact JWS.

    Args:
        grant: what they bind.
        ceiling: what they say.
        version: above every earlier one.
        iat: Unix seconds.
    Raises:
        MusterError `terms/claims`: a claim is not of its grammar.
    """
    said: dict[str, JSONValue] = {
        "v": 1,
        "version": version,
        "limit": ceiling.limit,
        "over": ceiling.over,
        "customer": ceiling.customer,
        "agreement": ceiling.agreement,
    }
    if ceiling.max_lease is not None:
        said["max_lease"] = ceiling.max_lease
    payload: JSONObject = {
        "aud": f"{grant.issuer}/{grant.group}",
        "iat": iat,
        "iss": grant.issuer,
        "muster": said,
        "sub": grant.jti,
    }
    _read(Claims(payload, _WHAT, _CODE), key.public.kid, "")
    return sign(payload, TERMS_TYP, key)


def read_terms(text: str, trust: Trust, grant: Grant) -> Terms:
    """Read and verify the terms of a host grant.

    Args:
        text: compact JWS, from anywhere.
        trust: the publisher's, reached from the caller's own anchor.
        grant: the verified host grant that they should bind.
    Raises:
        MusterError `licence/malformed`, `licence/header`; `terms/signer` (not signed by a grant
            key of this trust on that day); `licence/version`, `terms/claims`; `terms/grant` (they
            bind another grant).
    Source: docs/spec/02-signed-objects.md, section 2.7.
    """
    compact = parse(text, strict.SMALL, _WHAT)
    kid = check_header(compact, TERMS_TYP, _WHAT)
    payload = Claims(compact.payload, _WHAT, _CODE)
    try:
        day = day_of(payload.integer("iat"))
        trust.find(kid, GRANT_ROLE, day).key.verify(compact.signature, compact.signing_input)
    except MusterError as fault:
        raise error("terms/signer", detail=fault.what.rstrip(".")) from None
    terms = _read(payload, kid, text)
    if (terms.issuer, terms.group, terms.grant_jti) != (grant.issuer, grant.group, grant.jti):
        raise error("terms/grant", jti=terms.grant_jti)
    return terms


def accept_terms(held: Terms | None, text: str, trust: Trust, grant: Grant) -> Terms:
    """Take terms if they are newer than those held.

    Args:
        held: the highest ones so far, or None; they count only for the same grant and while
            `terms_still_valid`.
    Returns:
        The new terms, or `held` itself when `text` is exactly it.
    Raises:
        MusterError as `read_terms`, and `terms/older`.
    """
    if held is not None and (held.grant_jti != grant.jti or not terms_still_valid(held, trust)):
        held = None
    if held is not None and held.text == text:
        return held
    offered = read_terms(text, trust, grant)
    if held is not None and offered.version <= held.version:
        raise error("terms/older", offered=offered.version, held=held.version)
    return offered


def terms_still_valid(terms: Terms, trust: Trust) -> bool:
    """Whether trust still stands behind terms read under an older trust; else forget both them
    and their version mark (docs/spec/03-trust-and-catalogue.md, section 3.7)."""
    if terms.issuer != trust.issuer:
        return False
    try:
        trust.find(terms.kid, GRANT_ROLE, day_of(terms.iat))
    except MusterError:
        return False
    return True


def _read(payload: Claims, kid: str, text: str) -> Terms:
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    issuer = payload.text("iss", grammar.PUBLISHER_ID)
    audience, _, group = payload.text("aud", grammar.AUDIENCE).partition("/")
    if audience != issuer:
        payload.refuse("aud", "not the publisher's own")
    return Terms(
        issuer=issuer,
        group=group,
        grant_jti=payload.text("sub", grammar.BASE64URL_16),
        iat=payload.integer("iat"),
        version=muster.integer("version", 1),
        limit=muster.integer("limit", 0),
        over=muster.choice("over", OVER),
        customer=muster.text("customer", grammar.DISPLAY_NAME_OR_EMPTY),
        agreement=muster.text("agreement", grammar.DISPLAY_NAME_OR_EMPTY),
        kid=kid,
        text=text,
        max_lease=muster.optional_integer("max_lease", SHORTEST_MAX_LEASE, MAX_SPAN),
    )
