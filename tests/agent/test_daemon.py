"""The keeper: what wakes it up, who shares a try, and that nothing ends it but a signal."""

from __future__ import annotations

import os
import select
import shutil
import signal
import threading
import time
from typing import Any

import pytest
from tests.agent.conftest import Machine, ended

from muster.client import agent
from muster.client.act import products, settings
from muster.client.agent_state import AgentStatus
from muster.system.wakeups import FolderWatch
from muster.testing.tiny_host import Misbehaviour

pytestmark = pytest.mark.real


def status(machine: Machine) -> AgentStatus:
    found = agent.status(machine.run)
    assert found is not None
    return found


def set_up(machine: Machine) -> None:
    """As an administrator or a package does it, who tells the agent nothing."""
    products.add_product(machine.parts, machine.descriptor)
    settings.set_host(machine.parts, machine.served.address.text)


def test_what_a_command_sets_up_is_licensed_by_itself(machine: Machine) -> None:
    machine.start()
    set_up(machine)
    # A question waits for it, and is told when it is so.
    assert machine.product(wait=60)["licensed"]
    assert machine.stop() == 0
    found = status(machine)
    assert not found.running
    assert found.last_try is not None
    assert [product.product for product in found.last_try.products] == ["desktop-pro"]
    assert found.next_attempt == found.last_try.products[0].next_attempt
    assert not machine.sockets.everybody.exists()
    assert not machine.sockets.root.exists()


def test_it_makes_no_store_and_sees_one_that_is_made_or_made_again(machine: Machine) -> None:
    machine.start()
    assert machine.ask("GET", "/v1/status")[1]["code"] == "client/no-product"
    assert not machine.store.exists()
    for _ in range(2):
        set_up(machine)
        assert machine.product(wait=60)["licensed"]
        shutil.rmtree(machine.store)


def test_wishes_of_the_same_moment_share_one_try(machine: Machine) -> None:
    set_up(machine)
    machine.start()
    told: list[dict[str, Any]] = []
    asking = [
        threading.Thread(
            target=lambda: told.append(machine.ask("POST", "/v1/activate", {}, as_root=True)[1])
        )
        for _ in range(6)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert all(answer["products"][0]["licensed"] for answer in told)
    # Those that came while the first was under way share it, and those that waited the next.
    assert sum(not answer["coalesced"] for answer in told) <= 3


def test_a_keeper_that_was_killed_leaves_what_the_next_one_needs(machine: Machine) -> None:
    set_up(machine)
    machine.start()
    assert machine.ask("POST", "/v1/activate", {}, as_root=True)[0] == 200
    children = machine.children()
    machine.stop(signal.SIGKILL)
    for pid in children:
        ended(pid)  # its responder sees that the line has ended
    assert not status(machine).running
    machine.start()
    assert machine.product()["licensed"]
    assert status(machine).running


def test_it_stops_in_the_midst_of_a_try(machine: Machine) -> None:
    set_up(machine)
    machine.served.host.misbehaviour = Misbehaviour.SILENT
    machine.start()
    asking = threading.Thread(
        target=lambda: machine.ask("POST", "/v1/activate", {}, as_root=True), daemon=True
    )
    asking.start()
    while len(machine.children()) < 2:
        pass
    children = machine.children()
    assert machine.stop() == 0
    for pid in children:
        ended(pid)
    asking.join(30)


def test_a_reload_reads_settings_anew_and_goes_on(machine: Machine) -> None:
    machine.start()
    assert machine.ask("GET", "/v1/agent")[0] == 200
    before = machine.children()
    os.kill(machine.pid, signal.SIGHUP)
    for pid in before:
        ended(pid)
    set_up(machine)
    assert machine.ask("POST", "/v1/activate", {}, as_root=True)[1]["products"][0]["licensed"]
    assert status(machine).pid == machine.pid


def test_a_clock_that_was_set_makes_it_plan_anew(machine: Machine) -> None:
    """By the same second; skipped where this machine does not let us set its clock."""
    set_up(machine)
    machine.start()
    assert machine.ask("POST", "/v1/activate", {}, as_root=True)[0] == 200
    watch = FolderWatch()
    watch.add(machine.sockets.folder)
    try:
        time.clock_settime(time.CLOCK_REALTIME, time.time())
    except PermissionError:
        pytest.skip("this machine does not let us set its clock")
    while "the clock was set" not in machine.log:  # the plan that follows writes its state
        assert select.select([watch], [], [], 60)[0]
        assert list(watch.read())
    watch.close()


def test_a_store_that_is_damaged_ends_nothing(machine: Machine) -> None:
    set_up(machine)
    folder = machine.store / machine.served.publisher.publisher
    for name in ("state.json", "state.json.bak"):
        (folder / name).write_bytes(b"broken")
    machine.start()
    told = machine.ask("POST", "/v1/activate", {}, as_root=True)
    assert told[1]["code"] == "client/store-damaged"
    run = status(machine).last_run
    assert run is not None
    assert machine.product()["why"]["code"] == "client/store-damaged"
    products.add_product(machine.parts, machine.descriptor)
    assert machine.ask("POST", "/v1/activate", {}, as_root=True)[1]["products"][0]["licensed"]
