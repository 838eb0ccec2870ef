"""Clocks, days and revocations at the ends of time: refusals with a text, never a crash."""

from __future__ import annotations

import itertools
from dataclasses import replace

from tests.attacks.conftest import HOST_KEY, MAK_KEY, MOST, NOW, Scene, refusal

from muster.core.products import DAY, Revocation, day_of, day_start
from muster.lease.steps import advance_mark, effective_now
from muster.lease.trust import TrustClaims, TrustKey, follow, make_trust
from muster.lease.verify import verify_activation, verify_lease, verify_notice
from muster.testing.tiny_publisher import TinyPublisher

YEAR_10000 = 253_402_300_800
CLOCKS = [
    -(10**18), -62_135_596_801, -62_135_596_800, -86_400, -1, 0, 1, day_start(0) - 1, NOW, 2**31,
    2**32, YEAR_10000 - 1, YEAR_10000, MOST, 2**60, 2**63, 10**30,
]  # fmt: skip


def revoked(scene: Scene, *entries: Revocation) -> TinyPublisher:
    """The same publisher with a catalogue that revokes."""
    publisher = TinyPublisher("contoso", now=NOW)
    publisher.publish(revocations=entries)
    assert publisher.publisher == scene.id
    return publisher


def test_no_clock_crashes_a_verification(scene: Scene) -> None:
    """The clock before the year 1 once raised ValueError out of an error's own text."""
    key = HOST_KEY.text
    catalogues = [
        None,
        *(revoked(scene, Revocation(None, key, at)).catalogue for at in (0, 300, 65_535)),
    ]
    bundles = (
        (verify_lease, scene.bundle()),
        (verify_lease, scene.bundle(grant=scene.grant(term=1))),
        (verify_notice, scene.notice()),
        (verify_activation, scene.activation()),
        (verify_activation, scene.activation(scene.activation_grant(term=3))),
    )
    base = scene.expected()
    for now, mark in itertools.product(CLOCKS, CLOCKS):
        for catalogue, fresh in itertools.product(
            catalogues[:2] if mark != NOW else catalogues, (0, 1)
        ):
            expected = replace(
                base, now=now, clock_mark=mark, catalogue=catalogue, fresh=bool(fresh)
            )
            for verify, data in bundles:
                refusal(lambda: verify(data, expected))  # noqa: B023


def test_no_date_of_a_host_crashes_a_verification(scene: Scene) -> None:
    ends = (0, 1, day_start(0) - 1, NOW, YEAR_10000 - 1, YEAR_10000, MOST)
    grants = (scene.grant(), scene.grant(day=0), scene.grant(day=65_535, term=63))
    for iat, exp, grant in itertools.product(ends, ends, grants):
        data = scene.bundle(scene.lease_payload() | {"iat": iat, "nbf": iat, "exp": exp}, grant)
        for now in (0, NOW, YEAR_10000, MOST):
            expected = scene.expected(now=now, clock_mark=min(iat, now))
            if refusal(lambda: verify_lease(data, expected)) == "":  # noqa: B023
                assert exp > now
                assert exp - iat <= 180 * DAY


def test_a_mark_never_runs_ahead_of_the_clock() -> None:
    """Else one host, or one signed object, from 2040 would brick every client that met it."""
    for mark, iat, now in itertools.product((0, NOW, MOST), CLOCKS, CLOCKS):
        after = advance_mark(mark, iat, now)
        assert mark <= after <= max(mark, now)
        assert effective_now(now, after) >= now


def test_a_perpetual_grant_needs_no_clock(scene: Scene) -> None:
    for now, mark in itertools.product(CLOCKS, CLOCKS):
        expected = scene.expected(now=now, clock_mark=mark)
        assert verify_activation(scene.activation(), expected).expires is None


def test_a_clock_turned_back_revives_nothing(scene: Scene) -> None:
    term = scene.activation(scene.activation_grant(term=1, day=300))
    end = day_start(300) + 30 * DAY
    for now in (0, day_start(300), end - 1):
        assert refusal(
            lambda: verify_activation(term, scene.expected(now=now, clock_mark=end))  # noqa: B023
        ) == "licence/expired"  # fmt: skip
    lease = scene.bundle()
    after = NOW + 180 * DAY
    assert refusal(lambda: verify_lease(lease, scene.expected(now=after))) == "licence/expired"
    turned = scene.expected(now=NOW + DAY, clock_mark=after)
    assert refusal(lambda: verify_lease(lease, turned)) == "licence/clock"
    near = scene.expected(now=after - 3600, clock_mark=after)
    assert refusal(lambda: verify_lease(lease, near)) == "licence/expired"


def test_signatures_dated_before_day_zero_are_before_every_retirement(scene: Scene) -> None:
    """`until` judges the date that the signer wrote: it retires keys and stops no thief."""
    publisher = TinyPublisher("contoso", now=NOW)
    retired = [
        TrustKey(publisher.catalogue_key.public, "catalogue", None, 0),
        TrustKey(publisher.grant_key.public, "grant", 0, 0),
    ]
    text = make_trust(
        TrustClaims(
            issuer=publisher.publisher,
            label="contoso",
            name="Contoso",
            version=2,
            iat=NOW,
            roots=publisher.trust.roots,
            keys=retired,
        ),
        publisher.working,
    )
    trust = follow(publisher.trust, text)
    kid = publisher.grant_key.public.kid
    for iat, code in (
        (0, ""),
        (day_start(0) - 1, ""),
        (day_start(1) - 1, ""),
        (day_start(1), "trust/retired"),
        (MOST, "trust/retired"),
    ):
        assert refusal(lambda: trust.find(kid, "grant", day_of(iat))) == code  # noqa: B023


def test_the_end_of_a_revoked_lease(scene: Scene) -> None:
    today = day_of(NOW)
    for at in (today - 29, today, today + 1, 65_535):
        publisher = revoked(scene, Revocation(None, HOST_KEY.text, at))
        expected = scene.expected(catalogue=publisher.catalogue)
        iat = min(day_start(at), NOW)
        claims = scene.lease_payload() | {"iat": iat, "nbf": iat, "exp": iat + 180 * DAY}
        found = verify_lease(scene.bundle(claims), expected)
        assert found.expires == min(iat + 180 * DAY, day_start(at) + 30 * DAY)
    for at in (0, today - 30, today - 1):
        publisher = revoked(scene, Revocation(None, HOST_KEY.text, at))
        expected = scene.expected(catalogue=publisher.catalogue)
        assert refusal(lambda: verify_lease(scene.bundle(), expected)) == "licence/revoked"  # noqa: B023
    for at in (0, today, 65_535):
        publisher = revoked(scene, Revocation(None, MAK_KEY.text, at))
        expected = scene.expected(catalogue=publisher.catalogue, now=0)
        assert refusal(lambda: verify_activation(scene.activation(), expected)) == "licence/revoked"  # noqa: B023
