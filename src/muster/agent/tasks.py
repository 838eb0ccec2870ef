"""What the children of a keeper do: look what comes next, ask for what is due, ask for a wish.

Each works on parts that are made anew, so that settings of this moment count. An outcome is a JSON
object: `products` (of `AgentProduct`, with `due`), `run` (an `AgentRun`), and for a wish
`activations`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from muster.client import evidence
from muster.client.act import leases
from muster.client.act.facts import write_facts
from muster.client.agent_state import AgentRun
from muster.client.facade import system_parts
from muster.client.results import Activations
from muster.client.stores import Parts
from muster.core.errors import MusterError
from muster.core.records import encode, error_record
from muster.core.values import dataclass

_log = logging.getLogger("muster.agent")


@dataclass(frozen=True, slots=True)
class Place:
    """What an agent works on.

    `store` is the root of stores; `facts` the facts file that was chosen, or None; `writes_facts`
    the facts file that it writes, or None.
    """

    store: Path
    facts: Path | None = None
    writes_facts: Path | None = None

    def parts(self) -> Parts:
        """What wishes and questions work with, by the settings of now. Raises: `settings/…`."""
        return system_parts(store=self.store, facts=self.facts)


def plan(place: Place) -> Mapping[str, Any]:
    """Look what each product asks next; asks nobody."""
    _facts(place)
    return _outcome(place.parts(), "plan", None)


def keep(place: Place, names: Iterable[str]) -> Mapping[str, Any]:
    """Ask for products whose time has come, each by itself: one that fails keeps no other."""
    _facts(place)
    parts, fault = place.parts(), None
    for name in names:
        try:
            leases.try_products(parts, name, typed=False)
        except MusterError as failure:
            _log.warning("%s: %s", name, failure)
            fault = fault or failure
    return _outcome(parts, "keep", fault)


def wish(place: Place, product: str | None) -> Mapping[str, Any]:
    """Ask now, as if somebody had typed it, for one product or for all."""
    _facts(place)
    parts = place.parts()
    try:
        activations = leases.activate(parts, product)
    except MusterError as failure:
        return {**_outcome(parts, "wish", failure), "error": encode(error_record(failure))}
    told = Activations(activations.products, activations.changed)
    return {**_outcome(parts, "wish", None), "activations": encode(told)}


def _facts(place: Place) -> None:
    """Let programs of ordinary users see the facts of now: hardware changes, memory is cloned."""
    if place.writes_facts is None:
        return
    try:
        written = write_facts(place.writes_facts)
    except MusterError as fault:
        _log.warning("the facts file could not be written: %s", fault)
        return
    if written.changed:
        _log.info("%d facts were written to %s", written.count, written.file)


def _outcome(parts: Parts, task: str, fault: MusterError | None) -> Mapping[str, Any]:
    coming: list[evidence.Upcoming] = []
    try:
        coming = evidence.upcoming(parts)
    except MusterError as failure:
        _log.warning("what comes next cannot be told: %s", failure)
        fault = fault or failure
    products = tuple(upcoming.product for upcoming in coming)
    run = AgentRun(
        parts.clock.now(), task, products, None if fault is None else error_record(fault)
    )
    told = [{**encode(upcoming.product), "due": upcoming.due} for upcoming in coming]
    return {"products": told, "run": encode(run)}
