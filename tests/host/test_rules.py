"""The rules as pure functions: who may answer, what is refused, what a lease says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.host.conftest import START, Machine, World

from muster.core.errors import MusterError
from muster.core.identity import matches
from muster.core.products import DAY, SKEW, Product
from muster.host import keys, rules
from muster.host.act import grants
from muster.host.lines import Line, Row
from muster.host.model import HeldGrant, KnownMachine, PublisherView, Settings
from muster.lease.grant import Grant
from muster.testing.tiny_publisher import TinyPublisher

PUBLISHER = TinyPublisher("contoso", now=START)
PRODUCT = PUBLISHER.catalogue.product("desktop-pro")
DRAWING = PUBLISHER.catalogue.product("office-drawing")


def code(found: object) -> str:
    return found.code if isinstance(found, MusterError) else ""


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
        found = rules.standing(view, publisher, product, now)
        assert code(found) == "host/not-served"
        assert isinstance(found, MusterError)
        assert found.row.http == 404
        assert found.row.field_code == "0xC004F042"
        assert found.params["labels"] == ["contoso"]


def test_a_group_that_no_grant_covers_is_not_served(host: World) -> None:
    found = rules.standing(host.service.view(), host.id, "office-suite", host.clock.now())
    assert code(found) == "host/not-served"


def test_a_host_without_grant_is_not_activated(world: World) -> None:
    view = world.service.view()
    found = rules.standing(view, world.id, "desktop-pro", world.clock.now())
    assert code(found) == "host/not-activated"
    assert rules.labels(view, world.clock.now()) == []


def test_the_grant_that_covers_and_lives_longest_signs(world: World) -> None:
    short = world.enrol("desktop", term=1)
    longer = world.enrol("server", term=3)
    forever = world.enrol("office")
    view, now = world.service.view(), world.clock.now()
    found = rules.standing(view, world.id, "desktop-pro", now)
    assert isinstance(found, rules.Standing)
    assert found.held.grant.jti == longer.grant.jti
    office = rules.standing(view, world.id, "office-suite", now)
    assert isinstance(office, rules.Standing)
    assert office.held.grant.jti == forever.grant.jti
    assert short.grant.exp is not None
    later = rules.standing(view, world.id, "desktop-pro", short.grant.exp)
    assert isinstance(later, rules.Standing)
    assert later.held.grant.jti == longer.grant.jti
    assert longer.grant.exp is not None
    ended = rules.standing(view, world.id, "desktop-pro", longer.grant.exp)
    assert code(ended) == "host/grant-expired"


def test_a_host_whose_clock_stands_before_its_grant_does_not_sign(host: World) -> None:
    view = host.service.view()
    grant = view.publishers[host.id].grants[0].grant
    assert isinstance(rules.standing(view, host.id, "desktop-pro", grant.iat - DAY), rules.Standing)
    early = rules.standing(view, host.id, "desktop-pro", grant.iat - DAY - 1)
    assert code(early) == "host/grant-not-yet"


def test_required_terms_must_be_there(world: World) -> None:
    installed = world.enrol("limited")
    view, now = world.service.view(), world.clock.now()
    assert code(rules.standing(view, world.id, "desktop-pro", now)) == "host/terms-required"
    answer = world.publisher.confirm(
        keys.installation_id(world.opened.current(), installed.key), limit=3
    )
    assert grants.accept(world.opened, world.id, answer).changed
    found = rules.standing(world.service.view(), world.id, "desktop-pro", now)
    assert isinstance(found, rules.Standing)
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
    standing = rules.Standing(VIEW, _with_span(span), held)
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
