"""Whether a product is licensed at this moment, by its store as it is on the disk.

All that an application's question needs: it imports no act, no doctor and no network.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.client.judge import Verdict, assess
from muster.client.model import Identity
from muster.client.store import Loaded, Store
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.values import replace
from muster.lease.descriptor import Descriptor


def judged(
    place: Store,
    descriptor: Descriptor,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> tuple[Verdict, Identity | None]:
    """Load a store and judge one product; a store that cannot be read is told in the verdict."""
    (verdict,), identity = judged_all(place, (descriptor,), facts, boot, now)
    return verdict, identity


def judged_all(
    place: Store,
    descriptors: Sequence[Descriptor],
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> tuple[list[Verdict], Identity | None]:
    """Load a store once and judge products of it by what it held at that moment.

    A writer may be at work: where one is not licensed, the store is read once more if it changed
    meanwhile.
    """
    loaded, fault = _load(place)
    verdicts = [_judged(descriptor, loaded, fault, facts, boot, now) for descriptor in descriptors]
    if not all(verdict.licensed for verdict in verdicts) and _changed(place, loaded):
        again, fault = _load(place)
        if again is not None:
            loaded = again
            verdicts = [
                _judged(descriptor, loaded, fault, facts, boot, now) for descriptor in descriptors
            ]
    return verdicts, None if loaded is None else loaded.memory.identity


def _changed(place: Store, loaded: Loaded | None) -> bool:
    """Whether somebody wrote to a store since it was loaded, or may have when it was not."""
    try:
        return loaded is None or place.generation() != loaded.generation
    except MusterError:
        return False


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
