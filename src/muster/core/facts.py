"""The facts by which a machine knows itself: one table, and what counts as a usable value.

Decides which facts exist and which values are no facts at all (placeholders of makers, zeros).
Refuses to know how a fact is read: that is `muster.system.facts`. Facts never leave the machine;
what leaves are commitments. Obeys docs/spec/01-identities.md, sections 1.6 and 1.7.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from muster.core import grammar, macs
from muster.core.identity import LETTERS, Fact
from muster.core.placeholders import HYPER_V_DISK, alike, fills_disk, fills_text, fills_uuid
from muster.core.values import dataclass


@dataclass(frozen=True, slots=True)
class FactSource:
    """One fact.

    `carrier` says who carries it: "machine", "card" (network cards), or "image"; what an image
    carries is equal on all machines made from it, and does not count. `source` says where Linux
    has it; `privilege` is "root" or "user", who may read it there; `stability` says what changes
    it; `binds` whether a one-time licence may be bound to it.
    """

    name: str
    carrier: str
    source: str
    privilege: str
    stability: str
    binds: bool = False

    @property
    def counts(self) -> bool:
        """Whether a fingerprint has commitments of it."""
        return self.name in LETTERS


FACTS: tuple[FactSource, ...] = (
    FactSource(
        "system-uuid",
        "machine",
        "DMI product_uuid",
        "root",
        "changes with the board or the definition of the virtual machine",
        binds=True,
    ),
    FactSource(
        "board-serial",
        "machine",
        "DMI board_serial, or the device tree's serial-number",
        "root",
        "changes with the board",
        binds=True,
    ),
    FactSource(
        "product-serial", "machine", "DMI product_serial", "root", "changes with the chassis"
    ),
    FactSource(
        "cloud-instance",
        "machine",
        "DMI board_asset_tag, if a cloud puts the instance id there",
        "user",
        "never changes",
        binds=True,
    ),
    FactSource(
        "disk-serial",
        "machine",
        "serial number of the disk that holds the system",
        "user",
        "changes with the disk; that of a virtual disk is copied with it and does not count",
    ),
    FactSource(
        "permanent-macs",
        "card",
        "permanent addresses of built-in network cards",
        "user",
        "changes with the cards; each address counts by itself",
        binds=True,
    ),
    FactSource("machine-id", "image", "/etc/machine-id", "user", "changes with each installation"),
    FactSource(
        "cpu-model", "image", "model name of the processor", "user", "changes with the processor"
    ),
)
"""Every fact there is. Obeys the table of docs/spec/01-identities.md, section 1.6.1."""

_NAMES = frozenset(source.name for source in FACTS)


@functools.lru_cache(maxsize=256)
def clean(name: str, value: str) -> str | None:
    """The value of a fact in its one form, or None where it says nothing.

    Args:
        name: a name of `FACTS`; another one gives None.
        value: as the machine has it.
    Returns:
        UUIDs and addresses in lower case, addresses sorted and joined by commas; other values
        stripped, with one space for each run of spaces. What was asked is remembered.
    """
    if name not in _NAMES:
        return None
    text = " ".join(value.split())
    if not text or len(text) > 1024 or grammar.NOT_PRINTABLE.search(text):
        return None
    match name:
        case "permanent-macs":
            return _clean_macs(text)
        case "system-uuid":
            return _clean_uuid(text)
        case "cloud-instance":
            text = text.lower()
            return (
                text
                if grammar.CLOUD_INSTANCE.fullmatch(text) and not fills_text(text[2:])
                else None
            )
        case "disk-serial":
            return None if fills_disk(text) else text
        case "machine-id":
            text = text.lower()
            return None if text == "uninitialized" or alike(text) else text
        case "cpu-model":
            return None if alike(text) else text
        case _:
            return None if fills_text(text) else text


def clean_facts(values: Mapping[str, str]) -> tuple[Fact, ...]:
    """All usable facts of a mapping, in the order of the table; names not in it are passed over.

    Where every card is one that a hypervisor gave, the disk is virtual too, and its serial number
    copied with it or with the definition of the machine: it is left out. Hyper-V's own form of it
    counts only where no address is told but Hyper-V's own, for WSL2 has nothing else: beside any
    other address it is the disk of a guest, and of all copies of the guest. Who reads a machine
    knows WSL2 and leaves it out of a guest of Hyper-V; a facts file cannot tell them apart.
    """
    cleaned = {
        source.name: cleaned
        for source in FACTS
        if (value := values.get(source.name)) is not None
        and (cleaned := clean(source.name, value)) is not None
    }
    cards = cleaned.get("permanent-macs", "")
    disk = cleaned.get("disk-serial", "")
    given = cards.split(",") if cards else []
    hyper_v = HYPER_V_DISK.fullmatch(disk.lower()) is not None
    wsl = hyper_v and all(value.startswith("00:15:5d") for value in given)
    if given and not wsl and (hyper_v or all(map(macs.virtual_card, given))):
        cleaned.pop("disk-serial", None)
    return tuple(Fact(name, value) for name, value in cleaned.items())


def _clean_uuid(text: str) -> str | None:
    text = text.lower().strip("{}")
    if grammar.BARE_UUID.fullmatch(text):
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return text if grammar.UUID.fullmatch(text) and not fills_uuid(text) else None


def _clean_macs(text: str) -> str | None:
    cleaned = {part.strip().lower().replace("-", ":") for part in text.split(",")}
    return ",".join(sorted(mac for mac in cleaned if not macs.refused(mac))) or None
