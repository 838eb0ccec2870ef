"""Whether a product is licensed at this moment, by its store as it is on the disk.

All that an application's question needs: it imports no act, no doctor and no network.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.client.judge import Verdict, evaluate_facts
from muster.client.model import Identity
from muster.client.store import Loaded, Store
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.values import replace
from muster.lease.descriptor import Descriptor


def load_verdict(
    store: Store,
    descriptor: Descriptor,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> tuple[Verdict, Identity | None]:
    """Load a store and judge one product; a store that cannot be read is told in the verdict."""
    (verdict,), identity = load_verdicts(store, (descriptor,), facts, boot, now)
    return verdict, identity


def load_verdicts(
    store: Store,
    descriptors: Sequence[Descriptor],
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> tuple[list[Verdict], Identity | None]:
    """Load a store once and judge products of it by what it held at that moment.

    A writer may be at work: where one is not licensed, the store is read once more if it changed
    meanwhile.
    """
    loaded, fault = _load(store)
    verdicts = [
        _verdict_of(descriptor, loaded, fault, facts, boot, now) for descriptor in descriptors
    ]
    if not all(verdict.licensed for verdict in verdicts) and _changed(store, loaded):
        again, fault = _load(store)
        if again is not None:
            loaded = again
            verdicts = [
                _verdict_of(descriptor, loaded, fault, facts, boot, now)
                for descriptor in descriptors
            ]
    return verdicts, None if loaded is None else loaded.memory.identity


def _changed(store: Store, loaded: Loaded | None) -> bool:
    """Whether somebody wrote to a store since it was loaded, or may have when it was not."""
    try:
        return loaded is None or store.generation() != loaded.generation
    except MusterError:
        return False


def _load(store: Store) -> tuple[Loaded | None, MusterError | None]:
    try:
        return store.load(), None
    except MusterError as fault:
        return None, fault


def _verdict_of(
    descriptor: Descriptor,
    loaded: Loaded | None,
    fault: MusterError | None,
    facts: tuple[Fact, ...] | MusterError,
    boot: str,
    now: int,
) -> Verdict:
    memory = None if loaded is None else loaded.memory
    warnings = () if loaded is None else loaded.warnings
    verdict = evaluate_facts(descriptor, memory, facts, boot, now, warnings)
    return verdict if fault is None else replace(verdict, fault=fault)
