"""Which bytes are public keys, which signatures are anybody's, and which names people are shown.

Every reader refuses with its own error, whatever the bytes (docs/spec/02-signed-objects.md).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests.lease.trees import tree
from tests.vectors.making.points import (
    BAD_KEYS,
    EIGHT,
    GOOD_KEYS,
    L,
    OddKey,
    P,
    encoded,
    odd_keys,
    times,
    x_of,
)
from tests.vectors.making.signing import Key

from muster.core.errors import MusterError
from muster.lease import jws, strict
from muster.lease.grant import read_grant
from muster.lease.jws import MemorySigningKey, PublicKey, is_public_key
from muster.lease.steps import Case
from muster.lease.terms import accept_terms, read_terms
from muster.lease.trust import TrustClaims, TrustKey, anchor, make_trust, parse_trust
from muster.lease.verify import open_licence, verify_lease, verify_notice

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

BYTES = st.binary(min_size=32, max_size=32) | st.sampled_from(
    [
        *BAD_KEYS.values(),
        *GOOD_KEYS.values(),
        *(n.to_bytes(32, "little") for n in range(P - 20, P + 20)),
    ]
)


def code_of(call: Any, *values: Any) -> str:
    with pytest.raises(MusterError) as caught:
        call(*values)
    return caught.value.code


@given(BYTES)
def test_a_key_is_a_point_of_the_curve_that_is_written_the_one_way(raw: bytes) -> None:
    """Against the square root of RFC 8032, which the code does not take."""
    y, sign = int.from_bytes(raw, "little") & (1 << 255) - 1, raw[31] >> 7
    x = x_of(y, sign) if y < P else None
    decodes = x is not None and not (x == 0 and sign)
    small = raw in BAD_KEYS.values()
    assert is_public_key(raw) == (decodes and not small)


@given(st.binary(max_size=70))
def test_other_lengths_are_no_keys(raw: bytes) -> None:
    assert len(raw) == 32 or not is_public_key(raw)


@given(st.binary(min_size=32, max_size=32))
def test_every_private_key_has_a_public_one_that_is_taken(seed: bytes) -> None:
    key = MemorySigningKey(seed)
    assert PublicKey.from_jwk(key.public.jwk) == key.public
    key.public.verify(key.sign(b"x"), b"x")


@pytest.mark.parametrize("name", BAD_KEYS)
def test_no_reader_takes_a_bad_key(maker: Maker, name: str) -> None:
    """Roots, working keys of any role, and the signer of a bundle."""
    bad = PublicKey(BAD_KEYS[name])
    text = maker.sign_trust(version=2)
    for member in ("roots", "keys"):
        payload = tree(jws.parse(text, strict.TRUST).payload)
        entry = bad.jwk if member == "roots" else {"jwk": bad.jwk, "role": "later"}
        payload["muster"][member][1] = entry
        spoilt = jws.sign(payload, jws.TRUST_TYP, maker.working)
        for read in (parse_trust, anchor):
            assert code_of(read, spoilt) == "trust/claims"
    lease, notice = (
        strict.canonical(strict.read(made, strict.BUNDLE) | {"signer": bad.jwk})
        for made in (maker.bundle(), maker.notice())
    )
    assert code_of(open_licence, lease, maker.trust, maker.publisher) == "licence/malformed"
    assert code_of(verify_lease, lease, maker.expected()) == "licence/malformed"
    assert code_of(verify_notice, notice, maker.expected()) == "licence/malformed"


def test_no_publisher_signs_a_trust_object_with_a_bad_key(maker: Maker) -> None:
    bad = TrustKey(PublicKey(BAD_KEYS["order 8"]), "grant", 9)
    old = maker.trust
    with pytest.raises(MusterError) as caught:
        make_trust(
            TrustClaims(
                issuer=old.issuer,
                label=old.label,
                name=old.name,
                version=old.version + 1,
                iat=old.iat,
                roots=old.roots,
                keys=[*old.keys, bad],
            ),
            maker.working,
        )
    assert caught.value.code == "trust/claims"


@pytest.mark.parametrize(
    "way", ["cofactor", "neutral R", "R above the prime", "R of order 2", "R and more"]
)
def test_signatures_that_not_every_library_judges_alike_are_nobodys(way: str) -> None:
    for _, key in odd_keys("a test", way):
        assert is_public_key(key.public)
        assert code_of(PublicKey(key.public).verify, key.sign(b"x"), b"x") == "licence/signature"
    good = OddKey("a test", "both", mixed=True)
    PublicKey(good.public).verify(good.sign(b"x"), b"x")


@pytest.mark.parametrize("multiple", range(8))
def test_no_point_of_small_order_is_the_r_of_a_signature(multiple: int) -> None:
    """Under a key of mixed order the equation holds for each of the eight, where k fits."""
    x, y = times(multiple, EIGHT)
    key = TorsionKey("a test", encoded(y, x & 1))
    data = next(data for data in (b"%d" % n for n in range(1000)) if key.fits(data, multiple))
    signature = key.sign(data)
    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, data)
    assert code_of(PublicKey(key.public).verify, signature, data) == "licence/signature"


class TorsionKey(OddKey):
    """A key of mixed order that signs with one R of small order."""

    def __init__(self, label: str, first: bytes) -> None:
        super().__init__(label, "both", mixed=True)
        self._first = first

    def _k(self, data: bytes) -> int:
        digest = hashlib.sha512(self._first + self.public + data).digest()
        return int.from_bytes(digest, "little") % L

    def fits(self, data: bytes, multiple: int) -> bool:
        """Whether S·B = R + k·A, where R is a multiple of the point in the key."""
        return (self._k(data) + multiple) % 8 == 0

    def sign(self, data: bytes) -> bytes:
        """R as told, and the S that belongs to it."""
        return self._first + (self._k(data) * self._secret % L).to_bytes(32, "little")


def test_keys_are_judged_once() -> None:
    """A host checks its own grants at every request: what was asked before costs a look."""
    raw = Key("judged once").public
    is_public_key(raw)
    before = is_public_key.cache_info()
    for _ in range(10):
        is_public_key(raw)
    after = is_public_key.cache_info()
    assert (after.hits - before.hits, after.misses - before.misses) == (10, 0)


@given(st.text(max_size=210) | st.text("a \u200b\u202e\u061c\ufeff\U000e0041\n", max_size=8))
def test_any_name_is_taken_or_refused_with_the_objects_own_error(maker: Maker, name: str) -> None:
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    payload = tree(jws.parse(maker.sign_terms(), strict.SMALL).payload)
    payload["muster"]["customer"] = name
    text = jws.sign(payload, jws.TERMS_TYP, maker.grant_key)
    try:
        found = read_terms(text, maker.trust, grant)
    except MusterError as caught:
        assert caught.code in ("terms/claims", "licence/malformed")
        assert name
    else:
        assert found.customer == name
        assert not any(character in "\u200b\u202e\u061c\ufeff\U000e0041\n" for character in name)
        assert name == name.strip()
        assert accept_terms(found, text, maker.trust, grant) is found
        held = replace(found, version=found.version + 1, text="")
        assert code_of(accept_terms, held, text, maker.trust, grant) == "terms/older"


def test_programs_that_show_licences_of_others_give_the_errors_of_the_steps(maker: Maker) -> None:
    """5.6: a grant of another typ is step 3, not a header of another object."""
    grant = tree(jws.parse(maker.host_grant(), strict.SMALL).payload)

    def opened(**changes: str) -> str:
        data = strict.canonical(strict.read(maker.bundle(), strict.BUNDLE) | changes)
        return code_of(open_licence, data, maker.trust, maker.publisher)

    other = jws.sign(grant, jws.TERMS_TYP, maker.grant_key)
    assert opened(grant=other) == "licence/grant"
    later = jws.sign(
        {**grant, "muster": {**grant["muster"], "v": 2}}, jws.GRANT_TYP, maker.grant_key
    )
    assert opened(grant=later) == "licence/version"
    odd = jws.sign({**grant, "exp": "x"}, jws.GRANT_TYP, MemorySigningKey(b"x" * 32))
    assert opened(grant=odd) == "licence/grant"
    # Step 4 before step 5: who signed is judged before what is said.
    lease = tree(
        jws.parse(strict.read(maker.bundle(), strict.BUNDLE)["lease"], strict.SMALL).payload
    )
    forged = jws.sign({**lease, "exp": "x"}, jws.LEASE_TYP, MemorySigningKey(b"x" * 32))
    assert opened(lease=forged) == "licence/signer"
    case = Case.of_anybody(maker.bundle(), maker.trust, maker.publisher)
    assert not hasattr(case, "expected")
