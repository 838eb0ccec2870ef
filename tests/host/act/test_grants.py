"""Enrolment: publishers, host keys, grants by every channel, catalogues; each idempotent."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from tests.host.conftest import HOST_FACTS, START, World, leased, refused

from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.ids import make_installation_id, parse_installation_id, proof_key
from muster.core.keys import Kind
from muster.core.products import day_of
from muster.host import keys
from muster.host.act import enrol, grants, updates
from muster.host.keyring import KeyRing
from muster.host.keys import only
from muster.host.tables import own
from muster.lease.catalogue import CatalogueClaims, make_catalogue
from muster.lease.grant import GrantValues, issue_grant
from muster.lease.jws import MemorySigningKey
from muster.system.entropy import SeededDice
from muster.testing.real import install
from muster.testing.tiny_publisher import APPLICATIONS, GROUPS, TinyPublisher, test_key
from muster.wire.exchange import read_publisher_file, read_reply_file, read_request_file


def code_of(call: object, *args: object, **more: object) -> str:
    with pytest.raises(MusterError) as caught:
        call(*args, **more)  # type: ignore[operator]  # any function of the administrator
    return caught.value.code


# Publishers.


def test_a_second_init_changes_nothing(world: World) -> None:
    file = read_publisher_file(world.publisher.file("http://p.example:1").encode())
    assert updates.add_publisher(world.opened, file).changed, "its address was not known"
    assert not updates.add_publisher(world.opened, file).changed
    assert world.opened.current().publishers[world.id].url == "http://p.example:1"


def test_a_newer_file_brings_trust_and_catalogue(world: World) -> None:
    world.publisher.rotate()
    world.publisher.publish()
    done = updates.add_publisher(world.opened, world.publisher.file())
    assert done.changed
    assert (done.trust_before, done.trust) == (1, 2)
    assert (done.catalogue_before, done.catalogue) == (1, 2)
    view = world.service.view().publishers[world.id]
    assert [one.version for one in view.line] == [1, 2]


def test_an_older_catalogue_is_refused(world: World) -> None:
    old = world.publisher.file()
    world.publisher.publish()
    updates.add_publisher(world.opened, world.publisher.file())
    assert code_of(updates.add_publisher, world.opened, old) == "catalogue/older"
    assert world.service.view().publishers[world.id].catalogue_version == 2


def test_another_anchor_for_a_pinned_publisher_is_refused(world: World) -> None:
    # The same id, but a trust object that its first root never signed.
    file = world.publisher.file()
    other = TinyPublisher("contoso", now=START - 7200)
    assert other.publisher == world.id
    assert other.line[0].text != file.anchor
    assert code_of(updates.add_publisher, world.opened, other.file()) == "host/anchor"
    stranger = TinyPublisher("fabrikam", now=START)
    mixed = replace(stranger.file(), publisher=world.id)
    assert code_of(updates.add_publisher, world.opened, mixed) == "host/anchor"
    fresh = replace(stranger.file(), publisher="a" * 16)
    assert code_of(updates.add_publisher, world.opened, fresh) == "host/anchor"


def test_only_the_first_trust_version_is_pinned(world: World) -> None:
    # A higher version is signed by roots of its own and could claim any publisher id.
    stranger = TinyPublisher("fabrikam", now=START)
    stranger.rotate()
    stranger.publish()
    file = stranger.file()
    later = replace(file, anchor=file.trust[-1], trust=())
    assert code_of(updates.add_publisher, world.opened, later) == "host/anchor"
    assert updates.add_publisher(world.opened, file).added


def test_what_stands_in_the_store_is_verified_again(host: World) -> None:
    leased_before = host.service.view().publishers[host.id].grants
    assert leased_before
    with host.database.transaction() as tx:
        tx.execute("UPDATE host_key SET host_grant = substr(host_grant, 1, 200)")
        own.touch(tx)
    view = host.service.view().publishers[host.id]
    assert view.grants == ()
    assert [fault.code for fault in view.faults] == ["licence/malformed"]
    assert refused(host.ask(1)) == "host/not-activated"


def test_a_grant_of_another_host_does_not_count(host: World) -> None:
    path = host.keyring.path(host.id)
    path.unlink()
    host.keyring.ensure(host.id, SeededDice("another"))
    with host.database.transaction() as tx:
        own.touch(tx)
    faults = host.service.view().publishers[host.id].faults
    assert [fault.code for fault in faults] == ["host/other-signing-key"]


# The signing key.


def test_a_signing_key_is_made_once_and_private(world: World) -> None:
    key = world.keyring.ensure(world.id, SeededDice(1))
    again = world.keyring.ensure(world.id, SeededDice(2))
    assert key.public == again.public
    path = world.keyring.path(world.id)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.raw.hex() not in repr(key)
    path.chmod(0o644)
    assert code_of(world.keyring.load, world.id) == "keyfile/rights"
    path.chmod(0o600)
    path.write_text("rubbish")
    assert code_of(world.keyring.load, world.id) == "host/signing-key"
    path.write_text("muster-host-signing-key-v1 " + "A" * 42 + "B\n")
    assert code_of(world.keyring.load, world.id) == "host/signing-key"


def test_no_key_is_none(world: World) -> None:
    assert KeyRing(world.folder / "nowhere").load(world.id) is None


# Host keys.


def test_other_kinds_of_keys_have_their_own_errors(world: World) -> None:
    installing = partial(enrol.install_key, world.opened)
    for kind, code in (
        (Kind.SETUP, "host/key-setup"),
        (Kind.MAK, "host/key-mak"),
        (Kind.EVALUATION, "host/key-machine"),
        (Kind.RETAIL, "host/key-machine"),
    ):
        key = world.publisher.key(kind, 1)
        assert code_of(installing, key.text, HOST_FACTS) == code
    stranger = TinyPublisher("fabrikam", now=START)
    assert code_of(installing, stranger.host_key("server").text, HOST_FACTS) == "host/key-publisher"
    unknown = world.publisher.key(Kind.HOST, 77)
    assert code_of(installing, unknown.text, HOST_FACTS) == "host/key-group"
    good = world.publisher.host_key("server").text
    swapped = good[1] + good[0] + good[2:]
    wrong = ("C" if good[0] == "B" else "B") + good[1:]
    for text in (swapped, wrong):
        assert code_of(installing, text, HOST_FACTS).startswith("key/")
    assert keys.pending(world.opened.current()) == []


def test_no_error_shows_a_key(world: World) -> None:
    key = world.publisher.key(Kind.MAK, 1)
    with pytest.raises(MusterError) as caught:
        enrol.install_key(world.opened, key.text, HOST_FACTS)
    shown = caught.value.what + caught.value.why + caught.value.fix
    assert key.text not in shown
    assert key.text[-5:] in shown


def test_installing_twice_changes_nothing_and_keeps_the_grant(world: World) -> None:
    key = world.publisher.host_key("server").text
    first = enrol.install_key(world.opened, key, HOST_FACTS)
    assert first.changed
    assert first.survives_reinstall
    iid = keys.installation_id(world.opened.current(), only(keys.pending(world.opened.current())))
    answer = world.publisher.confirm(iid)
    grants.accept(world.opened, world.id, answer)
    again = enrol.install_key(world.opened, key, HOST_FACTS)
    assert not again.changed
    assert again.activated
    moved = enrol.install_key(world.opened, key, ())
    assert moved.changed
    assert not moved.survives_reinstall
    assert moved.hardware != again.hardware
    assert keys.find_key(world.opened.current(), first.key).grant == answer.grant
    assert not enrol.install_key(world.opened, key, ()).changed


def test_the_store_keeps_no_product_key(world: World) -> None:
    key = world.publisher.host_key("server")
    enrol.install_key(world.opened, key.text, HOST_FACTS)
    raw = b"".join(path.read_bytes() for path in world.folder.iterdir() if path.is_file())
    assert key.text.encode() not in raw
    assert key.tag_bytes not in raw
    assert key.tag_bytes.hex().encode() not in raw


def test_keys_are_named_by_last_group_or_id(world: World) -> None:
    first = install(world.opened, world.publisher.host_key("server").text, HOST_FACTS)
    second = install(world.opened, world.publisher.host_key("office").text, HOST_FACTS)
    assert keys.find_key(world.opened.current(), first.partial.lower()) == first
    assert keys.find_key(world.opened.current(), second.key_id) == second
    assert code_of(keys.find_key, world.opened.current(), "XXXXX") == "host/unknown-key"
    assert code_of(only, keys.pending(world.opened.current())) == "host/which-key"
    assert code_of(only, []) == "host/no-key"
    assert only(keys.pending(world.opened.current(), name=first.partial)) == first
    assert code_of(keys.pending, world.opened.current(), "b" * 16) == "host/unknown-publisher"


def test_removing_one_key_leaves_the_other_serving(host: World) -> None:
    office = host.enrol("office")
    host.fill(range(1, 5), "office-suite")
    leased(host.ask(5, "office-suite"))
    enrol.remove_key(host.opened, office.key.partial)
    assert refused(host.ask(5, "office-suite")) == "host/not-served"
    assert refused(host.ask(5, "desktop-pro")) == "host/insufficient-count"


# Activation by three channels.


def test_files_and_telephone_end_in_the_same_grant(world: World) -> None:
    key = install(world.opened, world.publisher.host_key("server").text, HOST_FACTS)
    request = read_request_file(keys.request_file(world.opened.current(), key).encode())
    reply = read_reply_file(world.publisher.reply(request).encode())
    by_telephone = grants.confirm(world.opened, reply.answer.confirmation_id)
    assert by_telephone.changed
    by_file = grants.accept(world.opened, reply.publisher, reply.answer)
    assert not by_file.changed
    assert by_file.grant.text == by_telephone.grant.text == reply.answer.grant
    assert keys.pending(world.opened.current()) == []
    assert code_of(grants.confirm, world.opened, reply.answer.confirmation_id) == "host/no-key"


def test_digits_are_taken_on_a_host_whose_clock_stands_in_2010(world: World) -> None:
    """A grant without an end needs no clock; leases do, and say so once it is right."""
    key = install(world.opened, world.publisher.host_key("server").text, HOST_FACTS)
    answer = world.publisher.confirm(keys.installation_id(world.opened.current(), key))
    today = world.clock.now()
    world.clock.set(1_262_304_000)
    done = grants.confirm(world.opened, answer.confirmation_id)
    assert done.changed
    assert done.grant.text == answer.grant
    world.clock.set(today)
    world.fill(range(24))
    leased(world.ask(24))


def test_of_several_waiting_keys_the_one_that_verifies_wins(world: World) -> None:
    installed = [
        install(world.opened, world.publisher.host_key(group).text, HOST_FACTS)
        for group in ("server", "office", "desktop")
    ]
    wanted = installed[1]
    answer = world.publisher.confirm(keys.installation_id(world.opened.current(), wanted))
    assert grants.confirm(world.opened, answer.confirmation_id).key.key_id == wanted.key_id
    digits = answer.confirmation_id
    assert code_of(grants.confirm, world.opened, digits) == "confirmation/signature"
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert code_of(grants.confirm, world.opened, wrong) == "digits/group"


def test_a_reply_to_another_host_is_refused_and_nothing_is_kept(world: World) -> None:
    key = world.publisher.host_key("server")
    mine = install(world.opened, key.text, HOST_FACTS)
    iid = parse_installation_id(keys.installation_id(world.opened.current(), mine))

    other = MemorySigningKey(b"o" * 32)
    binding = host_binding(world.id, key.key_id, other.public.raw)
    foreign = make_installation_id(1, key.key_id, binding, iid.hw, mine.proof_key)
    answer = world.publisher.confirm(foreign.text)
    world.publisher.publish()
    answer = replace(answer, catalogue=world.publisher.catalogue.text)
    assert code_of(grants.accept, world.opened, world.id, answer) == "host/reply"
    assert world.service.view().publishers[world.id].catalogue_version == 1
    assert keys.pending(world.opened.current()) == [mine]


def test_a_grant_of_a_key_that_is_not_installed_is_refused(world: World) -> None:
    installed = install(world.opened, world.publisher.host_key("server").text, HOST_FACTS)
    key = world.publisher.host_key("office")
    iid = make_installation_id(
        1,
        key.key_id,
        installed.binding,
        installed.hw,
        proof_key(world.id, key.key_id, key.tag_bytes),
    )
    answer = world.publisher.confirm(iid.text)
    assert code_of(grants.accept, world.opened, world.id, answer) == "host/reply"


def test_a_reply_signed_by_a_stranger_is_refused(world: World) -> None:
    key = install(world.opened, world.publisher.host_key("server").text, HOST_FACTS)
    answer = world.publisher.confirm(keys.installation_id(world.opened.current(), key))
    world.publisher.grant_key = test_key("thief", "grant")
    world.publisher._grants.clear()

    forged = issue_grant(
        GrantValues(
            publisher=world.id,
            key_id=parse_installation_id(keys.installation_id(world.opened.current(), key)).key_id,
            binding=key.binding,
            hw=key.hw,
            term=0,
            day=day_of(START),
            group=GROUPS[1],
        ),
        test_key("thief", "grant"),
    )
    assert (
        code_of(grants.accept, world.opened, world.id, replace(answer, grant=forged))
        == "licence/grant"
    )


def test_a_grant_for_a_machine_is_no_grant_for_a_host(world: World) -> None:
    mak = world.publisher.key(Kind.MAK, 1)

    iid = make_installation_id(
        1, mak.key_id, "0" * 25, None, proof_key(world.id, mak.key_id, mak.tag_bytes)
    )
    answer = world.publisher.confirm(iid.text)
    assert code_of(grants.accept, world.opened, world.id, answer) == "host/reply"


def test_an_answer_brings_trust_along(world: World) -> None:
    key = install(world.opened, world.publisher.host_key("server").text, HOST_FACTS)
    for _ in range(3):
        world.publisher.rotate()
    done = grants.accept(
        world.opened,
        world.id,
        world.publisher.confirm(keys.installation_id(world.opened.current(), key)),
    )
    assert done.changed
    view = world.service.view().publishers[world.id]
    assert view.trust.version == 4
    assert len(view.grants) == 1


def test_updates_of_unknown_publishers_are_refused(world: World) -> None:
    assert code_of(updates.update, world.opened, "b" * 16) == "host/unknown-publisher"


def test_a_withdrawn_catalogue_key_forgets_catalogue_and_version(world: World) -> None:
    publisher = world.publisher
    for _ in range(5):
        publisher.publish()
    updates.update(world.opened, world.id, catalogue=publisher.catalogue.text)
    assert world.service.view().publishers[world.id].catalogue_version == 6
    thief, publisher.catalogue_key = publisher.catalogue_key, test_key("contoso", "catalogue 2")
    publisher.keys = [
        replace(one, key=publisher.catalogue_key.public) if one.key == thief.public else one
        for one in publisher.keys
    ]
    publisher.rotate()
    done = updates.update(world.opened, world.id, trust=[publisher.trust.text])
    assert done.catalogue == 0
    assert world.service.view().publishers[world.id].catalogue is None

    low = make_catalogue(
        CatalogueClaims(
            version=2,
            iat=START,
            groups=GROUPS,
            applications=APPLICATIONS,
            products=publisher.products,
        ),
        publisher.trust,
        publisher.catalogue_key,
    )
    assert updates.update(world.opened, world.id, catalogue=low).catalogue == 2
