"""docs/spec/02-signed-objects.md: leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.lease.codes import INJECTIONS, code_of
from tests.lease.trees import tree

from muster.core.products import DAY
from muster.lease import lease, strict
from muster.lease.claims import Claims
from muster.lease.jws import parse
from muster.lease.lease import make_lease

if TYPE_CHECKING:
    from tests.lease.conftest import Maker


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


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": ...}, "licence/claims"),
        ({"v": 0}, "licence/claims"),
        ({"v": 2, "identity": "of a later format"}, "licence/version"),
        ({"iss": ...}, "licence/claims"),
        ({"iss": "A" * 22}, "licence/claims"),
        ({"nbf": ...}, "licence/claims"),
        ({"nbf": -1}, "licence/claims"),
        ({"renew_after": 0}, "licence/claims"),
        ({"retry_after": 0}, "licence/claims"),
    ],
    ids=repr,
)
def test_claims_that_no_host_writes(maker: Maker, change: dict[str, Any], code: str) -> None:
    compact = parse(make_lease(maker.lease_claims(), maker.host_key), strict.SMALL)
    payload = tree(compact.payload)
    for name, value in change.items():
        place = payload if name in payload else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    assert code_of(lease.read_claims, Claims(payload, "lease")) == code
