"""docs/spec/02-signed-objects.md: terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.lease.codes import code_of
from tests.lease.trees import tree

from muster.core.keys import KeyId, Kind
from muster.core.products import day_start
from muster.lease import strict
from muster.lease.grant import read_grant
from muster.lease.jws import GRANT_TYP, TERMS_TYP, MemorySigningKey, parse, sign
from muster.lease.terms import Ceiling, accept_terms, make_terms, read_terms, terms_still_valid
from muster.lease.trust import TrustKey, follow

if TYPE_CHECKING:
    from tests.lease.conftest import Maker

KeyOf = Callable[[str], MemorySigningKey]


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
    payload = tree(parse(maker.sign_terms(), strict.SMALL).payload)
    for name, value in change.items():
        place = payload if name in payload else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    text = sign(payload, TERMS_TYP, maker.grant_key)
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)
    assert code_of(read_terms, text, maker.trust, grant) == "terms/claims"


def test_a_publisher_signs_no_terms_that_nobody_would_read(maker: Maker) -> None:
    grant = read_grant(maker.host_grant(), maker.trust, maker.publisher)

    def made(limit: int, agreement: str) -> str:
        ceiling = Ceiling(limit, over="refuse", customer="Fabrikam", agreement=agreement)
        return make_terms(grant, ceiling, 1, grant.iat, maker.grant_key)

    assert read_terms(made(5, "F-1"), maker.trust, grant).limit == 5
    for limit, agreement in ((-1, "F-1"), (5, "a\nb")):
        assert code_of(made, limit, agreement) == "terms/claims"


def test_terms_of_a_later_format(maker: Maker) -> None:
    payload = tree(parse(maker.sign_terms(), strict.SMALL).payload)
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
