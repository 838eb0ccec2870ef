"""What Linux shows of this machine's hardware, fact by fact, and why a value does not count.

Decides which cards are built in, which disk is the system's and where a serial number stands.
Which values are usable is `muster.core.facts`. Only what is under `root` is read; the kernel is
asked for permanent addresses besides where `root` is the machine's own.

Tried on Linux. Obeys docs/spec/01-identities.md, section 1.6.1.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from muster.core import macs
from muster.core.facts import FACTS, clean
from muster.core.patterns import pattern
from muster.core.placeholders import HYPER_V_DISK
from muster.core.values import dataclass

_SMALL_FILE = 4096
_HARDWARE_ADDRESS = "0"  # addr_assign_type: the maker gave the address
_DISK_OF_PARTITION = pattern(r"(.+?)p?\d+")
_BUILT_IN = frozenset(
    re.findall(
        r"[a-z_-]+",
        "acpi amba auxiliary bcma ccw ccwgroup eisa fsl-mc ibmebus isa macio mdio_bus mmc"
        " of_platform pci platform pnp sdio soc spi ssb vio virtio vmbus xen xen-backend",
    )
)
"""Buses on which cards of the machine itself sit; USB, PCMCIA and Bluetooth are none."""
_NO_CARDS = frozenset({"bluetooth", "bond", "bridge", "gadget", "team", "vlan", "wwan"})
_CLOUD_VOLUME = pattern(r"vol-?[0-9a-f]{17}", re.IGNORECASE)
_DEEPEST = 16

WHY = {
    "": "counts",
    "absent": "not there",
    "unreadable": "this user may not read it",
    "image": "does not count: carried by the image",
    "placeholder": "does not count: a placeholder that many machines have",
    "malformed": "does not count: not of its form",
    "multicast": "does not count: no address of a card",
    "adapter": "does not count: a USB adapter or a dock, which moves between machines",
    "removable": "does not count: a USB adapter or a dock, which moves between machines",
    "generated": "does not count: an address that software assigned",
    "virtual": "does not count: not a card of the machine",
    "wsl": "does not count: WSL2 has another one at each start",
    "virtual-disk": "does not count: copied with the virtual disk",
    "unclear": "does not count: several disks, and none is known to hold the system",
}
"""Why a reading does not count, in words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one fact as the machine shows it: `value` "" where there is none.

    `at` says where it stands; `why` is a key of `WHY`, "" where the value counts.
    """

    name: str
    value: str
    at: str
    why: str


def collect_readings(root: Path = Path("/")) -> tuple[Reading, ...]:
    """Everything that Linux shows this user of the machine, in the order of the table."""
    dmi = root / "sys/class/dmi/id"
    tree = root / "sys/firmware/devicetree/base"
    places = {
        "system-uuid": (dmi / "product_uuid", root / "sys/hypervisor/uuid", tree / "vm,uuid"),
        "board-serial": (dmi / "board_serial", tree / "serial-number"),
        "product-serial": (dmi / "product_serial",),
        "cloud-instance": (dmi / "board_asset_tag",),
        "machine-id": (root / "etc/machine-id",),
    }
    readings: dict[str, tuple[Reading, ...]] = {
        name: (_first(name, paths, root),) for name, paths in places.items()
    }
    readings["permanent-macs"] = _cards(root)
    readings["disk-serial"] = (_disk(root),)
    readings["cpu-model"] = (_reading_of("cpu-model", cpu_model(root), "/proc/cpuinfo"),)
    return tuple(reading for source in FACTS for reading in readings[source.name])


def read_hardware(root: Path = Path("/")) -> dict[str, str]:
    """What Linux tells this user of the machine; what it does not tell, or is no fact, is absent.

    Facts that the image carries are told too: they are shown, and have no commitments.
    """
    values: dict[str, list[str]] = {}
    for reading in collect_readings(root):
        if reading.value and reading.why in ("", "image"):
            values.setdefault(reading.name, []).append(reading.value)
    return cleaned({name: ",".join(several) for name, several in values.items()})


def cleaned(values: Mapping[str, str]) -> dict[str, str]:
    """The usable values of a mapping, in the order of the table."""
    texts = {
        source.name: clean(source.name, values[source.name])
        for source in FACTS
        if source.name in values
    }
    return {name: value for name, value in texts.items() if value is not None}


def _reading_of(name: str, value: str, at: str) -> Reading:
    if not value:
        return Reading(name, "", at, "absent")
    if clean(name, value) is None:
        return Reading(name, value, at, "placeholder")
    counts = next(source.counts for source in FACTS if source.name == name)
    return Reading(name, value, at, "" if counts else "image")


def _first(name: str, paths: tuple[Path, ...], root: Path) -> Reading:
    """The first of several places that holds a usable value; else what the first one says."""
    readings = []
    for path in paths:
        at = "/" + str(path.relative_to(root))
        value, allowed = _read(path)
        readings.append(
            _reading_of(name, value, at) if allowed else Reading(name, "", at, "unreadable")
        )
    for why in ("", "image", "unreadable", "placeholder"):
        for reading in readings:
            if reading.why == why:
                return reading
    return readings[0]


def virtual(root: Path = Path("/")) -> bool | None:
    """Whether the machine is a virtual one, None where that is unknown."""
    info = text_of(root / "proc/cpuinfo", 256 * 1024)
    if not info:
        return None
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", info, re.MULTILINE)
    if flags and "hypervisor" in flags.group(1).split():
        return True
    vendor = text_of(root / "sys/class/dmi/id/sys_vendor").lower()
    if any(word in vendor for word in ("qemu", "vmware", "xen", "innotek", "microsoft hv")):
        return True
    return False if vendor else None


_MARKS_OF_WSL = (
    "run/WSL",
    "proc/sys/fs/binfmt_misc/WSLInterop",
    "proc/sys/fs/binfmt_misc/WSLInterop-late",
)
"""What WSL2 itself puts into a machine, also where its kernel is one of the owner's."""


def wsl(root: Path = Path("/")) -> bool:
    """Whether this is Windows' own Linux, where network cards are made again at each start."""
    release = text_of(root / "proc/sys/kernel/osrelease").lower()
    if "wsl" in release or ("microsoft" in release and "azure" not in release):
        return True
    return any((root / mark).exists() for mark in _MARKS_OF_WSL)


def cpu_model(root: Path) -> str:
    """The processor's name, "" where it has none."""
    for line in text_of(root / "proc/cpuinfo", 64 * 1024).splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("model name", "hardware", "cpu model"):
            return value.strip()
    return ""


def text_of(path: Path, limit: int = _SMALL_FILE) -> str:
    """The start of a small file of the system, "" where it cannot be read."""
    return _read(path, limit)[0]


def _read(path: Path, limit: int = _SMALL_FILE) -> tuple[str, bool]:
    """The start of a small file, and whether this user may read it."""
    try:
        with path.open("rb") as handle:
            data = handle.read(limit)
    except PermissionError:
        return "", False
    except OSError:
        return "", True
    return data.rstrip(b"\x00").decode("utf-8", "replace").strip(), True


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


# Network cards.


def _cards(root: Path) -> tuple[Reading, ...]:
    """Every network device with hardware behind it, and whether its address is a fact."""
    # A machine with a facts file asks no kernel, and loads no sockets.
    from muster.system.netlink import permanent_addresses

    asked = permanent_addresses() if root == Path("/") else {}
    in_wsl = wsl(root)
    devices = [entry for entry in _entries(root / "sys/class/net") if (entry / "device").exists()]
    readings = [_card(device, asked.get(device.name, ""), in_wsl) for device in devices]
    usable = [reading for reading in readings if not reading.why]
    return (*usable, *(reading for reading in readings if reading.why)) or (
        Reading("permanent-macs", "", "/sys/class/net", "absent"),
    )


def _card(device: Path, asked: str, in_wsl: bool) -> Reading:
    at = f"/sys/class/net/{device.name}"
    address = asked or text_of(device / "bonding_slave/perm_hwaddr")
    generated = False
    if not address:
        address = text_of(device / "address")
        generated = text_of(device / "addr_assign_type") != _HARDWARE_ADDRESS
    address = address.lower()
    if in_wsl:
        why = "wsl"
    elif not _is_card(device):
        why = "virtual"
    elif _travels(device / "device"):
        why = "removable"
    elif generated:
        why = "generated"
    else:
        why = macs.refused(address)
    return Reading("permanent-macs", address, at, why)


def _is_card(device: Path) -> bool:
    """Whether a device is an Ethernet or wireless card and no part of another one."""
    described = text_of(device / "uevent")
    if any(f"DEVTYPE={kind}" in described.splitlines() for kind in _NO_CARDS):
        return False
    if text_of(device / "type") not in ("", "1") or device.name.startswith(("p2p", "bnep")):
        return False
    if any((device / part).exists() for part in ("bridge", "bonding", "device/physfn")):
        return False
    bus = _link_name(device / "device/subsystem")
    return bus in _BUILT_IN or bus in ("", "usb", "pcmcia")


def _travels(device: Path) -> bool:
    """Whether a device is plugged in from outside: by USB, Thunderbolt or a card slot."""
    try:
        path = device.resolve()
    except (OSError, RuntimeError):
        return False
    if _link_name(device / "subsystem") in ("usb", "pcmcia"):
        return True
    if any(re.fullmatch(r"usb\d+|domain\d+|thunderbolt.*", part) for part in path.parts):
        return True
    at = path
    for _ in range(_DEEPEST):
        if text_of(at / "removable") == "removable":
            return True
        at = at.parent
    return False


def _link_name(link: Path) -> str:
    try:
        return link.readlink().name
    except OSError:
        return ""


# Disks.


def _disk(root: Path) -> Reading:
    """The serial number of the disk that holds the root folder, else of the only internal one."""
    at, name = "/sys/block", "disk-serial"
    disks = [entry for entry in _entries(root / "sys/block") if (entry / "device").exists()]
    chosen = _disks_of_root(root) or _internal(disks)
    if len(chosen) > 1:
        return Reading(name, "", at, "unclear")
    if not chosen:
        return Reading(name, "", at, "absent")
    disk = chosen[0]
    places = ("device/serial", "serial", "device/wwid", "wwid")
    value = next((part_serial for part in places if (part_serial := text_of(disk / part))), "")
    read = _reading_of(name, value, f"{at}/{disk.name}")
    if read.why:
        return read if read.why == "absent" else Reading(name, value, read.at, _why_not(value))
    if not wsl(root) and virtual(root) and not _CLOUD_VOLUME.fullmatch(value):
        return Reading(name, value, read.at, "virtual-disk")
    if HYPER_V_DISK.fullmatch(value.lower()) and not wsl(root):
        return Reading(name, value, read.at, "virtual-disk")
    return read


def _why_not(value: str) -> str:
    return "placeholder" if clean("product-serial", value) is None else "virtual-disk"


def _internal(disks: list[Path]) -> list[Path]:
    """The disks that are built in: no card readers, no USB disks.

    USB disks are not "removable" to Linux. Where their way to the machine is not told, a disk of
    SCSI's kind without a serial number of its own gives way to the one NVMe disk beside it.
    """
    internal = [disk for disk in disks if text_of(disk / "removable") != "1"]
    internal = [disk for disk in internal if not _travels(disk / "device")]
    fast = [disk for disk in internal if disk.name.startswith("nvme")]
    others = [disk for disk in internal if disk not in fast]
    if len(fast) == 1 and not any(text_of(other / "device/serial") for other in others):
        return fast
    return internal


def _disks_of_root(root: Path) -> list[Path]:
    """The disks under the root folder, through partitions, LVM, LUKS and RAID; none if unknown."""
    try:
        number = (root / "./").stat().st_dev
    except OSError:
        return []
    link = root / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}"
    start = _name_of(link) or _mounted(root)
    if not start:
        return []
    names, pending = set[str](), [start]
    for _ in range(_DEEPEST * 4):
        if not pending:
            break
        name = pending.pop()
        node = _block(root, name)
        below = [entry.name for entry in _entries(node / "slaves")] if node is not None else []
        if below:
            pending += below
            continue
        names.add(_whole(root, name))
    return [root / "sys/block" / name for name in sorted(names - {""})]


def _name_of(link: Path) -> str:
    try:
        return link.resolve(strict=True).name
    except (OSError, RuntimeError):
        return ""


def _mounted(root: Path) -> str:
    """The device of the root folder as the mount table names it: of btrfs, of /dev/mapper."""
    for line in text_of(root / "proc/self/mountinfo", 256 * 1024).splitlines():
        before, mark, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if mark and len(fields) > 4 and fields[4] == "/" and len(rest) > 1:
            source = rest[1]
            if source.startswith("/dev/mapper/"):
                for node in _entries(root / "sys/block"):
                    if text_of(node / "dm/name") == source.removeprefix("/dev/mapper/"):
                        return node.name
            name = source.rpartition("/")[2]
            return name if source.startswith("/dev/") and _block(root, name) else ""
    return ""


def _block(root: Path, name: str) -> Path | None:
    """The folder of a disk, partition or mapped device."""
    whole = root / "sys/block" / name
    if whole.exists():
        return whole
    disk = _whole(root, name)
    return root / "sys/block" / disk / name if disk else None


def _whole(root: Path, name: str) -> str:
    """The disk of a partition, or the disk itself; "" where there is none of that name."""
    if (root / "sys/block" / name).exists():
        return name
    match = _DISK_OF_PARTITION.fullmatch(name)
    return match.group(1) if match and (root / "sys/block" / match.group(1)).exists() else ""
