"""Real machines, recorded from public dumps: what is read of each, and why values do not count."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.system.trees import lay_out, names, recorded, with_new_kernel

from muster.core.facts import clean_facts
from muster.core.identity import commitments, matches, primary_fact
from muster.system.hardware import WHY, collect_readings, read_hardware
from muster.system.netlink import permanent_addresses, read_links


@pytest.mark.parametrize("name", names())
def test_a_recorded_machine(name: str, tmp_path: Path) -> None:
    reading = recorded(name)
    root = lay_out(tmp_path, reading)
    assert read_hardware(root) == reading["facts"], reading["source"]
    found = collect_readings(root)
    assert {one.why for one in found} <= set(WHY)
    whys = {one.at.rpartition("/")[2]: one.why for one in found if one.name == "permanent-macs"}
    whys |= {one.name: one.why for one in found}
    for what, why in reading["whys"].items():
        assert whys[what] == why, what


@pytest.mark.parametrize("name", [one for one in names() if one != "wsl2"])
def test_a_new_kernel_changes_no_fact(name: str, tmp_path: Path) -> None:
    reading = recorded(name)
    before = read_hardware(lay_out(tmp_path / "before", reading))
    assert read_hardware(lay_out(tmp_path / "after", with_new_kernel(reading))) == before


def test_a_docked_laptop_is_the_same_machine_as_without_its_dock(tmp_path: Path) -> None:
    docked = clean_facts(read_hardware(lay_out(tmp_path / "1", recorded("laptop-docked"))))
    alone = clean_facts(read_hardware(lay_out(tmp_path / "2", recorded("laptop-thinkpad"))))
    assert matches(commitments(b"s", docked), commitments(b"s", alone))
    user = [fact for fact in alone if fact.name in ("permanent-macs", "disk-serial")]
    bound = [one for one in primary_fact(docked, bytes(32)).value.split(",") if one]
    assert bound == ["8c:16:45:0a:0b:0c"]
    assert primary_fact(user, bytes(32)).name == "permanent-mac"


@pytest.mark.parametrize(
    "name", ["kvm-proxmox", "kvm-libvirt-serial", "vmware", "virtualbox", "hyper-v", "azure"]
)
def test_a_copy_of_a_virtual_machine_is_another_one_to_ordinary_users(
    name: str, tmp_path: Path
) -> None:
    """The hypervisor gives the copy another address; everything else that a user sees is equal."""
    reading = recorded(name)
    root = lay_out(tmp_path, reading)
    for hidden in ("product_uuid", "board_serial", "product_serial"):
        (root / "sys/class/dmi/id" / hidden).unlink(missing_ok=True)
    one = read_hardware(root)
    (address,) = (root / "sys/devices").rglob("address")
    address.write_text(address.read_text().strip()[:-2] + "77\n")
    copy = read_hardware(root)
    assert one != copy
    assert not matches(commitments(b"s", clean_facts(one)), commitments(b"s", clean_facts(copy))), (
        one
    )


@pytest.mark.parametrize("mark", ["run/WSL/1_interop", "proc/sys/fs/binfmt_misc/WSLInterop"])
def test_wsl_is_known_whatever_its_kernel_is_called(tmp_path: Path, mark: str) -> None:
    reading = recorded("wsl2")
    files = {**reading["files"], "proc/sys/kernel/osrelease": "6.6.36.3-custom\n"}
    hyper_v = read_hardware(lay_out(tmp_path / "hyper-v", {**reading, "files": files}))
    assert "permanent-macs" in hyper_v
    wsl = lay_out(tmp_path / "wsl", {**reading, "files": {**files, mark: ""}})
    assert read_hardware(wsl) == reading["facts"]


def test_a_usb_disk_changes_nothing(tmp_path: Path) -> None:
    """Whether or not its way to the machine is told."""
    root = lay_out(tmp_path, recorded("laptop-thinkpad"))
    before = read_hardware(root)["disk-serial"]
    plain = {
        "files": {
            "sys/block/sda/removable": "0\n",
            "sys/block/sda/device/wwid": "naa.5000c500a1b2c3d4\n",
        }
    }
    assert read_hardware(lay_out(root, plain))["disk-serial"] == before


@pytest.mark.parametrize("removable", ["removable", "fixed", None])
def test_a_usb_disk_with_a_serial_number_of_its_own_is_no_disk_of_the_machine(
    tmp_path: Path, removable: str | None
) -> None:
    """Its way leads by USB: so it is told, however Linux calls the disk."""
    root = lay_out(tmp_path, recorded("laptop-thinkpad"))
    before = read_hardware(root)
    port = "sys/devices/pci0000:00/0000:00:14.0/usb2/2-3"
    disk = f"{port}/2-3:1.0/host4/target4:0:0/4:0:0:0"
    plugged: dict[str, dict[str, str]] = {
        "files": {
            f"{disk}/block/sda/removable": "0\n",
            f"{disk}/serial": "NA8T1X2Y\n",
            f"{disk}/wwid": "naa.5000c500a1b2c3d4\n",
        },
        "links": {
            "sys/block/sda": f"../{disk.removeprefix('sys/')}/block/sda",
            f"{disk}/block/sda/device": "../..",
        },
    }
    if removable is not None:
        plugged["files"][f"{port}/removable"] = f"{removable}\n"
    assert read_hardware(lay_out(root, plugged)) == before


@pytest.mark.parametrize("how", ["1", "2", "3", ""])
def test_an_address_that_was_set_later_is_no_fact(tmp_path: Path, how: str) -> None:
    """By a user, at random or taken from another card: also one that looks as makers give them."""
    reading = recorded("laptop-thinkpad")
    card = "sys/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/net/wlp2s0"
    files = {**reading["files"], f"{card}/address": "34:97:f6:0a:0b:0c\n"}
    files[f"{card}/addr_assign_type"] = f"{how}\n"
    root = lay_out(tmp_path, {**reading, "files": files})
    assert read_hardware(root)["permanent-macs"] == "8c:16:45:0a:0b:0c"
    whys = {one.at: one.why for one in collect_readings(root) if one.name == "permanent-macs"}
    assert whys["/sys/class/net/wlp2s0"] == "generated"


def test_an_unreadable_value_is_told_from_an_absent_one() -> None:
    """As an ordinary user: root reads everything."""
    root = Path(tempfile.mkdtemp(prefix="muster-readings-"))
    try:
        root.chmod(0o755)
        lay_out(root, recorded("laptop-thinkpad"))
        (root / "sys/class/dmi/id/product_uuid").chmod(0)
        (root / "sys/class/dmi/id/board_serial").unlink()
        privileged = os.geteuid() == 0
        if privileged:
            os.seteuid(65534)
        try:
            found = {one.name: one.why for one in collect_readings(root)}
            facts = read_hardware(root)
        finally:
            if privileged:
                os.seteuid(0)
    finally:
        shutil.rmtree(root)
    assert found["system-uuid"] == "unreadable"
    assert found["board-serial"] == "absent"
    assert "system-uuid" not in facts
    assert facts["product-serial"] == "PF0ABCDE"


# The kernel's answer.


def _link(name: bytes, *attributes: tuple[int, bytes], kind: int = 16) -> bytes:
    body = struct.pack("=BxHiII", 0, 1, 1, 0, 0)
    for number, value in ((3, name + b"\0"), *attributes):
        part = struct.pack("=HH", 4 + len(value), number) + value
        body += part + bytes(-len(part) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


def test_permanent_addresses_of_an_answer() -> None:
    current, given_by_maker = bytes.fromhex("6666660a0b0c"), bytes.fromhex("8c16450a0b0c")
    answer = (
        _link(b"lo", (1, bytes(6)), (54, bytes(6)))
        + _link(b"wlan0", (1, current), (54, given_by_maker))
        + _link(b"ib0", (54, bytes(range(20))))
    )
    assert read_links(answer) == ({"wlan0": "8c:16:45:0a:0b:0c"}, False)
    assert read_links(answer + _link(b"", kind=3)) == ({"wlan0": "8c:16:45:0a:0b:0c"}, True)
    assert read_links(_link(b"", kind=2)) == ({}, True)


@given(st.binary(max_size=200))
def test_any_answer_is_read(data: bytes) -> None:
    found, _ = read_links(data)
    assert all(len(address) == 17 for address in found.values())
    for cut in range(0, 80, 7):
        read_links((_link(b"eth0", (54, bytes(range(6)))) + data)[:cut])


def test_this_kernel_is_asked() -> None:
    shown = {path.name for path in Path("/sys/class/net").iterdir()}
    found = permanent_addresses()
    assert set(found) <= shown
    for name, address in found.items():
        if (Path("/sys/class/net") / name / "addr_assign_type").read_text().strip() == "0":
            assert address == (Path("/sys/class/net") / name / "address").read_text().strip()
