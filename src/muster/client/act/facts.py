"""Writing the facts file, by which programs of ordinary users see the same facts as root."""

from __future__ import annotations

from pathlib import Path

from muster.client.results import FactsWritten
from muster.core.errors import MusterError


def write_facts(chosen: Path | None = None) -> FactsWritten:
    """Read the hardware and write what it tells to the facts file.

    Args:
        chosen: the file, None for the system's.
    Raises: `file/…`.
    """
    from muster.system.facts import facts_file, facts_path, read_hardware, write_facts_file
    from muster.system.files import read_bounded

    path = facts_path() if chosen is None else chosen
    facts = read_hardware()
    data = facts_file(facts)
    try:
        changed = read_bounded(path, len(data)) != data
    except MusterError:
        changed = True  # missing, or another one
    write_facts_file(path, facts)
    return FactsWritten(str(path), len(facts), changed)
