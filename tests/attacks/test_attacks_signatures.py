"""Ed25519 at its edges: malleable signatures, keys of small order, odd encodings.

What the library accepts is pinned here, so that a change of it is noticed. A key of small order
signs for everybody; it licenses nobody, because no key comes out of a token.
"""

from __future__ import annotations

import pytest
from tests.attacks.conftest import HOST_KEY, Scene, refusal

from muster.core.identity import host_binding
from muster.lease import jws
from muster.lease.bundle import Bundle
from muster.lease.jws import PublicKey
from muster.lease.verify import verify_lease

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = (1).to_bytes(32, "little")
NOBODYS = IDENTITY + bytes(32)
"""R the neutral point, S zero: verifies under keys of small order."""
SMALL_ORDER = {
    "neutral": IDENTITY,
    "neutral, sign bit": (1 | 1 << 255).to_bytes(32, "little"),
    "neutral, y + p": (PRIME + 1).to_bytes(32, "little"),
    "order 2": (PRIME - 1).to_bytes(32, "little"),
    "order 4": bytes(32),
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
}


def test_no_second_signature_for_the_same_bytes(scene: Scene) -> None:
    key = scene.host
    for number in range(32):
        message = b"message %d" % number
        good = key.sign(message)
        s = int.from_bytes(good[32:], "little")
        for times in range(1, 16):
            if s + times * ORDER < 1 << 256:
                high = good[:32] + (s + times * ORDER).to_bytes(32, "little")
                assert refusal(lambda: key.public.verify(high, message)) == "licence/signature"  # noqa: B023
        flipped = bytes([*good[:31], good[31] ^ 0x80, *good[32:]])
        assert refusal(lambda: key.public.verify(flipped, message)) == "licence/signature"  # noqa: B023
        for r in (IDENTITY, (PRIME + 1).to_bytes(32, "little"), b"\xff" * 32, bytes(32)):
            for tail in (bytes(32), good[32:], ORDER.to_bytes(32, "little")):
                assert refusal(lambda: key.public.verify(r + tail, message))  # noqa: B023


@pytest.mark.parametrize("name", list(SMALL_ORDER))
def test_a_key_of_small_order_opens_no_foreign_grant(scene: Scene, name: str) -> None:
    """Whoever puts such a key into a bundle must be the host that the publisher granted."""
    key = PublicKey(SMALL_ORDER[name])
    claims = scene.lease_payload() | {"iss": key.kid}
    signed = jws.signing_input(claims, jws.LEASE_TYP, key.kid)
    data = Bundle(jws.join(signed, NOBODYS), scene.grant(), key).encode()
    assert refusal(lambda: verify_lease(data, scene.expected())) == "licence/malformed"


def test_a_host_that_enrols_a_key_of_small_order_leases_nothing(scene: Scene) -> None:
    """A key under which everybody can sign is no key, even where the publisher granted it."""
    key = PublicKey(IDENTITY)
    grant = scene.grant(binding=host_binding(scene.id, HOST_KEY, key.raw))
    claims = scene.lease_payload() | {"iss": key.kid}
    signed = jws.signing_input(claims, jws.LEASE_TYP, key.kid)
    data = Bundle(jws.join(signed, NOBODYS), grant, key).encode()
    assert refusal(lambda: verify_lease(data, scene.expected())) == "licence/malformed"


def test_encodings_of_one_point_are_different_keys(scene: Scene) -> None:
    """Their thumbprints and bindings differ, so that none stands in for another."""
    names = {PublicKey(raw).kid for raw in SMALL_ORDER.values()}
    bindings = {host_binding(scene.id, HOST_KEY, raw) for raw in SMALL_ORDER.values()}
    assert len(names) == len(bindings) == len(SMALL_ORDER)
