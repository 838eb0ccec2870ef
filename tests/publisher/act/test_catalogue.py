"""Catalogues are published: what is added, what comes back, what is for ever."""

from __future__ import annotations

import pytest
from tests.publisher.act.edited import MORE, content
from tests.publisher.conftest import Shop

from muster.core.errors import MusterError
from muster.core.keys import Kind


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
