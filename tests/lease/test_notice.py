"""docs/spec/02-signed-objects.md: notices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.lease.codes import INJECTIONS, code_of
from tests.lease.trees import tree

from muster.lease import notice, strict
from muster.lease.bundle import (
    read_notice_bundle,
)
from muster.lease.claims import Claims
from muster.lease.jws import parse
from muster.lease.notice import NoticeClaims, make_notice

if TYPE_CHECKING:
    from tests.lease.conftest import Maker


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


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"v": ...}, "licence/claims"),
        ({"v": 0}, "licence/claims"),
        ({"v": 2, "code": "of a later format"}, "licence/version"),
        ({"iss": ...}, "licence/claims"),
        ({"iss": "A" * 22}, "licence/claims"),
        ({"iss": 1}, "licence/claims"),
    ],
    ids=repr,
)
def test_version_and_issuer_of_a_notice(maker: Maker, change: dict[str, Any], code: str) -> None:
    payload = tree(parse(read_notice_bundle(maker.notice()).notice, strict.SMALL).payload)
    for name, value in change.items():
        place = payload if name == "iss" else payload["muster"]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    assert code_of(notice.read_claims, Claims(payload, "notice")) == code
