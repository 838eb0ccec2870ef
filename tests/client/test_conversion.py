"""What an evaluation build becomes, by key, by name and by licence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.client import conversion
from muster.core.keys import Kind
from muster.core.products import Conversion, KeyGroup, Product
from muster.lease.descriptor import read_descriptor
from muster.testing.tiny_publisher import TinyPublisher

NOW = 1_795_500_000


def scene(rule: str = "allowed") -> tuple[TinyPublisher, Product]:
    publisher = TinyPublisher(now=NOW)
    build = publisher.new_product("trial", channel="evaluation")
    publisher.conversions.append(Conversion("trial", "desktop-pro", rule, ""))
    publisher.publish([build])
    return publisher, build


def test_a_full_key_makes_it_what_the_catalogue_allows() -> None:
    publisher, build = scene()
    catalogue = publisher.catalogue
    full = catalogue.product("desktop-pro")
    mak = publisher.machine_key("desktop").key_id.text
    setup = conversion.by_setup_key(build, full.setup_key, catalogue)
    assert setup == full
    assert conversion.by_key(build, mak, (), catalogue) == full
    assert conversion.by_name(build, "desktop-pro", catalogue) == full
    assert conversion.by_name(build, "desktop-enterprise", catalogue) is build


def test_a_key_stands_for_its_own_group_first_then_for_what_that_covers() -> None:
    publisher, build = scene()
    catalogue = publisher.catalogue
    server = publisher.machine_key("server").key_id
    products = [item.id for item in conversion.of_key(server, (), catalogue)]
    assert products[0] == "server-standard"
    assert {"desktop-pro", "trial"} < set(products)
    full = catalogue.product("desktop-pro")
    assert conversion.by_key(build, server.text, (), catalogue) == full
    publisher.conversions.append(Conversion("trial", "server-standard", "allowed", ""))
    publisher.publish()
    became = conversion.by_key(build, server.text, (), publisher.catalogue)
    assert became.id == "server-standard"


def test_a_group_that_only_the_descriptor_knows_is_read_there() -> None:
    publisher, _ = scene()
    newer = KeyGroup(9, "suite", ("desktop", "suite"), 180 * 86_400)
    key = publisher.key(Kind.MAK, 9).key_id
    assert list(conversion.of_key(key, (), publisher.catalogue)) == []
    of_it = conversion.of_key(key, (newer,), publisher.catalogue)
    assert {item.group for item in of_it} == {"desktop"}


def test_what_was_allowed_holds_for_licences_of_that_time() -> None:
    publisher, build = scene("refused")
    mak = publisher.machine_key("desktop").key_id.text
    publisher.conversions[:] = [Conversion("trial", "desktop-pro", "refused", "", NOW)]
    publisher.publish()
    catalogue = publisher.catalogue
    full = catalogue.product("desktop-pro")
    for issued, became in ((NOW, full), (NOW + 1, build), (None, build)):
        assert conversion.by_name(build, "desktop-pro", catalogue, issued) is became
        assert conversion.by_key(build, mak, (), catalogue, issued) is became


@pytest.mark.parametrize("rule", ["unsupported", "refused"])
def test_otherwise_it_stays_what_it_is(rule: str) -> None:
    publisher, build = scene(rule)
    mak = publisher.machine_key("desktop").key_id.text
    assert conversion.by_key(build, mak, (), publisher.catalogue) is build
    assert list(conversion.targets(build, publisher.catalogue)) == []
    allowed, build = scene()
    trial = allowed.machine_key("desktop", Kind.EVALUATION, 3).key_id.text
    office = allowed.machine_key("office").key_id.text
    for key in ("", trial, office, allowed.key(Kind.SETUP, 1).key_id.text):
        assert conversion.by_key(build, key, (), allowed.catalogue) is build
    assert conversion.by_key(build, mak, (), None) is build
    ordinary = replace(build, channel="volume")
    assert list(conversion.targets(ordinary, allowed.catalogue)) == []
    assert conversion.by_setup_key(ordinary, "x", allowed.catalogue) is None
    descriptor = read_descriptor(allowed.descriptor("trial"))
    assert conversion.licensed_as(descriptor, None, allowed.catalogue) is descriptor.product
