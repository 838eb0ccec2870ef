"""How the vectors are signed and serialised: the formats built a second time, from the text alone.

Knows docs/spec/01-identities.md and 02-signed-objects.md; imports nothing of Muster, so that a
vector cannot share a mistake with the code that it judges. Unlike Muster's own code it signs
anything, also what must be refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DAY = 86_400
DAY_ZERO = 20_454
JSON = dict[str, Any]

ALPHABET = "BCDFGHJKMPQRTVWXY2346789"


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes behind base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jcs(value: object) -> str:
    """RFC 8785 for the values that vectors hold: ASCII member names, integers, any text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Key:
    """A signing key that follows from its label, the same on every machine and for ever."""

    def __init__(self, label: str) -> None:
        self.label = label
        seed = hashlib.sha256(b"muster test vectors, key " + label.encode()).digest()
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()
        self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64(self.public)}
        self.kid = b64(hashlib.sha256(jcs(self.jwk).encode()).digest())

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519, deterministic."""
        return self._private.sign(data)


def compact(header: str, payload: str | bytes, key: Key) -> str:
    """Sign two JSON texts as they stand; nothing is checked."""
    raw = payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")
    signed = f"{b64(header.encode('utf-8', 'surrogatepass'))}.{b64(raw)}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


def header(typ: str, kid: str, /, **changes: Any) -> JSON:
    """The three header members; a change to None leaves the member out."""
    return without_none({"alg": "EdDSA", "kid": kid, "typ": typ, **changes})


def without_none(value: Mapping[str, Any]) -> JSON:
    """The members that are not None."""
    return {name: item for name, item in value.items() if item is not None}


def sign(typ: str, payload: Mapping[str, Any], key: Key) -> str:
    """A well-formed signed object."""
    return compact(jcs(header(typ, key.kid)), jcs(payload), key)


def instant(day: int, seconds: int = 0) -> int:
    """Unix seconds of a day number (day 0 = 2026-01-01)."""
    return (DAY_ZERO + day) * DAY + seconds


def publisher_id(root: Key) -> str:
    """The first 16 characters of the lower-case base32 of a hash."""
    digest = hashlib.sha256(b"muster-publisher-v1" + root.public).digest()
    return base64.b32encode(digest).decode().lower()[:16]


def packed_key_id(key_id: str) -> bytes:
    """Kind 3, group 10, serial 24 bits, left-padded to 5 bytes."""
    kind, group, serial = (int(part) for part in key_id.split("-"))
    return (kind << 34 | group << 24 | serial).to_bytes(5, "big")


def host_binding(publisher: str, key_id: str, host: Key) -> str:
    """25 hexadecimal digits."""
    data = b"muster-host-v1" + publisher.encode() + packed_key_id(key_id) + host.public
    return hashlib.sha256(data).hexdigest()[:25]


def grant_jti(publisher: str, key_id: str, binding: str) -> str:
    """22 characters of base64url."""
    name = f"muster-jti-v1/{publisher}/{key_id}/{binding}"
    return b64(hashlib.sha256(name.encode()).digest()[:16])


def token(label: str) -> str:
    """22 characters of base64url that follow from a label: nonces and the jti of leases."""
    return b64(hashlib.sha256(b"muster test vectors, token " + label.encode()).digest()[:16])


def grant_payload(
    kind: str,
    publisher: str,
    key_id: str,
    binding: str,
    group: Mapping[str, Any],
    *,
    hw: str | None,
    term: int,
    day: int,
) -> JSON:
    """The payload of G."""
    iat = instant(day)
    return without_none(
        {
            "aud": f"{publisher}/{group['id']}",
            "exp": iat + term * 30 * DAY if term else None,
            "iat": iat,
            "iss": publisher,
            "jti": grant_jti(publisher, key_id, binding),
            "muster": without_none(
                {
                    "v": 1,
                    "kind": kind,
                    "key": key_id,
                    "binding": binding,
                    "hw": hw,
                    "covers": group["covers"],
                    "max_lease": group["max_lease"] if kind == "host" else None,
                }
            ),
        }
    )


# Product keys, as far as a descriptor needs one.

_GF8_LOG = {1: 0, 2: 1, 4: 2, 3: 3, 6: 4, 7: 5, 5: 6}  # powers of x modulo x^3 + x + 1
_GF8_POW = {log: value for value, log in _GF8_LOG.items()}


def check_symbol(symbols: Sequence[int]) -> int:
    """The symbol of place 0 that makes the weighted sum (0, 0); `symbols` end at place 1."""
    total_a = total_b = 0
    for place, symbol in enumerate(reversed(symbols), start=1):
        a, b = divmod(symbol, 3)
        if a:
            total_a ^= _GF8_POW[(_GF8_LOG[a] + place) % 7]
        total_b += b * pow(2, place, 3)
    return 3 * total_a + (-total_b) % 3


def product_key(publisher: str, kind: int, group: int, tag: int, serial: int) -> str:
    """25 symbols with a tag that is given, not computed."""
    prefix = int.from_bytes(base64.b32decode(publisher.upper())[:2], "big")
    head = (kind << 26) | (prefix << 10) | group
    symbols: list[int] = []
    for value, width in ((head, 7), (tag, 12), (serial, 5)):
        digits = []
        for _ in range(width):
            value, digit = divmod(value, 24)  # noqa: PLW2901
            digits.append(digit)
        symbols += reversed(digits)
    symbols.append(check_symbol(symbols))
    text = "".join(ALPHABET[symbol] for symbol in symbols)
    return "-".join(text[start : start + 5] for start in range(0, 25, 5))


# Confirmation IDs.

_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)


def check_digit_of(place: int, data: str) -> str:
    """The check digit of five digits at a place, counted from 0."""
    interim = place % 10
    for digit in data:
        interim = int(_DAMM[interim][int(digit)])
    return str(interim)


def digit_groups(number: int, count: int) -> list[str]:
    """A number as groups of five digits, each with its check digit."""
    digits = str(number).zfill(5 * count)
    if len(digits) != 5 * count:
        raise ValueError("too large")
    parts = [digits[5 * place : 5 * place + 5] for place in range(count)]
    return [data + check_digit_of(place, data) for place, data in enumerate(parts)]


def confirmation_groups(
    index: int, day: int, term: int, signature: bytes, version: int = 0
) -> list[str]:
    """33 groups of six digits; a version above 3 is a number that does not fit."""
    value = (((version << 8 | index) << 16 | day) << 6) | term
    value = (value << 256) | int.from_bytes(signature[:32], "big")
    value = (value << 253) | int.from_bytes(signature[32:], "little")
    return digit_groups(value, 33)
