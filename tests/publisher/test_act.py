"""The acts of an engineer: init, keys, catalogues, trust, and their lines in the audit table."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from tests.publisher.engineer import open_engineer

from muster.core.errors import MusterError
from muster.core.identity import prefix_of
from muster.core.keys import SERIALS, Kind, parse_product_key, verify_tag
from muster.core.products import DAY, Revocation
from muster.db.engine import Reader, Transaction
from muster.lease.catalogue import read_catalogue
from muster.lease.descriptor import read_descriptor
from muster.lease.trust import anchor, follow, walk
from muster.publisher import tables
from muster.publisher.act.keys import revoke_key
from muster.publisher.act.signing import issuer_of
from muster.publisher.catalogue_file import parse_catalogue_file, sample
from muster.publisher.model import Content
from muster.publisher.office import Office
from muster.publisher.store import Store, open_store
from muster.publisher.vault import Vault
from muster.system.files import Lock
from muster.system.keyfile import load_key, read_header
from muster.wire.exchange import read_publisher_file

from .conftest import PASSPHRASE, ROOT_PASSPHRASE, HandClock, Shop


def content(*edits: tuple[str, str]) -> Content:
    """The sample with edits, each of which must apply."""
    text = sample().decode()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_catalogue_file(text.encode()).content


MORE = """
[[groups]]
number = 11
id = "office-2013"
covers = ["office-2010"]

[[products]]
id = "contoso-office-2013"
application = "contoso-office"
group = "office-2013"
need = 5
name = "Contoso Office 2013"

[[conversions]]"""


# Init.


def test_init_makes_one_encrypted_file_a_role_and_hides_the_reserve(shop: Shop) -> None:
    keys = shop.folder / "keys"
    roles = {read_header(one).role: one for one in keys.iterdir()}
    assert set(roles) == {"root", "catalogue", "grant", "tag"}
    assert read_header(shop.reserve).role == "reserve"
    for path in (*keys.iterdir(), shop.reserve):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    load_key(roles["root"], ROOT_PASSPHRASE, "root")
    load_key(roles["grant"], PASSPHRASE, "grant")
    with pytest.raises(MusterError, match="keyfile/passphrase"):
        load_key(roles["root"], PASSPHRASE)


def test_a_second_init_changes_nothing_and_says_so(shop: Shop) -> None:
    before = {one: one.read_bytes() for one in shop.folder.rglob("*.key")}
    audit = shop.admin().audit()
    again = shop.init()
    assert not again.changed
    assert again.publisher == shop.admin().publisher.id
    assert {one: one.read_bytes() for one in shop.folder.rglob("*.key")} == before
    assert shop.admin().audit() == audit


def test_one_store_holds_one_publisher(shop: Shop) -> None:
    with pytest.raises(MusterError, match="publisher/other"):
        shop.init(label="fabrikam")


def test_the_reserve_root_may_not_lie_in_the_store(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "s", tmp_path / "s" / "media" / "reserve.key")
    with pytest.raises(MusterError, match="publisher/reserve-inside"):
        shop.init()
    assert not shop.folder.exists()


def test_an_existing_reserve_file_is_never_overwritten(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "s", tmp_path / "reserve.key")
    shop.reserve.write_text("mine")
    with pytest.raises(MusterError, match="keyfile/exists"):
        shop.init()
    assert shop.reserve.read_text() == "mine"


def test_an_init_that_did_not_end_begins_anew_and_deletes_no_key(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "s", tmp_path / "away" / "reserve.key")
    with pytest.raises(MusterError, match="file/missing"):
        shop.init()  # the folder of the reserve root is missing
    first = sorted((shop.folder / "keys").iterdir())
    assert first
    shop.reserve.parent.mkdir()
    made = shop.init()
    assert made.changed
    assert made.unfinished == str(shop.folder / "keys.unfinished-1")
    assert sorted(one.name for one in Path(made.unfinished).iterdir()) == [
        one.name for one in first
    ]


def test_a_clock_before_2026_signs_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "s", tmp_path / "reserve.key", clock=HandClock(1_000_000_000))
    with pytest.raises(MusterError, match="publisher/clock"):
        shop.init()


def test_trust_and_catalogue_of_a_new_publisher(shop: Shop) -> None:
    admin = shop.admin()
    trust = anchor(admin.trust().text)
    assert (trust.version, trust.label, trust.name) == (1, "contoso", "Contoso")
    assert [(one.role, one.index, one.until) for one in trust.keys] == [
        ("catalogue", None, None),
        ("grant", 0, None),
    ]
    catalogue = read_catalogue(admin.catalogue().text, trust)
    assert catalogue.version == 1
    seen = set()
    for product in catalogue.products:
        key = parse_product_key(product.setup_key)
        assert key.kind is Kind.SETUP
        assert key.prefix == prefix_of(trust.issuer)
        assert key.group == catalogue.group(product.group).number
        verify_tag(shop.vault().tag_key(), key)
        seen.add(product.setup_key)
    assert len(seen) == len(catalogue.products)


def test_two_publishers_are_strangers(make_shop: Callable[[str], Shop]) -> None:
    contoso, fabrikam = make_shop("contoso").admin(), make_shop("fabrikam").admin()
    assert contoso.publisher.id != fabrikam.publisher.id
    assert fabrikam.publisher.label == "fabrikam"
    mine = contoso.issue_host_keys("server-b")[0]
    with pytest.raises(MusterError, match="publisher/other-key"):
        fabrikam.find_key(mine.key.text)
    with pytest.raises(MusterError, match="publisher/unknown-key"):
        fabrikam.find_key(mine.issued.key_id.text)


# Documents.


def test_a_descriptor_pins_trust_and_lists_every_group_that_may_license(shop: Shop) -> None:
    admin = shop.admin()
    found = read_descriptor(admin.descriptor("contoso-desktop-7-professional"))
    assert found.publisher == admin.publisher.id
    assert {one.id for one in found.groups} == {"client-volume", "server-b", "server-c"}
    assert found.product.setup_key
    admin.rotate(["grant"])
    assert read_descriptor(admin.descriptor("contoso-visio-2010")).trust.version == 2
    assert read_descriptor(admin.descriptor("contoso-visio-2010", 1)).trust.version == 1
    with pytest.raises(MusterError, match="publisher/no-trust"):
        admin.descriptor("contoso-visio-2010", 3)
    with pytest.raises(MusterError, match="publisher/product"):
        admin.descriptor('contoso"{}')


def test_the_publisher_file_leads_to_the_newest_trust_and_catalogue(shop: Shop) -> None:
    admin = shop.admin()
    admin.rotate(["catalogue"])
    found = read_publisher_file(admin.export("http://127.0.0.1:16882").encode())
    trust = walk(anchor(found.anchor), found.trust)
    assert trust == admin.trust()
    assert read_catalogue(found.catalogue, trust).version == 2


# Product keys.


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


# Catalogues.


def test_publishing_adds_products_and_keeps_setup_keys(shop: Shop) -> None:
    admin = shop.admin()
    before = {one.id: one.setup_key for one in admin.catalogue().products}
    wanted = content(("[[conversions]]", MORE), ("Contoso Visio 2010", "Contoso Visio"))
    assert [(one.how, one.id) for one in admin.difference(wanted).changes] == [
        ("added", "office-2013"),
        ("changed", "contoso-visio-2010"),
        ("added", "contoso-office-2013"),
    ]
    assert admin.catalogue().version == 1
    found = admin.publish(wanted)
    assert (found.changed, found.catalogue) == (True, 2)
    after = {one.id: one.setup_key for one in admin.catalogue().products}
    assert after.pop("contoso-office-2013")
    assert after == before
    assert admin.publish(wanted).changed is False
    assert admin.catalogue().version == 2


def test_a_product_that_left_the_volume_channel_comes_back_with_its_setup_key(shop: Shop) -> None:
    admin = shop.admin()
    before = admin.product("contoso-visio-2010").setup_key
    name = 'name = "Contoso Visio 2010"'
    admin.publish(content((name, f'channel = "retail"\n{name}')))
    assert admin.product("contoso-visio-2010").setup_key == ""
    admin.publish(content())
    assert admin.product("contoso-visio-2010").setup_key == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("need = 25", "need = 24"),
        ('group = "server-b"', 'group = "server-c"'),
        ('application = "contoso-office"', 'application = "contoso-os"'),
        ('covers = ["client-volume"]', "covers = []"),
        ("number = 10", "number = 12"),
        (
            'id = "server-c"\ncovers = ["client-volume", "server-b"]\nmax_lease = "180d"',
            'id = "server-c"\ncovers = ["client-volume", "server-b"]\nmax_lease = "181d"',
        ),
        ('id = "contoso-visio-2010"', 'id = "contoso-visio-2011"'),
    ],
)
def test_what_is_for_ever_is_refused_and_nothing_is_signed(shop: Shop, old: str, new: str) -> None:
    admin = shop.admin()
    with pytest.raises(MusterError) as caught:
        admin.publish(content((old, new)))
    assert caught.value.code == "publisher/catalogue-fixed"
    assert admin.catalogue().version == 1
    assert len(admin.keys(Kind.SETUP)) == 8


# Trust.


def test_rotation_retires_the_old_keys_and_what_they_signed_stays_good(shop: Shop) -> None:
    admin = shop.admin()
    first = admin.trust()
    old_catalogue = admin.catalogue().text
    shop.clock.days(10)
    admin.rotate(["catalogue", "grant"])
    second = follow(first, admin.trust().text)
    assert [(one.role, one.index, one.until) for one in second.keys] == [
        ("catalogue", None, 210),
        ("grant", 0, 210),
        ("catalogue", None, None),
        ("grant", 1, None),
    ]
    assert second.roots == first.roots
    read_catalogue(old_catalogue, second)
    newest = read_catalogue(admin.catalogue().text, second)
    assert (newest.version, newest.kid) == (2, second.keys[2].key.kid)
    # The day after, catalogues go on under the new key.
    shop.clock.days(1)
    admin.publish(content(("[[conversions]]", MORE)))
    assert admin.catalogue().kid == second.keys[2].key.kid


def test_rotation_of_one_role_leaves_the_other(shop: Shop) -> None:
    admin = shop.admin()
    found = admin.rotate(["grant"], keep_days=30)
    assert [(one.role, one.until_day) for one in found.trust.keys] == [
        ("catalogue", None),
        ("grant", 230),
        ("grant", None),
    ]
    assert found.catalogue == 1


def test_a_withdrawn_catalogue_key_never_leaves_its_catalogue_the_newest(shop: Shop) -> None:
    admin = shop.admin()
    key = admin.issue_host_keys("server-b")[0].issued.key_id.text
    admin.revoke_key(key)
    old = admin.catalogue().text
    admin.rotate(["catalogue"], withdraw=True)
    trust = admin.trust()
    with pytest.raises(MusterError, match="catalogue/signer"):
        read_catalogue(old, trust)
    newest = read_catalogue(admin.catalogue().text, trust)
    assert newest.version == 3
    assert newest.revocations == (Revocation(None, key, 200),)
    assert len(newest.products) == 8


def test_the_working_root_may_lie_elsewhere(shop: Shop, tmp_path: Path) -> None:
    admin = shop.admin()
    (root,) = (shop.folder / "keys").glob("root-*.key")
    away = tmp_path / "usb.key"
    root.rename(away)
    with pytest.raises(MusterError, match="publisher/key-away"):
        admin.rotate(["grant"])
    assert admin.rotate(["grant"], root=away).trust.version == 2
    with pytest.raises(MusterError, match="keyfile/role"):
        shop.admin().rotate(["grant"], root=shop.reserve)


def test_another_root_of_the_right_role_refuses(make_shop: Callable[[str], Shop]) -> None:
    contoso, fabrikam = make_shop("contoso"), make_shop("fabrikam")
    (foreign,) = (fabrikam.folder / "keys").glob("root-*.key")
    with pytest.raises(MusterError, match="publisher/wrong-key"):
        contoso.admin().rotate(["grant"], root=foreign)
    assert contoso.admin().trust().version == 1


def test_the_reserve_root_outruns_a_thief_of_the_working_root(shop: Shop, tmp_path: Path) -> None:
    thief = shop.admin()
    ours = Shop(tmp_path / "ours", shop.reserve, clock=shop.clock)
    # What the thief signs lies in a copy of the store.
    ours.folder.mkdir()
    for path in shop.folder.rglob("*"):
        target = ours.folder / path.relative_to(shop.folder)
        if path.is_dir():
            target.mkdir()
        else:
            target.write_bytes(path.read_bytes())
            target.chmod(0o600)
    thief.rotate(["grant"], withdraw=True)
    thief.rotate(["grant"], withdraw=True)
    stolen = thief.trust()
    admin = ours.admin()
    with pytest.raises(MusterError, match="publisher/trust-step"):
        admin.recover(shop.reserve, 1)
    admin.recover(shop.reserve, 10, new_root=True, new_reserve=tmp_path / "new-reserve.key")
    found = admin.trust()
    line = [one.text for one in admin.trusts()]
    assert [one.version for one in admin.trusts()] == [1, 10, 11]
    # A machine that followed the thief, and one that did not, both end at ours.
    assert walk(stolen, line[1:]) == found
    assert walk(anchor(line[0]), line[1:]) == found
    thief.rotate(["grant"])
    with pytest.raises(MusterError):
        follow(found, thief.trust().text)
    # The new pair works: descriptors pin it, the new working root rotates, the old ones do not.
    assert read_descriptor(admin.descriptor("contoso-visio-2010")).trust == found
    assert admin.rotate(["grant"]).trust.version == 12
    (old_root,) = (shop.folder / "keys").glob("root-1-*.key")
    with pytest.raises(MusterError, match="publisher/wrong-key"):
        ours.admin().rotate(["grant"], root=old_root)
    with pytest.raises(MusterError, match="publisher/wrong-key"):
        ours.admin().recover(shop.reserve)
    assert ours.admin().recover(tmp_path / "new-reserve.key", 20).trust.version == 20


def test_recovery_without_new_roots_brings_the_working_root_back(shop: Shop) -> None:
    admin = shop.admin()
    found = admin.recover(shop.reserve, 5, roles=["grant"], withdraw=True)
    assert found.trust.version == 5
    assert [one.index for one in found.trust.keys if one.role == "grant"] == [1]
    assert admin.rotate(["catalogue"]).trust.version == 6


def test_a_clock_that_went_back_signs_nothing(shop: Shop) -> None:
    admin = shop.admin()
    shop.clock.seconds -= 3600
    assert admin.rotate(["grant"]).trust.iat == shop.clock.seconds + 3600
    shop.clock.days(-1)
    for act in (
        lambda: admin.rotate(["grant"]),
        lambda: admin.publish(content(("[[conversions]]", MORE))),
    ):
        with pytest.raises(MusterError, match="publisher/clock"):
            act()
    assert admin.trust().version == 2


# Audit.


def test_every_act_leaves_its_line_and_none_is_missing(shop: Shop) -> None:
    admin = shop.admin()
    start = admin.audit()[-1].seq
    key = admin.issue_host_keys("server-b")[0].issued.key_id.text
    admin.revoke_key(key)
    admin.publish(content(("[[conversions]]", MORE)))
    shop.clock.seconds += DAY
    admin.rotate(["catalogue"])
    rows = admin.audit(after=start)
    assert [(one.event, one.subject) for one in rows] == [
        ("publisher:key:issue", key),
        ("publisher:key:revoke", key),
        ("publisher:catalogue:sign", "2"),
        ("publisher:key:issue", admin.keys(Kind.SETUP)[-1].key_id.text),
        ("publisher:product:add", "office-2013"),
        ("publisher:product:add", "contoso-office-2013"),
        ("publisher:catalogue:sign", "3"),
        ("publisher:trust:sign", "2"),
        ("publisher:catalogue:sign", "4"),
    ]
    every = admin.audit()
    assert [one.seq for one in every] == list(range(1, len(every) + 1))
    assert {one.actor for one in every} == {"test"}
    assert rows[-1].at == shop.clock.seconds
    for one in every:
        json.loads(one.detail)
    assert admin.audit(after=2, limit=1) == every[2:3]


def test_an_act_that_fails_leaves_no_line(shop: Shop) -> None:
    admin = shop.admin()
    before = admin.audit()
    for act in (
        lambda: admin.issue_host_keys("nobody"),
        lambda: admin.revoke_host("nobody"),
        lambda: admin.release_host('"{}'),
        lambda: admin.publish(content(("need = 25", "need = 26"))),
    ):
        with pytest.raises(MusterError):
            act()
    assert admin.audit() == before


# The store.


def test_no_publisher(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "nothing", tmp_path / "reserve.key")
    for open_it in (lambda: shop.admin().publisher, shop.service):
        with pytest.raises(MusterError, match="publisher/none"):
            open_it()
    shop.folder.mkdir()
    open_store(shop.folder, 0, create=True).close()
    for open_it in (lambda: shop.admin().publisher, shop.service):
        with pytest.raises(MusterError, match="publisher/none"):
            open_it()
    assert shop.init().changed


# What only another writer, or a very full group, brings about.


def test_another_writer_in_the_midst_of_an_act_undoes_the_act(shop: Shop) -> None:
    key = shop.admin().issue_host_keys("server-b")[0].issued.key_id.text
    before = shop.admin().audit()

    def passphrase() -> str:
        # Asked between the first look and the transaction: another program publishes meanwhile.
        store = open_store(shop.folder, shop.clock.seconds)
        with store.edit() as tx:
            newest = tables.documents.newest_catalogue(tx)
            if newest.version == 1:
                tables.documents.add_catalogue(tx, replace(newest, version=2))
        store.close()
        return PASSPHRASE

    vault = Vault(shop.folder / "keys", passphrase)
    with open_engineer(shop.folder, vault, shop.clock, shop.dice, "slow") as admin:
        with pytest.raises(MusterError, match="publisher/changed"):
            admin.revoke_key(key)
        assert admin.find_key(key).revoked is None
        assert admin.audit() == before


def test_serials_stay_sparse_enough_not_to_be_guessed(shop: Shop) -> None:
    issuer = issuer_of(shop.admin(), shop.clock.seconds)
    group = shop.admin().catalogue().group("server-b")
    taken = cast("set[int]", range(SERIALS // 2))
    with pytest.raises(MusterError, match="publisher/serials"):
        issuer.issue(Kind.HOST, group, taken)


def test_acts_wait_for_each_other(shop: Shop) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Lock(shop.folder / "admin.lock"):
            waiting = pool.submit(shop.admin().issue_host_keys, "server-b")
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            assert shop.admin().keys(Kind.HOST) == ()
            # Reading does not wait, and the service does not either.
            shop.service().check_ready()
        assert len(waiting.result(timeout=60)) == 1


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
