"""The facts by which a machine knows itself: one table, and what counts as a usable value.

Decides which facts exist and which values are no facts at all (placeholders of makers, zeros).
Refuses to know how a fact is read: that is `muster.system.facts`. Facts never leave the machine;
what leaves are commitments. Obeys docs/spec/01-identities.md, sections 1.6 and 1.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from muster.core.identity import LETTERS, Fact


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
        "DMI board_asset_tag, where a cloud names the instance there",
        "user",
        "never changes",
        binds=True,
    ),
    FactSource(
        "disk-serial",
        "machine",
        "serial number of the disk that holds the system",
        "user",
        "changes with the disk; that of a virtual disk is copied with it and is no fact",
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
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?:(?::[0-9a-f]{2}){2})?")
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_PLACEHOLDERS = frozenset(
    {
        "base board serial number",
        "board serial number",
        "chassis serial number",
        "default",
        "default string",
        "empty",
        "invalid",
        "n/a",
        "na",
        "no asset tag",
        "none",
        "not applicable",
        "not available",
        "not defined",
        "not present",
        "not specified",
        "o.e.m.",
        "oem",
        "serial",
        "serial number",
        "system serial number",
        "to be filled by o.e.m.",
        "to be filled by oem",
        "type1productconfigid",
        "undefined",
        "uninitialized",
        "unknown",
        "unspecified",
    }
)
_KNOWN_UUIDS = frozenset({"03000200-0400-0500-0006-000700080009"})
"""UUIDs that makers left in whole series of boards."""
_COUNTING = "0123456789"


def clean(name: str, value: str) -> str | None:
    """The value of a fact in its one form, or None where it says nothing.

    Args:
        name: a name of `FACTS`; another one gives None.
        value: as the machine has it.
    Returns:
        UUIDs and addresses in lower case, addresses sorted and joined by commas; other values
        stripped, with one space for each run of spaces.
    """
    if name not in _NAMES:
        return None
    text = " ".join(value.split())
    if not text or len(text) > 1024 or _NOT_PRINTABLE.search(text):
        return None
    if name == "permanent-macs":
        return _clean_macs(text)
    if name == "system-uuid":
        text = text.lower()
        usable = _UUID.fullmatch(text) and not _monotone(text) and text not in _KNOWN_UUIDS
        return text if usable else None
    if name == "machine-id":
        text = text.lower()
    if text.lower() in _PLACEHOLDERS or _monotone(text):
        return None
    return text


def clean_facts(values: Mapping[str, str]) -> tuple[Fact, ...]:
    """All usable facts of a mapping, in the order of the table; names not in it are passed over."""
    found = ((source.name, values.get(source.name)) for source in FACTS)
    cleaned = ((name, clean(name, value)) for name, value in found if value is not None)
    return tuple(Fact(name, value) for name, value in cleaned if value is not None)


def _clean_macs(text: str) -> str | None:
    macs = {part.strip().lower() for part in text.split(",")}
    good = sorted(mac for mac in macs if _MAC.fullmatch(mac) and not _monotone(mac))
    return ",".join(good) or None


def _monotone(text: str) -> bool:
    """Whether the text is one symbol repeated, or digits counted up: 0000, ffff, 0123456789."""
    symbols = re.sub(r"[-:. _]", "", text.lower())
    if len(set(symbols)) <= 1:
        return True
    return len(symbols) > 3 and (symbols in _COUNTING or symbols in _COUNTING[1:] + "0")
