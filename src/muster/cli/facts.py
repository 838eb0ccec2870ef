"""What `muster client facts` shows: each fact, who carries it, whether it counts, and why not.

Values are masked, for these lines are sent to help desks; whoever asks sees them whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muster.core import macs
from muster.core.facts import FACTS, FactSource, clean_facts

if TYPE_CHECKING:
    from muster.system.hardware import Reading

_CARRIED = {"machine": "the machine", "card": "a network card", "image": "the image"}


def readings(path: Path | None) -> tuple[Reading, ...]:
    """What this machine's facts are read as: from a facts file where one counts, else hardware.

    Args:
        path: the facts file that was chosen, or None.
    Raises: as `muster.system.facts.read_facts`.
    """
    from muster.system.facts import facts_path, read_facts
    from muster.system.hardware import Reading, look

    found = facts_path({}) if path is None else path
    if path is None and not found.exists():
        return look()
    values = read_facts(path)
    facts = {fact.name for fact in clean_facts(values)}
    told: list[Reading] = []
    for one in FACTS:
        several = values.get(one.name, "").split(",") if one.carrier == "card" else None
        for value in several or [values.get(one.name, "")]:
            why = "absent" if not value else "" if one.counts else "image"
            if value and one.name not in facts:
                why = "virtual-disk"  # beside the other facts it is one: `clean_facts`
            told.append(Reading(one.name, value, str(found), why))
    return tuple(told)


def masked(value: str) -> str:
    """A value by which its owner knows it again and nobody else learns it."""
    return value if len(value) < 4 else f"{value[:2]}…{value[-2:]}"


def _binds(source: FactSource, reading: Reading) -> bool:
    return source.binds and (source.carrier != "card" or macs.lasts(reading.value))


def data(found: Sequence[Reading], *, whole: bool) -> list[dict[str, Any]]:
    """The facts for programs, one object a fact, in the order of the table."""
    from muster.system.hardware import WHY

    return [
        {
            "name": source.name,
            "present": any(one.value and one.why in ("", "image") for one in own),
            "counts": any(not one.why for one in own),
            "carried_by": source.carrier,
            "source": source.source,
            "privilege": source.privilege,
            "stability": source.stability,
            "readings": [
                {
                    "value": one.value if whole else masked(one.value),
                    "at": one.at,
                    "counts": not one.why,
                    "binds": not one.why and _binds(source, one),
                    "why": one.why,
                    "text": WHY[one.why],
                }
                for one in own
            ],
        }
        for source in FACTS
        for own in [[one for one in found if one.name == source.name]]
    ]


def lines(found: Sequence[Reading], *, whole: bool) -> list[str]:
    """The same for people, one line a value."""
    from muster.system.hardware import WHY

    by_name = {source.name: source for source in FACTS}
    told = []
    for one in found:
        source = by_name[one.name]
        what = WHY[one.why]
        if not one.why:
            bound = "counts, can bind a one-time licence" if _binds(source, one) else "counts"
            what = f"{bound}; carried by {_CARRIED[source.carrier]}"
        value = (one.value if whole else masked(one.value)) or "-"
        told.append(f"{'no' if one.why else 'yes':<4} {one.name:<15} {value:<10} {what} ({one.at})")
    return told
