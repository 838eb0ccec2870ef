"""Reading facts: a machine laid out in a folder, the facts file and who may have written it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.core.facts import FACTS
from muster.system.facts import (
    boot_id,
    facts_file,
    facts_path,
    read_facts,
    read_facts_file,
    read_hardware,
    virtual,
    write_facts_file,
)

UUID = "4c4c4544-0042-3510-8054-b4c04f4d3232"


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with one disk, two network cards, a bridge and a container's pair."""
    return lay(
        tmp_path / "root",
        {
            "sys/class/dmi/id/product_uuid": UUID.upper() + "\n",
            "sys/class/dmi/id/board_serial": "BOARD-1\n",
            "sys/class/dmi/id/product_serial": "To be filled by O.E.M.\n",
            "sys/class/dmi/id/sys_vendor": "Contoso\n",
            "sys/class/net/eno1/device/vendor": "x",
            "sys/class/net/eno1/addr_assign_type": "0\n",
            "sys/class/net/eno1/address": "b8:ca:3a:00:00:02\n",
            "sys/class/net/eno2/device/vendor": "x",
            "sys/class/net/eno2/addr_assign_type": "0\n",
            "sys/class/net/eno2/address": "B8:CA:3A:00:00:01\n",
            "sys/class/net/wlan0/device/vendor": "x",
            "sys/class/net/wlan0/addr_assign_type": "3\n",
            "sys/class/net/wlan0/address": "66:66:66:00:00:01\n",
            "sys/class/net/veth7/addr_assign_type": "0\n",
            "sys/class/net/veth7/address": "5e:00:00:00:00:07\n",
            "sys/block/sda/device/serial": "DISK-1\n",
            "sys/block/sda/removable": "0\n",
            "sys/block/sdb/device/serial": "STICK-1\n",
            "sys/block/sdb/removable": "1\n",
            "sys/block/loop0/size": "1",
            "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: A  CPU @ 2GHz\nflags\t\t: fpu vme\n",
            "proc/sys/kernel/random/boot_id": "aaaa-bbbb\n",
        },
    )


def test_a_machine_is_read_from_what_linux_shows(machine: Path) -> None:
    assert read_hardware(machine) == {
        "system-uuid": UUID,
        "board-serial": "BOARD-1",
        "permanent-macs": "b8:ca:3a:00:00:01,b8:ca:3a:00:00:02",
        "machine-id": "0123456789abcdef0123456789abcdef",
        "disk-serial": "DISK-1",
        "cpu-model": "A CPU @ 2GHz",
    }
    assert boot_id(machine) == "aaaa-bbbb"
    assert virtual(machine) is False


def test_the_disk_of_the_root_folder_is_chosen_among_several(machine: Path) -> None:
    lay(machine, {"sys/block/nvme0n1/device/serial": "NVME-1", "sys/block/nvme0n1/nvme0n1p2/x": ""})
    number = machine.stat().st_dev
    assert "disk-serial" not in read_hardware(machine)
    link = machine / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../block/nvme0n1/nvme0n1p2")
    assert read_hardware(machine)["disk-serial"] == "NVME-1"


def test_a_board_without_dmi_has_its_serial_in_the_device_tree(tmp_path: Path) -> None:
    root = lay(tmp_path, {"sys/firmware/devicetree/base/serial-number": "10000000abcd\x00"})
    assert read_hardware(root) == {"board-serial": "10000000abcd"}


def test_a_virtual_machine_is_known_by_its_processor_or_vendor(tmp_path: Path) -> None:
    assert virtual(tmp_path) is None
    lay(tmp_path, {"proc/cpuinfo": "flags : fpu hypervisor\n"})
    assert virtual(tmp_path) is True
    lay(tmp_path, {"proc/cpuinfo": "flags : fpu\n", "sys/class/dmi/id/sys_vendor": "QEMU"})
    assert virtual(tmp_path) is True


def test_an_empty_machine_has_no_facts(tmp_path: Path) -> None:
    assert read_hardware(tmp_path) == {}
    assert boot_id(tmp_path) == ""


def test_this_machine_can_be_read() -> None:
    assert set(read_hardware()) <= {source.name for source in FACTS}


# The facts file.


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run" / "facts.json"
    write_facts_file(path, {"machine-id": "ab12", "shoe-size": "44"})
    assert path.stat().st_mode & 0o777 == 0o644
    assert read_facts_file(path) == {"machine-id": "ab12"}
    assert read_facts(path) == {"machine-id": "ab12"}


def test_the_door_is_the_named_file_then_the_runtime_folder_then_the_hardware(
    tmp_path: Path, machine: Path
) -> None:
    named = tmp_path / "named.json"
    named.write_bytes(facts_file({"machine-id": "cd34"}))
    named.chmod(0o600)
    environ = {"MUSTER_FACTS": str(named)}
    assert facts_path(environ) == named
    assert read_facts(environ=environ, root=machine) == {"machine-id": "cd34"}
    missing = {"MUSTER_FACTS": str(tmp_path / "none.json")}
    with pytest.raises(MusterError) as caught:
        read_facts(environ=missing, root=machine)
    assert caught.value.code == "file/missing"
    assert str(facts_path({})) == "/run/muster/facts.json"
    if not facts_path({}).exists():
        assert read_facts(environ={}, root=machine)["board-serial"] == "BOARD-1"


def test_a_facts_file_that_others_could_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(facts_file({"machine-id": "ab12"}))
    for mode in (0o666, 0o664, 0o606):
        path.chmod(mode)
        with pytest.raises(MusterError) as caught:
            read_facts_file(path)
        assert caught.value.code == "facts/rights"
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        with pytest.raises(MusterError) as caught:
            read_facts_file(path)
        assert caught.value.code == "facts/rights"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"v": 2, "facts": {}},
        {"v": 1},
        {"v": 1, "facts": []},
        {"v": 1, "facts": {"machine-id": 7}},
    ],
)
def test_other_files_are_no_facts_files(tmp_path: Path, value: object) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(value))
    path.chmod(0o600)
    with pytest.raises(MusterError) as caught:
        read_facts_file(path)
    assert caught.value.code == "facts/malformed"


@given(st.binary(max_size=80))
def test_any_bytes_give_facts_or_the_one_documented_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("facts") / "facts.json"
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        read_facts_file(path)
    except MusterError as fault:
        assert fault.code in {"facts/malformed", "file/encoding"}
