"""Stories of machines in a world in memory: what people do, and what becomes of their licences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from muster.client import schedule
from muster.client.discovery import Address
from muster.client.findings import Activation
from muster.client.messages import Plan
from muster.client.store import Store
from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.keys import Kind
from muster.core.products import DAY, Revocation, day_of
from muster.core.states import LicenceState
from muster.testing.tiny_host import DOMAIN, Misbehaviour, TinyHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import World, WorldMachine, machine_facts

DESKTOP, SERVER, OFFICE = "desktop-pro", "server-standard", "office-suite"


@pytest.fixture
def world() -> World:
    """A world with one host that has counted enough."""
    found = World()
    found.advertise([found.host()])
    return found


def office(world: World, crowd: int = 100) -> TinyHost:
    """A second host, with a key for office suites."""
    found = world.host("kms-office", group="office", crowd=crowd)
    world.advertise([found], priority=1)
    return found


def added(world: World, *products: str, name: str = "pc-1") -> WorldMachine:
    machine = world.machine(name)
    for product in products or (DESKTOP,):
        machine.client.add_product(world.publisher.descriptor(product))
    return machine


def one(machine: WorldMachine, product: str | None = None) -> Activation:
    results = machine.client.activate(product)
    assert len(results) == 1
    return results[0]


def problem(result: Activation) -> str:
    assert result.fault is not None
    return result.fault.code


def state(machine: WorldMachine, product: str = DESKTOP) -> LicenceState:
    return machine.client.status(product).verdict.state


def code_of(action: object) -> str:
    assert callable(action)
    with pytest.raises(MusterError) as caught:
        action()
    assert caught.value.fix
    return caught.value.code


# The main story.


def test_25_desktops_5_servers_and_5_office_suites() -> None:
    world = World()
    world.advertise([world.host(crowd=0)])
    desktops = [added(world, DESKTOP, name=f"pc-{n}") for n in range(25)]
    refused = [one(machine) for machine in desktops[:24]]
    assert {problem(each) for each in refused} == {"host/insufficient-count"}
    counts = [each.fault.params["count"] for each in refused if each.fault is not None]
    assert counts == list(range(1, 25))
    assert one(desktops[24]).renewed
    assert all(one(machine).renewed for machine in desktops)
    # Servers share the application, office suites have a count of their own.
    assert one(added(world, SERVER, name="server-1")).renewed
    office(world, crowd=0)
    suites = [added(world, OFFICE, name=f"office-{n}") for n in range(5)]
    assert [one(machine).renewed for machine in suites] == [False] * 4 + [True]


def test_a_refused_machine_asks_again_by_itself_when_its_time_has_come() -> None:
    world = World()
    host = world.host(crowd=0)
    world.advertise([host])
    machine = added(world)
    assert problem(one(machine)) == "host/insufficient-count"
    assert state(machine) is LicenceState.INITIAL_GRACE
    host.crowd(30)
    world.clock.pass_time(119 * 60)
    assert not machine.client.activate(typed=False)[0].due
    world.clock.pass_time(15 * 60)
    result = machine.client.activate(typed=False)[0]
    assert result.due
    assert result.renewed


def test_a_year_of_renewals_on_a_timer(world: World) -> None:
    machine = added(world)
    host = next(iter(world.hosts.values()))
    tries = 0
    for _ in range(365):
        host.crowd(30)
        tries += machine.client.activate(typed=False)[0].due
        assert machine.client.status(DESKTOP).verdict.licensed
        world.clock.pass_time(DAY)
    assert 365 // 7 <= tries <= 365 // 6 + 1
    notes = machine.client.history().history
    assert [note.event for note in notes[:2]] == [
        Event.CLIENT_PRODUCT_ADD,
        Event.CLIENT_LICENCE_ACCEPT,
    ]
    assert len(notes) == tries + 1


def test_states_from_initial_grace_to_notification_and_back(world: World) -> None:
    host = next(iter(world.hosts.values()))
    host.misbehaviour = Misbehaviour.SILENT
    machine = added(world)
    assert state(machine) is LicenceState.INITIAL_GRACE
    world.clock.pass_time(30 * DAY)
    assert state(machine) is LicenceState.NOTIFICATION
    host.misbehaviour = Misbehaviour.HONEST
    host.crowd(30)
    assert one(machine).renewed
    assert state(machine) is LicenceState.LICENSED
    host.misbehaviour = Misbehaviour.SILENT
    world.clock.pass_time(180 * DAY)
    verdict = machine.client.status(DESKTOP).verdict
    assert verdict.state is LicenceState.TOLERANCE_GRACE
    assert verdict.fault is not None
    assert verdict.fault.code == "licence/expired"
    assert verdict.until is not None
    assert verdict.until - world.clock.now() == 30 * DAY
    machine.client.activate(typed=False)
    world.clock.pass_time(30 * DAY)
    assert state(machine) is LicenceState.NOTIFICATION
    host.misbehaviour = Misbehaviour.HONEST
    host.crowd(30)
    assert machine.client.activate(typed=False)[0].renewed
    assert state(machine) is LicenceState.LICENSED


def test_the_state_is_the_same_whether_or_not_anybody_wrote_it_down(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    world.clock.pass_time(215 * DAY)
    verdict = machine.client.status(DESKTOP).verdict
    assert verdict.state is LicenceState.NOTIFICATION
    assert verdict.since == world.clock.now() - 5 * DAY


# Hosts.


@pytest.mark.parametrize(
    ("misbehaviour", "code"),
    [
        (Misbehaviour.SILENT, "net/timeout"),
        (Misbehaviour.REFUSING, "net/refused"),
        (Misbehaviour.RUBBISH, "wire/bad-answer"),
        (Misbehaviour.EMPTY, "wire/bad-answer"),
        (Misbehaviour.HUGE, "net/too-large"),
        (Misbehaviour.REDIRECT, "client/redirect"),
        (Misbehaviour.UNSIGNED_DUPLICATE, "client/unsigned-notice"),
        (Misbehaviour.STRANGER, "licence/signer"),
        (Misbehaviour.GREEDY, "licence/dates"),
    ],
)
def test_a_rude_host_has_its_own_error_and_the_next_one_licenses(
    misbehaviour: Misbehaviour, code: str
) -> None:
    world = World()
    rude, good = world.host("rude"), world.host("good")
    rude.misbehaviour = misbehaviour
    world.advertise([rude], priority=0)
    machine = added(world)
    before = machine.client.status(DESKTOP)
    assert problem(one(machine)) == code
    assert not machine.client.status(DESKTOP).verdict.licensed
    assert machine.client.status(DESKTOP).identity == before.identity
    world.advertise([good], priority=1)
    # Who never met the rude one asks it first, and the next one licenses in the same try.
    other = added(world, name="pc-other")
    result = one(other)
    assert result.renewed
    assert [each.candidate.address for each in result.tried] == [rude.address, good.address]
    # Who met it asks it last.
    result = one(machine)
    assert result.renewed
    assert [each.candidate.address for each in result.tried] == [good.address]
    # The good one is remembered and asked first from now on.
    assert [each.candidate.address for each in one(machine).tried] == [good.address]


def test_a_dead_last_good_host_is_left_after_one_try(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    old = next(iter(world.hosts.values()))
    old.misbehaviour = Misbehaviour.SILENT
    new = world.host("kms2")
    world.advertise([new])
    result = one(machine)
    assert result.renewed
    assert [each.candidate.address for each in result.tried] == [old.address, new.address]


def test_a_host_that_was_set_turns_discovery_off() -> None:
    world = World()
    chosen, other = world.host("chosen"), world.host("other")
    world.advertise([other])
    chosen.misbehaviour = Misbehaviour.REFUSING
    machine = world.machine(plan=lambda _: Plan(host=chosen.address))
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert problem(one(machine)) == "net/refused"
    assert world.questions == []
    chosen.misbehaviour = Misbehaviour.HONEST
    assert one(machine).renewed
    assert {address for address, _ in world.calls} == {chosen.address}


def test_hosts_of_other_vendors_are_not_asked_before_the_labels_own(world: World) -> None:
    fabrikam = TinyPublisher("fabrikam", now=world.clock.now() - 10 * DAY)
    for number in range(5):
        other = world.host(f"fabrikam{number}", publisher=fabrikam)
        world.advertise([other], label="fabrikam", general=True)
    machine = added(world)
    result = one(machine)
    assert result.renewed
    assert len(result.tried) == 1


def test_a_hostile_zone_neither_crashes_nor_stalls(world: World) -> None:
    world.zone.clear()
    world.advertise([Address(f"nowhere{n}.{DOMAIN}", 16880) for n in range(200)])
    machine = added(world)
    assert problem(one(machine)) == "client/no-host"
    assert len([route for _, route in world.calls if route == "activate"]) == 16
    world.advertise([next(iter(world.hosts.values()))], label="contoso", priority=0)
    asked = [machine.client.activate()[0].renewed for _ in range(60)]
    assert any(asked)


def test_two_publishers_on_one_machine_know_nothing_of_each_other(world: World) -> None:
    fabrikam = TinyPublisher("fabrikam", now=world.clock.now() - 10 * DAY)
    fab = world.host("fab", publisher=fabrikam, group="office")
    world.advertise([fab], label="fabrikam", general=False)
    machine = added(world)
    machine.client.add_product(fabrikam.descriptor(OFFICE))
    results = machine.client.activate()
    assert [each.renewed for each in results] == [True, True]
    cmids = {each.status.identity.cmid for each in results if each.status.identity is not None}
    salts = {each.status.identity.salt for each in results if each.status.identity is not None}
    assert len(cmids) == len(salts) == 2
    assert code_of(machine.client.status) == "client/which-product"
    assert code_of(machine.client.discover) == "client/which-publisher"
    assert machine.client.discover(fabrikam.publisher).label == "fabrikam"


def test_discover_changes_nothing_and_asks_each_host_what_it_serves(world: World) -> None:
    suites = world.host("office-host", group="office")
    silent = world.host("silent")
    silent.misbehaviour = Misbehaviour.SILENT
    world.advertise([suites, silent], priority=5)
    machine = added(world)
    before = dict(machine.disk.files)
    found = machine.client.discover()
    assert machine.disk.files == before
    by_name = {each.candidate.address.host.partition(".")[0]: each for each in found.probes}
    assert by_name["kms1"].served is not None
    assert by_name["kms1"].served.groups == ("desktop", "server")
    assert by_name["office-host"].served is not None
    assert by_name["silent"].fault is not None
    assert by_name["silent"].fault.code == "net/timeout"
    assert machine.client.discover(probe=False).probes[0].served is None


# Trust, catalogue, revocation.


@pytest.mark.parametrize(
    ("misbehaviour", "told"),
    [(Misbehaviour.HONEST, "host/not-activated"), (Misbehaviour.DISOBEDIENT, "licence/grant")],
    ids=["honest", "disobedient"],
)
def test_a_withdrawn_grant_key_ends_licences_and_a_new_grant_mends_them(
    world: World, misbehaviour: Misbehaviour, told: str
) -> None:
    host = next(iter(world.hosts.values()))
    machine = added(world)
    assert one(machine).renewed
    host.misbehaviour = misbehaviour
    world.publisher.rotate(withdraw=True)
    result = one(machine)
    assert problem(result) == told
    verdict = machine.client.status(DESKTOP).verdict
    assert verdict.state is LicenceState.NON_GENUINE_GRACE
    host.regrant()
    assert one(machine).renewed
    assert state(machine) is LicenceState.LICENSED


@pytest.mark.parametrize(
    ("misbehaviour", "told"),
    [(Misbehaviour.HONEST, "host/grant-revoked"), (Misbehaviour.DISOBEDIENT, "licence/revoked")],
    ids=["honest", "disobedient"],
)
def test_a_revoked_host_winds_down_while_the_machine_looks_for_another(
    world: World, misbehaviour: Misbehaviour, told: str
) -> None:
    first = next(iter(world.hosts.values()))
    first.misbehaviour = misbehaviour
    machine = added(world)
    assert one(machine).renewed
    world.clock.pass_time(2 * DAY)
    world.publisher.now = world.clock.now()
    today = day_of(world.clock.now())
    world.publisher.publish(revocations=[Revocation(first.jti, None, today)])
    second = world.host("kms2")
    second.regrant()
    # The old host still answers; its catalogue tells the machine that it is revoked.
    result = one(machine)
    assert problem(result) == told
    verdict = machine.client.status(DESKTOP).verdict
    assert verdict.licensed
    assert "client/revoked-host" in [each.code for each in verdict.warnings]
    assert verdict.until is not None
    assert verdict.until <= world.clock.now() + 30 * DAY
    days = (verdict.until - world.clock.now()) // DAY + 1
    later = World.machine(world, "pc-1", disk=machine.disk.copy())
    world.clock.pass_time(days * DAY)
    ended = later.client.status(DESKTOP).verdict
    assert ended.state is LicenceState.TOLERANCE_GRACE
    assert ended.since == verdict.until
    world.clock.jump(-days * DAY)
    # It does not wait a week for the next try, and takes the other host as soon as DNS names it.
    world.advertise([second], priority=9)
    world.clock.pass_time(schedule.SHORTEST)
    assert machine.client.activate(typed=False)[0].renewed
    assert machine.client.status(DESKTOP).verdict.warnings == ()


def test_a_host_that_hides_its_documents_still_licenses_what_verifies(world: World) -> None:
    host = next(iter(world.hosts.values()))
    host.misbehaviour = Misbehaviour.HIDES_DOCUMENTS
    world.publisher.rotate()
    result = one(added(world))
    assert result.renewed
    assert {each.code for each in result.warnings} == {"client/no-document"}


# Clocks.


def test_a_clock_that_was_turned_back_is_told_and_mends(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    world.clock.pass_time(8 * DAY)
    next(iter(world.hosts.values())).crowd(30)
    assert one(machine).renewed
    world.clock.jump(-2 * DAY)
    verdict = machine.client.status(DESKTOP).verdict
    assert not verdict.licensed
    assert verdict.fault is not None
    assert verdict.fault.code == "client/clock-behind"
    assert verdict.state is LicenceState.NOTIFICATION
    world.clock.jump(2 * DAY)
    assert machine.client.status(DESKTOP).verdict.licensed


def test_a_machine_that_was_once_in_2040_is_freed_by_resetting_the_mark() -> None:
    world = World()
    host = world.host()
    world.advertise([host])
    machine = added(world)
    world.clock.jump(13 * 365 * DAY)
    host.crowd(30)
    world.publisher.now = world.clock.now()  # the publisher stood there as well
    world.publisher.publish()
    assert one(machine).renewed
    world.clock.jump(-13 * 365 * DAY)
    host.forget()
    host.crowd(30)
    assert problem(one(machine)) == "licence/clock"
    marks = machine.client.reset_clock_mark().marks
    assert marks[0].old > world.clock.now()
    assert one(machine).renewed
    assert machine.client.reset_clock_mark().marks[0].old <= world.clock.now()
    events = [note.event for note in machine.client.history().history]
    assert Event.CLIENT_CLOCK_MARK_RESET in events


# Keys.


def test_other_keys_have_errors_of_their_own(world: World) -> None:
    publisher = world.publisher
    machine = added(world)
    fabrikam = TinyPublisher("fabrikam", now=world.clock.now())
    setup = publisher.catalogue.product(DESKTOP).setup_key
    mistyped = setup[:-7] + ("B" if setup[-7] != "B" else "C") + setup[-6:]
    swapped = setup[:1] + setup[2] + setup[1] + setup[3:]
    if swapped == setup:
        swapped = setup[:12] + setup[13] + setup[12] + setup[14:]
    cases = {
        publisher.host_key("desktop").text: "client/host-key",
        publisher.key(Kind.MAK, 3).text: "client/key-group",
        publisher.key(Kind.RETAIL, 3).text: "client/key-group",
        publisher.key(Kind.SETUP, 1).text: "client/key-unknown",
        fabrikam.catalogue.product(DESKTOP).setup_key: "client/key-publisher",
        mistyped: "key/check",
        swapped: "key/check",
        setup[:-1]: "key/length",
        setup.replace("-", "%2D", 1): "key/symbol",
    }
    for text, code in cases.items():
        with pytest.raises(MusterError) as caught:
            machine.client.install_key(text)
        assert caught.value.code == code
        assert text not in str(caught.value.params)
    assert not machine.client.install_key(setup.lower()).changed


def test_uninstalling_the_key_ends_the_licence_and_installing_it_again_starts_anew(
    world: World,
) -> None:
    machine = added(world)
    assert one(machine).renewed
    assert machine.client.uninstall_key().changed
    assert not machine.client.uninstall_key().changed
    assert state(machine) is LicenceState.UNLICENSED
    assert code_of(machine.client.activate) == "client/no-key"
    setup = world.publisher.catalogue.product(DESKTOP).setup_key
    assert machine.client.install_key(setup).changed
    assert state(machine) is LicenceState.INITIAL_GRACE
    assert one(machine).renewed


def test_nothing_that_is_done_twice_wins_a_day_of_grace(world: World) -> None:
    machine = added(world)
    setup = world.publisher.catalogue.product(DESKTOP).setup_key
    end = machine.client.status(DESKTOP).verdict.until
    world.clock.pass_time(10 * DAY)
    machine.client.uninstall_key()
    machine.client.install_key(setup)
    assert machine.client.status(DESKTOP).verdict.until == end
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert machine.client.status(DESKTOP).verdict.until == end
    machine.client.remove_product(DESKTOP)
    machine.client.add_product(world.publisher.descriptor(OFFICE))
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert machine.client.status(DESKTOP).verdict.until == end
    assert machine.client.status(OFFICE).verdict.until == end + 10 * DAY if end else False
    world.clock.pass_time(20 * DAY)
    assert state(machine) is LicenceState.NOTIFICATION


def test_a_grace_is_judged_at_the_clock_mark(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    world.clock.pass_time(200 * DAY)
    host = next(iter(world.hosts.values()))
    host.forget()
    world.publisher.now = world.clock.now()
    world.publisher.publish()
    assert problem(one(machine)) == "host/insufficient-count"
    assert state(machine) is LicenceState.TOLERANCE_GRACE
    end = machine.client.status(DESKTOP).verdict.until
    # The catalogue showed what time it is: a clock that goes back now wins nothing.
    world.clock.jump(-100 * DAY)
    verdict = machine.client.status(DESKTOP).verdict
    assert not verdict.licensed
    assert verdict.until == end


def test_a_product_may_be_added_without_its_key(world: World) -> None:
    machine = world.machine()
    machine.client.add_product(world.publisher.descriptor(DESKTOP), with_key=False)
    assert code_of(machine.client.activate) == "client/no-key"


# Products.


def test_adding_twice_changes_nothing(world: World) -> None:
    machine = added(world)
    before = dict(machine.disk.files)
    again = machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert not again.changed
    assert machine.disk.files == before


def test_a_newer_descriptor_replaces_the_old_one_and_keeps_the_licence(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    publisher = world.publisher
    publisher.rotate()
    from muster.lease.descriptor import make_descriptor
    from muster.testing.tiny_publisher import GROUPS

    newer = make_descriptor(
        publisher.trust.text, publisher.catalogue.product(DESKTOP), [GROUPS[0], GROUPS[1]]
    )
    assert machine.client.add_product(newer).changed
    assert machine.client.status(DESKTOP).verdict.licensed


def test_a_descriptor_of_an_impostor_with_the_same_id_is_refused(world: World) -> None:
    machine = added(world)
    from muster.lease.descriptor import make_descriptor, read_descriptor
    from muster.lease.trust import TrustClaims, make_trust
    from muster.testing.tiny_publisher import GROUPS, test_key

    own = read_descriptor(world.publisher.descriptor(DESKTOP))
    thief, reserve = test_key("thief", "root"), test_key("thief", "reserve")
    text = make_trust(
        TrustClaims(
            issuer=own.publisher,
            label=own.trust.label,
            name="Contoso",
            version=2,
            iat=world.clock.now(),
            roots=(thief.public, reserve.public),
            keys=own.trust.keys,
        ),
        thief,
    )
    forged = make_descriptor(text, own.product, [GROUPS[0]])
    assert code_of(lambda: machine.client.add_product(forged)) == "client/publisher-known"


def test_removing_a_product_leaves_the_others(world: World) -> None:
    office(world)
    machine = added(world, DESKTOP, OFFICE)
    assert [each.renewed for each in machine.client.activate()] == [True, True]
    machine.client.remove_product(OFFICE)
    assert [each.descriptor.product.id for each in machine.client.statuses()] == [DESKTOP]
    assert machine.client.status().verdict.licensed
    machine.client.remove_product(DESKTOP)
    assert code_of(machine.client.statuses) == "client/no-product"


def test_a_product_that_is_not_there_is_named(world: World) -> None:
    machine = added(world)
    assert code_of(lambda: machine.client.activate("desktop-home")) == "client/not-added"
    assert code_of(lambda: machine.client.status("../../x")) == "client/not-added"
    named = f"{world.publisher.publisher}/{DESKTOP}"
    assert machine.client.status(named).descriptor.product.id == DESKTOP


# Identity.


def test_clones_of_a_golden_image_count_as_many(world: World) -> None:
    image = added(world, name="golden")
    cmids = set()
    for number in range(5):
        clone = world.machine(f"clone-{number}", disk=image.disk.copy())
        result = one(clone)
        assert result.renewed
        assert result.status.identity is not None
        cmids.add(result.status.identity.cmid)
    assert len(cmids) == 5


def test_clones_whose_facts_are_all_alike_are_told_apart_by_a_signed_notice(world: World) -> None:
    host = next(iter(world.hosts.values()))
    image = added(world, name="golden")
    assert one(image).renewed
    assert image.client.status(DESKTOP).identity is not None
    clone = world.machine("golden", disk=image.disk.copy(), facts=machine_facts("golden"))
    identity = image.client.status(DESKTOP).identity
    assert identity is not None
    host.duplicates.add(identity.cmid)
    result = one(clone)
    assert result.renewed
    assert [each.code for each in result.warnings] == ["client/new-cmid"]
    # Its old licence went with the old CMID; the new one is in the history.
    assert [note.event for note in clone.client.history().history][-2:] == [
        Event.CLIENT_CMID_RENEW,
        Event.CLIENT_LICENCE_ACCEPT,
    ]


def test_a_pooled_desktop_has_the_same_cmid_after_every_boot(world: World) -> None:
    image = world.machine("golden")
    image.client.add_product(world.publisher.descriptor(DESKTOP), identity="device")
    seen = set()
    for boot in range(3):
        machine = world.machine("seat-7", disk=image.disk.copy(), boot=f"boot-{boot}")
        result = one(machine)
        assert result.renewed
        assert result.status.identity is not None
        seen.add(result.status.identity.cmid)
    other = one(world.machine("seat-8", disk=image.disk.copy()))
    assert other.status.identity is not None
    assert len(seen) == 1
    assert other.status.identity.cmid not in seen


def test_a_device_takes_a_random_cmid_until_the_next_boot_after_a_notice(world: World) -> None:
    host = next(iter(world.hosts.values()))
    machine = world.machine("seat-1", boot="boot-1")
    machine.client.add_product(world.publisher.descriptor(DESKTOP), identity="device")
    first = one(machine).status.identity
    assert first is not None
    host.duplicates.add(first.cmid)
    second = one(machine).status.identity
    assert second is not None
    assert second.cmid != first.cmid
    host.duplicates.clear()
    assert one(machine).status.identity == second
    rebooted = world.machine("seat-1", disk=machine.disk, boot="boot-2")
    third = one(rebooted).status.identity
    assert third is not None
    assert third.cmid == first.cmid


def test_an_explicit_identity_needs_no_facts_and_heeds_no_notice(world: World) -> None:
    host = office(world)
    machine = world.machine(facts={})
    product = "office-drawing"
    descriptor = world.publisher.descriptor(product)
    machine.client.add_product(descriptor, identity="explicit", given="seat 17")
    result = one(machine)
    assert result.renewed
    assert result.status.identity is not None
    host.duplicates.add(result.status.identity.cmid)
    again = one(machine)
    assert problem(again) == "client/duplicate-explicit"
    assert again.status.identity == result.status.identity
    assert again.status.verdict.licensed


def test_identity_modes_that_are_not_offered_are_refused(world: World) -> None:
    machine = world.machine()
    descriptor = world.publisher.descriptor(DESKTOP)
    add = machine.client.add_product
    assert (
        code_of(lambda: add(descriptor, identity="explicit", given="x")) == "client/identity-mode"
    )
    assert code_of(lambda: add(descriptor, identity="explicit")) == "client/identity-id"
    assert code_of(lambda: add(descriptor, given="x")) == "client/identity-id"
    bare = world.machine(facts={"cpu-model": "A processor"})
    assert (
        code_of(lambda: bare.client.add_product(descriptor, identity="device"))
        == "client/no-system-uuid"
    )


def test_changing_the_identity_asks_for_every_licence_anew(world: World) -> None:
    office(world)
    machine = added(world, DESKTOP, OFFICE)
    machine.client.activate()
    change = machine.client.set_identity("device")
    assert change.changed
    assert not machine.client.set_identity("device").changed
    assert not machine.client.status(DESKTOP).verdict.licensed
    results = machine.client.activate(typed=False)
    assert [each.renewed for each in results] == [True, True]


def test_hardware_may_change_a_little(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    facts = {**machine.facts, "disk-serial": "NEW-1", "permanent-macs": "00:1b:21:00:00:01"}
    changed = world.machine("pc-1", disk=machine.disk, facts=facts)
    assert changed.client.status(DESKTOP).verdict.licensed
    facts = {**facts, "system-uuid": "a1b2c3d4-0001-4002-8003-000000000002"}
    too_much = world.machine("pc-1", disk=machine.disk, facts=facts)
    verdict = too_much.client.status(DESKTOP).verdict
    assert verdict.fault is not None
    assert verdict.fault.code == "client/other-machine"
    assert verdict.state is LicenceState.TOLERANCE_GRACE
    assert one(too_much).renewed


def test_a_user_who_may_read_few_facts_does_not_take_the_machine_for_another(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    few = {name: machine.facts[name] for name in ("machine-id", "cpu-model")}
    user = world.machine("pc-1", disk=machine.disk, facts=few)
    verdict = user.client.status(DESKTOP).verdict
    assert verdict.fault is not None
    assert verdict.fault.code == "licence/fingerprint"
    cmid = machine.client.status(DESKTOP).identity
    assert cmid is not None
    assert code_of(user.client.activate) == "client/no-facts"
    assert machine.client.status(DESKTOP).identity == cmid
    few = {name: machine.facts[name] for name in ("machine-id", "disk-serial")}
    user = world.machine("pc-1", disk=machine.disk, facts=few)
    assert user.client.status(DESKTOP).verdict.licensed
    assert one(user).renewed
    after = machine.client.status(DESKTOP).identity
    assert after is not None
    assert after.cmid == cmid.cmid


# Release and wait.


def test_a_released_machine_is_unlicensed_and_its_count_is_gone(world: World) -> None:
    host = next(iter(world.hosts.values()))
    machine = added(world)
    assert one(machine).renewed
    identity = machine.client.status(DESKTOP).identity
    assert identity is not None
    released = machine.client.release()
    assert released.host == host.address.text
    assert host.released == [identity.cmid]
    assert state(machine) is LicenceState.UNLICENSED
    assert code_of(machine.client.release) == "client/nothing-to-release"
    world.clock.pass_time(29 * DAY)
    assert not machine.client.activate(typed=False)[0].due
    host.crowd(30)
    assert one(machine).renewed


def test_a_release_needs_the_secret(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    path = Path("/store") / world.publisher.publisher / "secrets.json"
    del machine.disk.files[path]
    machine.disk.files.pop(path.with_name("secrets.json.bak"), None)
    assert code_of(machine.client.release) == "client/no-secret"
    assert machine.client.status(DESKTOP).verdict.licensed


def test_a_release_that_no_host_takes_leaves_the_licence(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    next(iter(world.hosts.values())).misbehaviour = Misbehaviour.REFUSING
    assert code_of(machine.client.release) == "net/refused"
    assert machine.client.status(DESKTOP).verdict.licensed


def test_waiting_asks_when_a_try_is_due_and_says_why_it_ended() -> None:
    world = World()
    host = world.host(crowd=0)
    world.advertise([host])
    machine = added(world)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        world.clock.pass_time(max(1, int(seconds)))
        if world.clock.now() % 7 == 0:
            host.crowd(30)

    with pytest.raises(MusterError) as caught:
        machine.client.wait(DESKTOP, 0, sleep)
    assert caught.value.code == "client/wait-over"
    assert "need" in caught.value.why
    found = machine.client.wait(DESKTOP, 4 * 3600, sleep, poll=60)
    assert found.verdict.licensed
    assert slept
    assert machine.client.wait(DESKTOP, 0, sleep).verdict.licensed


# DNS.


def test_dns_that_fails_has_its_own_error(world: World) -> None:
    world.dns_fault = error("net/dns-timeout", name="x", seconds="4")
    assert problem(one(added(world))) == "net/dns-timeout"


def test_no_records_names_what_was_asked() -> None:
    world = World()
    result = one(added(world))
    assert problem(result) == "client/no-records"
    assert world.questions == [
        f"_contoso._sub._muster._tcp.{DOMAIN}",
        f"_muster._tcp.{DOMAIN}",
    ]


def test_a_site_with_a_hand_written_general_record_is_enough() -> None:
    world = World()
    world.advertise([world.host()], label=None)
    assert one(added(world)).renewed


def test_a_try_ends_after_a_minute_however_many_hosts_are_silent(world: World) -> None:
    world.zone.clear()
    hosts = [world.host(f"slow{n}") for n in range(16)]
    world.advertise(hosts)

    for host in hosts:
        host.misbehaviour = Misbehaviour.SILENT
    machine = added(world)
    network = machine.client.parts.network
    call = network.call

    def slow(*args: object) -> object:
        world.clock.pass_time(10)
        return call(*args)  # type: ignore[arg-type]

    network.call = slow  # type: ignore[method-assign, assignment]
    begun = world.clock.now()
    assert problem(one(machine)) == "client/no-host"
    assert world.clock.now() - begun <= 70


def test_records_of_the_store_keep_what_status_shows(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    loaded = Store(Path("/store"), world.publisher.publisher, machine.disk).load()
    assert loaded is not None
    record = loaded.memory.products[DESKTOP]
    assert (record.count, record.need) == (50, 25)  # a host tells no more than twice the need
    assert record.last_ip == "192.0.2.1"
    assert replace(record, failure=None) == record


# What administrators should look at while all is well.


def warned(machine: WorldMachine) -> list[str]:
    return [each.code for each in machine.client.status(DESKTOP).verdict.warnings]


def test_a_licence_on_few_facts_is_shown_as_weak(world: World) -> None:
    machine = world.machine(facts={"machine-id": "ab12", "disk-serial": "DISK-7"})
    machine.client.add_product(world.publisher.descriptor(DESKTOP))
    assert one(machine).renewed
    assert warned(machine) == ["client/weak-fingerprint"]


def test_an_old_catalogue_is_a_warning_and_never_a_stop(world: World) -> None:
    host = next(iter(world.hosts.values()))
    machine = added(world)
    for _ in range(6):
        host.crowd(30)
        assert one(machine).renewed
        world.clock.pass_time(70 * DAY)
    assert machine.client.status(DESKTOP).verdict.licensed
    assert "client/stale-catalogue" in warned(machine)


def test_a_renewal_that_is_late_is_told_with_its_reason(world: World) -> None:
    machine = added(world)
    assert one(machine).renewed
    next(iter(world.hosts.values())).misbehaviour = Misbehaviour.REFUSING
    world.clock.pass_time(8 * DAY)
    machine.client.activate(typed=False)
    assert warned(machine) == ["client/renewal-late"]
    late = machine.client.status(DESKTOP).verdict.warnings[0]
    assert late.params["code"] == "net/refused"


def test_hosts_that_all_refuse_are_one_error_that_names_each() -> None:
    world = World()
    world.advertise([world.host("one", group="office"), world.host("two", group="office")])
    result = one(added(world))
    assert problem(result) == "client/no-licence"
    assert result.fault is not None
    assert result.fault.why.count("host/not-served") == 2


def test_several_products_without_keys_are_not_silently_done(world: World) -> None:
    machine = world.machine()
    for product in (DESKTOP, OFFICE):
        machine.client.add_product(world.publisher.descriptor(product), with_key=False)
    assert code_of(machine.client.activate) == "client/no-key"
