"""The facts of this machine as they are shown: who carries each, whether it counts, why not.

Values are masked, for these lines are sent to help desks; whoever asks sees them whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muster.client.results import FactReading, FactStatus
from muster.core import macs
from muster.core.facts import FACTS, FactSource, clean_facts

if TYPE_CHECKING:
    from muster.system.hardware import Reading


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


def statuses(found: Sequence[Reading], *, whole: bool) -> tuple[FactStatus, ...]:
    """The facts in the order of the table, with what was read of each.

    Args:
        whole: show values whole; else they are masked.
    """
    return tuple(
        _status(source, [one for one in found if one.name == source.name], whole=whole)
        for source in FACTS
    )


def _status(source: FactSource, found: Sequence[Reading], *, whole: bool) -> FactStatus:
    from muster.system.hardware import WHY

    return FactStatus(
        name=source.name,
        present=any(one.value and one.why in ("", "image") for one in found),
        counts=any(not one.why for one in found),
        carried_by=source.carrier,
        source=source.source,
        privilege=source.privilege,
        stability=source.stability,
        readings=tuple(
            FactReading(
                value=one.value if whole else masked(one.value),
                at=one.at,
                counts=not one.why,
                binds=not one.why and _binds(source, one),
                why=one.why,
                text=WHY[one.why],
            )
            for one in found
        ),
    )
