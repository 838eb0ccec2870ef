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
    from muster.system.files import is_there
    from muster.system.hardware import Reading, collect_readings

    file = facts_path({}) if path is None else path
    if path is None and not is_there(file):
        return collect_readings()
    values = read_facts(path)
    facts = {fact.name for fact in clean_facts(values)}
    readings: list[Reading] = []
    for source in FACTS:
        several = values.get(source.name, "").split(",") if source.carrier == "card" else None
        for value in several or [values.get(source.name, "")]:
            why = "absent" if not value else "" if source.counts else "image"
            if value and source.name not in facts:
                why = "virtual-disk"  # beside the other facts it is one: `clean_facts`
            readings.append(Reading(source.name, value, str(file), why))
    return tuple(readings)


def masked(value: str) -> str:
    """A value by which its owner knows it again and nobody else learns it."""
    return value if len(value) < 4 else f"{value[:2]}…{value[-2:]}"


def _binds(source: FactSource, reading: Reading) -> bool:
    return source.binds and (source.carrier != "card" or macs.lasts(reading.value))


def statuses(read: Sequence[Reading], *, whole: bool) -> tuple[FactStatus, ...]:
    """The facts in the order of the table, with what was read of each.

    Args:
        whole: show values whole; else they are masked.
    """
    return tuple(
        _status(source, [reading for reading in read if reading.name == source.name], whole=whole)
        for source in FACTS
    )


def _status(source: FactSource, read: Sequence[Reading], *, whole: bool) -> FactStatus:
    from muster.system.hardware import WHY

    return FactStatus(
        name=source.name,
        present=any(reading.value and reading.why in ("", "image") for reading in read),
        counts=any(not reading.why for reading in read),
        carried_by=source.carrier,
        source=source.source,
        privilege=source.privilege,
        stability=source.stability,
        readings=tuple(
            FactReading(
                value=reading.value if whole else masked(reading.value),
                at=reading.at,
                counts=not reading.why,
                binds=not reading.why and _binds(source, reading),
                why=reading.why,
                text=WHY[reading.why],
            )
            for reading in read
        ),
    )
