"""Answers that are wrong, forged, old or of somebody else: a machine keeps nothing of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.errors import MusterError
from muster.core.ids import parse_installation_id
from muster.core.keys import Kind, ProductKey
from muster.core.products import DAY, Revocation, day_of
from muster.core.states import LicenceState
from muster.lease.grant import GrantValues, confirmation_of, issue_grant
from muster.lease.jws import MemorySigningKey
from muster.testing.tiny_publisher import GROUPS, TinyPublisher, test_key
from muster.testing.world import PUBLISHER_URL, World, WorldMachine
from muster.wire.exchange import ConfirmationFile, ReplyFile

PRODUCT = "desktop-pro"
STATE = "state.json"


@pytest.fixture
def world() -> World:
    return World()


def ready(world: World, name: str = "pc-1", key: ProductKey | None = None) -> WorldMachine:
    machine = world.machine(name)
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    machine.client.install_key((key or world.publisher.machine_key("desktop")).text)
    return machine


def refused(machine: WorldMachine, act: Callable[[], object]) -> str:
    """The code of a refusal that left every byte of the store as it was."""
    before = dict(machine.disk.files)
    with pytest.raises(MusterError) as caught:
        act()
    assert machine.disk.files == before
    assert caught.value.fix
    return caught.value.code


def reply(world: World, machine: WorldMachine) -> ReplyFile:
    return world.publisher.reply(machine.client.installation_id(PRODUCT).request)


def forged(
    world: World,
    machine: WorldMachine,
    signer: MemorySigningKey,
    *,
    day: int | None = None,
    group: str = "desktop",
    term: int = 0,
) -> str:
    """A grant for this machine by a signer of the test's choice."""
    iid = parse_installation_id(machine.client.installation_id(PRODUCT).installation_id)
    return issue_grant(
        GrantValues(
            publisher=world.publisher.publisher,
            key_id=iid.key_id,
            binding=iid.binding,
            hw=None,
            term=term,
            day=day_of(world.publisher.now) if day is None else day,
            group=next(one for one in GROUPS if one.id == group),
        ),
        signer,
    )


def with_grant(world: World, machine: WorldMachine, grant: str) -> bytes:
    found = reply(world, machine)
    return replace(found, answer=replace(found.answer, grant=grant)).encode()


# Keys that may not sign.


def test_a_grant_by_a_key_that_trust_does_not_name(world: World) -> None:
    machine = ready(world)
    for name in ("stranger", "catalogue", "working"):
        signer = test_key("contoso", name)
        data = with_grant(world, machine, forged(world, machine, signer))
        assert refused(machine, lambda data=data: machine.client.accept_reply(data)) == (  # type: ignore[misc]
            "licence/grant"
        )


def test_a_retired_key_signs_no_later_day(world: World) -> None:
    """Its digits and its grants count up to the day of its retirement, and not one day longer."""
    machine = ready(world)
    client, publisher = machine.client, world.publisher
    old_key, last = publisher.grant_key, day_of(publisher.now)
    publisher.rotate()
    client.import_publisher_file(publisher.file().encode())
    late = forged(world, machine, old_key, day=last + 1)
    assert refused(machine, lambda: client.accept_reply(with_grant(world, machine, late)))
    assert refused(machine, lambda: client.confirm(confirmation_of(late, 0).text)) == (
        "confirmation/key"
    )
    good = forged(world, machine, old_key, day=last)
    client.confirm(confirmation_of(good, 0).text)
    assert client.status(PRODUCT).verdict.licensed


@pytest.mark.parametrize("index", [1, 7, 255])
def test_an_index_that_trust_does_not_know(world: World, index: int) -> None:
    machine = ready(world)
    grant = forged(world, machine, world.publisher.grant_key)
    spoken = confirmation_of(grant, index).text
    assert refused(machine, lambda: machine.client.confirm(spoken)) == "confirmation/key"


def test_an_index_of_another_key_in_use(world: World) -> None:
    machine = ready(world)
    old_key = world.publisher.grant_key
    world.publisher.rotate()
    machine.client.import_publisher_file(world.publisher.file().encode())
    spoken = confirmation_of(forged(world, machine, old_key), 1).text
    assert refused(machine, lambda: machine.client.confirm(spoken)) == "confirmation/signature"


# Grants of another sort, by the right key.


def test_a_day_or_a_term_that_was_not_signed(world: World) -> None:
    machine = ready(world)
    true = confirmation_of(forged(world, machine, world.publisher.grant_key), 0)
    for bad in (replace(true, day=true.day + 1), replace(true, term=3), replace(true, key_index=1)):
        assert refused(machine, lambda bad=bad: machine.client.confirm(bad.text)).startswith(  # type: ignore[misc]
            "confirmation/"
        )


def test_a_grant_of_a_host_is_no_activation(world: World) -> None:
    machine = ready(world)
    grant = world.host().grant
    data = with_grant(world, machine, grant)
    code = refused(machine, lambda: machine.client.accept_reply(data))
    assert code in ("client/other-key", "licence/grant", "licence/kind")


def test_a_lease_is_no_activation(world: World) -> None:
    machine = ready(world)
    other = world.machine("pc-2")
    other.client.add_product(world.publisher.descriptor(PRODUCT))
    world.advertise([world.host()])
    assert other.client.activate()[0].renewed
    record = other.client.status(PRODUCT).verdict.record
    assert record is not None
    lease = json.loads(record.licence)["lease"]
    data = with_grant(world, machine, lease)
    assert refused(machine, lambda: machine.client.accept_reply(data))


# Files that were changed, come from somebody else, or come again.


def test_trust_of_a_stranger_in_a_reply_is_refused_whole(world: World) -> None:
    machine = ready(world)
    stranger = TinyPublisher("fabrikam", now=world.publisher.now)
    for _ in range(3):
        stranger.rotate()
    world.publisher.rotate()
    true = reply(world, machine)
    for texts in (
        (stranger.trust.text,),
        (*true.answer.trust, stranger.trust.text),
        (true.answer.trust[0][:-8] + "AAAAAAAA",),
    ):
        bad = replace(true, answer=replace(true.answer, trust=texts)).encode()
        assert refused(machine, lambda bad=bad: machine.client.accept_reply(bad))  # type: ignore[misc]
    bad = replace(true, answer=replace(true.answer, catalogue=stranger.catalogue.text)).encode()
    assert refused(machine, lambda: machine.client.accept_reply(bad))
    machine.client.accept_reply(true.encode())
    assert machine.client.status(PRODUCT).verdict.licensed


def test_a_reply_of_another_publisher_says_so(world: World) -> None:
    machine = ready(world)
    strange = World(seed=2)
    strange.publisher = TinyPublisher("fabrikam", now=world.publisher.now)
    found = reply(strange, ready(strange))
    short = ConfirmationFile(found.publisher, found.answer.confirmation_id)
    for data in (found.encode(), short.encode()):
        assert refused(machine, lambda data=data: machine.client.accept_reply(data)) == (  # type: ignore[misc]
            "client/reply-publisher"
        )


def test_an_answer_that_comes_again_after_a_revocation_helps_nobody(world: World) -> None:
    machine = ready(world)
    client = machine.client
    found = reply(world, machine)
    client.accept_reply(found.encode())
    licence = client.status(PRODUCT).verdict.licence
    assert licence is not None
    world.publisher.publish(
        revocations=[Revocation(jti=licence.grant_jti, key=None, at=day_of(world.publisher.now))]
    )
    client.import_publisher_file(world.publisher.file().encode())
    assert client.status(PRODUCT).verdict.state is LicenceState.TOLERANCE_GRACE
    assert refused(machine, lambda: client.accept_reply(found.encode())) == "licence/revoked"
    spoken = found.answer.confirmation_id
    assert refused(machine, lambda: client.confirm(spoken)) == "licence/revoked"


def test_an_answer_for_the_key_before_says_which_key_is_meant(world: World) -> None:
    machine = ready(world)
    before = reply(world, machine)
    machine.client.install_key(world.publisher.machine_key("desktop").text)
    assert refused(machine, lambda: machine.client.accept_reply(before.encode())) == (
        "client/other-key"
    )
    spoken = before.answer.confirmation_id
    assert refused(machine, lambda: machine.client.confirm(spoken)) == "confirmation/signature"


@examples(150, shared=True)
@given(st.data())
def test_any_bytes_are_refused_or_are_the_true_reply(data: st.DataObject) -> None:
    machine, true = _ready_once()
    at = data.draw(st.integers(0, len(true) - 1))
    width = data.draw(st.integers(0, 40))
    bad = true[:at] + data.draw(st.binary(max_size=40)) + true[at + width :]
    before = dict(machine.disk.files)
    try:
        machine.client.accept_reply(bad)
    except MusterError:
        assert machine.disk.files == before
        return
    # What passes is the same licence: a change in what nobody reads, such as the digits.
    assert machine.client.status(PRODUCT).verdict.licensed
    machine.disk.files = before


_MADE: list[tuple[WorldMachine, bytes]] = []


def _ready_once() -> tuple[WorldMachine, bytes]:
    if not _MADE:
        world = World()
        machine = ready(world)
        _MADE.append((machine, reply(world, machine).encode()))
    return _MADE[0]


# What lies in the store.


def test_an_activation_in_a_store_that_was_carried_away_licenses_nobody(world: World) -> None:
    machine = ready(world)
    machine.client.accept_reply(reply(world, machine).encode())
    thief = world.machine("pc-2", disk=machine.disk.copy())
    verdict = thief.client.status(PRODUCT).verdict
    assert not verdict.licensed
    assert verdict.fault is not None
    assert verdict.fault.code == "licence/machine"
    assert machine.client.status(PRODUCT).verdict.licensed


def test_a_store_that_never_held_such_a_key_is_written_as_before(world: World) -> None:
    """A store of a program that knew only leases has no salts, and is read as it is."""
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    world.advertise([world.host()])
    assert machine.client.activate()[0].renewed
    (path,) = [one for one in machine.disk.files if one.name == STATE]
    assert b'"salts"' not in machine.disk.files[path]
    again = world.machine(disk=machine.disk)
    assert again.client.status(PRODUCT).verdict.licensed
    again.client.install_key(world.publisher.machine_key("desktop").text)
    (found,) = again.client.activate(publisher_url=PUBLISHER_URL)
    assert found.renewed
    assert b'"salts"' in machine.disk.files[path]


def test_a_full_disk_keeps_the_licence_that_was_there(world: World) -> None:
    machine = ready(world, key=world.publisher.machine_key("desktop", Kind.EVALUATION, 3))
    (found,) = machine.client.activate(publisher_url=PUBLISHER_URL)
    assert found.renewed
    machine.client.install_key(world.publisher.machine_key("desktop").text)
    data = reply(world, machine).encode()
    machine.disk.room = sum(len(one) for one in machine.disk.files.values())
    assert refused(machine, lambda: machine.client.accept_reply(data)) == "file/full"
    assert machine.client.status(PRODUCT).verdict.state is LicenceState.EXTENDED_GRACE
    machine.disk.room = None
    machine.client.accept_reply(data)
    assert machine.client.status(PRODUCT).verdict.state is LicenceState.LICENSED


def test_a_publisher_that_lies_moves_no_timer_and_takes_nothing(world: World) -> None:
    """Unsigned answers of whoever stands at the publisher's address."""
    machine = ready(world)
    machine.client.accept_reply(reply(world, machine).encode())
    stranger = TinyPublisher("contoso-2", now=world.publisher.now)
    stranger.rotate()
    world.clock.pass_time(2 * DAY)
    honest, world.publisher = world.publisher, stranger
    (found,) = machine.client.activate(typed=False, publisher_url=PUBLISHER_URL)
    assert found.fault is not None
    verdict = machine.client.status(PRODUCT).verdict
    assert verdict.licensed
    assert verdict.record is not None
    assert verdict.record.next_attempt - world.clock.now() <= 4 * 3600
    world.publisher = honest
