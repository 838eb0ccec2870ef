"""Machines from one image with its store, whose hardware differs: real programs, a real host.

Each machine is a recorded one of a hypervisor; the copies got from it what it gives each of them.
Commands run as root, who reads the UUID, and as an ordinary user, who does not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.host.processes import HostProcess, prepare
from tests.system.trees import recorded
from tests.worlds.conftest import TOOL
from tests.worlds.recorded_machine import NOBODY, RecordedMachine, why_not, with_files

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ROOT = 0
USERS = pytest.mark.parametrize("uid", [ROOT, NOBODY], ids=["root", "ordinary-user"])
UUIDS = [f"8f4c2100-3b1e-4d27-9a55-6c0f12d3a0{number:02x}" for number in range(4)]
FOUR = range(4)


class Site:
    """A host that is a process, and machines that ask it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._store = folder / "host"
        publisher = prepare(self._store, lone=TOOL)
        self._host = stack.enter_context(HostProcess(self._store))
        self._descriptor = folder / "product.json"
        self._descriptor.write_bytes(publisher.descriptor(TOOL))
        self._descriptor.chmod(0o644)

    def machine(self, name: str, reading: dict[str, Any], uid: int) -> RecordedMachine:
        """A machine with the product, which knows the host."""
        made = RecordedMachine(self.folder / name, reading, uid)
        made.run("product", "add", str(self._descriptor))
        made.run("set-host", f"127.0.0.1:{self._host.port}")
        return made

    def count(self) -> int:
        """The machines that the host counts, as its administrator sees."""
        return int(self._status()["applications"][0]["count"])

    def clones(self) -> int:
        """The machines of which it says that they have clones."""
        return int(self._status()["publishers"][0]["clones"])

    def _status(self) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "muster", "host", "status", "--store", str(self._store),
             "--json"],
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def site() -> Iterator[Site]:
    lacks = why_not()
    if lacks is not None:
        pytest.skip(lacks)
    folder = Path(tempfile.mkdtemp(prefix="muster-image-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        yield Site(folder, stack)


def ask(machine: RecordedMachine) -> tuple[str, list[str]]:
    """The machine renews; its CMID afterwards, and what it told, by code."""
    (found,) = machine.run("activate")["products"]
    assert found["renewed"], found
    assert found["licensed"]
    return found["cmid"], [one["code"] for one in found["told"]]


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
