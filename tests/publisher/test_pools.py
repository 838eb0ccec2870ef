"""Pools of MAK, evaluation and retail keys: one draw a machine, never one too many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.publisher.pooled import GROUP, ask, codes, issue, left

from muster.core.errors import MusterError
from muster.core.ids import parse_confirmation_id, parse_installation_id
from muster.core.keys import Kind
from muster.core.products import Revocation
from muster.lease.grant import TERM, read_grant, rebuild_grant
from muster.lease.trust import GRANT_ROLE
from muster.publisher import rules
from muster.publisher.pools import PIECE, MachineActivation

from .conftest import PASSPHRASE, Machine, Shop


@pytest.mark.parametrize(
    ("kind", "pool", "term"),
    [(Kind.MAK, 3, 0), (Kind.MAK, 3, 12), (Kind.EVALUATION, 3, 3), (Kind.RETAIL, None, 0)],
)
def test_digits_alone_rebuild_the_grant(
    shop: Shop, kind: Kind, pool: int | None, term: int
) -> None:
    key = issue(shop, pool, kind, term)
    (machine,) = shop.machines(key, 1)
    answer = shop.service().activate(machine.digits(), "desk").answer
    admin = shop.admin()
    grant = read_grant(answer.grant, admin.trust(), admin.publisher.id)
    assert (grant.kind, grant.key, grant.binding) == (kind.text, key.key_id.text, machine.binding)
    assert (grant.group, grant.day, grant.hw) == (GROUP, 200, None)
    assert grant.exp == (None if term == 0 else grant.iat + term * TERM)
    rebuilt = rebuild_grant(
        parse_confirmation_id(answer.confirmation_id),
        admin.publisher.id,
        key.key_id,
        parse_installation_id(machine.digits()).binding,
        None,
        admin.catalogue().group(GROUP),
        admin.trust(),
    )
    assert rebuilt == answer.grant


def test_the_same_machine_gets_the_same_through_every_door_and_draws_once(shop: Shop) -> None:
    key = issue(shop)
    (machine,) = shop.machines(key, 1)
    service = shop.service()
    first = service.activate(machine.digits(), "http").answer
    shop.clock.days(100)
    again = [
        service.activate(machine.digits(), channel).answer for channel in ("file", "desk", "qr")
    ]
    batch = ask(service, machine, machine).rows
    assert {one.grant for one in again} == {first.grant}
    assert {one.confirmation_id for one in again} == {first.confirmation_id}
    assert [one.grant.grant for one in batch if isinstance(one, MachineActivation)] == [
        first.grant
    ] * 2
    assert left(shop, key) == 9


def test_a_pool_ends_at_its_size_and_repeats_are_answered_still(shop: Shop) -> None:
    key = issue(shop, 5)
    machines = shop.machines(key, 8)
    service = shop.service()
    assert codes(ask(service, *machines)) == ["drawn"] * 5 + ["publisher/pool-used-up"] * 3
    assert codes(ask(service, *machines)) == ["again"] * 5 + ["publisher/pool-used-up"] * 3
    assert left(shop, key) == 0


def test_a_retail_key_activates_one_machine(shop: Shop) -> None:
    key = issue(shop, None, Kind.RETAIL)
    machines = shop.machines(key, 2)
    assert codes(ask(shop.service(), *machines)) == ["drawn", "publisher/pool-used-up"]


def test_good_rows_of_a_batch_succeed_and_bad_ones_are_named(shop: Shop) -> None:
    key, other = issue(shop), issue(shop)
    one, two, three = shop.machines(key, 3)
    (stranger,) = shop.machines(other, 1)
    wrong_proof = Machine(key, one.publisher, two.binding, b"x" * 32)
    host = shop.host(shop.admin().issue_host_keys("server-c")[0].key)
    digits = one.digits()
    mistyped = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    found = shop.service().activate_batch(
        [
            mistyped,
            one.digits(),
            stranger.digits(),
            wrong_proof.digits(),
            host.digits(),
            two.digits(),
            one.digits(),
            three.digits()[:-7],
        ]
    )
    assert codes(found) == [
        "digits/group",
        "drawn",
        "publisher/batch-key",
        "id/proof",
        "publisher/not-machine-key",
        "drawn",
        "again",
        "digits/length",
    ]
    assert left(shop, key) == 8
    assert left(shop, other) == 10


def test_a_batch_of_several_pieces_draws_each_once(shop: Shop) -> None:
    key = issue(shop, PIECE + 20)
    machines = shop.machines(key, PIECE + 50)
    service = shop.service()
    found = ask(service, *machines)
    assert codes(found) == ["drawn"] * (PIECE + 20) + ["publisher/pool-used-up"] * 30
    assert codes(ask(service, *machines)).count("again") == PIECE + 20
    grants = shop.admin().machines(key.key_id.text)
    assert len({one.jti for one in grants}) == len(grants) == PIECE + 20
    rows = [one for one in shop.admin().audit(0, 5000) if one.event == "publisher:machine:activate"]
    assert sorted(one.subject for one in rows) == sorted(one.jti for one in grants)


def test_an_evaluation_that_is_over_is_not_begun_anew(shop: Shop) -> None:
    key = issue(shop, 5, Kind.EVALUATION, 3)
    (machine,) = shop.machines(key, 1)
    service = shop.service()
    first = service.activate(machine.digits(), "http").answer
    shop.clock.days(89)
    assert service.activate(machine.digits(), "http").answer.grant == first.grant
    shop.clock.days(1)
    assert codes(ask(service, machine)) == ["publisher/licence-over"]


@pytest.mark.parametrize(
    ("kind", "pool", "term"),
    [
        (Kind.HOST, 5, 0),
        (Kind.SETUP, 5, 0),
        (Kind.MAK, None, 0),
        (Kind.MAK, 0, 0),
        (Kind.MAK, rules.MAX_POOL + 1, 0),
        (Kind.EVALUATION, 5, 0),
        (Kind.EVALUATION, 5, 4),
        (Kind.RETAIL, 2, 0),
        (Kind.MAK, 5, 64),
        (Kind.MAK, 5, -1),
    ],
)
def test_what_is_no_pool_is_refused(kind: Kind, pool: int | None, term: int) -> None:
    with pytest.raises(MusterError) as caught:
        rules.check_pool(kind, pool, term, ())
    assert caught.value.code == "publisher/pool"


# Corrections, size, alerts.


def test_each_alert_level_is_told_once_as_it_is_reached(shop: Shop) -> None:
    key = shop.admin().issue_pool_keys(Kind.MAK, GROUP, 10, alerts=(50, 80, 100))[0].key
    service = shop.service()
    levels: list[list[int]] = []
    for count in (4, 1, 2, 1, 1, 1):
        before = len(shop.admin().audit(0, 5000))
        done = 10 - left(shop, key)
        ask(service, *shop.machines(key, count, first=done + 1))
        rows = shop.admin().audit(before, 5000)
        levels.append(
            [json.loads(one.detail)["level"] for one in rows if one.event == "publisher:pool:alert"]
        )
    assert levels == [[], [50], [], [80], [], [100]]


def test_the_one_machine_of_a_retail_key_is_no_news(shop: Shop) -> None:
    key = issue(shop, None, Kind.RETAIL)
    service = shop.service()
    ask(service, *shop.machines(key, 1))
    assert service.known().counts["pools_alerting"] == 0
    assert service.known().counts["pools_used_up"] == 0
    assert not [one for one in shop.admin().audit(0, 5000) if one.event == "publisher:pool:alert"]


# Revocation and rotation.


def test_a_revoked_key_refuses_and_stands_in_the_catalogue(shop: Shop) -> None:
    key = issue(shop)
    one, two = shop.machines(key, 2)
    service, admin = shop.service(), shop.admin()
    ask(service, one)
    revoked = admin.revoke_key(key.text)
    assert len(revoked.grants) == 1
    assert codes(ask(service, one, two)) == ["publisher/key-revoked"] * 2
    entry = Revocation(jti=None, key=key.key_id.text, at=200)
    assert entry in admin.catalogue().revocations
    assert admin.revoke_key(key.text).changed is False


def test_after_a_withdrawal_the_same_licence_is_signed_anew_and_not_drawn(shop: Shop) -> None:
    key = issue(shop)
    (machine,) = shop.machines(key, 1)
    service, admin = shop.service(), shop.admin()
    first = service.activate(machine.digits(), "http").answer
    shop.clock.days(10)
    assert admin.rotate([GRANT_ROLE], withdraw=True).activate_again == 1
    assert codes(ask(service, machine)) == ["publisher/update-trust-first"]
    machine.trust = 2
    second = service.activate(machine.digits(), "http").answer
    assert second.grant != first.grant
    old, new = (
        read_grant(text, trust, machine.publisher)
        for text, trust in zip((first.grant, second.grant), admin.trusts(), strict=True)
    )
    assert (old.jti, old.iat, old.exp) == (new.jti, new.iat, new.exp)
    assert left(shop, key) == 9
    assert service.activate(machine.digits(), "http").answer.grant == second.grant


def test_an_unknown_trust_residue_is_a_row_error(shop: Shop) -> None:
    key = issue(shop)
    one, two = shop.machines(key, 2)
    two.trust = 77
    assert codes(ask(shop.service(), one, two)) == ["drawn", "publisher/trust-unknown"]


# Several processes.


def test_two_processes_never_overdraw(shop: Shop, tmp_path: Path) -> None:
    key = issue(shop, 40)
    requests = [one.digits() for one in shop.machines(key, 60)]
    start = tmp_path / "start"
    programs = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("race_pools.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for number, program in enumerate(programs):
        assert program.stdin is not None
        program.stdin.write(
            json.dumps(
                {
                    "store": str(shop.folder),
                    "start": str(start),
                    "requests": requests[number * 10 : number * 10 + 50],
                    "now": shop.clock.now(),
                    "passphrase": PASSPHRASE,
                }
            )
        )
        program.stdin.close()
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    start.touch()
    outcomes: dict[str, set[str]] = {}
    drawn = 0
    for program in programs:
        assert program.stdout is not None
        with program.stdout as output:
            printed = output.read()
        for digits, outcome, confirmation in json.loads(printed):
            drawn += outcome == "drawn"
            if confirmation:
                outcomes.setdefault(digits, set()).add(confirmation)
        assert program.wait(60) == 0
    assert drawn == 40
    assert len(outcomes) >= 40
    assert all(len(found) == 1 for found in outcomes.values())
    assert left(shop, key) == 0
    assert len(shop.admin().machines(key.key_id.text)) == 40
