"""Leases: what a host signs for one machine and one product.

Decides the claims of a lease and their grammar; a host signs nothing that a client would refuse to
read. Refuses to know whether the machine may have it. Obeys docs/spec/02-signed-objects.md,
section 2.8.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.identity import IDENTITY_MODES, MAX_COMMITMENTS
from muster.core.values import dataclass
from muster.lease import claims
from muster.lease.catalogue import MAX_SPAN
from muster.lease.claims import Claims
from muster.lease.jws import LEASE_TYP, SigningKey, sign
from muster.lease.strict import JSONObject

_WHAT = "lease"


@dataclass(frozen=True, slots=True)
class LeaseClaims:
    """What a lease says. Times in Unix seconds; spans in seconds, 1 to 2^31 - 1.

    `cmid` the machine; `publisher` and `product` the audience; `group` the product's key group;
    `identity` the identity mode; `nonce` the machine's; `count` and `need` machines; `fingerprint`
    commitments, sorted; `catalogue` and `trust` the versions that the host knows.
    """

    cmid: str
    publisher: str
    product: str
    iat: int
    exp: int
    jti: str
    group: str
    identity: str
    nonce: str
    renew_after: int
    retry_after: int
    count: int
    need: int
    fingerprint: tuple[str, ...]
    catalogue: int
    trust: int


def make_lease(lease: LeaseClaims, key: SigningKey) -> str:
    """Sign a lease with the host signing key; returns the compact JWS.

    Raises:
        MusterError `licence/claims`: a claim is not of its grammar.
    Source: docs/spec/02-signed-objects.md, section 2.8.
    """
    payload: JSONObject = {
        "aud": f"{lease.publisher}/{lease.product}",
        "exp": lease.exp,
        "iat": lease.iat,
        "iss": key.public.kid,
        "jti": lease.jti,
        "muster": {
            "v": 1,
            "group": lease.group,
            "identity": lease.identity,
            "nonce": lease.nonce,
            "renew_after": lease.renew_after,
            "retry_after": lease.retry_after,
            "count": lease.count,
            "need": lease.need,
            "fingerprint": list(lease.fingerprint),
            "catalogue": lease.catalogue,
            "trust": lease.trust,
        },
        "nbf": lease.iat,
        "sub": lease.cmid,
    }
    read_claims(Claims(payload, _WHAT))
    return sign(payload, LEASE_TYP, key)


def read_claims(payload: Claims) -> LeaseClaims:
    """Read the claims of a lease, each typed; whose they are is not judged.

    Raises:
        MusterError `licence/version`, `licence/claims`.
    Source: docs/spec/02-signed-objects.md, section 2.8.
    """
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    payload.text("iss", grammar.BASE64URL_32)
    payload.integer("nbf")
    publisher, _, product = payload.text("aud", grammar.AUDIENCE).partition("/")
    return LeaseClaims(
        cmid=payload.text("sub", grammar.UUID),
        publisher=publisher,
        product=product,
        iat=payload.integer("iat"),
        exp=payload.integer("exp"),
        jti=payload.text("jti", grammar.BASE64URL_16),
        group=muster.text("group", grammar.NAME),
        identity=muster.choice("identity", IDENTITY_MODES),
        nonce=muster.text("nonce", grammar.BASE64URL_16),
        renew_after=muster.integer("renew_after", 1, MAX_SPAN),
        retry_after=muster.integer("retry_after", 1, MAX_SPAN),
        count=muster.integer("count"),
        need=muster.integer("need"),
        fingerprint=muster.texts("fingerprint", grammar.COMMITMENT, MAX_COMMITMENTS, ordered=True),
        catalogue=muster.integer("catalogue"),
        trust=muster.integer("trust"),
    )
