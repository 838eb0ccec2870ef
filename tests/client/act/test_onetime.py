"""One-time activation of a machine, in a world in memory: every channel, every wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from muster.client.findings import Activation
from muster.client.service import Client
from muster.client.store import Store
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import facts_salt
from muster.core.ids import proof_key
from muster.core.keys import Kind, ProductKey
from muster.core.products import DAY, Conversion, Revocation, day_of
from muster.core.states import LicenceState
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import PUBLISHER_URL, World, WorldMachine
from muster.wire.exchange import ConfirmationFile, ReplyFile
from muster.wire.routes import ACTIVATIONS

PRODUCT = "desktop-pro"
IN_2010 = 1_262_304_000


@pytest.fixture
def world() -> World:
    return World()


def ready(
    world: World, kind: Kind = Kind.MAK, term: int = 0, name: str = "pc-1"
) -> tuple[WorldMachine, ProductKey]:
    """A machine with a product and a key that activates it once."""
    key = world.publisher.machine_key("desktop", kind, term)
    return with_key(world, key, name), key


def with_key(world: World, key: ProductKey, name: str = "pc-1") -> WorldMachine:
    machine = world.machine(name)
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    machine.client.install_key(key.text)
    return machine


def iid(client: Client) -> str:
    return client.installation_id().installation_id


def digits(world: World, client: Client) -> str:
    """What is read back for this machine."""
    return world.publisher.confirm(iid(client)).confirmation_id


def reply(world: World, client: Client) -> ReplyFile:
    return world.publisher.reply(client.installation_id().request)


def code(act: Callable[[], object]) -> str:
    with pytest.raises(MusterError) as caught:
        act()
    assert caught.value.fix
    return caught.value.code


def state(client: Client) -> tuple[LicenceState, bool]:
    verdict = client.status(PRODUCT).verdict
    return verdict.state, verdict.licensed


def why(client: Client) -> str:
    problem = client.status(PRODUCT).verdict.fault
    return "" if problem is None else problem.code


def online(client: Client, *, typed: bool = True) -> Activation:
    (found,) = client.activate(PRODUCT, typed=typed, publisher_url=PUBLISHER_URL)
    return found


LICENSED = (LicenceState.LICENSED, True)
EVALUATION = (LicenceState.EXTENDED_GRACE, True)


# The channels.


def test_online(world: World) -> None:
    machine, key = ready(world)
    found = online(machine.client)
    assert (found.fault, found.renewed) == (None, True)
    licence = machine.client.status(PRODUCT).verdict.licence
    assert licence is not None
    assert (licence.kind, licence.expires, licence.key) == ("mak", None, key.key_id.text)
    assert state(machine.client) == LICENSED
    asked = len(world.asked)
    again = online(machine.client)
    assert (again.fault, again.renewed) == (None, False)
    news = {name for _, name in world.asked[asked:]}
    assert news <= {"trust", "catalogue"}, "a machine that is activated asks for news only"
    assert world.calls == [], "no host was asked"


def test_digits_files_and_codes_end_in_the_same_licence(world: World) -> None:
    machine, key = ready(world)
    client = machine.client
    found = reply(world, client)
    short = ConfirmationFile(found.publisher, found.answer.confirmation_id)
    channels: list[Callable[[], Activation]] = [
        lambda: client.confirm(found.answer.confirmation_id),
        lambda: client.accept_reply(found.encode()),
        lambda: client.accept_reply(short.encode().rstrip()),
        lambda: online(client),
    ]
    texts = set()
    for take in channels:
        client.uninstall_key(PRODUCT)
        client.install_key(key.text)
        assert take().renewed
        licence = client.status(PRODUCT).verdict.licence
        assert licence is not None
        texts.add(licence.text)
    assert len(texts) == 1
    assert client.confirm(found.answer.confirmation_id).renewed is False
    assert client.accept_reply(found.encode()).renewed is False


def test_a_reinstall_gives_the_same_id_and_takes_the_old_digits(world: World) -> None:
    machine, key = ready(world)
    before, taken = iid(machine.client), digits(world, machine.client)
    machine.client.confirm(taken)
    anew = with_key(world, key)
    assert iid(anew.client) == before
    assert anew.client.installation_id().survives_reinstall
    assert state(anew.client)[1] is False
    anew.client.confirm(taken)
    assert state(anew.client) == LICENSED


def test_without_stable_facts_it_is_said_that_the_id_does_not_last(world: World) -> None:
    machine = world.machine("pc-9", facts={"machine-id": "a" * 32, "cpu-model": "X"})
    machine.client.add_product(world.publisher.descriptor(PRODUCT))
    machine.client.install_key(world.publisher.machine_key("desktop").text)
    assert machine.client.installation_id().survives_reinstall is False
    machine.client.confirm(digits(world, machine.client))
    assert state(machine.client) == LICENSED


def test_of_several_keys_that_wait_the_one_that_verifies_wins(world: World) -> None:
    client = world.machine().client
    for product in (PRODUCT, "office-suite"):
        client.add_product(world.publisher.descriptor(product))
    client.install_key(world.publisher.machine_key("desktop").text)
    client.install_key(world.publisher.machine_key("office").text)
    assert code(client.installation_id) == "client/which-product"
    spoken = client.installation_id("office-suite").installation_id
    found = client.confirm(world.publisher.confirm(spoken).confirmation_id)
    assert found.status.descriptor.product.id == "office-suite"
    assert state(client)[1] is False


def test_a_key_of_a_higher_group_is_for_the_product_of_its_own_group(world: World) -> None:
    client = world.machine().client
    for product in (PRODUCT, "server-standard"):
        client.add_product(world.publisher.descriptor(product))
    key = world.publisher.machine_key("server")
    assert client.install_key(key.text).product == "server-standard"
    assert client.install_key(key.text, PRODUCT).product == PRODUCT
    assert code(lambda: client.install_key(world.publisher.machine_key("office").text)) == (
        "client/key-group"
    )


# Clocks.


@pytest.mark.parametrize("kind", [Kind.MAK, Kind.RETAIL])
def test_for_ever_needs_no_clock(world: World, kind: Kind) -> None:
    machine, _ = ready(world, kind)
    taken = digits(world, machine.client)
    world.clock.set(IN_2010)
    machine.client.confirm(taken)
    assert state(machine.client) == LICENSED
    world.clock.set(4_000_000_000)
    assert state(machine.client) == LICENSED


def test_an_evaluation_asks_for_the_clock_to_be_set(world: World) -> None:
    machine, _ = ready(world, Kind.EVALUATION, 3)
    taken, today = digits(world, machine.client), world.clock.now()
    world.clock.set(IN_2010)
    assert code(lambda: machine.client.confirm(taken)) == "licence/clock"
    world.clock.set(today)
    machine.client.confirm(taken)
    assert state(machine.client) == EVALUATION
    # A clock that is turned back is judged at the clock mark, so that no day is won by it.
    world.clock.set(IN_2010)
    assert state(machine.client) == EVALUATION
    world.clock.set(today + 79 * DAY)
    assert state(machine.client)[1]


def test_an_evaluation_asks_for_the_clock_also_later(world: World) -> None:
    """It began after every date that the machine has seen signed, and the clock fails then."""
    machine, _ = ready(world, Kind.EVALUATION, 3)
    world.publisher.now = today = world.clock.now()
    machine.client.confirm(digits(world, machine.client))
    assert state(machine.client) == EVALUATION
    world.clock.set(IN_2010)
    assert state(machine.client) == (LicenceState.NOTIFICATION, False)
    problem = machine.client.status(PRODUCT).verdict.fault
    assert problem is not None
    assert problem.code == "licence/clock"
    assert "clock" in problem.fix
    machine.client.activate(PRODUCT, typed=False)
    world.clock.set(today + DAY)
    assert state(machine.client) == EVALUATION, "it mends as the clock does"


def test_an_evaluation_runs_and_ends_in_notification(world: World) -> None:
    machine, _ = ready(world, Kind.EVALUATION, 3)
    online(machine.client)
    assert state(machine.client) == EVALUATION
    verdict = machine.client.status(PRODUCT).verdict
    assert verdict.until == verdict.since + 90 * DAY
    world.clock.pass_time(91 * DAY)
    assert state(machine.client) == (LicenceState.NOTIFICATION, False)
    assert why(machine.client) == "licence/expired"


def test_a_mak_with_a_term_ends_in_a_grace(world: World) -> None:
    machine, _ = ready(world, Kind.MAK, 2)
    online(machine.client)
    world.clock.pass_time(60 * DAY)
    assert state(machine.client) == (LicenceState.TOLERANCE_GRACE, False)
    world.clock.pass_time(31 * DAY)
    assert state(machine.client) == (LicenceState.NOTIFICATION, False)


# What the machine is told when something changes.


def test_other_hardware_is_told(world: World) -> None:
    machine, _ = ready(world)
    online(machine.client)
    machine.facts["disk-serial"] = "another"
    machine.facts["permanent-macs"] = "00:1b:21:00:00:01"
    machine.facts["product-serial"] = "another"
    machine.facts["machine-id"] = "b" * 32
    assert state(machine.client) == LICENSED, "bound to one fact, the system's UUID"
    machine.facts["system-uuid"] = "00000000-0000-4000-8000-000000000001"
    assert state(machine.client) == (LicenceState.TOLERANCE_GRACE, False)
    assert why(machine.client) == "licence/machine"
    assert online(machine.client).renewed
    assert state(machine.client) == LICENSED


@pytest.mark.parametrize("by", ["key", "jti"])
@pytest.mark.parametrize("way", ["news", "file"])
def test_a_revoked_activation_is_told_with_the_next_catalogue(
    world: World, by: str, way: str
) -> None:
    machine, key = ready(world)
    online(machine.client)
    licence = machine.client.status(PRODUCT).verdict.licence
    assert licence is not None
    day = day_of(world.publisher.now)
    entry = (
        Revocation(jti=None, key=key.key_id.text, at=day)
        if by == "key"
        else Revocation(jti=licence.grant_jti, key=None, at=day)
    )
    world.publisher.publish(revocations=[entry])
    world.clock.pass_time(2 * DAY)
    assert state(machine.client) == LICENSED, "it has not heard of it"
    if way == "news":
        assert online(machine.client, typed=False).due
    else:
        found = machine.client.import_publisher_file(world.publisher.file().encode())
        assert (found.changed, found.catalogue) == (True, 2)
        assert not machine.client.import_publisher_file(world.publisher.file().encode()).changed
    assert state(machine.client) == (LicenceState.TOLERANCE_GRACE, False)
    assert why(machine.client) == "licence/revoked"
    world.clock.pass_time(31 * DAY)
    assert state(machine.client) == (LicenceState.NOTIFICATION, False)


def test_after_a_withdrawal_the_machine_is_activated_anew(world: World) -> None:
    machine, _ = ready(world)
    old = digits(world, machine.client)
    machine.client.confirm(old)
    world.publisher.rotate(withdraw=True)
    world.clock.pass_time(2 * DAY)
    online(machine.client, typed=False)
    assert state(machine.client) == (LicenceState.NON_GENUINE_GRACE, False)
    assert online(machine.client).renewed
    assert state(machine.client) == LICENSED
    assert code(lambda: machine.client.confirm(old)) == "confirmation/key"


def test_a_retired_key_leaves_what_it_signed(world: World) -> None:
    machine, _ = ready(world)
    old = digits(world, machine.client)
    world.publisher.rotate()
    world.clock.pass_time(2 * DAY)
    machine.client.import_publisher_file(world.publisher.file().encode())
    machine.client.confirm(old)
    assert state(machine.client) == LICENSED


def test_the_publisher_away_changes_nothing_that_runs(world: World) -> None:
    machine, _ = ready(world)
    world.publisher_fault = error("net/timeout", peer="it", seconds="10")
    found = online(machine.client)
    assert found.fault is not None
    assert found.fault.code == "net/timeout"
    assert why(machine.client) == "net/timeout"
    assert not online(machine.client, typed=False).due, "it rests"
    world.clock.pass_time(16 * 60)
    world.publisher_fault = None
    assert online(machine.client, typed=False).renewed
    world.clock.pass_time(3 * DAY)
    world.publisher_fault = error("net/timeout", peer="it", seconds="10")
    assert online(machine.client, typed=False).fault is not None
    assert state(machine.client) == LICENSED


def test_without_an_address_the_ways_are_named(world: World) -> None:
    machine, _ = ready(world)
    (found,) = machine.client.activate(PRODUCT)
    assert found.fault is not None
    assert found.fault.code == "client/no-publisher"
    assert "confirm" in found.fault.fix


# Wrong input: nothing is kept of it.


def unchanged(machine: WorldMachine, act: Callable[[], object]) -> str:
    before = dict(machine.disk.files)
    found = code(act)
    assert machine.disk.files == before
    return found


def test_confirmations_of_others_are_refused(world: World) -> None:
    machine, key = ready(world)
    client = machine.client
    other = with_key(world, key, "pc-2")
    strange = World(seed=2)
    strange.publisher = TinyPublisher("fabrikam", now=world.publisher.now)
    foreign, _ = ready(strange)
    another_key = with_key(world, world.publisher.machine_key("desktop"))
    wrong = {
        "another machine": digits(world, other.client),
        "another key": digits(world, another_key.client),
        "another publisher": digits(strange, foreign.client),
    }
    for spoken in wrong.values():
        assert unchanged(machine, lambda spoken=spoken: client.confirm(spoken)) in (  # type: ignore[misc]
            "confirmation/signature"
        )
    for found in (reply(world, other.client), reply(world, another_key.client)):
        assert unchanged(machine, lambda found=found: client.accept_reply(found.encode())) in (  # type: ignore[misc]
            "licence/machine",
            "client/other-key",
        )
    assert unchanged(machine, lambda: client.accept_reply(reply(strange, foreign.client).encode()))
    assert state(client)[1] is False


def test_every_wrong_digit_and_every_swap_is_refused(world: World) -> None:
    machine, _ = ready(world)
    good = digits(world, machine.client)
    groups = good.split("-")
    spoilt = set()
    for place in range(0, 33, 4):
        group = groups[place]
        for at in range(6):
            for step in (1, 5):
                bad = group[:at] + str((int(group[at]) + step) % 10) + group[at + 1 :]
                spoilt.add("-".join([*groups[:place], bad, *groups[place + 1 :]]))
            swapped = group[:at] + group[at : at + 2][::-1] + group[at + 2 :]
            spoilt.add("-".join([*groups[:place], swapped, *groups[place + 1 :]]))
        spoilt.add("-".join([*groups[:place], *groups[place + 1 :]]))
        spoilt.add("-".join([*groups[:place], groups[place], *groups[place:]]))
        if place < 32:
            moved = [*groups[:place], groups[place + 1], groups[place], *groups[place + 2 :]]
            spoilt.add("-".join(moved))
    spoilt.discard(good)
    assert len(spoilt) > 150
    before = dict(machine.disk.files)
    for bad in spoilt:
        found = code(lambda bad=bad: machine.client.confirm(bad))  # type: ignore[misc]
        assert found.startswith(("digits/", "id/", "confirmation/")), bad
    assert machine.disk.files == before
    machine.client.confirm(good)


def test_an_altered_reply_file_is_refused_and_an_old_one_harmless(world: World) -> None:
    machine, _ = ready(world)
    client = machine.client
    old = reply(world, client)
    raw = json.loads(old.encode())
    for name in ("grant", "catalogue"):
        text = raw[name]
        middle = len(text) // 2
        flipped = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
        bad = json.dumps({**raw, name: flipped}).encode()
        assert unchanged(machine, lambda bad=bad: client.accept_reply(bad))  # type: ignore[misc]
    for bad in (b"", b"{", old.encode()[:-40], world.publisher.file().encode(), b"\xff" * 100):
        assert unchanged(machine, lambda bad=bad: client.accept_reply(bad)) == "wire/not-exchange"  # type: ignore[misc]
    world.publisher.publish(products=[world.publisher.new_product("desktop-ltsc")])
    online(client)
    newest = client.status(PRODUCT).verdict.authority.catalogue
    assert newest is not None
    client.accept_reply(old.encode())
    held = client.status(PRODUCT).verdict.authority.catalogue
    assert held is not None
    assert held.version == newest.version, "an old file does not put the catalogue back"


def test_a_store_without_a_waiting_key_says_so(world: World) -> None:
    client = world.machine().client
    client.add_product(world.publisher.descriptor(PRODUCT))
    assert code(client.installation_id) == "client/no-one-time-key"
    assert code(lambda: client.confirm("123456 " * 33)).startswith("digits/")
    machine, _ = ready(world, name="pc-2")
    spoken = digits(world, machine.client)
    assert code(lambda: client.confirm(spoken)) == "client/no-waiting-key"


# Change of model by key.


def test_from_hosts_to_mak_and_back(world: World) -> None:
    machine = world.machine()
    client = machine.client
    client.add_product(world.publisher.descriptor(PRODUCT))
    world.advertise([world.host()])
    assert client.activate()[0].renewed
    setup = world.publisher.catalogue.product(PRODUCT).setup_key
    client.install_key(world.publisher.machine_key("desktop").text)
    verdict = client.status(PRODUCT).verdict
    assert verdict.licence is not None
    assert verdict.licence.kind == "lease", "the lease stays until the key has activated"
    online(client)
    verdict = client.status(PRODUCT).verdict
    assert verdict.licence is not None
    assert verdict.licence.kind == "mak"
    client.install_key(setup)
    assert state(client) == LICENSED
    assert client.activate()[0].renewed
    verdict = client.status(PRODUCT).verdict
    assert verdict.licence is not None
    assert verdict.licence.kind == "lease"


@pytest.mark.parametrize("kind", ["lease", "mak"])
def test_an_evaluation_takes_no_better_licence_away(world: World, kind: str) -> None:
    """It is refused when it is installed: nothing is drawn for it, and hosts are asked on."""
    machine = world.machine()
    client = machine.client
    client.add_product(world.publisher.descriptor(PRODUCT))
    world.advertise([world.host()])
    if kind == "mak":
        client.install_key(world.publisher.machine_key("desktop").text)
    assert client.activate(publisher_url=PUBLISHER_URL)[0].renewed
    drawn = [route for _, route in world.asked].count(ACTIVATIONS.name)
    trial = world.publisher.machine_key("desktop", Kind.EVALUATION, 3)
    assert unchanged(machine, lambda: client.install_key(trial.text)) == "client/better-licence"
    assert state(client) == LICENSED
    world.clock.pass_time(8 * DAY)
    (found,) = client.activate(typed=False, publisher_url=PUBLISHER_URL)
    assert found.renewed is (kind == "lease")
    assert [route for _, route in world.asked].count(ACTIVATIONS.name) == drawn


def test_an_evaluation_key_of_an_older_store_uses_no_activation(world: World) -> None:
    """A program of before let it in; online and offline it is refused before an ID is shown."""
    machine, _ = ready(world)
    client = machine.client
    online(client)
    place = Store(client.root, world.publisher.publisher, machine.disk)
    loaded = place.load()
    assert loaded is not None
    trial = world.publisher.machine_key("desktop", Kind.EVALUATION, 3)
    record = replace(loaded.memory.products[PRODUCT], key=trial.key_id.text)
    salt = facts_salt(world.publisher.publisher, trial.key_id, trial.tag_bytes)
    proof = proof_key(world.publisher.publisher, trial.key_id, trial.tag_bytes)
    memory = loaded.memory.with_product(record).salted(trial.key_id.text, salt)
    place.save(memory, proofs={trial.key_id.text: proof})
    asked = list(world.asked)
    found = online(client)
    assert found.fault is not None
    assert found.fault.code == "client/better-licence"
    assert code(client.installation_id) == "client/better-licence"
    assert world.asked == asked


def test_an_evaluation_of_another_key_shortens_none_that_runs(world: World) -> None:
    """What a key gives is known when it is activated: until the one that runs cannot be longer than
    the shortest, another key is refused, and nothing is drawn for it."""
    machine, _ = ready(world, Kind.EVALUATION, 6)
    client = machine.client
    online(client)
    end = client.status(PRODUCT).verdict.until
    short = world.publisher.machine_key("desktop", Kind.EVALUATION, 3)
    asked = list(world.asked)
    assert unchanged(machine, lambda: client.install_key(short.text)) == "client/longer-evaluation"
    assert world.asked == asked
    assert client.status(PRODUCT).verdict.until == end
    world.clock.pass_time(91 * DAY)
    world.publisher.now += 91 * DAY
    client.install_key(short.text)
    assert online(client).renewed
    later = client.status(PRODUCT).verdict.until
    assert end is not None
    assert later is not None
    assert later >= end


def test_an_evaluation_that_was_drawn_before_and_ends_sooner_is_not_kept(world: World) -> None:
    machine, first = ready(world, Kind.EVALUATION, 3)
    client = machine.client
    taken = digits(world, client)
    client.confirm(taken)
    world.clock.pass_time(60 * DAY)
    world.publisher.now += 60 * DAY
    longer = world.publisher.machine_key("desktop", Kind.EVALUATION, 3)
    client.install_key(longer.text)
    online(client)
    end = client.status(PRODUCT).verdict.until
    world.clock.pass_time(10 * DAY)
    client.install_key(first.text)
    assert code(lambda: client.confirm(taken)) == "client/longer-evaluation"
    assert client.status(PRODUCT).verdict.until == end


@pytest.mark.parametrize("before", [Kind.RETAIL, Kind.MAK, None])
@pytest.mark.parametrize("channel", ["online", "digits"])
def test_a_key_with_a_term_that_replaces_a_longer_licence_says_so(
    world: World, before: Kind | None, channel: str
) -> None:
    """And the way back uses no other activation."""
    machine = world.machine()
    client = machine.client
    client.add_product(world.publisher.descriptor(PRODUCT))
    kept = world.publisher.machine_key("desktop", before) if before is not None else None
    if kept is None:
        world.advertise([world.host()])
        assert client.activate()[0].renewed
    else:
        client.install_key(kept.text)
        assert online(client).warnings == ()
    term = world.publisher.machine_key("desktop", term=1)
    client.install_key(term.text)
    found = online(client) if channel == "online" else client.confirm(digits(world, client))
    assert found.renewed
    assert [warning.code for warning in found.warnings] == ["client/shorter-licence"]
    assert ("for ever" in found.warnings[0].what) is (kept is not None)
    assert online(client).warnings == (), "told once, when it happened"
    if kept is not None:
        client.install_key(kept.text)
        back = online(client)
        assert (back.renewed, back.warnings) == (True, ())
        assert client.status(PRODUCT).verdict.until is None


def test_a_full_key_ends_an_evaluation(world: World) -> None:
    machine, _ = ready(world, Kind.EVALUATION, 3)
    online(machine.client)
    machine.client.install_key(world.publisher.machine_key("desktop").text)
    assert state(machine.client) == EVALUATION, "the evaluation runs on"
    online(machine.client)
    assert state(machine.client) == LICENSED


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("allowed", ""),
        ("unsupported", "client/conversion-unsupported"),
        ("refused", "client/conversion-refused"),
        (None, "client/conversion-refused"),
    ],
)
def test_an_evaluation_build_becomes_full_only_where_the_catalogue_allows(
    world: World, rule: str | None, found: str
) -> None:
    publisher = world.publisher
    build = publisher.new_product("desktop-trial", channel="evaluation")
    if rule is not None:
        way = "install from the volume media"
        publisher.conversions.append(Conversion("desktop-trial", PRODUCT, rule, way))
    publisher.publish([build])
    client = world.machine().client
    client.add_product(publisher.descriptor("desktop-trial"))
    client.install_key(publisher.machine_key("desktop", Kind.EVALUATION, 6).text)
    (activated,) = client.activate(publisher_url=PUBLISHER_URL)
    assert activated.renewed
    full = publisher.machine_key("desktop")
    if found:
        with pytest.raises(MusterError) as caught:
            client.install_key(full.text)
        assert caught.value.code == found
        if rule is not None:
            assert "volume media" in str(caught.value.why + caught.value.fix)
        verdict = client.status().verdict
        assert verdict.licensed
        assert verdict.state is LicenceState.EXTENDED_GRACE
        return
    client.install_key(full.text)
    (activated,) = client.activate(publisher_url=PUBLISHER_URL)
    assert activated.renewed
    assert client.status().verdict.state is LicenceState.LICENSED


FULL = ("compatibility", "unlimited")


def trial_build(world: World, rule: str = "allowed", key_known: bool = True) -> WorldMachine:
    """A machine with an evaluation build that runs, and a catalogue that converts it."""
    publisher = world.publisher
    build = replace(
        publisher.new_product("desktop-trial", channel="evaluation"), features=("watermark",)
    )
    full = replace(publisher.new_product("desktop-full", need=3), features=FULL)
    publisher.conversions.append(Conversion("desktop-trial", "desktop-full", rule, "the media"))
    publisher.publish([build, full])
    machine = world.machine()
    machine.client.add_product(publisher.descriptor("desktop-trial"))
    if key_known:
        machine.client.install_key(publisher.machine_key("desktop", Kind.EVALUATION, 6).text)
        (activated,) = machine.client.activate(publisher_url=PUBLISHER_URL)
        assert activated.renewed
        assert machine.client.status().verdict.product.features == ("watermark",)
    return machine


def test_an_evaluation_build_becomes_a_client_of_hosts_by_a_setup_key(world: World) -> None:
    machine = trial_build(world)
    client = machine.client
    host = world.host()
    world.advertise([host])
    client.install_key(world.publisher.catalogue.product("desktop-full").setup_key)
    verdict = client.status().verdict
    assert (verdict.state, verdict.licensed) == EVALUATION, "it runs on until the lease is here"
    assert verdict.product.features == ("watermark",)
    (found,) = client.activate()
    assert found.renewed
    assert [one.product for one in host.asked] == ["desktop-full"] * len(host.asked)
    verdict = client.status().verdict
    assert (verdict.state, verdict.licensed) == LICENSED
    assert verdict.licence is not None
    assert verdict.licence.kind == "lease"
    assert verdict.product.features == FULL
    assert (verdict.product.id, verdict.product.channel) == ("desktop-trial", "evaluation")
    world.clock.pass_time(8 * DAY)
    (found,) = client.activate(typed=False)
    assert found.renewed
    assert client.release().changed
    assert host.released


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("unsupported", "client/conversion-unsupported"),
        ("refused", "client/conversion-refused"),
    ],
)
def test_a_setup_key_converts_nothing_that_the_catalogue_does_not_allow(
    world: World, rule: str, found: str
) -> None:
    machine = trial_build(world, rule)
    setup = world.publisher.catalogue.product("desktop-full").setup_key
    assert unchanged(machine, lambda: machine.client.install_key(setup)) == found
    assert state_of(machine.client) == EVALUATION
    other = world.publisher.catalogue.product(PRODUCT).setup_key
    assert unchanged(machine, lambda: machine.client.install_key(other)) == (
        "client/conversion-refused"
    )
    invented = world.publisher.key(Kind.SETUP, 1).text
    assert unchanged(machine, lambda: machine.client.install_key(invented)) == "client/key-unknown"


def test_without_a_catalogue_a_setup_key_waits_for_it(world: World) -> None:
    machine = trial_build(world, key_known=False)
    client = machine.client
    setup = world.publisher.catalogue.product("desktop-full").setup_key
    assert code(lambda: client.install_key(setup)) == "client/conversion-unknown"
    client.import_publisher_file(world.publisher.file().encode())
    assert client.install_key(setup).changed
    world.advertise([world.host()])
    assert client.activate()[0].renewed


def withdraw(machine: WorldMachine, world: World) -> None:
    """The publisher withdraws its conversion, for licences that are issued later than in a day."""
    old = world.publisher.conversions[0]
    until = world.clock.now() + DAY
    world.publisher.conversions[:] = [replace(old, rule="refused", way="", until=until)]
    world.publisher.publish()
    machine.client.import_publisher_file(world.publisher.file().encode())


def test_a_conversion_that_is_withdrawn_ends_no_lease_and_begins_none(world: World) -> None:
    machine = trial_build(world)
    client = machine.client
    host = world.host()
    world.advertise([host])
    setup = world.publisher.catalogue.product("desktop-full").setup_key
    client.install_key(setup)
    assert client.activate()[0].renewed
    ends = client.status().verdict.until
    withdraw(machine, world)
    verdict = client.status().verdict
    assert (verdict.licensed, verdict.until, verdict.product.features) == (True, ends, FULL)
    assert code(lambda: client.install_key(setup)) == "client/conversion-refused"
    world.clock.pass_time(8 * DAY)
    asked = len(host.asked)
    assert not client.activate()[0].renewed
    assert {one.product for one in host.asked[asked:]} <= {"desktop-trial"}
    assert client.status().verdict.until == ends, "it runs to its own end"
    assert ends is not None
    world.clock.pass_time(ends - world.clock.now())
    verdict = client.status().verdict
    assert (verdict.licensed, verdict.product.features) == (False, ("watermark",))


def test_a_licence_that_is_issued_after_the_withdrawal_is_none(world: World) -> None:
    """A lease for the full product, of a host that knows nothing of it, helps no evaluation."""
    machine = trial_build(world)
    client = machine.client
    world.advertise([world.host()])
    client.install_key(world.publisher.catalogue.product("desktop-full").setup_key)
    assert client.activate()[0].renewed
    world.clock.pass_time(8 * DAY)
    withdrawn = world.clock.now() - 2 * DAY
    assert client.activate()[0].renewed, "the machine has not heard of it"
    old = world.publisher.conversions[0]
    world.publisher.conversions[:] = [replace(old, rule="unsupported", until=withdrawn)]
    world.publisher.publish()
    client.import_publisher_file(world.publisher.file().encode())
    verdict = client.status().verdict
    assert (verdict.licensed, verdict.product.features) == (False, ("watermark",))
    world.publisher.conversions.clear()
    world.publisher.publish()
    client.import_publisher_file(world.publisher.file().encode())
    assert not client.status().verdict.licensed, "where nothing was ever allowed"


@pytest.mark.parametrize("kind", [Kind.MAK, Kind.RETAIL])
def test_an_activation_keeps_what_it_became_by_a_conversion_that_is_withdrawn(
    world: World, kind: Kind
) -> None:
    machine = trial_build(world)
    client = machine.client
    key = world.publisher.machine_key("desktop", kind).text
    client.install_key(key)
    assert client.activate(publisher_url=PUBLISHER_URL)[0].renewed
    withdraw(machine, world)
    world.clock.pass_time(400 * DAY)
    verdict = client.status().verdict
    assert (verdict.licensed, verdict.product.features) == (True, FULL)
    other = world.publisher.machine_key("desktop", kind).text
    assert code(lambda: client.install_key(other)) == "client/conversion-refused"


@pytest.mark.parametrize("kind", [Kind.MAK, Kind.RETAIL])
def test_a_build_that_was_activated_has_the_features_of_what_it_became(
    world: World, kind: Kind
) -> None:
    client = trial_build(world).client
    client.install_key(world.publisher.machine_key("desktop", kind).text)
    assert client.activate(publisher_url=PUBLISHER_URL)[0].renewed
    assert client.status().verdict.product.features == FULL


@pytest.mark.parametrize("group", ["server", "limited"])
@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("allowed", ""),
        ("unsupported", "client/conversion-unsupported"),
        ("refused", "client/conversion-refused"),
    ],
)
def test_a_key_of_a_group_that_covers_the_builds_is_judged_by_all_that_it_covers(
    world: World, group: str, rule: str, found: str
) -> None:
    """`limited` has no product of its own, `server` has one that nothing converts to."""
    machine = trial_build(world, rule)
    key = world.publisher.machine_key(group).text
    if found:
        assert unchanged(machine, lambda: machine.client.install_key(key)) == found
        assert state_of(machine.client) == EVALUATION
        return
    machine.client.install_key(key)
    assert machine.client.activate(publisher_url=PUBLISHER_URL)[0].renewed
    assert machine.client.status().verdict.product.features == FULL


def test_a_key_that_stands_for_no_other_product_turns_an_evaluation_build_into_nothing(
    world: World,
) -> None:
    publisher = world.publisher
    publisher.products.clear()
    publisher.publish([publisher.new_product("desktop-trial", channel="evaluation")])
    machine = world.machine()
    machine.client.add_product(publisher.descriptor("desktop-trial"))
    machine.client.import_publisher_file(publisher.file().encode())
    with pytest.raises(MusterError) as caught:
        machine.client.install_key(publisher.machine_key("server").text)
    assert caught.value.code == "client/conversion-refused"
    assert "a full edition" in caught.value.what


def test_the_way_of_a_refused_conversion_ends_its_sentence_once(world: World) -> None:
    publisher = world.publisher
    publisher.publish([publisher.new_product("desktop-trial", channel="evaluation")])
    for rule in ("refused", "unsupported"):
        publisher.conversions[:] = [Conversion("desktop-trial", PRODUCT, rule, "Buy the full one.")]
        publisher.publish()
        client = world.machine(rule).client
        client.add_product(publisher.descriptor("desktop-trial"))
        client.import_publisher_file(publisher.file().encode())
        with pytest.raises(MusterError) as caught:
            client.install_key(publisher.machine_key("desktop").text)
        text = caught.value.why + caught.value.fix
        assert "Buy the full one." in text
        assert ".." not in text


def test_a_refused_conversion_uses_no_activation_where_no_catalogue_was_held(
    world: World,
) -> None:
    machine = trial_build(world, "refused", key_known=False)
    client = machine.client
    client.install_key(world.publisher.machine_key("desktop").text)
    (found,) = client.activate(publisher_url=PUBLISHER_URL)
    assert found.fault is not None
    assert found.fault.code == "client/conversion-refused"
    assert ACTIVATIONS.name not in {route for _, route in world.asked}


def state_of(client: Client) -> tuple[LicenceState, bool]:
    verdict = client.status().verdict
    return verdict.state, verdict.licensed


def test_an_activation_outlives_other_writes_to_the_store(world: World) -> None:
    """Another program of the machine reads the same store, and later writes keep the tag."""
    machine, _ = ready(world)
    online(machine.client)
    again = world.machine("pc-1", disk=machine.disk)
    assert state(again.client) == LICENSED
    again.client.add_product(world.publisher.descriptor("office-suite"))
    again.client.reset_clock_mark()
    assert state(machine.client) == LICENSED
