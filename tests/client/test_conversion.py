"""What an evaluation build becomes, by which key and by which rule of the catalogue."""

from __future__ import annotations

import pytest

from muster.client.conversion import (
    as_leased,
    by_key,
    by_name,
    by_setup_key,
    licensed_as,
    targets,
)
from muster.core.keys import Kind, parse_product_key
from muster.core.products import Conversion, Product
from muster.lease.catalogue import Catalogue
from muster.lease.descriptor import read_descriptor
from muster.testing.tiny_publisher import TinyPublisher

NOW = 1_790_000_000
TRIAL, FULL = "desktop-trial", "desktop-full"


@pytest.fixture
def publisher() -> TinyPublisher:
    return TinyPublisher(now=NOW)


def catalogue(publisher: TinyPublisher, rule: str = "allowed") -> Catalogue:
    build = publisher.new_product(TRIAL, channel="evaluation")
    publisher.conversions.append(Conversion(TRIAL, FULL, rule, "the media"))
    return publisher.publish([build, publisher.new_product(FULL)])


def setup(found: Catalogue, name: str) -> str:
    return found.product(name).setup_key


def key_id(text: str) -> str:
    return parse_product_key(text).key_id.text


@pytest.mark.parametrize("rule", ["allowed", "refused", "unsupported"])
def test_only_an_allowed_conversion_has_a_target(publisher: TinyPublisher, rule: str) -> None:
    found = catalogue(publisher, rule)
    names = [item.id for item in targets(found.product(TRIAL), found)]
    assert names == ([FULL] if rule == "allowed" else [])
    assert list(targets(found.product(FULL), found)) == [], "that is no evaluation"
    assert list(targets(found.product(TRIAL), None)) == []


def test_a_key_says_what_a_build_becomes(publisher: TinyPublisher) -> None:
    found = catalogue(publisher)
    build, full = found.product(TRIAL), found.product(FULL)

    def became(key: str, product: Product = build) -> str:
        return by_key(product, key, found).id

    mak = publisher.machine_key("desktop", Kind.MAK, 7).key_id.text
    trial = publisher.machine_key("desktop", Kind.EVALUATION, 6).key_id.text
    other = publisher.machine_key("office", Kind.MAK, 8).key_id.text
    assert became("") == TRIAL
    assert became(mak) == FULL
    assert became(trial) == TRIAL
    assert became(other) == TRIAL, "of another group"
    assert became(key_id(setup(found, FULL))) == FULL
    assert became(mak, full) == FULL


def test_a_name_and_a_setup_key(publisher: TinyPublisher) -> None:
    found = catalogue(publisher)
    build, full = found.product(TRIAL), found.product(FULL)
    assert by_name(build, FULL, found) is full
    assert by_name(build, "desktop-pro", found) is build
    assert by_setup_key(build, setup(found, FULL), found) is full
    assert by_setup_key(build, "nothing", found) is None
    assert by_setup_key(full, setup(found, FULL), found) is None
    assert by_setup_key(build, setup(found, FULL), None) is None


def test_a_licence_that_nobody_can_read_changes_nothing(publisher: TinyPublisher) -> None:
    found = catalogue(publisher)
    descriptor = read_descriptor(publisher.descriptor(TRIAL))
    assert as_leased(descriptor, "no licence", found) is descriptor
    assert licensed_as(found.product(TRIAL), None, found) is found.product(TRIAL)
