"""What an evaluation build becomes, by key, by name and by licence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.client import conversion
from muster.core.keys import Kind
from muster.core.products import Conversion, Product
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
    assert conversion.by_key(build, mak, catalogue) == full
    assert conversion.by_name(build, "desktop-pro", catalogue) == full
    assert conversion.by_name(build, "desktop-enterprise", catalogue) is build


@pytest.mark.parametrize("rule", ["unsupported", "refused"])
def test_otherwise_it_stays_what_it_is(rule: str) -> None:
    publisher, build = scene(rule)
    mak = publisher.machine_key("desktop").key_id.text
    assert conversion.by_key(build, mak, publisher.catalogue) is build
    assert list(conversion.targets(build, publisher.catalogue)) == []
    allowed, build = scene()
    trial = allowed.machine_key("desktop", Kind.EVALUATION, 3).key_id.text
    office = allowed.machine_key("office").key_id.text
    for key in ("", trial, office, allowed.key(Kind.SETUP, 1).key_id.text):
        assert conversion.by_key(build, key, allowed.catalogue) is build
    assert conversion.by_key(build, mak, None) is build
    ordinary = replace(build, channel="volume")
    assert list(conversion.targets(ordinary, allowed.catalogue)) == []
    assert conversion.by_setup_key(ordinary, "x", allowed.catalogue) is None
    assert conversion.licensed_as(build, None, allowed.catalogue) is build
