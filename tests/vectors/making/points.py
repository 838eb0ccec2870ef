"""Points of Ed25519 that no key may be, and signatures that not every library judges alike.

Curve arithmetic written out from RFC 8032 (section 5.1), slow and plain. All follows from labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tests.vectors.making.signing import JSON, Key, b64, jcs

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def add(one: Point, other: Point) -> Point:
    """The sum of two points (affine)."""
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(number: int, point: Point) -> Point:
    """The multiple of a point."""
    total = NEUTRAL
    while number:
        if number & 1:
            total = add(total, point)
        point, number = add(point, point), number >> 1
    return total


def x_of(y: int, sign: int) -> int | None:
    """The x of a y whose lowest bit is `sign`, or None where the curve has no such point."""
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * pow(2, (P - 1) // 4, P) % P
    if v * x * x % P != u:
        return None
    return P - x if x % 2 != sign and x else x


def point(y: int, sign: int) -> Point:
    """The point of a y that the curve has."""
    x = x_of(y, sign)
    if x is None:
        raise ValueError("no point of the curve")
    return x, y


def encoded(y: int, sign: int) -> bytes:
    """32 bytes: y, and the lowest bit of x; whether that is a point is not asked."""
    return (y | sign << 255).to_bytes(32, "little")


BASE = point(4 * pow(5, -1, P) % P, 0)
EIGHT_Y = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
EIGHT = point(EIGHT_Y, 0)
"""A point of order 8."""
ON_CURVE = next(y for y in range(2, 19) if x_of(y, 0) is not None)
OFF_CURVE = next(y for y in range(2, 19) if x_of(y, 0) is None)

BAD_KEYS = {
    "order 1": encoded(1, 0),
    "order 1, sign of another x": encoded(1, 1),
    "order 1, y above the prime": encoded(P + 1, 0),
    "order 1, y above the prime, sign": encoded(P + 1, 1),
    "order 2": encoded(P - 1, 0),
    "order 2, sign of another x": encoded(P - 1, 1),
    "order 4": encoded(0, 0),
    "order 4, the other": encoded(0, 1),
    "order 4, y the prime": encoded(P, 0),
    "order 4, y the prime, sign": encoded(P, 1),
    "order 8": encoded(EIGHT_Y, 0),
    "order 8, its negative": encoded(EIGHT_Y, 1),
    "order 8, the third": encoded(P - EIGHT_Y, 0),
    "order 8, the fourth": encoded(P - EIGHT_Y, 1),
    "large order, y above the prime": encoded(P + ON_CURVE, 0),
    "large order, y above the prime, sign": encoded(P + ON_CURVE, 1),
    "no point": encoded(OFF_CURVE, 0),
    "no point, sign": encoded(OFF_CURVE, 1),
    "no point, y above the prime": encoded(P + OFF_CURVE, 0),
    "all bits": b"\xff" * 32,
    "y the last below 2^255": encoded(2**255 - 1, 0),
}
"""32 bytes that are no public key, by why."""


class RawKey(Key):
    """A public key of any bytes; it signs as everybody can under a key of small order."""

    def __init__(self, public: bytes) -> None:
        self.label = public.hex()
        self.public = public
        self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64(public)}
        self.kid = b64(hashlib.sha256(jcs(self.jwk).encode()).digest())

    def sign(self, data: bytes) -> bytes:
        """R a small multiple of the base point, S its number, where k times the key is nothing."""
        for number in range(1, 1000):
            r = times(number, BASE)
            first = encoded(r[1], r[0] & 1)
            k = int.from_bytes(hashlib.sha512(first + self.public + data).digest(), "little") % L
            if k % 8 == 0:
                return first + number.to_bytes(32, "little")
        raise AssertionError


class OddKey(RawKey):
    """A key whose secret number is known, plus a point of order 8 where `mixed`, that signs oddly.

    `way`: "both" equations hold, "cofactor" only the one with the cofactor does, "neutral R" signs
    with R = 0, "R above the prime" with its other writing, "R of order 2" with a wrong R, and
    "R and more" with a point of order 8 added, which only the equation with the cofactor takes.
    """

    def __init__(self, label: str, way: str, *, mixed: bool = False) -> None:
        digest = hashlib.sha512(b"muster test vectors, odd key " + label.encode()).digest()
        self._secret = int.from_bytes(digest, "little") % L
        self._own = times(self._secret, BASE)
        if mixed:
            self._own = add(self._own, EIGHT)
        self._way = way
        super().__init__(encoded(self._own[1], self._own[0] & 1))

    def sign(self, data: bytes) -> bytes:
        """64 bytes that follow from key, way and data."""
        for number in self._numbers(data):
            r = times(number, BASE)
            if self._way == "R and more":
                r = add(r, EIGHT)
            first = encoded(r[1], r[0] & 1)
            if self._way == "R above the prime":
                first = encoded(P + 1, 0)
            elif self._way == "R of order 2":
                first = encoded(P - 1, 0)
            k = int.from_bytes(hashlib.sha512(first + self.public + data).digest(), "little") % L
            if (self._way == "both" and k % 8) or (self._way == "cofactor" and k % 8 == 0):
                continue
            s = (number + k * self._secret) % L
            return first + s.to_bytes(32, "little")
        raise AssertionError

    def _numbers(self, data: bytes) -> Iterator[int]:
        if self._way not in ("both", "cofactor", "R and more"):
            yield 0
            return
        for count in range(1000):
            digest = hashlib.sha512(b"%d " % count + self.public + data).digest()
            yield int.from_bytes(digest, "little") % L


def odd_keys(label: str, way: str) -> list[tuple[str, OddKey]]:
    """The keys that sign in a way, named: of mixed and of large order where both make sense."""
    orders = {"cofactor": (True,), "R and more": (False,)}.get(way, (True, False))
    return [
        ("of mixed order" if mixed else "of large order", OddKey(label, way, mixed=mixed))
        for mixed in orders
    ]


GOOD_KEYS = {
    "of a signing key": Key("an ordinary key").public,
    "of large order, small y": encoded(ON_CURVE, 0),
    "of large order, small y, sign": encoded(ON_CURVE, 1),
    "of mixed order": OddKey("mixed", "both", mixed=True).public,
    "the base point": encoded(BASE[1], 0),
}


def keys() -> JSON:
    """The content of keys.json: which JWKs are keys."""
    plain = Key("an ordinary key").jwk
    cases: list[JSON] = [
        {"name": f"key {name}", "jwk": RawKey(raw).jwk, "result": "ok"}
        for name, raw in GOOD_KEYS.items()
    ]
    cases += [
        {"name": f"key of {name}", "jwk": RawKey(raw).jwk, "result": "refused"}
        for name, raw in BAD_KEYS.items()
    ]
    shapes: dict[str, object] = {
        "with a private half": {**plain, "d": plain["x"]},
        "with use": {**plain, "use": "sig"},
        "with kid": {**plain, "kid": "a"},
        "without kty": {"crv": "Ed25519", "x": plain["x"]},
        "without crv": {"kty": "OKP", "x": plain["x"]},
        "without x": {"crv": "Ed25519", "kty": "OKP"},
        "of X25519": {**plain, "crv": "X25519"},
        "of another kty": {**plain, "kty": "EC"},
        "with crv in small letters": {**plain, "crv": "ed25519"},
        "of 31 bytes": {**plain, "x": b64(b"\x09" * 31)},
        "of 33 bytes": {**plain, "x": b64(b"\x09" * 33)},
        "with padding": {**plain, "x": f"{plain['x']}="},
        "with unused bits": {**plain, "x": f"{plain['x'][:-1]}{chr(ord(plain['x'][-1]) + 1)}"},
        "in hexadecimal": {**plain, "x": Key("an ordinary key").public.hex()},
        "whose x is a number": {**plain, "x": 1},
        "that is a text": plain["x"],
        "that is null": None,
        "that is an array": [plain],
    }
    cases += [
        {"name": f"key {name}", "jwk": value, "result": "refused"} for name, value in shapes.items()
    ]
    return {"cases": cases}
