"""Pools that are corrected and extended, and activations that are revoked."""

from __future__ import annotations

import json

import pytest
from tests.publisher.conftest import Shop
from tests.publisher.pooled import ask, codes, good, issue, left

from muster.core.errors import MusterError
from muster.core.products import Revocation


def test_corrections_are_limited_and_audited(shop: Shop) -> None:
    key = issue(shop, 20)
    machines = shop.machines(key, 30)
    service, admin = shop.service(), shop.admin()
    assert codes(ask(service, *machines)).count("drawn") == 20
    admin.correct_pool(key.text, 1, "a disk was swapped")
    assert codes(ask(service, *machines)).count("drawn") == 1
    for count in (2, 100):
        with pytest.raises(MusterError) as caught:
            admin.correct_pool(key.text, count, "too many")
        assert caught.value.code == "publisher/correction-limit"
    admin.correct_pool(key.text, 1, "another disk")
    assert codes(ask(service, *machines)).count("drawn") == 1
    rows = [one for one in admin.audit(0, 5000) if one.event == "publisher:pool:correct"]
    assert [json.loads(one.detail)["reason"] for one in rows] == [
        "a disk was swapped",
        "another disk",
    ]
    for reason in ("", "   "):
        with pytest.raises(MusterError) as caught:
            admin.correct_pool(key.text, 1, reason)
        assert caught.value.code == "publisher/pool"


def test_a_key_that_is_revoked_is_changed_no_more(shop: Shop) -> None:
    key, admin = issue(shop, 20), shop.admin()
    host = admin.issue_host_keys("server-c")[0].key.key_id.text
    admin.revoke_key(key.text)
    admin.revoke_key(host)
    before = admin.audit()
    for act in (
        lambda: admin.correct_pool(key.text, 1, "a disk"),
        lambda: admin.extend_pool(key.text, 40),
        lambda: admin.limit_key(host, 12, None, "more"),
    ):
        with pytest.raises(MusterError, match="publisher/change-revoked") as caught:
            act()
        assert "since 20" in caught.value.what
    assert admin.audit() == before


def test_a_pool_grows_and_shrinks_but_not_below_what_is_drawn(shop: Shop) -> None:
    key = issue(shop, 4)
    machines = shop.machines(key, 8)
    service, admin = shop.service(), shop.admin()
    ask(service, *machines)
    done = admin.extend_pool(key.text, 6)
    assert done.key.pool is not None
    assert (done.key.pool.left, done.changed) == (2, True)
    assert admin.extend_pool(key.text, 6).changed is False
    assert codes(ask(service, *machines)).count("drawn") == 2
    with pytest.raises(MusterError) as caught:
        admin.extend_pool(key.text, 5)
    assert caught.value.code == "publisher/pool-drawn"
    assert left(shop, key) == 0


def test_a_smaller_size_reaches_levels_too_and_a_bigger_one_leaves_them(shop: Shop) -> None:
    key = issue(shop, 10)
    service, admin = shop.service(), shop.admin()
    ask(service, *shop.machines(key, 4))
    assert service.known().counts["pools_alerting"] == 0
    admin.extend_pool(key.text, 5)
    assert service.known().counts["pools_alerting"] == 1
    admin.extend_pool(key.text, 4)
    admin.extend_pool(key.text, 40)
    assert service.known().counts["pools_alerting"] == 0
    rows = [one for one in admin.audit(0, 5000) if one.event == "publisher:pool:alert"]
    assert [json.loads(one.detail)["level"] for one in rows] == [80, 95, 100]


def test_one_activation_is_revoked_and_stays_drawn(shop: Shop) -> None:
    key = issue(shop)
    one, two = shop.machines(key, 2)
    service, admin = shop.service(), shop.admin()
    (first, _) = good(ask(service, one, two))
    assert admin.revoke_activation(first.grant.jti).changed is True
    assert admin.revoke_activation(first.grant.jti).changed is False
    assert codes(ask(service, one, two)) == ["publisher/activation-revoked", "again"]
    assert Revocation(jti=first.grant.jti, key=None, at=200) in admin.catalogue().revocations
    assert left(shop, key) == 8
    with pytest.raises(MusterError) as caught:
        admin.revoke_activation("nobody")
    assert caught.value.code == "publisher/unknown-activation"
