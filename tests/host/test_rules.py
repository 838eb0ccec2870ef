"""The rules as pure functions: who may answer, what is refused, what a lease says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.host.conftest import START, Machine, World

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import matches, nonce_prefix
from muster.core.products import DAY, SKEW, Product
from muster.host import challenges, keys, rules
from muster.host.act import grants
from muster.host.challenges import Kept
from muster.host.lines import Line, Row
from muster.host.model import HeldGrant, HostView, KnownMachine, PublisherView, Settings
from muster.host.view import publisher_id
from muster.lease.bundle import Bundle
from muster.lease.grant import Grant
from muster.lease.lease import LeaseClaims
from muster.lease.terms import Terms
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.release import ReleaseRequest

PUBLISHER = TinyPublisher("contoso", now=START)
PRODUCT = PUBLISHER.catalogue.product("desktop-pro")
DRAWING = PUBLISHER.catalogue.product("office-drawing")


def code(found: object) -> str:
    return found.code if isinstance(found, MusterError) else ""


@example(START + SKEW, START)
@example(START, START + SKEW)
@given(st.integers(0, 2**53 - 1), st.integers(0, 2**53 - 1))
def test_skew_of_four_hours_passes_and_one_second_more_does_not(sent: int, now: int) -> None:
    request = Machine(1).request(PUBLISHER.publisher, "desktop-pro", sent)
    found = code(rules.screen(request, PRODUCT, now))
    assert found == ("host/clock-skew" if abs(sent - now) > SKEW else "")


def test_modes_and_facts() -> None:
    machine = Machine(1)

    def ask(product: Product, **more: Any) -> str:
        request = machine.request(PUBLISHER.publisher, product.id, START, **more)
        return code(rules.screen(request, product, START))

    assert ask(PRODUCT) == ""
    assert ask(PRODUCT, identity="explicit") == "host/identity-mode"
    assert ask(DRAWING, identity="explicit", fingerprint=()) == ""
    assert ask(PRODUCT, fingerprint=()) == "host/no-facts"
    assert ask(PRODUCT, nonce="A" * 21 + "B") == "wire/bad-request"


KNOWN = Line(Machine(1).nonce, START)

fingerprints = st.sets(
    st.builds(
        lambda letter, n: f"{letter}{n:016x}", st.sampled_from("bcdnpuxz"), st.integers(0, 2)
    ),
    min_size=1,
    max_size=16,
).map(lambda found: tuple(sorted(found)))


@given(fingerprints, fingerprints)
def test_a_clone_is_told_by_the_stored_facts(stored: tuple[str, ...], now: tuple[str, ...]) -> None:
    request = Machine(1, turn=1).request(PUBLISHER.publisher, "desktop-pro", START, fingerprint=now)
    row, _ = rules.line(request, KnownMachine("machine", stored, KNOWN), START)
    assert row is (Row.NEXT if matches(stored, now) else Row.OTHER_HARDWARE)


def test_no_clone_detection_for_explicit_ids_and_for_new_machines() -> None:
    other = ("u" + "f" * 16,)
    request = Machine(1, turn=1).request(PUBLISHER.publisher, "office-drawing", START)
    explicit = Machine(1, turn=1).request(
        PUBLISHER.publisher, "office-drawing", START, identity="explicit", fingerprint=()
    )
    for asked, known, row in (
        (request, KnownMachine("machine", other, KNOWN), Row.OTHER_HARDWARE),
        (explicit, KnownMachine("explicit", other, KNOWN), Row.NEXT),
        (request, None, Row.FIRST),
        (request, KnownMachine("machine", (), KNOWN), Row.NEXT),
    ):
        assert rules.line(asked, known, START)[0] is row


@given(st.integers(0, 1000))
def test_below_the_need_is_refused_with_count_and_need(number: int) -> None:
    found = rules.insufficient(number, PRODUCT, Settings())
    if number >= 25:
        assert found is None
    else:
        assert found is not None
        assert found.code == "host/insufficient-count"
        assert found.row.field_code == "0xC004F038"
        assert found.params == {"count": number, "need": 25, "retry_after": 7200}


def test_intervals_come_from_settings_or_from_the_product() -> None:
    assert rules.retry_after(PRODUCT, Settings()) == PRODUCT.spans.retry_after
    assert rules.renew_after(PRODUCT, Settings()) == PRODUCT.spans.renew_after
    chosen = Settings(retry_after=900, renew_after=1000)
    assert (rules.retry_after(PRODUCT, chosen), rules.renew_after(PRODUCT, chosen)) == (900, 1000)


def test_an_unknown_publisher_or_product_is_not_served_and_labels_are_listed(host: World) -> None:
    view = host.service.view()
    now = host.clock.now()
    for publisher, product in (("a" * 16, "desktop-pro"), (host.id, "nothing")):
        found = rules.find_entitlement(view, publisher, product, now)
        assert code(found) == "host/not-served"
        assert isinstance(found, MusterError)
        assert found.row.http == 404
        assert found.row.field_code == "0xC004F042"
        assert found.params["labels"] == ["contoso"]


def test_a_group_that_no_grant_covers_is_not_served(host: World) -> None:
    found = rules.find_entitlement(host.service.view(), host.id, "office-suite", host.clock.now())
    assert code(found) == "host/not-served"


@pytest.mark.parametrize("channel", ["evaluation", "retail"])
def test_products_of_another_channel_than_volume_are_not_served(host: World, channel: str) -> None:
    view, now = host.service.view(), host.clock.now()
    assert isinstance(rules.find_entitlement(view, host.id, "desktop-pro", now), rules.Entitlement)
    known = view.publishers[host.id]
    assert known.catalogue is not None
    products = [
        replace(item, channel=channel) if item.id == "desktop-pro" else item
        for item in known.catalogue.products
    ]
    known = replace(known, catalogue=replace(known.catalogue, products=tuple(products)))
    view = replace(view, publishers={host.id: known})
    assert code(rules.find_entitlement(view, host.id, "desktop-pro", now)) == "host/not-served"
    assert code(rules.find_entitlement(view, host.id, "server-standard", now)) == ""


def test_a_host_without_grant_is_not_activated(world: World) -> None:
    view = world.service.view()
    found = rules.find_entitlement(view, world.id, "desktop-pro", world.clock.now())
    assert code(found) == "host/not-activated"
    assert rules.labels(view, world.clock.now()) == []


def test_the_grant_that_covers_and_lives_longest_signs(world: World) -> None:
    short = world.enrol("desktop", term=1)
    longer = world.enrol("server", term=3)
    forever = world.enrol("office")
    view, now = world.service.view(), world.clock.now()
    found = rules.find_entitlement(view, world.id, "desktop-pro", now)
    assert isinstance(found, rules.Entitlement)
    assert found.held.grant.jti == longer.grant.jti
    office = rules.find_entitlement(view, world.id, "office-suite", now)
    assert isinstance(office, rules.Entitlement)
    assert office.held.grant.jti == forever.grant.jti
    assert short.grant.exp is not None
    later = rules.find_entitlement(view, world.id, "desktop-pro", short.grant.exp)
    assert isinstance(later, rules.Entitlement)
    assert later.held.grant.jti == longer.grant.jti
    assert longer.grant.exp is not None
    ended = rules.find_entitlement(view, world.id, "desktop-pro", longer.grant.exp)
    assert code(ended) == "host/grant-expired"


def test_a_host_whose_clock_stands_before_its_grant_does_not_sign(host: World) -> None:
    view = host.service.view()
    grant = view.publishers[host.id].grants[0].grant
    assert isinstance(
        rules.find_entitlement(view, host.id, "desktop-pro", grant.iat - DAY), rules.Entitlement
    )
    early = rules.find_entitlement(view, host.id, "desktop-pro", grant.iat - DAY - 1)
    assert code(early) == "host/grant-not-yet"


def test_required_terms_must_be_there(world: World) -> None:
    installed = world.enrol("limited")
    view, now = world.service.view(), world.clock.now()
    assert code(rules.find_entitlement(view, world.id, "desktop-pro", now)) == "host/terms-required"
    answer = world.publisher.confirm(
        keys.installation_id(world.opened.current(), installed.key), limit=3
    )
    assert grants.accept(world.opened, world.id, answer).changed
    found = rules.find_entitlement(world.service.view(), world.id, "desktop-pro", now)
    assert isinstance(found, rules.Entitlement)
    assert found.held.terms is not None
    assert found.held.terms.limit == 3


@given(
    st.integers(START, START + 3000 * DAY),
    st.integers(1, 2**31),
    st.integers(1, 2**31),
    st.none() | st.integers(1, 63),
)
def test_a_lease_ends_at_the_earliest_of_three(
    now: int, span: int, most: int, term: int | None
) -> None:
    grant = _grant(most, None if term is None else START + term * 30 * DAY)
    held = HeldGrant(grant)
    standing = rules.Entitlement(VIEW, _with_span(span), held)
    request = Machine(1).request(PUBLISHER.publisher, "desktop-pro", now)
    claims = rules.lease_claims(request, standing, Settings(), 30, "A" * 22, now)
    ends = [now + span, now + most] + ([] if grant.exp is None else [grant.exp])
    assert claims.exp == min(ends)
    assert claims.iat == now
    assert claims.count == 30


def _grant(most: int, exp: int | None) -> Grant:
    return Grant(
        issuer=PUBLISHER.publisher,
        group="desktop",
        iat=START,
        exp=exp,
        jti="A" * 22,
        kind="host",
        key="0-1-1",
        binding="0" * 25,
        hw="0" * 12,
        covers=("desktop",),
        max_lease=most,
        kid="k",
        text="",
    )


def _with_span(span: int) -> Product:
    return replace(PRODUCT, spans=replace(PRODUCT.spans, lease=span))


VIEW = PublisherView(
    publisher=PUBLISHER.publisher,
    url=None,
    trust=PUBLISHER.trust,
    line=(PUBLISHER.trust,),
    catalogue=PUBLISHER.catalogue,
    keys=(),
    grants=(),
    signer=None,
)

HELD = HeldGrant(_grant(DAY * 180, None))
SERVING = replace(VIEW, grants=(HELD,), signer=Machine(0).key, challenge_key=b"k" * 32)
TERMS = Terms(
    issuer=PUBLISHER.publisher,
    group="desktop",
    grant_jti="A" * 22,
    iat=START,
    version=1,
    limit=3,
    over="refuse",
    customer="",
    agreement="A-1",
    kid="k",
    text="",
)


def signs(*grants: Grant) -> Grant:
    """The grant that signs among these, which all cover desktops."""
    view = replace(SERVING, grants=tuple(HeldGrant(grant) for grant in grants))
    found = rules.find_entitlement(
        HostView(1, {view.publisher: view}, Settings()), view.publisher, PRODUCT.id, START
    )
    assert isinstance(found, rules.Entitlement)
    return found.held.grant


def test_of_several_grants_the_endless_one_signs_then_the_newest_then_the_last_by_name() -> None:
    ends = _grant(DAY, START + 3000 * DAY)
    endless = _grant(DAY, None)
    newer = replace(endless, iat=START + 1)
    later = replace(newer, jti="B" * 22)
    for one, other in ((ends, endless), (endless, newer), (newer, later)):
        assert signs(one, other) is other
        assert signs(other, one) is other


def test_a_publisher_without_a_key_that_signs_or_without_grants_is_not_activated() -> None:
    for view in (replace(SERVING, signer=None), replace(SERVING, grants=())):
        found = rules.find_entitlement(
            HostView(1, {view.publisher: view}, Settings()), view.publisher, PRODUCT.id, START
        )
        assert code(found) == "host/not-activated"


def test_a_host_that_cannot_read_its_signing_key_says_that_it_answers_later(world: World) -> None:
    """It is activated: nothing that a machine's administrator does would help."""
    world.enrol("desktop")
    known, now = world.service.view().publishers[world.id], world.clock.now()
    closed = replace(known, signer=None, grants=(), key_fault=error("host/no-key"))
    view = HostView(1, {world.id: closed}, Settings())
    found = rules.find_entitlement(view, world.id, "desktop-pro", now)
    assert code(found) == "wire/unavailable"


def test_why_a_host_answers_for_nobody_is_told_by_what_is_missing_first(world: World) -> None:
    world.enrol("desktop", term=1)
    known, now = world.service.view().publishers[world.id], world.clock.now()
    assert known.keys
    assert rules.unserved(known, now) is None
    ended = known.grants[0].grant.exp
    assert ended is not None
    fault = error("host/no-key")
    cases = [
        (known, ended, "host/grant-expired"),
        (replace(known, grants=()), now, "host/not-activated"),
        (replace(known, catalogue=None), now, "host/no-catalogue"),
        (replace(known, catalogue=None, keys=()), now, "host/no-key"),
        # Where the signing key was read, it was told what is wrong with it.
        (replace(known, signer=None, key_fault=fault), now, ""),
        (replace(known, signer=None), now, "host/not-activated"),
        (replace(known, key_fault=fault), now, ""),
    ]
    for view, at, wanted in cases:
        assert code(rules.unserved(view, at)) == wanted


def test_groups_that_ended_are_not_listed() -> None:
    other = replace(_grant(DAY, START + DAY), covers=("server", "desktop"))
    view = replace(SERVING, grants=(HELD, HeldGrant(other)))
    assert rules.granted_groups(view, START) == ["desktop", "server"]
    assert rules.granted_groups(view, START + DAY) == ["desktop"]


def test_terms_bound_the_lease_and_how_often_it_is_renewed() -> None:
    request = Machine(1).request(PUBLISHER.publisher, "desktop-pro", START)
    bound = replace(TERMS, max_lease=DAY)
    for terms, lasts, renews in (
        (bound, DAY, DAY // 2),
        (TERMS, DAY * 180, PRODUCT.spans.renew_after),
        (None, DAY * 180, PRODUCT.spans.renew_after),
    ):
        held = replace(HELD, terms=terms)
        entitled = rules.Entitlement(SERVING, PRODUCT, held)
        claims = rules.lease_claims(request, entitled, Settings(), 30, "A" * 22, START)
        assert claims.exp - START == lasts
        assert claims.renew_after == renews
        assert rules.renew_after(PRODUCT, Settings(), terms) == renews
        assert rules.silent_after(PRODUCT, Settings(), terms) == max(DAY, 2 * renews)
    assert rules.renew_after(PRODUCT, Settings(renew_after=900), bound) == 900
    assert rules.silent_after(PRODUCT, Settings(renew_after=DAY), None) == 2 * DAY


def test_a_grant_that_names_no_longest_lease_gives_none() -> None:
    request = Machine(1).request(PUBLISHER.publisher, "desktop-pro", START)
    held = HeldGrant(replace(HELD.grant, max_lease=None))
    entitled = rules.Entitlement(SERVING, PRODUCT, held)
    assert rules.lease_claims(request, entitled, Settings(), 30, "A" * 22, START).exp == START


def test_a_ceiling_refuses_the_first_machine_above_it() -> None:
    for terms, taken, holds_one, refused in (
        (TERMS, 2, False, False),
        (TERMS, 3, False, True),
        (TERMS, 3, True, False),
        (TERMS, 4, False, True),
        (replace(TERMS, over="report"), 4, False, False),
        (None, 4, False, False),
    ):
        found = rules.seat_refused(terms, taken, holds_one)
        assert code(found) == ("host/limit-reached" if refused else "")
        assert found is None or found.params == {"limit": 3}


def test_only_a_live_lease_of_another_product_is_still_held() -> None:
    for product, lease, held in (
        ("desktop-pro", (START + 1, 0), False),
        ("office-drawing", (START + 1, 0), True),
        ("office-drawing", (START, 0), False),
        ("office-drawing", (START + 1, START), False),
    ):
        assert rules.still_held({product: lease}, "desktop-pro", START) is held
    assert not rules.still_held({}, "desktop-pro", START)


def test_a_request_that_names_another_machine_is_not_proved() -> None:
    good = Machine(1).request(PUBLISHER.publisher, "desktop-pro", START)
    assert rules.unproved(good) is None
    forged = replace(good, cmid=Machine(2).cmid)
    assert code(rules.unproved(forged)) == "host/request-proof"


# Challenges, and releases that need one.


def challenge_of(found: MusterError | None) -> str:
    assert found is not None
    assert found.code == "host/challenge"
    return str(found.params["challenge"])


def test_the_challenge_of_a_refusal_holds_for_its_machine_mode_and_release() -> None:
    asked = Machine(1).request(PUBLISHER.publisher, "office-drawing", START)
    named = Machine(1).request(
        PUBLISHER.publisher, "office-drawing", START, identity="explicit", fingerprint=()
    )
    known = KnownMachine("machine", (), Line("A" * 22, START - DAY))
    removed = KnownMachine("machine", (), Line("", START - DAY))
    for request, stored, cut in (
        (asked, None, 0),
        (asked, known, 0),
        (asked, removed, START - DAY),
        (named, None, 0),
        (named, replace(known, identity="explicit"), START - DAY),
    ):
        found = challenge_of(rules.unchallenged(request, stored, SERVING, START))
        key, names = SERVING.challenge_key, (request.publisher, request.cmid)
        assert found == challenges.fresh(key, *names, Kept("", cut), START)
        again = replace(request, challenge=found)
        assert rules.unchallenged(again, stored, SERVING, START) is None


def test_the_challenge_of_a_lease_holds_for_the_next_request_that_is_made_just_now() -> None:
    request = Machine(1).request(PUBLISHER.publisher, "desktop-pro", START)
    known = KnownMachine("machine", (), Line("A" * 22, START - DAY))
    key, names = SERVING.challenge_key, (request.publisher, request.cmid)
    kept = Kept("A" * 22, START - DAY)
    given_last = challenges.after(key, *names, kept)
    again = replace(request, challenge=given_last)
    assert rules.unchallenged(again, known, SERVING, START) is None
    assert rules.unchallenged(again, known, SERVING, START + 60) is None
    for now in (START + 61, START - 61):
        assert code(rules.unchallenged(again, known, SERVING, now)) == "host/challenge"
    assert challenges.after(key, *names, replace(kept, explicit=True)) == ""
    named = replace(again, identity="explicit")
    assert code(rules.unchallenged(named, known, SERVING, START)) == "host/challenge"
    assert code(rules.unchallenged(again, None, SERVING, START)) == "host/challenge"


def leased(identity: str) -> LeaseClaims:
    request = replace(
        Machine(1).request(PUBLISHER.publisher, "office-drawing", START), identity=identity
    )
    entitled = rules.Entitlement(SERVING, DRAWING, HELD)
    return rules.lease_claims(request, entitled, Settings(), 30, "A" * 22, START)


def released(
    known: KnownMachine | None,
    *,
    sent_at: int = START,
    now: int = START,
    identity: str = "machine",
    shown: tuple[str, ...] = (nonce_prefix("A" * 22),),
    challenge: str = "",
) -> MusterError | None:
    key = Machine(1).key
    request = ReleaseRequest(Bundle("a.b.c", "d.e.f", key.public), key.public.raw, shown, sent_at)
    asked = replace(request, challenge=challenge)
    return rules.release_refused(asked, leased(identity), known, SERVING, now)


def test_a_release_is_of_a_known_machine_in_time_and_the_last_of_its_line() -> None:
    known = KnownMachine("machine", (), Line("A" * 22, START))
    later = START + 1
    assert code(released(None)) == "host/release-unknown"
    for now, refused in ((SKEW, False), (SKEW + 1, True), (-SKEW, False), (-SKEW - 1, True)):
        found = released(known, sent_at=later, now=later + now)
        assert code(found) == ("host/clock-skew" if refused else "host/challenge")
    # Of the same second as the request that is kept, it is that request's and comes too late.
    assert code(released(known)) == "host/request-old"
    assert code(released(known, sent_at=later)) == "host/challenge"
    newer = KnownMachine("machine", (), Line("B" * 22, START))
    assert code(released(newer, sent_at=later)) == "host/release-proof"
    named = replace(newer, identity="explicit")
    assert code(released(named, sent_at=later, identity="explicit", shown=())) == "host/challenge"


def test_a_release_needs_the_challenge_of_a_refusal() -> None:
    later = START + 1
    for identity in ("machine", "explicit"):
        known = KnownMachine(identity, (), Line("A" * 22, START))
        found = challenge_of(released(known, sent_at=later, identity=identity))
        names = (SERVING.challenge_key, PUBLISHER.publisher, leased(identity).cmid)
        kept = Kept("A" * 22, START, identity == "explicit")
        assert found == challenges.of_release(*names, kept, START)
        assert released(known, sent_at=later, identity=identity, challenge=found) is None
        for newer in (Line("B" * 22, START), Line("A" * 22, START + 1)):
            stored = KnownMachine(identity, (), newer)
            shown = (nonce_prefix("A" * 22), nonce_prefix("B" * 22))
            again = released(
                stored, sent_at=START + 2, identity=identity, shown=shown, challenge=found
            )
            assert code(again) == "host/challenge"
        of_request = challenges.fresh(*names, kept, START)
        other = released(known, sent_at=later, identity=identity, challenge=of_request)
        assert code(other) == "host/challenge"
    kept = Kept("A" * 22, START)
    of_lease = challenges.after(
        SERVING.challenge_key, PUBLISHER.publisher, leased("machine").cmid, kept
    )
    known = KnownMachine("machine", (), Line("A" * 22, START))
    assert code(released(known, sent_at=later, challenge=of_lease)) == "host/challenge"


def test_a_grant_that_is_not_used_beside_a_good_one_is_a_problem_of_the_host(world: World) -> None:
    """Machines of its key groups are refused, and readiness, log and metrics say why."""
    world.enrol("desktop")
    world.enrol("office", term=1)
    known = world.service.view().publishers[world.id]
    office = next(held.grant for held in known.grants if held.grant.group == "office")
    assert office.exp is not None
    assert rules.problems(known, world.clock.now()) == []
    (problem,) = rules.problems(known, office.exp)
    assert problem.code == "host/grant-unused"
    assert office.key in problem.what
    assert "host/grant-expired" in problem.what
    world.clock.pass_time(office.exp - world.clock.now())
    world.service.look_again()
    (told,) = world.service.condition.area("grants")
    assert (told.code, rules.serves(known, office.exp)) == ("host/grant-unused", True)
    # Another grant for the same groups takes its place: nobody is refused.
    world.enrol("office")
    assert rules.problems(world.service.view().publishers[world.id], office.exp) == []
    # A key that the publisher refused, beside one that serves.
    waiting = replace(known.keys[1], asked_at=1, refusal="publisher/key-revoked", grant=None)
    beside = replace(known, keys=(known.keys[0], waiting), grants=known.grants[:1])
    (refused,) = rules.problems(beside, world.clock.now())
    assert (refused.code, "publisher/key-revoked" in refused.what) == ("host/grant-refused", True)


def test_a_label_that_two_publishers_have_is_ambiguous_and_not_unknown() -> None:
    other = "b" * 16
    both = {SERVING.publisher: SERVING, other: replace(SERVING, publisher=other)}
    view = HostView(1, both, Settings())
    assert publisher_id(view, other) == other
    with pytest.raises(MusterError, match="host/which-publisher"):
        publisher_id(view, SERVING.label)
    with pytest.raises(MusterError, match="host/unknown-publisher"):
        publisher_id(view, "nobody")
