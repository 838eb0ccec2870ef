"""Reading the facts of this machine: from the facts file where there is one, else from Linux.

Decides where facts come from; which values are usable is `muster.core.facts`. The facts file is
the one door for machines that are not asked themselves: simulated ones, containers, platforms
without a reader, and programs of ordinary users, who may not read what the privileged part read
at boot into `/run/muster` (docs/spec/01-identities.md, section 1.6).

Tried on Linux. Windows and macOS have no reader: there the facts file must say the facts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from muster.core.errors import MusterError, error
from muster.core.facts import FACTS, clean
from muster.lease import strict
from muster.system.files import make_folder, write_atomic
from muster.system.paths import places
from muster.system.textfile import read_text_anchor

FACTS_VARIABLE = "MUSTER_FACTS"
"""Environment variable that names the facts file."""
_LIMIT = 64 * 1024
_LIMITS = strict.Limits(bytes=_LIMIT, levels=2, members=64, items=16)
_SMALL_FILE = 4096
_HARDWARE_ADDRESS = 0  # addr_assign_type: the maker gave the address
_DISK_OF_PARTITION = re.compile(r"(.+?)p?\d+")


def facts_path(environ: Mapping[str, str] | None = None) -> Path:
    """The facts file where none is named: that of `MUSTER_FACTS`, else the runtime folder's."""
    env = os.environ if environ is None else environ
    named = env.get(FACTS_VARIABLE)
    return Path(named) if named else places(environ=env).runtime / "facts.json"


def read_facts(
    path: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    root: Path = Path("/"),
) -> dict[str, str]:
    """The facts of this machine by name, cleaned.

    Args:
        path: the facts file; it must exist. None: the file that `MUSTER_FACTS` names, which must
            exist too; else the runtime folder's file where it exists; else the hardware.
        environ: the environment; the process's own by default.
        root: where the file system of the machine begins; another one only in tests.
    Returns:
        Values in their one form (`muster.core.facts.clean`); no entry where a fact is absent.
    Raises:
        `facts/malformed`, `facts/rights`, and the errors `file/…` of reading.
    """
    env = os.environ if environ is None else environ
    if path is not None:
        return read_facts_file(path)
    found = facts_path(env)
    if env.get(FACTS_VARIABLE) or found.exists():
        return read_facts_file(found)
    return read_hardware(root)


def read_facts_file(path: str | os.PathLike[str]) -> dict[str, str]:
    """The facts that a facts file says.

    The file and the folders above it must belong to root or to this process's user, and group and
    world must not be able to change them [whoever writes the facts says which machine this is].
    Raises: `facts/rights`, `facts/malformed`, `file/missing`, `file/denied`, `file/too-large`.
    """
    named = os.fspath(path)
    try:
        data = read_text_anchor(path, _LIMIT)
    except MusterError as fault:
        if fault.code != "file/anchor":
            raise
        raise error("facts/rights", path=named, detail=fault.params["detail"]) from None
    try:
        value = strict.read(data, _LIMITS, "facts file")
    except MusterError as fault:
        raise error("facts/malformed", path=named, detail=fault.params["detail"]) from None
    facts = value.get("facts")
    if value.get("v") != 1 or not isinstance(facts, dict):
        raise error("facts/malformed", path=named, detail='it has no "v": 1 and "facts"')
    if not all(isinstance(one, str) for one in facts.values()):
        raise error("facts/malformed", path=named, detail="a fact is not a text")
    return _cleaned(facts)


def facts_file(facts: Mapping[str, str]) -> bytes:
    """The bytes of a facts file."""
    return strict.canonical({"v": 1, "facts": dict(facts)}) + b"\n"


def write_facts_file(path: str | os.PathLike[str], facts: Mapping[str, str]) -> None:
    """Write a facts file that every user of the machine may read. Raises: `file/…`."""
    make_folder(Path(path).parent, 0o755)
    write_atomic(path, facts_file(facts), 0o644)


def read_hardware(root: Path = Path("/")) -> dict[str, str]:
    """What Linux tells this user of the machine; what it does not tell is absent."""
    dmi = root / "sys/class/dmi/id"
    found = {
        "system-uuid": _text(dmi / "product_uuid"),
        "board-serial": _text(dmi / "board_serial")
        or _text(root / "sys/firmware/devicetree/base/serial-number"),
        "product-serial": _text(dmi / "product_serial"),
        "permanent-macs": ",".join(_permanent_macs(root / "sys/class/net")),
        "machine-id": _text(root / "etc/machine-id"),
        "disk-serial": _disk_serial(root),
        "cpu-model": _cpu_model(root),
    }
    return _cleaned(found)


def boot_id(root: Path = Path("/")) -> str:
    """A text that is the same until the machine starts anew, "" where the system has none."""
    return _text(root / "proc/sys/kernel/random/boot_id")


def uptime(root: Path = Path("/")) -> int | None:
    """Whole seconds since the machine started, None where the system does not tell."""
    found = re.match(r"([0-9]{1,12})(?:\.[0-9]+)?\s", _text(root / "proc/uptime") + " ")
    return int(found[1]) if found else None


def virtual(root: Path = Path("/")) -> bool | None:
    """Whether the machine is a virtual one, None where that is unknown."""
    info = _text(root / "proc/cpuinfo", 256 * 1024)
    if not info:
        return None
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", info, re.MULTILINE)
    if flags and "hypervisor" in flags.group(1).split():
        return True
    vendor = _text(root / "sys/class/dmi/id/sys_vendor").lower()
    if any(word in vendor for word in ("qemu", "vmware", "xen", "innotek", "microsoft hv")):
        return True
    return False if vendor else None


def _cleaned(values: Mapping[str, str]) -> dict[str, str]:
    cleaned = {
        source.name: clean(source.name, values[source.name])
        for source in FACTS
        if source.name in values
    }
    return {name: value for name, value in cleaned.items() if value is not None}


def _text(path: Path, limit: int = _SMALL_FILE) -> str:
    """The start of a small file of the system, "" where it cannot be read."""
    try:
        with path.open("rb") as handle:
            data = handle.read(limit)
    except OSError:
        return ""
    return data.rstrip(b"\x00").decode("utf-8", "replace").strip()


def _permanent_macs(devices: Path) -> list[str]:
    """Addresses of devices that have hardware behind them and an address from their maker."""
    found = []
    for device in _entries(devices):
        if not (device / "device").exists():
            continue
        if _text(device / "addr_assign_type") == str(_HARDWARE_ADDRESS):
            found.append(_text(device / "address"))
    return found


def _disk_serial(root: Path) -> str:
    """The serial number of the disk that holds the root folder, or of the only disk."""
    blocks = root / "sys/block"
    disks = [one for one in _entries(blocks) if (one / "device").exists()]
    disks = [one for one in disks if _text(one / "removable") != "1"]
    name = _root_disk(root)
    chosen = [one for one in disks if one.name == name]
    if not chosen and len(disks) == 1:
        chosen = disks
    if not chosen:
        return ""
    device = chosen[0] / "device"
    return _text(device / "serial") or _text(chosen[0] / "serial") or _text(device / "wwid")


def _root_disk(root: Path) -> str:
    """The name of the disk of the root folder, "" where it is no plain disk."""
    try:
        number = (root / "./").stat().st_dev
    except OSError:
        return ""
    link = root / "sys/dev/block" / f"{os.major(number)}:{os.minor(number)}"
    try:
        name = link.resolve(strict=True).name
    except (OSError, RuntimeError):
        return ""
    if (root / "sys/block" / name).exists():
        return name
    match = _DISK_OF_PARTITION.fullmatch(name)
    return match.group(1) if match else ""


def _cpu_model(root: Path) -> str:
    info = _text(root / "proc/cpuinfo", 64 * 1024)
    for line in info.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() in ("model name", "hardware", "cpu model"):
            return value.strip()
    return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
