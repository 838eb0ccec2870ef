"""Machines that run from one store: real clients and a real host, over sockets and on disk."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from pathlib import Path

import pytest
from tests.worlds.conftest import Scene

from muster.client.discovery import Address
from muster.client.messages import Plan
from muster.core.products import DAY
from muster.health.report import Check, Mark, Topic
from muster.host.doctor import Findings, diagnose
from muster.host.tables import ledger
from muster.testing.real import RealHost, RealMachine

pytestmark = pytest.mark.real

WEEK = 7 * DAY
EQUAL = {
    "system-uuid": "8f4c2100-3b1e-4d27-9a55-6c0f12d3a000",
    "board-serial": "4711-0815",
    "permanent-macs": "8c:8c:aa:1b:2c:3d",
    "disk-serial": "S4EWNX0R112233",
}


def set_up(scene: Scene, name: str, facts: dict[str, str]) -> RealMachine:
    made = RealMachine(scene.folder / name, scene.clock, Plan(host=scene.host.address))
    made.facts = facts
    made.add(scene.contoso, "tool")
    return made


def copy(scene: Scene, image: RealMachine, name: str, facts: dict[str, str]) -> RealMachine:
    """Another machine with the same store."""
    folder = scene.folder / name
    shutil.copytree(image.store, folder)
    made = RealMachine(folder, scene.clock, Plan(host=scene.host.address))
    made.facts = facts
    return made


def cmid(machine: RealMachine) -> str:
    identity = machine.client.status().identity
    assert identity is not None
    return identity.cmid


def pass_time(scene: Scene, seconds: int) -> None:
    scene.clock.pass_time(seconds)
    scene.host_clock.pass_time(seconds)


def renew(scene: Scene, *machines: RealMachine) -> list[list[str]]:
    """Each machine renews, a minute after the other; what it told, by code."""
    told = []
    for machine in machines:
        pass_time(scene, 60)
        done = machine.ask()
        assert done.renewed
        told.append([one.code for one in done.warnings])
    return told


@pytest.mark.parametrize("activated", [True, False], ids=["activated", "not-activated"])
def test_four_machines_whose_facts_all_agree(scene: Scene, activated: bool) -> None:
    image = set_up(scene, "image", EQUAL)
    if activated:
        renew(scene, image)
    original = cmid(image)
    machines = [copy(scene, image, f"clone-{number}", EQUAL) for number in range(4)]
    told = renew(scene, *machines)
    pass_time(scene, WEEK)
    told += renew(scene, *machines)
    assert scene.host.count(scene.contoso) == 4
    assert len({cmid(one) for one in machines}) == 4
    assert cmid(machines[0]) == original
    pass_time(scene, WEEK)
    told += renew(scene, *machines)
    for number in range(4):
        codes = [code for each in told[number::4] for code in each]
        assert codes == ([] if number == 0 else ["client/new-cmid"])
    assert scene.host.count(scene.contoso) == 4


def test_a_machine_set_back_to_its_snapshot_stays_one(scene: Scene, tmp_path: Path) -> None:
    machine = set_up(scene, "pc", EQUAL)
    renew(scene, machine)
    first = cmid(machine)
    shutil.copytree(machine.store, tmp_path / "snapshot")
    for _ in range(4):
        for _ in range(2):
            pass_time(scene, WEEK)
            assert renew(scene, machine) == [[]]
        shutil.rmtree(machine.store)
        shutil.copytree(tmp_path / "snapshot", machine.store)
    assert renew(scene, machine) == [[]]
    assert cmid(machine) == first
    assert scene.host.count(scene.contoso) == 1


def lose_the_answer(scene: Scene, machine: RealMachine, host: RealHost) -> None:
    """The machine asks a host, which does its work; what it answers never arrives."""
    pass_time(scene, 60)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def carry() -> None:
            answer = b"HTTP/1.1 428 "
            while answer.startswith(b"HTTP/1.1 428 "):
                near, _ = listener.accept()
                with near, socket.create_connection((host.address.host, host.address.port)) as far:
                    far.sendall(whole_request(near))
                    answer = whole_answer(far)
                    if answer.startswith(b"HTTP/1.1 428 "):
                        near.sendall(answer)
            assert answer.startswith(b"HTTP/1.1 200 ")

        thread = threading.Thread(target=carry)
        thread.start()
        machine.plan = Plan(host=Address("127.0.0.1", listener.getsockname()[1]))
        done = machine.ask()
        thread.join(30)
    assert not done.renewed
    assert [one.fault and one.fault.code for one in done.tried] == ["net/reset"]


def whole_answer(link: socket.socket) -> bytes:
    data = b""
    while piece := link.recv(65536):
        data += piece
    return data


def whole_request(link: socket.socket) -> bytes:
    data = b""
    while piece := link.recv(65536):
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        found = re.search(rb"Content-Length: ([0-9]+)", head)
        if end and found is not None and len(body) >= int(found[1]):
            return data
    raise AssertionError("no whole request")


def put_back(scene: Scene, host: RealHost) -> int:
    """How often the host found that the one machine's store was put back."""
    with host.database.snapshot() as reader:
        (found,) = ledger.machines(reader, 2)
    return found.restored


def test_lost_answers_and_two_hosts_keep_one_machine(scene: Scene) -> None:
    other = scene.another_host("other", scene.contoso)
    machine = set_up(scene, "pc", EQUAL)
    first = cmid(machine)
    for turn in range(6):
        machine.plan = Plan(host=(scene.host if turn % 2 else other).address)
        pass_time(scene, DAY)
        assert renew(scene, machine) == [[]]
    # Answers that never came: the hosts have moved on, and the machine has not heard of it.
    for host in (scene.host, scene.host, other, scene.host):
        lose_the_answer(scene, machine, host)
        machine.plan = Plan(host=host.address)
        assert renew(scene, machine) == [[]]
    assert (put_back(scene, scene.host), put_back(scene, other)) == (0, 0)
    # The store that the machine had before its last answer came.
    before = scene.folder / "before"
    shutil.copytree(machine.store, before)
    assert renew(scene, machine) == [[]]
    shutil.rmtree(machine.store)
    shutil.copytree(before, machine.store)
    for _ in range(3):
        assert renew(scene, machine) == [[]]
    assert (put_back(scene, scene.host), put_back(scene, other)) == (1, 0)
    assert cmid(machine) == first
    assert scene.host.count(scene.contoso) == other.count(scene.contoso) == 1


def test_a_store_that_lost_its_key_takes_another_cmid(scene: Scene) -> None:
    machine = set_up(scene, "pc", EQUAL)
    renew(scene, machine)
    first = cmid(machine)
    (folder,) = [one for one in machine.store.iterdir() if one.is_dir()]
    for path in folder.glob("secrets.json*"):
        path.unlink()
    assert renew(scene, machine) == [["client/key-lost"]]
    assert cmid(machine) != first
    assert machine.licensed()


def test_the_doctor_and_the_ledger_of_a_host_name_clones(scene: Scene) -> None:
    publisher = scene.contoso.publisher
    machine = set_up(scene, "pc", EQUAL)
    renew(scene, machine)
    view = scene.host.opened.current().publishers[publisher]

    def clones() -> tuple[int, Check]:
        now = scene.host_clock.now()
        with scene.host.database.snapshot() as reader:
            number = ledger.with_clones(reader, publisher, now - 30 * DAY)
        found = Findings(view, now, None, None, {}, None, (), None, number)
        (check,) = [one for one in diagnose(found).checks if one.topic is Topic.CLONES]
        return number, check

    number, check = clones()
    assert (number, check.mark) == (0, Mark.OK)
    renew(scene, machine, copy(scene, machine, "clone", EQUAL), machine)
    number, check = clones()
    assert (number, check.mark) == (1, Mark.WARN)
    assert check.what.startswith("Clones of one machine were found")
