"""Compact JWS with one algorithm: Ed25519 (RFC 7515, RFC 8037, RFC 9864).

Decides whether a text is a well-formed compact JWS and whether a *given* key signed it. Refuses
to know which key may sign what: no key ever comes out of the token itself. Obeys
docs/spec/02-signed-objects.md, sections 2.2 and 2.4.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.values import dataclass, field
from muster.lease.claims import Claims
from muster.lease.strict import (
    SMALL,
    JSONObject,
    Limits,
    b64url_decode,
    b64url_encode,
    canonical,
    read,
)

TRUST_TYP = "muster-trust+jwt"
CATALOGUE_TYP = "muster-catalogue+jwt"
GRANT_TYP = "muster-grant+jwt"
TERMS_TYP = "muster-terms+jwt"
LEASE_TYP = "muster-lease+jwt"
NOTICE_TYP = "muster-notice+jwt"
SITE_TYP = "muster-site+jwt"

ALGORITHMS = ("EdDSA", "Ed25519")
"""Accepted names of the one algorithm; the first is written."""


_PRIME = 2**255 - 19
_D = -121665 * pow(121666, -1, _PRIME) % _PRIME
_EIGHTH = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _PRIME - 1, _EIGHTH, _PRIME - _EIGHTH})
"""The y of the eight points of small order."""


@functools.lru_cache(maxsize=1024)
def is_public_key(raw: bytes) -> bool:
    """Whether 32 bytes are a public key: a point as RFC 8032 writes it, not of small order.

    Refused are what section 5.1.3 of RFC 8032 does not decode (y not below the prime, no point of
    the curve, x = 0 with the sign of another x), and the eight points of small order: those take
    signatures that nobody made. Some tenths of a millisecond; what was asked is remembered.
    Source: docs/spec/02-signed-objects.md, section 2.4.
    """
    y = int.from_bytes(raw, "little") & (1 << 255) - 1
    if len(raw) != 32 or y >= _PRIME or y in _SMALL_ORDER:  # x = 0 only where y is 1 or -1
        return False
    square = y * y % _PRIME
    return pow((square - 1) * (_D * square + 1), (_PRIME - 1) // 2, _PRIME) == 1


def _small_order(raw: bytes) -> bool:
    """Whether 32 bytes are one of the eight points of small order, however written."""
    return (int.from_bytes(raw, "little") & (1 << 255) - 1) % _PRIME in _SMALL_ORDER


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key: 32 raw bytes. `kid` is its RFC 7638 thumbprint, 43 characters.

    What comes from outside is read by `from_jwk` or judged by `is_public_key` before.
    """

    raw: bytes
    kid: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Compute the thumbprint; a length other than 32 is a bug of the caller (ValueError)."""
        if len(self.raw) != 32:
            raise ValueError("an Ed25519 public key has 32 bytes")
        digest = hashlib.sha256(canonical(self.jwk)).digest()
        object.__setattr__(self, "kid", b64url_encode(digest))

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JWK with exactly the members crv, kty and x."""
        return {"crv": "Ed25519", "kty": "OKP", "x": b64url_encode(self.raw)}

    @classmethod
    def from_jwk(cls, value: Any, where: str = "key", code: str = "licence/malformed") -> PublicKey:
        """Read a JWK with exactly crv `Ed25519`, kty `OKP` and x, which `is_public_key`.

        Raises:
            MusterError with `code` (fields where, detail), for any other value.
        """
        jwk = Claims(value, where, code)
        if jwk.value.keys() != {"crv", "kty", "x"}:
            jwk.refuse("", "not a key with exactly crv, kty and x")
        jwk.choice("crv", ("Ed25519",))
        jwk.choice("kty", ("OKP",))
        raw = b64url_decode(jwk.text("x", grammar.BASE64URL_32), 32, where)
        if not is_public_key(raw):
            jwk.refuse("x", "no Ed25519 public key, or one of small order")
        return cls(raw)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Check a signature; one whose R is of small order is nobody's.

        Raises:
            MusterError `licence/signature`: this key did not sign `data`.
        Source: docs/spec/02-signed-objects.md, section 2.4.
        """
        if _small_order(signature[:32]):
            raise error("licence/signature", kid=self.kid)
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            raise error("licence/signature", kid=self.kid) from None


class SigningKey(Protocol):
    """What signs: a key in memory here, a security module later."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature over `data`, 64 bytes."""


class MemorySigningKey:
    """An Ed25519 private key held in memory: 32 raw bytes (the RFC 8032 seed)."""

    __slots__ = ("_key", "_public", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._key = Ed25519PrivateKey.from_private_bytes(raw)
        self._public = PublicKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, random32: bytes) -> MemorySigningKey:
        """A new key out of 32 bytes that the caller drew from its dice."""
        return cls(random32)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature over `data`, 64 bytes; the same data gives the same signature."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        """Name the key without its secret."""
        return f"MemorySigningKey({self._public.kid})"


@dataclass(frozen=True, slots=True)
class Compact:
    """A compact JWS taken apart; nothing of it is verified."""

    text: str
    header: JSONObject
    payload: JSONObject
    signing_input: bytes
    signature: bytes


def parse(text: str, limits: Limits, where: str = "signed object") -> Compact:
    """Take a compact JWS apart, strictly.

    Args:
        text: three canonical base64url parts joined by dots; nothing before, between or after.
        limits: of the payload; the header is always read within SMALL; the whole text is at most
            twice `limits.bytes` characters.
        where: what is read, for the error's text.
    Raises:
        MusterError `licence/malformed`.
    Source: docs/spec/02-signed-objects.md, section 2.2.
    """
    if len(text) > 2 * limits.bytes:
        raise error(
            "licence/malformed", where=where, detail=f"longer than {2 * limits.bytes} characters"
        )
    parts = text.split(".", 3)  # at most four: a text of dots alone must not become a long list
    if len(parts) != 3:
        raise error("licence/malformed", where=where, detail="not three parts joined by dots")
    most = min(limits.bytes, SMALL.bytes)
    head = b64url_decode(parts[0], most, where)
    header = read(head, SMALL, f"{where} header")
    if not (head.startswith(b"{") and head.endswith(b"}")):
        raise error("licence/malformed", where=f"{where} header", detail="white space around it")
    payload = read(b64url_decode(parts[1], limits.bytes, where), limits, where)
    signature = b64url_decode(parts[2], 64, where)
    if len(signature) != 64:
        raise error("licence/malformed", where=where, detail="a signature is 64 bytes")
    return Compact(text, header, payload, f"{parts[0]}.{parts[1]}".encode("ascii"), signature)


def check_header(compact: Compact, typ: str, where: str = "signed object") -> str:
    """Judge the header: exactly alg, kid and typ, each as it must be.

    Returns:
        The `kid`, 43 characters.
    Raises:
        MusterError `licence/header`.
    Source: docs/spec/02-signed-objects.md, section 2.4.
    """
    kid = check_header_form(compact, where)
    if compact.header["typ"] != typ:
        raise error("licence/header", where=where, detail=f"typ is not {typ}")
    return kid


def check_header_form(compact: Compact, where: str) -> str:
    """Judge all of a header but the value of `typ`; returns the kid, as `check_header`."""
    header = Claims(compact.header, f"{where} header", "licence/header")
    if header.value.keys() != {"alg", "kid", "typ"}:
        header.refuse("", "not exactly alg, kid and typ")
    header.choice("alg", ALGORITHMS)
    return header.text("kid", grammar.BASE64URL_32)


def signing_input(payload: JSONObject, typ: str, kid: str) -> bytes:
    """The bytes that a signature covers: header and payload in JCS, base64url, joined by a dot."""
    return f"{_header(typ, kid)}.{b64url_encode(canonical(payload))}".encode("ascii")


@functools.lru_cache(maxsize=64)
def _header(typ: str, kid: str) -> str:
    return b64url_encode(canonical({"alg": ALGORITHMS[0], "kid": kid, "typ": typ}))


def join(signed: bytes, signature: bytes) -> str:
    """The compact JWS of a signing input and its signature."""
    return f"{signed.decode('ascii')}.{b64url_encode(signature)}"


def sign(payload: JSONObject, typ: str, key: SigningKey) -> str:
    """Sign a payload and return the compact JWS. `payload` is what `canonical` takes."""
    signed = signing_input(payload, typ, key.public.kid)
    return join(signed, key.sign(signed))
