"""Draws of hosts: 6 hosts of 10 activations, the same grant again, never one too many."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples
from tests.publisher.asking import ask, issue, refused

from muster.core.errors import MusterError
from muster.core.ids import parse_confirmation_id, parse_installation_id
from muster.core.keys import KeyId, Kind, ProductKey
from muster.core.products import day_start
from muster.lease.grant import read_grant, rebuild_grant
from muster.lease.trust import walk
from muster.publisher.model import ACTIVATION_LIMIT, HARDWARE_LIMIT
from muster.publisher.service import PublisherService
from muster.publisher.vault import Vault

from .conftest import PASSPHRASE, Shop

# What a grant says.


def test_the_grant_is_the_publishers_and_digits_alone_rebuild_it(shop: Shop) -> None:
    host = shop.host(issue(shop))
    found = ask(shop.service(), host)
    admin = shop.admin()
    trust, catalogue = admin.trust(), admin.catalogue()
    grant = read_grant(found.answer.grant, trust, admin.publisher.id)
    iid = parse_installation_id(host.digits())
    assert (grant.kind, grant.key, grant.binding, grant.hw) == (
        "host",
        host.key.key_id.text,
        iid.binding,
        iid.hw,
    )
    assert (grant.group, grant.day, grant.exp) == ("server-c", 200, None)
    assert grant.covers == ("client-volume", "server-b", "server-c")
    rebuilt = rebuild_grant(
        parse_confirmation_id(found.answer.confirmation_id),
        admin.publisher.id,
        iid.key_id,
        iid.binding,
        iid.hw,
        catalogue.group_numbered(iid.key_id.group),
        trust,
    )
    assert rebuilt == found.answer.grant
    assert found.answer.catalogue == catalogue.text
    assert (found.answer.trust, found.answer.terms) == ((), None)


def test_the_term_comes_from_the_key_and_counts_from_the_first_activation(shop: Shop) -> None:
    service = shop.service()
    host = shop.host(issue(shop, term=2))
    first = ask(service, host)
    grant = read_grant(first.answer.grant, shop.admin().trust(), shop.admin().publisher.id)
    assert grant.exp == day_start(200 + 60)
    shop.clock.days(59)
    again = ask(service, host)
    assert again.answer.grant == first.answer.grant
    assert not again.drawn
    shop.clock.days(1)
    assert refused(service, host) == "publisher/term-over"


def test_the_same_host_gets_the_same_bytes_through_every_door_and_draws_nothing(shop: Shop) -> None:
    service = shop.service()
    host = shop.host(issue(shop))
    first = ask(service, host)
    audit = shop.admin().audit()
    shop.clock.days(40)
    for channel in ("http", "file", "desk"):
        again = shop.service().activate_host(host.digits().replace("-", " \n"), channel)
        assert not again.drawn
        assert again.answer == first.answer
    assert shop.admin().audit() == audit
    (row,) = shop.admin().hosts()
    assert row.seat.activations == 1
    assert row.grant.last_at == shop.clock.seconds


# Six hosts of ten activations.


def test_six_hosts_and_not_seven(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    hosts = [shop.host(key) for _ in range(HARDWARE_LIMIT)]
    for one in hosts:
        assert ask(service, one).drawn
    assert refused(service, shop.host(key)) == "publisher/hosts-used-up"
    # Those that are in stay in, and another key has room of its own.
    assert not ask(service, hosts[0]).drawn
    assert ask(service, shop.host(issue(shop))).drawn


def test_ten_activations_of_a_host_and_not_eleven(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    found = [ask(service, shop.host(key, machine)) for _ in range(ACTIVATION_LIMIT)]
    assert len({one.grant.jti for one in found}) == ACTIVATION_LIMIT
    assert len({one.grant.hw for one in found}) == 1
    assert refused(service, shop.host(key, machine)) == "publisher/activations-used-up"
    assert shop.admin().find_key(key.key_id.text).hosts == 1
    assert ask(service, shop.host(key)).drawn


def test_a_store_that_was_copied_to_another_machine_is_told(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    host = shop.host(key, signing=500)
    ask(service, host)
    assert refused(service, shop.host(key, signing=500)) == "publisher/hardware-changed"


@examples(15, shared=True)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 10)), max_size=40), st.integers(0, 9))
def test_any_order_of_hosts_keeps_the_limits(
    make_key: tuple[Shop, PublisherService], order: list[tuple[int, int]], number: int
) -> None:
    shop, service = make_key
    key = issue(shop)
    seats: dict[int, set[int]] = {}
    for machine, signing in order:
        host = shop.host(
            key, f"00000000-0000-4000-9000-{machine:012d}", 1000 + machine * 100 + signing
        )
        drawn = seats.get(machine, set())
        if signing in drawn:
            assert not ask(service, host).drawn
        elif machine not in seats and len(seats) == HARDWARE_LIMIT:
            assert refused(service, host) == "publisher/hosts-used-up"
        elif len(drawn) == ACTIVATION_LIMIT:
            assert refused(service, host) == "publisher/activations-used-up"
        else:
            assert ask(service, host).drawn
            seats.setdefault(machine, set()).add(signing)
    assert shop.admin().find_key(key.key_id.text).hosts == len(seats)
    rows = shop.admin().hosts(key.key_id.text)
    assert len(rows) == sum(map(len, seats.values()))


@pytest.fixture
def make_key(shop: Shop) -> tuple[Shop, PublisherService]:
    return shop, shop.service()


# Races.


def test_threads_race_for_the_last_host(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    for _ in range(HARDWARE_LIMIT - 1):
        ask(service, shop.host(key))
    hosts = [shop.host(key).digits() for _ in range(16)]

    def one(digits: str) -> str:
        try:
            return "drawn" if service.activate_host(digits, "http").drawn else "again"
        except MusterError as fault:
            return fault.code

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(one, hosts))
    assert sorted(results) == ["drawn"] + ["publisher/hosts-used-up"] * 15
    assert shop.admin().find_key(key.key_id.text).hosts == HARDWARE_LIMIT


def race(shop: Shop, tmp_path: Path, requests: list[str]) -> list[str]:
    """Two processes of 16 threads each, off at one shot."""
    start = tmp_path / "start"
    script = Path(__file__).with_name("race.py")
    processes = []
    for half in (requests[:16], requests[16:]):
        process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        json.dump(
            {
                "store": str(shop.folder),
                "start": str(start),
                "requests": half,
                "now": shop.clock.seconds,
                "passphrase": PASSPHRASE,
            },
            process.stdin,
        )
        process.stdin.close()
        process.stdin = None
        processes.append(process)
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    start.touch()
    results: list[str] = []
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        results += json.loads(out)
    return results


@pytest.mark.real
def test_processes_race_for_the_last_host(shop: Shop, tmp_path: Path) -> None:
    key = issue(shop)
    for _ in range(HARDWARE_LIMIT - 1):
        ask(shop.service(), shop.host(key))
    results = race(shop, tmp_path, [shop.host(key).digits() for _ in range(32)])
    grants = [one for one in results if not one.startswith("publisher/")]
    assert len(grants) == 1
    assert results.count("publisher/hosts-used-up") == 31
    assert shop.admin().find_key(key.key_id.text).hosts == HARDWARE_LIMIT
    rows = [one for one in shop.admin().audit() if one.event == "publisher:host:activate"]
    assert len(rows) == HARDWARE_LIMIT


@pytest.mark.real
def test_processes_race_for_the_last_activation_and_for_the_same_grant(
    shop: Shop, tmp_path: Path
) -> None:
    key = issue(shop)
    machine = "4c4c4544-0042-3510-8053-b4c04f4e3232"
    for _ in range(ACTIVATION_LIMIT - 1):
        ask(shop.service(), shop.host(key, machine))
    same = shop.host(key)
    requests = [
        *(shop.host(key, machine).digits() for _ in range(8)),
        *[same.digits()] * 8,
        *(shop.host(key, machine).digits() for _ in range(8)),
        *[same.digits()] * 8,
    ]
    results = race(shop, tmp_path, requests)
    assert results.count("publisher/activations-used-up") == 15
    granted = [one for one in results if not one.startswith("publisher/")]
    assert len(granted) == 17
    again = {one.removeprefix("again ") for one in granted}
    assert len(again) == 2
    assert sum(not one.startswith("again ") for one in granted) == 2
    rows = shop.admin().hosts(key.key_id.text)
    iid = parse_installation_id(same.digits())
    (drawn,) = [one.grant.grant for one in rows if one.grant.binding == iid.binding]
    assert granted.count(f"again {drawn}") == 15
    assert {one.grant.hw: one.seat.activations for one in rows} == {
        iid.hw: 1,
        rows[0].grant.hw if rows[0].grant.hw != iid.hw else rows[1].grant.hw: ACTIVATION_LIMIT,
    }


# Revocation and release.


def test_a_revoked_key_activates_nobody(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    host = shop.host(key)
    ask(service, host)
    found = shop.admin().revoke_key(key.key_id.text)
    assert found.grants == (shop.admin().hosts()[0].grant.jti,)
    assert refused(service, host) == "publisher/key-revoked"
    assert refused(service, shop.host(key)) == "publisher/key-revoked"


# Who may ask.


def test_keys_that_were_not_issued_here(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    unissued = ProductKey(
        key.version, key.kind, key.prefix, key.group, key.tag, (key.serial + 1) % 24**5
    )
    assert refused(service, shop.host(unissued)) == "publisher/unknown-key"
    forged = ProductKey(key.version, key.kind, key.prefix, key.group, key.tag ^ 1, key.serial)
    assert refused(service, shop.host(forged)) == "id/proof"
    for kind in (Kind.SETUP, Kind.MAK):
        digits = Digits(kind, key.group, key.serial).machine()
        with pytest.raises(MusterError, match="publisher/not-host-key"):
            service.activate_host(digits, "http")
    assert shop.admin().hosts() == ()


class Digits:
    """Twelve groups of a key that is no host key; its proof is nobody's."""

    def __init__(self, kind: Kind, group: int, serial: int) -> None:
        self._key_id = KeyId(kind, group, serial)

    def machine(self) -> str:
        from muster.core.ids import make_installation_id

        return make_installation_id(1, self._key_id, "0" * 25, None, bytes(32)).text


def test_another_publishers_host_is_a_stranger(shop: Shop) -> None:
    service = shop.service()
    key = issue(shop)
    host = shop.host(key)
    host.publisher = "a" * 16
    assert refused(service, host) == "id/proof"


def test_wrong_digits_name_the_group(shop: Shop) -> None:
    service = shop.service()
    good = shop.host(issue(shop)).digits()
    groups = good.split("-")
    wrong = str((int(groups[7][0]) + 1) % 10) + groups[7][1:]
    for text, code in (
        ("-".join([*groups[:7], wrong, *groups[8:]]), "digits/group"),
        ("-".join([*groups[:3], groups[4], groups[3], *groups[5:]]), "digits/group"),
        ("-".join(groups[:14]), "digits/length"),
        ("-".join([*groups, groups[0]]), "digits/length"),
        (good[:-1] + "x", "digits/symbol"),
        (good[:-1] + "\u0663", "digits/symbol"),
        ('{"installation_id":"}', "digits/symbol"),
        ("", "digits/length"),
    ):
        with pytest.raises(MusterError) as caught:
            service.activate_host(text, "http")
        assert caught.value.code == code, text
    assert not shop.admin().hosts()


@examples(shared=True)
@given(st.text(max_size=120) | st.from_regex(r"([0-9]{6}-){11,14}[0-9]{6}", fullmatch=True))
def test_any_text_is_refused_by_a_row_of_the_catalogue(
    make_key: tuple[Shop, PublisherService], text: str
) -> None:
    with pytest.raises(MusterError):
        make_key[1].activate_host(text, "http")


# Keys that sign.


def test_the_service_opens_grant_keys_and_nothing_else(shop: Shop) -> None:
    key = issue(shop)
    host = shop.host(key)
    for path in (shop.folder / "keys").iterdir():
        if not path.name.startswith("grant-"):
            path.unlink()
    shop.reserve.unlink()
    service = shop.service()
    assert service.open_grant_keys() == 1
    service.check_ready()
    assert ask(service, host).drawn
    assert service.jwks()["keys"]


def test_a_wrong_passphrase_draws_nothing(shop: Shop) -> None:
    host = shop.host(issue(shop))
    service = shop.service(Vault(shop.folder / "keys", lambda: "wrong"))
    assert refused(service, host) == "keyfile/passphrase"
    assert shop.admin().hosts() == ()


def test_a_service_that_runs_takes_up_a_new_grant_key(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    old = shop.host(key)
    first = ask(service, old)
    shop.clock.days(1)
    admin.rotate(["grant"])
    shop.clock.days(1)
    # Day 202: the old key signed until day 201, and trust 1 knows no other.
    behind = shop.host(key)
    with pytest.raises(MusterError) as caught:
        ask(service, behind)
    assert caught.value.code == "publisher/update-trust-first"
    assert caught.value.params == {"held": 1, "trust": 2}
    behind.trust = 2
    found = ask(service, behind)
    assert found.answer.trust == ()
    grant = read_grant(found.answer.grant, admin.trust(), admin.publisher.id)
    assert grant.kid == admin.trust().grant_key(1).key.kid
    # What the old key signed stays good, the same bytes, for whoever holds either trust.
    again = ask(service, old)
    assert again.answer.grant == first.answer.grant
    assert walk(admin.trusts()[0], again.answer.trust) == admin.trust()
    old.trust = 2
    assert ask(service, old).answer.grant == first.answer.grant


def test_days_of_grace_let_hosts_that_are_behind_be_activated(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    admin.rotate(["grant"], keep_days=30)
    shop.clock.days(30)
    behind = shop.host(key)
    found = ask(service, behind)
    assert found.grant.kid == admin.trusts()[0].grant_key(0).key.kid
    shop.clock.days(1)
    assert refused(service, shop.host(key)) == "publisher/update-trust-first"
    assert not ask(service, behind).drawn


def test_a_withdrawn_key_is_replaced_with_the_same_day_term_and_licence(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop, term=12)
    host = shop.host(key)
    first = ask(service, host)
    shop.clock.days(20)
    assert admin.rotate(["grant"], withdraw=True).activate_again == 1
    assert refused(service, host) == "publisher/update-trust-first"
    host.trust = 2
    again = ask(service, host)
    assert not again.drawn
    assert again.answer.grant != first.answer.grant
    grant = read_grant(again.answer.grant, admin.trust(), admin.publisher.id)
    assert (grant.jti, grant.day, grant.term) == (first.grant.jti, 200, 12)
    assert grant.kid == admin.trust().grant_key(1).key.kid
    assert ask(service, host).answer == again.answer
    (row,) = admin.hosts()
    assert (row.seat.activations, row.key.hosts) == (1, 1)
    assert row.grant.first_at == first.grant.first_at
    # Trust 1 does not know the key that signs it now.
    host.trust = 1
    assert refused(service, host) == "publisher/update-trust-first"


def test_an_installation_id_names_trust_by_its_last_byte(shop: Shop) -> None:
    service, admin = shop.service(), shop.admin()
    key = issue(shop)
    host = shop.host(key)
    host.trust = 7
    assert refused(service, host) == "publisher/trust-unknown"
    admin.recover(shop.reserve, 257)
    host.trust = 257
    found = ask(service, host)
    # Versions 1 and 257 have the same residue; the newest of them is meant.
    assert found.answer.trust == ()
    admin.recover(shop.reserve, 300)
    found = ask(service, host)
    assert [walk(admin.trusts()[1], found.answer.trust).version] == [300]


def test_at_most_64_trust_versions_an_answer(shop: Shop) -> None:
    admin = shop.admin()
    host = shop.host(issue(shop))
    for version in range(2, 68):
        admin.recover(shop.reserve, version)
    found = ask(shop.service(), host)
    assert len(found.answer.trust) == 64
    assert walk(admin.trusts()[0], found.answer.trust).version == 65


def test_a_clock_outside_of_what_grants_can_say(shop: Shop) -> None:
    service = shop.service()
    host = shop.host(issue(shop))
    for seconds in (day_start(0) - 1, day_start(65536), 0):
        shop.clock.seconds = seconds
        assert refused(service, host) == "publisher/clock"
        with pytest.raises(MusterError, match="publisher/clock"):
            service.check_ready()


def test_an_altered_line_of_trust_is_told_before_anything_is_served(
    shop: Shop, make_shop: object
) -> None:
    from muster.db.open import open_database

    shop.admin().rotate(["grant"])
    with open_database(shop.folder / "publisher.db") as database, database.transaction() as tx:
        tx.execute("DELETE FROM trust WHERE version = 1")
        tx.execute("UPDATE trust SET text = substr(text, 1, length(text) - 8) || 'AAAAAAAA'")
    with pytest.raises(MusterError, match="publisher/damaged"):
        shop.service()
