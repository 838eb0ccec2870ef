"""The case "new kernel": a machine is upgraded and starts again, and stays what it is.

Boot id, release, version and the names of network cards are others; nothing that counts is. Real
programs on a recorded machine, and a real host.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.system.trees import recorded, with_new_kernel
from tests.worlds import recorded_machine
from tests.worlds.recorded_machine import NOBODY, ROOT, Site, ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

USERS = pytest.mark.parametrize("uid", [ROOT, NOBODY], ids=["root", "ordinary-user"])


@pytest.fixture
def site() -> Iterator[Site]:
    with recorded_machine.site() as made:
        yield made


@USERS
@pytest.mark.parametrize("name", ["laptop-thinkpad", "kvm-proxmox"])
def test_new_kernel_is_the_same_machine_at_a_host(site: Site, name: str, uid: int) -> None:
    reading = recorded(name)
    machine = site.machine("pc", reading, uid)
    first, _ = ask(machine)
    before = machine.facts()
    machine.start(with_new_kernel(reading))
    # The new kernel is seen: its release goes along, and cards have other names.
    assert machine.output("cat", "/proc/sys/kernel/random/boot_id").startswith("0d1b0c51-")
    assert all(one.startswith("rec-new-") for one in machine.output("ls", "/sys/class/net").split())
    assert machine.facts() == before
    (shown,) = machine.run("status")["products"]
    assert (shown["licensed"], shown["cmid"]) == (True, first)
    assert [ask(machine) for _ in range(2)] == [(first, [])] * 2
    assert site.count() == 1
    assert site.machines() == [first]
    assert site.clones() == 0


@USERS
def test_new_kernel_draws_no_second_one_time_licence(site: Site, uid: int) -> None:
    reading = recorded("laptop-thinkpad")
    machine = site.machine("pc", reading, uid)
    machine.run("install-key", site.publisher.machine_key("desktop").text)
    spoken = machine.run("installation-id")["installation_id"]
    answer = site.publisher.confirm(spoken)
    machine.run("confirm", answer.confirmation_id)
    machine.start(with_new_kernel(reading))
    (shown,) = machine.run("status")["products"]
    assert (shown["licensed"], shown["licence"]["kind"]) == (True, "mak")
    # The publisher draws by the installation ID: the same one takes nothing from a pool again.
    assert machine.run("installation-id")["installation_id"] == spoken
