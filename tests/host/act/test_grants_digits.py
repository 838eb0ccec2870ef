"""Confirmation IDs typed into a host: what people get wrong, and what was meant for others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.host.conftest import HOST_FACTS, World

from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.ids import make_installation_id, parse_confirmation_id, proof_key
from muster.core.keys import ProductKey
from muster.host import keys
from muster.host.act import grants, updates
from muster.host.model import HostKey
from muster.lease.jws import MemorySigningKey
from muster.testing.real import install
from muster.testing.tiny_publisher import TinyPublisher


def waiting(world: World, group: str = "server") -> HostKey:
    """An installed key that is not activated."""
    return install(world.opened, world.publisher.host_key(group).text, HOST_FACTS)


def spoken(world: World, key: HostKey) -> str:
    return world.publisher.confirm(
        keys.installation_id(world.opened.current(), key)
    ).confirmation_id


def proof_of(key: ProductKey, publisher: str) -> bytes:
    """What proves installation IDs of a product key."""
    return proof_key(publisher, key.key_id, key.tag_bytes)


def refused(world: World, digits: str) -> str:
    """The code with which digits were refused."""
    with pytest.raises(MusterError) as caught:
        grants.confirm(world.opened, digits)
    assert caught.value.what
    assert caught.value.fix
    return caught.value.code


def slips(right: str) -> Iterator[str]:
    """Every wrong digit, every swap of neighbours, every group repeated, left out, misplaced."""
    plain, groups = right.replace("-", ""), right.split("-")
    for place, digit in enumerate(plain):
        for more in range(1, 10):
            yield plain[:place] + str((int(digit) + more) % 10) + plain[place + 1 :]
    for place in range(len(plain) - 1):
        yield plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    for place, group in enumerate(groups):
        rest = groups[:place] + groups[place + 1 :]
        yield "".join(rest)
        yield "".join([*groups[:place], group, *groups[place:]])
        for target in range(len(groups)):
            yield "".join([*rest[:target], group, *rest[target:]])
            swapped = groups[:]
            swapped[place], swapped[target] = swapped[target], swapped[place]
            yield "".join(swapped)
            # One group said twice and another not at all: as long as it should be.
            doubled = groups[:]
            doubled[target] = group
            yield "".join(doubled)


def test_every_slip_is_refused_and_the_right_digits_still_count(world: World) -> None:
    key = waiting(world)
    right = spoken(world, key)
    wrong = set(slips(right)) - {right.replace("-", "")}
    assert len(wrong) > 4000
    codes = {refused(world, digits) for digits in wrong}
    assert codes <= {
        "digits/group",
        "digits/length",
        "id/version",
        "id/range",
        "confirmation/key",
        "confirmation/signature",
    }
    assert keys.pending(world.opened.current()) == [key]
    assert grants.confirm(world.opened, right).changed


def test_digits_for_another_host_key_or_publisher_are_refused(world: World) -> None:
    product = world.publisher.host_key("server")
    key = install(world.opened, product.text, HOST_FACTS)
    mine = parse_confirmation_id(spoken(world, key))
    # The same product key on another host: another host signing key, another binding.
    elsewhere = host_binding(world.id, product.key_id, MemorySigningKey(b"o" * 32).public.raw)
    iid = make_installation_id(1, product.key_id, elsewhere, key.hw, key.proof_key)
    other_host = world.publisher.confirm(iid.text).confirmation_id
    # Another key of the same publisher that this host does not hold.
    office = world.publisher.host_key("office")
    proof = proof_of(office, world.id)
    iid = make_installation_id(1, office.key_id, key.binding, key.hw, proof)
    other_key = world.publisher.confirm(iid.text).confirmation_id
    # Another publisher, asked about an ID with the same key number.
    stranger = TinyPublisher("fabrikam", now=world.publisher.now)
    theirs = stranger.host_key("server")
    proof = proof_of(theirs, stranger.publisher)
    iid = make_installation_id(1, theirs.key_id, key.binding, key.hw, proof)
    other_publisher = stranger.confirm(iid.text).confirmation_id
    for digits in (other_host, other_key, other_publisher):
        assert parse_confirmation_id(digits).signature != mine.signature
        assert refused(world, digits) == "confirmation/signature"
    assert keys.pending(world.opened.current()) == [key]
    assert grants.confirm(world.opened, mine.text).changed


def test_what_was_not_signed_is_refused(world: World) -> None:
    true = parse_confirmation_id(spoken(world, waiting(world)))
    assert refused(world, replace(true, day=true.day + 1).text) == "confirmation/signature"
    assert refused(world, replace(true, term=3).text) == "confirmation/signature"
    for index in (1, 7, 255):
        assert refused(world, replace(true, key_index=index).text) == "confirmation/key"


def test_digits_by_a_key_that_trust_withdrew_are_refused(world: World) -> None:
    key = waiting(world)
    old = spoken(world, key)
    world.publisher.rotate(withdraw=True)
    updates.add_publisher(world.opened, world.publisher.file())
    assert refused(world, old) == "confirmation/key"
    fresh = spoken(world, key)
    assert fresh != old
    assert grants.confirm(world.opened, fresh).changed


def test_digits_by_a_key_that_trust_does_not_know_yet_need_the_publisher_file(world: World) -> None:
    key = waiting(world)
    world.publisher.rotate()
    digits = spoken(world, key)
    assert refused(world, digits) == "confirmation/key"
    updates.add_publisher(world.opened, world.publisher.file())
    assert grants.confirm(world.opened, digits).changed
