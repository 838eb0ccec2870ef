"""Recorded machines laid out as trees of /sys, /proc and /etc."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

READINGS = Path(__file__).resolve().parent / "readings"


def recorded(name: str) -> dict[str, Any]:
    """A reading: `source`, `files` and `links` of the tree, `facts` that follow, `whys`."""
    found: dict[str, Any] = json.loads((READINGS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def names() -> list[str]:
    """All recorded machines."""
    return sorted(path.stem for path in READINGS.glob("*.json"))


def lay_out(root: Path, reading: dict[str, Any]) -> Path:
    """Write the tree of a reading under an empty folder."""
    for name, text in reading.get("files", {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    for name, target in reading.get("links", {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return root


def with_files(reading: dict[str, Any], **files: str) -> dict[str, Any]:
    """The reading with other content, by file name (`product_uuid`, `address`), where it has it."""
    made = copy.deepcopy(reading)
    for path in made["files"]:
        name = path.rpartition("/")[2]
        if name in files:
            made["files"][path] = files[name] + "\n"
    return made


def with_cards_named(reading: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The reading with other names of its network cards: the prefix before each."""

    def named(path: str) -> str:
        return re.sub(r"(^|/)net/(?=.)", rf"\1net/{prefix}", path)

    made = copy.deepcopy(reading)
    made["files"] = {named(path): text for path, text in reading["files"].items()}
    made["links"] = {named(path): named(target) for path, target in reading["links"].items()}
    return made


def with_new_kernel(reading: dict[str, Any]) -> dict[str, Any]:
    """The machine after an upgrade of its kernel and a start: all that such a thing changes.

    The boot id, the release and version of the kernel, the flags of the processor that it shows,
    and the names that it gives to network cards.
    """
    made = with_cards_named(reading, "new-")
    made["files"] |= {
        "proc/version": "Linux version 6.18.2-amd64 (builder@example.test) (gcc 15.2.0) #1 SMP\n",
        "proc/sys/kernel/osrelease": "6.18.2-amd64\n",
        "proc/sys/kernel/random/boot_id": "0d1b0c51-6c1c-4b7a-8a58-1d2f3e4c5b6a\n",
    }
    info = made["files"].get("proc/cpuinfo", "")
    made["files"]["proc/cpuinfo"] = re.sub(r"(?m)^(flags\s*:.*)$", r"\1 new_in_this_kernel", info)
    return made
