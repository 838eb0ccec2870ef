"""Product keys: issued, read back, revoked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import cast

import pytest
from tests.publisher.act.edited import MORE, content
from tests.publisher.conftest import Shop

from muster.core.audit import Actor
from muster.core.errors import MusterError
from muster.core.keys import SERIALS, Kind, parse_product_key, verify_tag
from muster.core.products import Revocation
from muster.db.engine import Reader, Transaction
from muster.publisher.act.keys import issue_keys, revoke_key
from muster.publisher.act.signing import issuer_of
from muster.publisher.model import ACTIVATION_LIMIT, HARDWARE_LIMIT, KeyOrder
from muster.publisher.office import Office
from muster.publisher.store import Store, open_store


def test_issued_keys_are_ours_and_are_not_kept(shop: Shop) -> None:
    admin = shop.admin()
    made = admin.issue_host_keys("server-c", count=3, term=12, customer='A "B" {C}')
    assert len({one.key.text for one in made}) == 3
    for one in made:
        verify_tag(shop.vault().tag_key(), one.key)
        found = admin.find_key(one.key.text.lower().replace("-", " "))
        assert found == admin.find_key(one.issued.key_id.text)
        assert (found.term, found.customer, found.hosts) == (12, 'A "B" {C}', 0)
        for path in shop.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert one.key.text.encode() not in data
                assert one.key.text.replace("-", "").encode() not in data


def test_a_group_that_does_not_exist(shop: Shop) -> None:
    with pytest.raises(MusterError, match="publisher/group") as caught:
        shop.admin().issue_host_keys("server-d")
    assert "server-c" in caught.value.what


def test_typed_keys_are_judged_by_symbol_check_publisher_serial_and_tag(shop: Shop) -> None:
    admin = shop.admin()
    good = admin.issue_host_keys("server-b")[0].key.text
    swapped = next(
        good[:place] + good[place + 1] + good[place] + good[place + 2 :]
        for place in range(28)
        if "-" not in good[place : place + 2] and good[place] != good[place + 1]
    )
    wrong = good[:-1] + ("B" if good[-1] != "B" else "C")
    for text, code in (
        (swapped, "key/check"),
        (wrong, "key/check"),
        (good[:-1], "key/length"),
        (good.replace("-", "\u30fc"), "key/symbol"),
        ("9-9-9", "key/kind"),
        ("0-2-16777216", "key/range"),
        ("0-02-1", "key/id"),
        ('";drop {}', "key/symbol"),
    ):
        with pytest.raises(MusterError) as caught:
            admin.find_key(text)
        assert caught.value.code == code, text
        assert good[:23] not in caught.value.what
    key = parse_product_key(good)
    forged = type(key)(key.version, key.kind, key.prefix, key.group, key.tag ^ 1, key.serial)
    with pytest.raises(MusterError, match="key/tag"):
        admin.find_key(forged.text)
    unknown = type(key)(
        key.version, key.kind, key.prefix, key.group, key.tag, (key.serial + 1) % 24**5
    )
    with pytest.raises(MusterError, match="publisher/unknown-key"):
        admin.find_key(unknown.text)


def test_a_revoked_key_stands_in_the_next_catalogue_and_later_ones_repeat_it(shop: Shop) -> None:
    admin = shop.admin()
    key = admin.issue_host_keys("server-b")[0].issued.key_id.text
    found = admin.revoke_key(key)
    assert (found.changed, found.catalogue) == (True, 2)
    shop.clock.days(3)
    again = admin.revoke_key(key)
    assert (again.changed, again.catalogue) == (False, 2)
    admin.publish(content(("[[conversions]]", MORE)))
    assert admin.catalogue().revocations == (Revocation(None, key, 200),)


def test_a_product_is_revoked_by_its_setup_key(shop: Shop) -> None:
    admin = shop.admin()
    found = next(one for one in admin.catalogue().products if one.setup_key)
    done = admin.revoke_product(found.id)
    assert (done.changed, done.catalogue) == (True, 2)
    assert admin.catalogue().product_revoked(found) is not None
    others = [one for one in admin.catalogue().products if one.id != found.id]
    assert {admin.catalogue().product_revoked(one) for one in others} == {None}
    again = admin.revoke_product(found.id)
    assert (again.changed, again.catalogue, again.key) == (False, 2, done.key)
    with pytest.raises(MusterError, match="publisher/product"):
        admin.revoke_product("no-such-product")


def test_setup_keys_are_not_revoked(shop: Shop) -> None:
    admin = shop.admin()
    setup = admin.keys(Kind.SETUP)[0].key_id.text
    with pytest.raises(MusterError, match="publisher/kind"):
        admin.revoke_key(setup)
    assert admin.catalogue().version == 1


def test_serials_stay_sparse_enough_not_to_be_guessed(shop: Shop) -> None:
    issuer = issuer_of(shop.admin(), shop.clock.seconds)
    group = shop.admin().catalogue().group("server-b")
    taken = cast("set[int]", range(SERIALS // 2))
    with pytest.raises(MusterError, match="publisher/serials"):
        issuer.issue(Kind.HOST, group, taken)


class CountingStore(Store):
    """Tables that count how often a state of them is taken."""

    taken = 0

    @contextlib.contextmanager
    def view(self) -> Iterator[Reader]:
        self.taken += 1
        with super().view() as reader:
            yield reader

    @contextlib.contextmanager
    def edit(self) -> Iterator[Transaction]:
        self.taken += 1
        with super().edit() as tx:
            yield tx


def test_a_key_is_revoked_with_three_looks_at_the_store(shop: Shop) -> None:
    key = shop.admin().issue_host_keys("server-b")[0].issued.key_id.text
    with contextlib.closing(open_store(shop.folder, shop.clock.seconds)) as opened:
        store = CountingStore(opened.database)
        office = Office(shop.folder, store, shop.vault(), shop.clock, shop.dice, "test")
        assert revoke_key(office, key).changed
        assert store.taken <= 3


# Limits of host keys.


def test_a_raised_limit_lets_more_hosts_in_at_a_service_that_runs(shop: Shop) -> None:
    admin, service = shop.admin(), shop.service()
    key = admin.issue_host_keys("server-c")[0].key
    name = key.key_id.text
    for _ in range(HARDWARE_LIMIT):
        service.activate(shop.host(key).digits(), "http")
    late = shop.host(key).digits()
    with pytest.raises(MusterError, match="publisher/hosts-used-up") as caught:
        service.activate(late, "http")
    assert "key limit" in caught.value.fix
    assert admin.limit_key(name, HARDWARE_LIMIT + 1, None, "two more sites").changed
    service.activate(late, "http")
    with pytest.raises(MusterError, match="publisher/hosts-used-up"):
        service.activate(shop.host(key).digits(), "http")
    row = [row for row in admin.audit() if row.event == "publisher:key:limit"]
    assert [(entry.subject, json.loads(entry.detail)) for entry in row] == [
        (
            name,
            {
                "hosts": {"from": HARDWARE_LIMIT, "to": HARDWARE_LIMIT + 1},
                "activations": {"from": ACTIVATION_LIMIT, "to": ACTIVATION_LIMIT},
                "reason": "two more sites",
            },
        )
    ]


def test_a_raised_limit_lets_a_host_in_once_more(shop: Shop) -> None:
    admin, service = shop.admin(), shop.service()
    key = admin.issue_host_keys("server-c")[0].key
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    for _ in range(ACTIVATION_LIMIT):
        service.activate(shop.host(key, machine).digits(), "http")
    late = shop.host(key, machine).digits()
    with pytest.raises(MusterError, match="publisher/activations-used-up") as caught:
        service.activate(late, "http")
    assert "key limit" in caught.value.fix
    shown = admin.limit_key(key.text, None, ACTIVATION_LIMIT + 1, "rebuilt").key
    assert (shown.host_limit, shown.activation_limit) == (HARDWARE_LIMIT, ACTIVATION_LIMIT + 1)
    service.activate(late, "http")


def test_a_limit_is_never_below_what_is_in_use(shop: Shop) -> None:
    admin, service = shop.admin(), shop.service()
    key = admin.issue_host_keys("server-c")[0].key
    name = key.key_id.text
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    for host in (shop.host(key), shop.host(key, machine), shop.host(key, machine)):
        service.activate(host.digits(), "http")
    before = admin.audit()
    for hosts, activations in ((1, None), (None, 1), (1, 1)):
        with pytest.raises(MusterError, match="publisher/limit-used") as caught:
            admin.limit_key(name, hosts, activations, "less")
        assert "2 hosts are enrolled" in caught.value.what
        assert "used 2" in caught.value.what
    assert admin.audit() == before
    assert admin.limit_key(name, 2, 2, "less").changed
    assert not admin.limit_key(name, 2, None, "less").changed
    with pytest.raises(MusterError, match="publisher/hosts-used-up"):
        service.activate(shop.host(key).digits(), "http")
    with pytest.raises(MusterError, match="publisher/activations-used-up"):
        service.activate(shop.host(key, machine).digits(), "http")


@pytest.mark.parametrize(
    ("hosts", "activations", "reason"),
    [(None, None, "x"), (0, None, "x"), (None, 0, "x"), (10_001, 1, "x"), (8, 8, " \n")],
)
def test_limits_that_are_none(
    shop: Shop, hosts: int | None, activations: int | None, reason: str
) -> None:
    admin = shop.admin()
    name = admin.issue_host_keys("server-c")[0].key.key_id.text
    with pytest.raises(MusterError, match="publisher/limit:"):
        admin.limit_key(name, hosts, activations, reason)


def test_only_host_keys_have_these_limits(shop: Shop) -> None:
    admin = shop.admin()
    order = KeyOrder(Kind.MAK, "server-c", pool=5)
    name = issue_keys(admin, order).keys[0].id
    with pytest.raises(MusterError, match="a mak key enrols no hosts"):
        admin.limit_key(name, 8, None, "two more sites")


# Who acts, and who loses by it.


def test_who_became_root_is_in_the_detail_of_each_row(shop: Shop) -> None:
    admin = shop.admin()
    admin.actor = Actor("user:root", {"sudo": "ada"})
    name = admin.issue_host_keys("server-c")[0].key.key_id.text
    admin.limit_key(name, 8, None, "more")
    for row in admin.audit()[-2:]:
        assert row.actor == "user:root"
        assert json.loads(row.detail)["sudo"] == "ada"
    admin.check_audit()


def test_a_revocation_counts_who_loses_a_licence(shop: Shop) -> None:
    admin, service = shop.admin(), shop.service()
    key = admin.issue_host_keys("server-c")[0].key
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    hosts = [shop.host(key), shop.host(key), shop.host(key, machine), shop.host(key, machine)]
    for host in hosts:
        service.activate(host.digits(), "http")
    gone = admin.revoke_host(admin.hosts()[0].grant.jti)
    assert (gone.hosts, gone.machines) == (1, 0)
    lost = admin.revoke_key(key.key_id.text)
    assert (lost.hosts, lost.machines, len(lost.grants)) == (2, 0, 4)

    order = KeyOrder(Kind.MAK, "server-c", pool=5)
    pooled = parse_product_key(issue_keys(admin, order).keys[0].key or "")
    for one in shop.machines(pooled, 3):
        service.activate(one.digits(), "http")
    first = admin.machines()[0].jti
    assert admin.revoke_activation(first).machines == 1
    lost = admin.revoke_key(pooled.key_id.text)
    assert (lost.hosts, lost.machines, len(lost.grants)) == (0, 2, 3)
    detail = json.loads(admin.audit()[-1].detail)
    assert (detail["hosts"], detail["machines"]) == (0, 2)
    assert (admin.revoke_key(pooled.key_id.text).machines) == 0
