"""Machines that are activated once, at the real service of a publisher over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.publisher.conftest import HandClock, Shop
from tests.publisher.engineer import Engineer
from tests.system.trees import lay_out, recorded, with_new_kernel

from muster.client import schedule
from muster.client.findings import Activation
from muster.client.messages import Plan
from muster.client.service import Client
from muster.core.errors import MusterError
from muster.core.keys import Kind, ProductKey
from muster.core.products import DAY
from muster.core.states import LicenceState
from muster.lease.trust import GRANT_ROLE
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.publisher.service import PublisherService
from muster.system.hardware import read_hardware
from muster.testing.real import RealMachine
from muster.wire.exchange import ReplyFile
from muster.wire.publisher import decode_confirm_answer

pytestmark = pytest.mark.real

PRODUCT = "contoso-desktop-7-professional"


class Fair:
    """A publisher with its service on loopback, and machines around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.shop = Shop(folder / "shop", folder / "reserve.key", clock=self.clock)
        self.shop.init()
        self.admin: Engineer = self.shop.admin()
        self.service: PublisherService = self.shop.service()
        self.url = ""

    def key(self, pool: int | None = 10, kind: Kind = Kind.MAK, term: int = 0) -> ProductKey:
        return self.admin.issue_pool_keys(kind, "client-volume", pool, term=term)[0].key

    def machine(
        self,
        name: str,
        key: ProductKey,
        *,
        store: str = "",
        online: bool = True,
        facts: dict[str, str] | None = None,
    ) -> Client:
        """A machine with the product and a key; `store` sets another store up on its hardware."""
        plan = replace(Plan(host=None), publisher_url=self.url if online else "")
        made = RealMachine(self.folder / "machines" / name, self.clock, plan)
        made.store = self.folder / "machines" / (store or name)
        made.facts = made.facts if facts is None else facts
        client = made.client
        client.add_product(self.admin.descriptor(PRODUCT, 1))
        client.install_key(key.text)
        return client

    def by_telephone(self, client: Client) -> str:
        """Reads the installation ID out; gives the confirmation ID that is read back."""
        spoken = client.installation_id().installation_id
        return self.service.activate(spoken, "desk").answer.confirmation_id

    def drawn(self, key: ProductKey) -> int:
        return self.admin.find_key(key.key_id.text).drawn


@pytest.fixture
def fair(tmp_path: Path) -> Iterator[Fair]:
    made = Fair(tmp_path)
    with ThreadServer(PublisherAPI(made.service).router()) as server:
        made.url = server.url
        yield made
    for one in made.shop.opened:
        one.close()


def state(client: Client) -> tuple[LicenceState, bool]:
    verdict = client.status().verdict
    return verdict.state, verdict.licensed


def online(client: Client) -> Activation:
    (found,) = client.activate()
    return found


LICENSED = (LicenceState.LICENSED, True)


def test_every_door_ends_in_the_same_licence_and_one_draw(fair: Fair) -> None:
    key = fair.key()
    texts = set()
    for store, channel in enumerate(("online", "telephone", "file")):
        client = fair.machine("pc-1", key, store=f"pc-1-{store}")
        if channel == "online":
            assert online(client).renewed
        elif channel == "telephone":
            client.confirm(fair.by_telephone(client))
        else:
            request = client.installation_id().request
            answer = fair.service.activate(request.request.installation_id, "file").answer
            told = decode_confirm_answer(answer.encode(), "the publisher")
            client.accept_reply(ReplyFile(request.publisher, told).encode())
        assert state(client) == LICENSED
        licence = client.status().verdict.licence
        assert licence is not None
        texts.add(licence.text)
    assert len(texts) == 1
    assert fair.drawn(key) == 1


def test_new_kernel_takes_one_of_the_pool(fair: Fair, tmp_path: Path) -> None:
    key, reading = fair.key(), recorded("laptop-thinkpad")
    facts = read_hardware(lay_out(tmp_path / "before", reading))
    client = fair.machine("pc", key, facts=facts)
    assert online(client).renewed
    facts.clear()
    facts.update(read_hardware(lay_out(tmp_path / "after", with_new_kernel(reading))))
    assert state(client) == LICENSED
    assert online(client).fault is None
    # Nor does the same machine with a store that was made anew.
    assert online(fair.machine("pc", key, store="anew", facts=facts)).renewed
    assert fair.drawn(key) == 1


def test_a_reinstall_years_later_takes_the_old_digits(fair: Fair) -> None:
    key = fair.key()
    first = fair.machine("pc-1", key, online=False)
    before, digits = first.installation_id().installation_id, fair.by_telephone(first)
    first.confirm(digits)
    fair.clock.days(800)
    fair.admin.rotate([GRANT_ROLE])
    again = fair.machine("pc-1", key, store="anew", online=False)
    assert again.installation_id().installation_id == before
    again.confirm(digits)
    assert (state(first), state(again)) == (LICENSED, LICENSED)
    assert fair.drawn(key) == 1


def test_a_used_up_pool_is_told_and_asks_again_later(fair: Fair) -> None:
    key = fair.key(1)
    assert online(fair.machine("pc-1", key)).renewed
    second = fair.machine("pc-2", key)
    found = online(second)
    assert found.fault is not None
    assert (found.fault.code, found.fault.row.field_code) == (
        "publisher/pool-used-up",
        "0xC004C020",
    )
    assert state(second) == (LicenceState.INITIAL_GRACE, False)
    fair.admin.extend_pool(key.key_id.text, 2)
    fair.clock.days(1)
    (later,) = second.activate(typed=False)
    assert later.renewed
    assert fair.drawn(key) == 2


def test_a_revoked_key_activates_nobody_and_is_heard_of_within_a_day(fair: Fair) -> None:
    key = fair.key()
    first = fair.machine("pc-1", key)
    assert online(first).renewed
    fair.admin.revoke_key(key.key_id.text)
    second = online(fair.machine("pc-2", key))
    assert second.fault is not None
    assert second.fault.code.startswith("publisher/")
    assert state(first) == LICENSED, "it has not heard of it yet"
    fair.clock.days(1)
    first.activate(typed=False)
    assert state(first) == (LicenceState.TOLERANCE_GRACE, False)
    fair.clock.days(31)
    first.activate(typed=False)
    assert state(first) == (LicenceState.NOTIFICATION, False)


def test_after_a_withdrawal_a_machine_follows_and_is_signed_for_anew(fair: Fair) -> None:
    """Its trust knows no key that signs now: it follows by itself online, by file elsewhere."""
    key = fair.key()
    connected, alone = fair.machine("pc-1", key), fair.machine("pc-2", key, online=False)
    assert online(connected).renewed
    alone.confirm(fair.by_telephone(alone))
    fair.clock.days(10)
    fair.admin.rotate([GRANT_ROLE], withdraw=True)
    fresh = fair.machine("pc-3", key)
    assert online(fresh).renewed, "it followed trust before it asked again"
    fair.clock.days(1)
    connected.activate(typed=False)
    assert state(connected) == (LicenceState.NON_GENUINE_GRACE, False)
    assert online(connected).renewed
    with pytest.raises(MusterError) as caught:
        fair.by_telephone(alone)
    assert caught.value.code == "publisher/update-trust-first"
    assert alone.import_publisher_file(fair.admin.export(None).encode()).trust == 2
    alone.confirm(fair.by_telephone(alone))
    assert (state(connected), state(alone), state(fresh)) == (LICENSED,) * 3
    assert fair.drawn(key) == 3


def test_an_evaluation_is_not_had_twice(fair: Fair) -> None:
    key = fair.key(5, Kind.EVALUATION, 3)
    client = fair.machine("pc-1", key)
    assert online(client).renewed
    assert state(client) == (LicenceState.EXTENDED_GRACE, True)
    fair.clock.days(90)
    assert state(client) == (LicenceState.NOTIFICATION, False)
    again = fair.machine("pc-1", key, store="anew")
    found = online(again)
    assert found.fault is not None
    assert found.fault.code == "publisher/licence-over"
    assert not state(again)[1]
    assert fair.drawn(key) == 1


def test_a_retail_key_is_for_one_machine(fair: Fair) -> None:
    key = fair.key(None, Kind.RETAIL)
    assert online(fair.machine("pc-1", key)).renewed
    refused = online(fair.machine("pc-2", key))
    assert refused.fault is not None
    assert refused.fault.code == "publisher/pool-used-up"
    assert online(fair.machine("pc-1", key, store="anew")).renewed


def test_a_machine_that_a_pool_refused_asks_again_when_it_is_extended(fair: Fair) -> None:
    key = fair.key(1)
    assert online(fair.machine("pc-1", key)).renewed
    waiting = fair.machine("pc-2", key)
    found = online(waiting)
    assert found.fault is not None
    assert found.fault.code == "publisher/pool-used-up"
    fair.admin.extend_pool(key.key_id.text, 2)
    assert not waiting.activate(typed=False)[0].due
    fair.clock.seconds += schedule.LONGEST_UNSIGNED
    assert waiting.activate(typed=False)[0].renewed
    assert (state(waiting), fair.drawn(key)) == (LICENSED, 2)


def test_a_clock_in_2010_ends_nothing_that_runs_for_ever(fair: Fair) -> None:
    key, trial = fair.key(), fair.key(5, Kind.EVALUATION, 6)
    client, other = (
        fair.machine(f"pc-{n}", one, online=False) for n, one in ((1, key), (2, trial))
    )
    digits, evaluated = fair.by_telephone(client), fair.by_telephone(other)
    today = fair.clock.seconds
    fair.clock.seconds = 1_262_304_000
    client.confirm(digits)
    assert state(client) == LICENSED
    with pytest.raises(MusterError) as caught:
        other.confirm(evaluated)
    assert caught.value.code == "licence/clock"
    assert "clock" in caught.value.fix.lower()
    fair.clock.seconds = today + DAY
    other.confirm(evaluated)
    assert state(other) == (LicenceState.EXTENDED_GRACE, True)
