"""Notices: the one refusal of a host that changes a client, signed like a lease.

Decides the claims of a notice and their grammar. Refuses to know what a client does about it.
Obeys docs/spec/02-signed-objects.md, section 2.9.
"""

from __future__ import annotations

from muster.core import grammar
from muster.core.values import dataclass
from muster.lease import claims
from muster.lease.claims import Claims
from muster.lease.jws import NOTICE_TYP, SigningKey, sign
from muster.lease.strict import JSONObject

DUPLICATE_CMID = "host/duplicate-cmid"
"""Another machine already uses this CMID: the one code that exists."""

_WHAT = "notice"


@dataclass(frozen=True, slots=True)
class NoticeClaims:
    """What a notice says. `iat` Unix seconds; `nonce` that of the request that it answers."""

    cmid: str
    publisher: str
    product: str
    iat: int
    jti: str
    code: str
    nonce: str


def make_notice(notice: NoticeClaims, key: SigningKey) -> str:
    """Sign a notice with the host signing key; returns the compact JWS.

    Raises:
        MusterError `licence/claims`: a claim is not of its grammar.
    Source: docs/spec/02-signed-objects.md, section 2.9.
    """
    payload: JSONObject = {
        "aud": f"{notice.publisher}/{notice.product}",
        "iat": notice.iat,
        "iss": key.public.kid,
        "jti": notice.jti,
        "muster": {"v": 1, "code": notice.code, "nonce": notice.nonce},
        "sub": notice.cmid,
    }
    read_claims(Claims(payload, _WHAT))
    return sign(payload, NOTICE_TYP, key)


def read_claims(payload: Claims) -> NoticeClaims:
    """Read the claims of a notice, each typed; whose they are is not judged.

    Raises:
        MusterError `licence/version`, `licence/claims`.
    Source: docs/spec/02-signed-objects.md, section 2.9.
    """
    muster = payload.object("muster")
    claims.version(muster, _WHAT)
    payload.text("iss", grammar.BASE64URL_32)
    publisher, _, product = payload.text("aud", grammar.AUDIENCE).partition("/")
    return NoticeClaims(
        cmid=payload.text("sub", grammar.UUID),
        publisher=publisher,
        product=product,
        iat=payload.integer("iat"),
        jti=payload.text("jti", grammar.BASE64URL_16),
        code=muster.text("code", grammar.NOTICE_CODE),
        nonce=muster.text("nonce", grammar.BASE64URL_16),
    )
