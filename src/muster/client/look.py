"""What can be asked about a machine: status, discovery, history, the doctor. Changes nothing.

What is licensed is decided in `muster.client.judge`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from muster.client import bound, doctor, doubts, onetime, store
from muster.client.discovery import (
    Address,
    Candidate,
    Names,
    Source,
    names,
    not_asked,
    order,
)
from muster.client.driver import discover as ask_dns
from muster.client.judge import Verdict, assess
from muster.client.messages import Plan
from muster.client.model import Memory, Note
from muster.client.present import judged
from muster.client.results import Discovery, Probe, Status
from muster.client.store import Store
from muster.client.stores import Parts, load_present, record_of
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.health.report import Report
from muster.lease.descriptor import Descriptor
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.routes import PUBLISHERS
from muster.wire.status import decode_publishers

_MAX_PROBED = 16


def judged_now(
    parts: Parts, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...]
) -> Verdict:
    """What a product is worth by a memory that is at hand, at this moment."""
    return assess(descriptor, memory, facts, parts.boot, parts.clock.now())


def not_lasting(parts: Parts, product: str | None = None) -> list[str]:
    """Products whose next activation would be bound to this store and not to the hardware.

    To be said before it is drawn. Raises nothing: whoever activates is told what is wrong.
    """
    try:
        facts = parts.facts()
        places = [parts.one(product)] if product else waiting(parts)
        found = []
        for place, descriptor in places:
            memory = load_present(place).memory
            key = record_of(memory, descriptor).key
            done = onetime.is_done(judged_now(parts, descriptor, memory, facts))
            if onetime.is_one_time(key) and not done and not bound.lasting(memory, key, facts):
                found.append(descriptor.product.id)
    except MusterError:
        return []
    return found


def waiting(parts: Parts) -> list[tuple[Store, Descriptor]]:
    """Products whose installed key activates them once."""
    found: list[tuple[Store, Descriptor]] = []
    for place, descriptor in parts.descriptors(None):
        loaded = place.load()
        record = None if loaded is None else loaded.memory.product(descriptor.product.id)
        if record is not None and onetime.is_one_time(record.key):
            found.append((place, descriptor))
    return found


def one_waiting(parts: Parts) -> tuple[Store, Descriptor]:
    found = waiting(parts)
    if len(found) == 1:
        return found[0]
    if not found:
        return parts.one(None)  # its key, or that there is none, is told
    listed = ", ".join(descriptor.product.id for _, descriptor in found)
    raise error("client/which-product", products=listed)


def statuses(parts: Parts, product: str | None = None) -> list[Status]:
    """What is known of one product, or of all.

    Raises: `client/no-product`, `client/not-added`. A store that cannot be read is told in
        the verdict.
    """
    found = parts.descriptors(product)
    if not found:
        raise parts.no_product()
    return [status_of(parts, place, descriptor) for place, descriptor in found]


def status(parts: Parts, product: str | None = None) -> Status:
    """What is known of one product; it must be named where there are several."""
    return status_of(parts, *parts.one(product))


def status_of(
    parts: Parts, place: Store, descriptor: Descriptor, plan: Plan | None = None
) -> Status:
    facts: tuple[Fact, ...] | MusterError
    try:
        facts = parts.facts()
    except MusterError as fault:
        facts = fault
    now = parts.clock.now()
    chosen = parts.plan(place.publisher) if plan is None else plan
    verdict, identity = judged(place, descriptor, facts, parts.boot, now)
    return Status(descriptor, verdict, identity, chosen, place.folder)


def discover(parts: Parts, publisher: str = "", *, probe: bool = True) -> Discovery:
    """Show how hosts are found, and ask each what it serves.

    Changes nothing.
    """
    place, descriptors = parts.one_publisher(publisher)
    label = descriptors[0].trust.label
    plan = parts.plan(place.publisher)
    memory = _memory(place)
    last_good = _last_good(memory)
    if plan.host is not None:
        return Discovery(
            publisher=place.publisher,
            label=label,
            plan=plan,
            asked=(),
            found=(),
            faults=(),
            last_good=last_good,
            probes=_probes(parts, [Candidate(plan.host, Source.SET)], place.publisher, probe=probe),
        )
    asked = names_asked(label, plan)
    found, faults = ask_dns(parts.network, asked, parts.late())
    if not asked:
        faults = (error("client/no-suffix"),)
    held = () if memory is None else memory.doubts
    doubted = doubts.standing(held, parts.clock.now())
    candidates = list(order(found, parts.dice, doubted=doubted, limit=_MAX_PROBED))
    if not candidates and asked and not faults:
        listed = ", ".join(f"{one.label}, {one.general}" for one in asked)
        faults = (error("client/no-records", names=listed),)
    if plan.unasked:
        faults = (*faults, not_asked(plan.unasked))
    return Discovery(
        publisher=place.publisher,
        label=label,
        plan=plan,
        asked=asked,
        found=found,
        faults=faults,
        last_good=last_good,
        probes=tuple(
            replace(one, doubted=one.candidate.address in doubted)
            for one in _probes(parts, candidates, place.publisher, probe=probe)
        ),
    )


def reports(parts: Parts) -> list[Report]:
    """Look why this machine is or is not licensed: one report for each publisher.

    Asks DNS, all hosts that it names and, where its address is known, the publisher; changes
    nothing (docs/doctor.md).
    Raises: `client/no-product`.
    """
    by_place: dict[str, list[Status]] = {}
    for one in statuses(parts):
        by_place.setdefault(one.descriptor.publisher, []).append(one)
    return [
        doctor.judge(
            doctor.look(parts.network, parts.dice, statuses, parts.clock.now(), parts.late())
        )
        for statuses in by_place.values()
    ]


def _probes(
    parts: Parts, candidates: Iterable[Candidate], publisher: str, *, probe: bool
) -> tuple[Probe, ...]:
    return tuple(
        _probe(parts, one, publisher) if probe else Probe(one, None, None) for one in candidates
    )


def _probe(parts: Parts, candidate: Candidate, publisher: str) -> Probe:
    peer = candidate.address.text
    try:
        reply = parts.network.call(candidate.address, PUBLISHERS, PUBLISHERS.path, None)
        if reply.status != 200:
            raise decode_problem(reply.status, reply.body, peer, Peer.HOST).error()
        served = decode_publishers(reply.body, peer)
    except MusterError as fault:
        return Probe(candidate, None, fault)
    mine = [one for one in served if one.publisher == publisher]
    return Probe(candidate, mine[0] if mine else None, None)


def _memory(place: Store) -> Memory | None:
    """What a store holds; None where it is new or cannot be read."""
    try:
        loaded = place.load()
    except MusterError:
        return None
    return None if loaded is None else loaded.memory


def _last_good(memory: Memory | None) -> Address | None:
    if memory is None:
        return None
    records = sorted(memory.products.values(), key=lambda one: one.last_contact)
    known = [one.last_good for one in records if one.last_good is not None]
    return known[-1] if known else None


def history(parts: Parts, publisher: str = "") -> list[tuple[str, Note]]:
    """What was changed on this machine, oldest first, with the publisher that it concerns."""
    found: list[tuple[str, Note]] = []
    for one in store.publishers(parts.root, parts.disk):
        loaded = parts.store(one).load()
        if loaded is not None and publisher in ("", one):
            found += [(one, note) for note in loaded.memory.history]
    return sorted(found, key=lambda each: each[1].at)


def names_asked(label: str, plan: Plan) -> tuple[Names, ...]:
    """The names that DNS is asked for a publisher's hosts: a pair for each suffix of the plan."""
    return tuple(names(label, suffix) for suffix in plan.suffixes)
