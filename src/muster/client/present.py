"""Whether a product is licensed at this moment, by its store as it lies on the disk.

All that an application's question needs: it imports no act, no doctor and no network.
"""

from __future__ import annotations

from dataclasses import replace

from muster.client.judge import Verdict, assess
from muster.client.model import Identity
from muster.client.store import Loaded, Store
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.lease.descriptor import Descriptor


def judged(
    place: Store,
    descriptor: Descriptor,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> tuple[Verdict, Identity | None]:
    """Load a store and judge one product; a store that cannot be read is told in the verdict.

    A writer may be at work: what fails is looked at once more if the store changed meanwhile.
    """
    loaded, fault = _load(place)
    verdict = _judged(descriptor, loaded, fault, facts, boot, now)
    if not verdict.licensed:
        again, fault = _load(place)
        if again is not None and (loaded is None or again.generation != loaded.generation):
            loaded = again
            verdict = _judged(descriptor, loaded, fault, facts, boot, now)
    return verdict, None if loaded is None else loaded.memory.identity


def _load(place: Store) -> tuple[Loaded | None, MusterError | None]:
    try:
        return place.load(), None
    except MusterError as fault:
        return None, fault


def _judged(
    descriptor: Descriptor,
    loaded: Loaded | None,
    fault: MusterError | None,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> Verdict:
    memory = None if loaded is None else loaded.memory
    warnings = () if loaded is None else loaded.warnings
    verdict = assess(descriptor, memory, facts, boot, now, warnings)
    return verdict if fault is None else replace(verdict, problem=fault)
