"""Hosts that are revoked and released."""

from __future__ import annotations

import json

import pytest
from tests.publisher.asking import ask, issue, refused
from tests.publisher.conftest import Shop

from muster.core.errors import MusterError
from muster.core.products import Revocation
from muster.lease.catalogue import read_catalogue
from muster.publisher.model import ACTIVATION_LIMIT, HARDWARE_LIMIT


def test_a_revoked_host_stays_on_its_seat(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    host = shop.host(key)
    jti = ask(service, host).grant.jti
    shop.clock.days(5)
    found = admin.revoke_host(jti)
    assert (found.changed, found.catalogue, found.grants) == (True, 2, (jti,))
    catalogue = read_catalogue(admin.catalogue().text, admin.trust())
    assert catalogue.revocations == (Revocation(jti, None, 205),)
    assert admin.find_key(key.key_id.text).hosts == 1
    assert refused(service, host) == "publisher/host-revoked"
    shop.clock.days(1)
    assert admin.revoke_host(jti).changed is False
    assert admin.catalogue().version == 2


def test_a_release_frees_the_seat_and_revokes_in_the_same_catalogue(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    grants = [ask(service, shop.host(key, machine)).grant for _ in range(3)]
    for _ in range(HARDWARE_LIMIT - 1):
        ask(service, shop.host(key))
    newcomer = shop.host(key)
    assert refused(service, newcomer) == "publisher/hosts-used-up"
    found = admin.release_host(grants[1].jti)
    assert found.changed
    assert set(found.grants) == {one.jti for one in grants}
    assert {one.jti for one in admin.catalogue().revocations} == set(found.grants)
    assert admin.release_host(grants[0].hw).changed is False
    assert ask(service, newcomer).drawn
    # The machine that was released takes a seat as any other: there is none.
    assert refused(service, shop.host(key, machine)) == "publisher/hosts-used-up"
    release, activation = admin.audit()[-2:]
    assert (release.event, release.subject) == ("publisher:host:release", grants[0].hw)
    assert json.loads(release.detail)["grants"] == list(found.grants)
    assert activation.event == "publisher:host:activate"


def test_a_released_machine_comes_back_with_a_new_signing_key_and_ten_activations(
    shop: Shop,
) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    old = shop.host(key, machine)
    hw = ask(service, old).grant.hw
    admin.release_host(hw)
    assert admin.find_key(key.key_id.text).hosts == 0
    assert refused(service, old) == "publisher/host-revoked"
    for _ in range(ACTIVATION_LIMIT):
        assert ask(service, shop.host(key, machine)).drawn
    assert refused(service, shop.host(key, machine)) == "publisher/activations-used-up"
    assert admin.find_key(key.key_id.text).hosts == 1


def test_a_release_that_cannot_be_signed_frees_nothing(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    hw = ask(service, shop.host(key)).grant.hw
    (file,) = (shop.folder / "keys").glob("catalogue-*.key")
    file.rename(file.with_suffix(".away"))
    with pytest.raises(MusterError, match="publisher/key-away"):
        admin.release_host(hw)
    assert admin.find_key(key.key_id.text).hosts == 1
    assert admin.catalogue().version == 1
    assert admin.hosts()[0].grant.revoked is None
