"""A publisher begins: its keys, its files, its first documents; what undoes a beginning."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.publisher.conftest import PASSPHRASE, ROOT_PASSPHRASE, HandClock, Shop

from muster.core.errors import MusterError
from muster.core.identity import prefix_of
from muster.core.keys import Kind, parse_product_key, verify_tag
from muster.lease.catalogue import read_catalogue
from muster.lease.descriptor import read_descriptor
from muster.lease.trust import anchor, walk
from muster.system.keyfile import load_key, read_header
from muster.wire.exchange import read_publisher_file


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
