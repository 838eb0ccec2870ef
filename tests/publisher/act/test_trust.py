"""Trust is rotated, withdrawn and recovered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.publisher.act.edited import MORE, content
from tests.publisher.conftest import Shop

from muster.core.errors import MusterError
from muster.core.products import Revocation
from muster.lease.catalogue import read_catalogue
from muster.lease.descriptor import read_descriptor
from muster.lease.trust import anchor, follow, walk


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
