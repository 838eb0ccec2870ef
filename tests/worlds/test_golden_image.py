"""Machines from one image with its store, whose hardware differs: real programs, a real host.

Each machine is a recorded one of a hypervisor; the copies got from it what it gives each of them.
Commands run as root, who reads the UUID, and as an ordinary user, who does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.system.trees import recorded, with_files
from tests.worlds import recorded_machine
from tests.worlds.recorded_machine import NOBODY, ROOT, Site, ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

USERS = pytest.mark.parametrize("uid", [ROOT, NOBODY], ids=["root", "ordinary-user"])
UUIDS = [f"8f4c2100-3b1e-4d27-9a55-6c0f12d3a0{number:02x}" for number in range(4)]
FOUR = range(4)


@pytest.fixture
def site() -> Iterator[Site]:
    with recorded_machine.site() as made:
        yield made


def guests(name: str) -> list[dict[str, Any]]:
    """Four guests of one hypervisor: UUID, serial numbers and card are each one's own."""
    base = recorded(name)
    (address,) = (text.strip() for path, text in base["files"].items() if path.endswith("/address"))
    serial = base["facts"].get("product-serial", "")
    own = [
        {"product_uuid": uuid, "address": f"{address[:-2]}{0x40 + number:02x}"}
        | ({"product_serial": f"{serial[:-2]}{number:02d}"} if serial else {})
        for number, uuid in enumerate(UUIDS)
    ]
    return [with_files(base, **each) for each in own]


@USERS
@pytest.mark.parametrize(
    ("hypervisor", "activated"),
    [("kvm-proxmox", True), ("vmware", False)],
    ids=["kvm-activated", "vmware-not-activated"],
)
def test_four_guests_of_one_image_are_four(
    site: Site, hypervisor: str, activated: bool, uid: int
) -> None:
    readings = guests(hypervisor)
    first = site.machine("guest-0", readings[0], uid)
    original = ask(first)[0] if activated else first.run("status")["products"][0]["cmid"]
    others = [first.image(site.folder / f"guest-{n}", readings[n]) for n in FOUR[1:]]
    machines = [first, *others]
    shown = [one.facts() for one in machines]
    assert all(("system-uuid" in one) == (uid == ROOT) for one in shown)
    assert len({one["permanent-macs"] for one in shown}) == 4

    renewals = [[ask(one) for one in machines] for _ in range(2)]
    assert site.count() == 4
    (kept, nothing), *changed = renewals[0]
    assert (kept, nothing) == (original, [])
    assert [told for _, told in changed] == [["client/new-identity"]] * 3
    assert len({cmid for cmid, _ in renewals[0]}) == 4
    # Each was told once, and keeps what it took.
    assert renewals[1] == [(cmid, []) for cmid, _ in renewals[0]]
    assert site.clones() == 0


@USERS
def test_four_guests_that_only_their_uuid_tells_apart_are_four(site: Site, uid: int) -> None:
    """Card and address were copied too. Root sees four machines; to an ordinary user they are
    equal, and the host tells them by their lines (chapter 6.4)."""
    readings = [with_files(recorded("kvm-proxmox"), product_uuid=uuid) for uuid in UUIDS]
    first = site.machine("guest-0", readings[0], uid)
    original, _ = ask(first)
    others = [first.image(site.folder / f"guest-{n}", readings[n]) for n in FOUR[1:]]
    machines = [first, *others]
    assert len({json.dumps(one.facts()) for one in machines}) == (4 if uid == ROOT else 1)

    renewals = [[ask(one) for one in machines] for _ in range(2)]
    assert site.count() == 4
    assert len({cmid for cmid, _ in renewals[1]}) == 4
    assert [each[0] for each in renewals] == [(original, [])] * 2
    code = "client/new-identity" if uid == ROOT else "client/new-cmid"
    for number in FOUR[1:]:
        assert [one for each in renewals for one in each[number][1]] == [code]
    assert site.clones() == (0 if uid == ROOT else 1)
    assert [ask(one) for one in machines] == [(cmid, []) for cmid, _ in renewals[1]]
    assert site.count() == 4


def test_an_image_that_root_activated_and_a_user_runs(site: Site) -> None:
    """The store knows facts that the user of the copies cannot read; the card is enough."""
    readings = guests("kvm-proxmox")
    image = site.machine("image", readings[0], ROOT)
    original, _ = ask(image)
    copies = [image.image(site.folder / f"guest-{n}", readings[n]) for n in FOUR]
    for one in copies:
        one.give(NOBODY)
    renewals = [[ask(one) for one in copies] for _ in range(2)]
    assert site.count() == 4
    assert renewals[0][0] == (original, [])
    assert [told for _, told in renewals[0][1:]] == [["client/new-identity"]] * 3
    assert renewals[1] == [(cmid, []) for cmid, _ in renewals[0]]
