"""docs/spec/02-signed-objects.md, sections 2.7 to 2.10: terms, leases, notices, bundles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.core.keys import KeyId, Kind
from muster.core.products import DAY, day_start
from muster.lease import lease, notice, strict
from muster.lease.bundle import (
    ActivationBundle,
    Bundle,
    NoticeBundle,
    read_activation_bundle,
    read_bundle,
    read_notice_bundle,
)
from muster.lease.claims import Claims
from muster.lease.grant import read_grant
from muster.lease.jws import GRANT_TYP, TERMS_TYP, MemorySigningKey, parse, sign
from muster.lease.lease import make_lease
from muster.lease.notice import NoticeClaims, make_notice
from muster.lease.terms import accept_terms, read_terms, terms_still_valid
from muster.lease.trust import TrustKey, follow

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

KeyOf = Callable[[str], MemorySigningKey]
INJECTIONS = ['"', "{", "}", "}}", "{count}", "\\", "\n", "a/b", "%s", "é", "\x00", "😀"]


def code_of(call: Callable[..., object], *args: object) -> str:
    """The code that the call raises."""
    with pytest.raises(MusterError) as caught:
        call(*args)
    return caught.value.code


# Leases.


def test_a_lease_in_bytes(maker: Maker) -> None:
    compact = parse(make_lease(maker.lease_claims(), maker.host_key), strict.SMALL)
    kid = maker.host_key.public.kid
    assert compact.header == {"alg": "EdDSA", "kid": kid, "typ": "muster-lease+jwt"}
    claims = maker.lease_claims()
    assert compact.payload == {
        "iss": kid,
        "sub": maker.cmid,
        "aud": f"{maker.publisher}/contoso-desktop-7-pro",
        "iat": claims.iat,
        "nbf": claims.iat,
        "exp": claims.exp,
        "jti": claims.jti,
        "muster": {
            "v": 1,
            "group": "contoso-desktop",
            "identity": "machine",
            "nonce": maker.nonce,
            "renew_after": 7 * DAY,
            "retry_after": 7200,
            "count": 25,
            "need": 25,
            "fingerprint": list(maker.fingerprint),
            "catalogue": 1,
            "trust": 1,
        },
    }
    assert lease.read_claims(Claims(compact.payload, "lease")) == claims


@pytest.mark.parametrize(
    "name", ["cmid", "publisher", "product", "jti", "group", "identity", "nonce"]
)
@pytest.mark.parametrize("text", INJECTIONS)
def test_a_host_never_signs_what_is_not_of_its_grammar(maker: Maker, name: str, text: str) -> None:
    good = getattr(maker.lease_claims(), name)
    for bad in (text, good + text, text + good):
        change: dict[str, Any] = {name: bad}
        assert code_of(make_lease, maker.lease_claims(**change), maker.host_key) == "licence/claims"


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": ("x",)},
        {"fingerprint": ("u" + "f" * 16, "u" + "0" * 16)},
        {"fingerprint": ("u" + "f" * 16, "u" + "f" * 16)},
        {"fingerprint": ("f" * 16,)},
        {"fingerprint": tuple(f"n{n:016x}" for n in range(17))},
        {"iat": -1},
        {"exp": 2**53},
        {"count": -1},
        {"count": True},
        {"renew_after": "7"},
        {"trust": None},
    ],
    ids=repr,
)
def test_a_host_never_signs_wrong_types(maker: Maker, change: dict[str, Any]) -> None:
    assert code_of(make_lease, maker.lease_claims(**change), maker.host_key) == "licence/claims"


def test_sixteen_facts_fit(maker: Maker) -> None:
    facts = tuple(f"n{n:016x}" for n in range(16))
    assert make_lease(maker.lease_claims(fingerprint=facts), maker.host_key)


# Notices.


def test_a_notice_in_bytes(maker: Maker) -> None:
    bundle = read_notice_bundle(maker.notice())
    payload = parse(bundle.notice, strict.SMALL).payload
    assert payload["muster"] == {"v": 1, "code": "host/duplicate-cmid", "nonce": maker.nonce}
    assert set(payload) == {"iss", "sub", "aud", "iat", "jti", "muster"}
    found = notice.read_claims(Claims(payload, "notice"))
    assert (found.cmid, found.code) == (maker.cmid, notice.DUPLICATE_CMID)


@pytest.mark.parametrize("name", ["cmid", "publisher", "product", "jti", "code", "nonce"])
@pytest.mark.parametrize("text", INJECTIONS)
def test_a_host_signs_no_notice_that_is_not_of_its_grammar(
    maker: Maker, name: str, text: str
) -> None:
    good = NoticeClaims(
        maker.cmid, maker.publisher, maker.product.id, 1, "A" * 22, "host/x", maker.nonce
    )
    change: dict[str, Any] = {name: getattr(good, name) + text}
    if name == "code" and text == "a/b":
        change = {name: "a/b/c"}
    assert code_of(make_notice, replace(good, **change), maker.host_key) == "licence/claims"


# Terms.


def test_terms(maker: Maker) -> None:
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    found = read_terms(maker.sign_terms(), maker.trust, grant)
    assert (found.limit, found.over, found.version) == (100, "refuse", 1)
    assert (found.customer, found.agreement) == ("Fabrikam Inc", "F-2026-17")
    assert (found.grant_jti, found.group) == (grant.jti, "contoso-server")
    assert read_terms(maker.sign_terms(over="report", limit=0), maker.trust, grant).limit == 0


def test_whose_terms(maker: Maker) -> None:
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    for signer in (maker.stranger, maker.catalogue_key, maker.host_key):
        text = maker.sign_terms(signer)
        assert code_of(read_terms, text, maker.trust, grant) == "terms/signer"
    other = read_grant(
        maker.host_grant(key_id=KeyId(Kind.HOST, 7, 1)), maker.trust, maker.publisher
    )
    assert code_of(read_terms, maker.sign_terms(), maker.trust, other) == "terms/grant"
    typed = sign(parse(maker.sign_terms(), strict.SMALL).payload, GRANT_TYP, maker.grant_key)
    assert code_of(read_terms, typed, maker.trust, grant) == "licence/header"
    assert code_of(read_terms, "x", maker.trust, grant) == "licence/malformed"
    assert code_of(read_terms, grant.text, maker.trust, grant) == "licence/header"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"limit": "100"},
        {"limit": ...},
        {"over": "ignore"},
        {"over": None},
        {"customer": "a\nb"},
        {"customer": ...},
        {"agreement": 7},
        {"v": 0},
        {"aud": "bbbbbbbbbbbbbbbb/contoso-server"},
        {"aud": "contoso-server"},
        {"sub": "x"},
        {"iss": "x"},
    ],
    ids=repr,
)
def test_claims_of_terms(maker: Maker, change: dict[str, Any]) -> None:
    payload = parse(maker.sign_terms(), strict.SMALL).payload
    for name, value in change.items():
        place = payload if name in payload else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    text = sign(payload, TERMS_TYP, maker.grant_key)
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    assert code_of(read_terms, text, maker.trust, grant) == "terms/claims"


def test_terms_of_a_later_format(maker: Maker) -> None:
    payload = parse(maker.sign_terms(), strict.SMALL).payload
    payload["muster"]["v"] = 2
    text = sign(payload, TERMS_TYP, maker.grant_key)
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    assert code_of(read_terms, text, maker.trust, grant) == "licence/version"


def test_the_highest_version_of_terms(maker: Maker, keys: KeyOf) -> None:
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    second = accept_terms(None, maker.sign_terms(version=2), maker.trust, grant)
    assert accept_terms(second, second.text, maker.trust, grant) is second
    assert accept_terms(second, maker.sign_terms(version=3), maker.trust, grant).version == 3
    for text in (maker.sign_terms(), maker.sign_terms(version=2, limit=5)):
        assert code_of(accept_terms, second, text, maker.trust, grant) == "terms/older"
    other = read_grant(maker.host_grant(hw="0" * 12, binding="1" * 25), maker.trust, grant.issuer)
    first = accept_terms(second, maker.sign_terms(grant=other), maker.trust, other)
    assert (first.version, first.grant_jti) == (1, other.jti)

    fresh = keys("grant 2")
    withdrawn = follow(
        maker.trust,
        maker.sign_trust(version=2, keys=[TrustKey(fresh.public, "grant", 1)]),
    )
    assert terms_still_valid(second, maker.trust)
    assert not terms_still_valid(second, withdrawn)
    text = maker.sign_terms(fresh, iat=day_start(1))
    assert accept_terms(second, text, withdrawn, grant).version == 1
    assert not terms_still_valid(replace(second, issuer="b" * 16), maker.trust)


# Bundles.


def test_bundles_round_trip(maker: Maker) -> None:
    bundle = read_bundle(maker.bundle())
    assert read_bundle(bundle.encode()) == bundle
    assert bundle.encode() == maker.bundle()
    noted = read_notice_bundle(maker.notice())
    assert noted == NoticeBundle(noted.notice, noted.grant, maker.host_key.public)
    activation = read_activation_bundle(maker.activation())
    assert activation == ActivationBundle(maker.mak_grant())


def test_the_answer_of_a_host_is_a_bundle_too(maker: Maker) -> None:
    value = strict.read(maker.bundle(), strict.BUNDLE)
    answer = strict.canonical(value | {"count": 25, "need": 25, "trust": 1, "catalogue": 1})
    assert read_bundle(answer) == read_bundle(maker.bundle())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": ...}, "licence/malformed"),
        ({"v": 0}, "licence/malformed"),
        ({"v": "1"}, "licence/malformed"),
        ({"v": None}, "licence/malformed"),
        ({"v": 2}, "licence/version"),
        ({"v": 2, "lease": ...}, "licence/version"),
        ({"lease": ...}, "licence/malformed"),
        ({"lease": {}}, "licence/malformed"),
        ({"lease": "a.b"}, "licence/malformed"),
        ({"lease": "a.b.c\n"}, "licence/malformed"),
        ({"grant": ...}, "licence/malformed"),
        ({"grant": None}, "licence/malformed"),
        ({"signer": ...}, "licence/malformed"),
        ({"signer": "key"}, "licence/malformed"),
        ({"signer": {}}, "licence/malformed"),
        ({"signer": {"crv": "Ed25519", "kty": "OKP", "x": "A" * 43, "d": ""}}, "licence/malformed"),
        ({"signer": {"crv": "Ed25519", "kty": "OKP", "x": "B" * 43}}, "licence/malformed"),
    ],
    ids=repr,
)
def test_bundles_that_are_none(maker: Maker, change: dict[str, Any], code: str) -> None:
    value = strict.read(maker.bundle(), strict.BUNDLE) | change
    data = strict.canonical({name: item for name, item in value.items() if item is not ...})
    assert code_of(read_bundle, data) == code


@pytest.mark.parametrize("reader", [read_bundle, read_activation_bundle, read_notice_bundle])
@given(data=st.binary(max_size=100) | st.text('{}":,v1leasgrntoic', max_size=60).map(str.encode))
def test_any_bytes_give_a_bundle_or_an_error(
    reader: Callable[[bytes], object], data: bytes
) -> None:
    with pytest.raises(MusterError):
        reader(data)


def test_largest_bundle_fits(maker: Maker) -> None:
    """A grant that covers 16 groups of the longest ids, and a lease with 16 facts."""
    groups = tuple(sorted(f"{n:02}-{'x' * 61}" for n in range(16)))
    group = replace(maker.server, id=groups[0], covers=groups)
    facts = tuple(f"n{n:016x}" for n in range(16))
    signed = make_lease(
        maker.lease_claims(fingerprint=facts, group=groups[3], product="p" * 64), maker.host_key
    )
    bundle = Bundle(signed, maker.host_grant(group=group), maker.host_key.public)
    assert read_bundle(bundle.encode()) == bundle
