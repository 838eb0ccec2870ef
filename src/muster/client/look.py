"""What can be asked about a machine: status, discovery, history, the doctor. Changes nothing.

A question loads each store once. Its answer is a record of `muster.client.results`; programs and
other rooms ask for the findings behind it. What is licensed is decided in `muster.client.judge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from muster.client import agent, bound, doctor, doubts, facts, hosts, onetime, sites, summary
from muster.client import store as store_files
from muster.client.authority import authority
from muster.client.discovery import Address, Candidate, Source, not_asked, order
from muster.client.driver import discover as ask_dns
from muster.client.findings import Discovery, Probe, Status
from muster.client.judge import Verdict, evaluate_facts
from muster.client.messages import Plan
from muster.client.model import Memory
from muster.client.present import load_verdict, load_verdicts
from muster.client.results import (
    DiscoveredHosts,
    FactList,
    History,
    HistoryLine,
    IdentityList,
    KnownIdentity,
    LicenceText,
    NotLasting,
    ProductList,
    ProductStatus,
    StatusList,
)
from muster.client.store import Store
from muster.client.stores import Parts, load_present
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.values import replace
from muster.health.report import Report
from muster.lease.descriptor import Descriptor
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.routes import PUBLISHERS
from muster.wire.status import decode_publishers

_MAX_PROBED = 16


def verdict_now(
    parts: Parts, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...]
) -> Verdict:
    """What a product is worth by a memory that is at hand, at this moment."""
    return evaluate_facts(descriptor, memory, facts, parts.boot, parts.clock.now())


def not_lasting(parts: Parts, product: str | None = None) -> NotLasting:
    """Products whose next activation would be bound to this store and not to the hardware.

    To be said before it is drawn. Raises nothing: whoever activates is told what is wrong.
    """
    try:
        facts = parts.facts()
        asked = [parts.one(product)] if product else parts.descriptors(None)
        products = []
        for _, descriptor, memory in _with_memory(asked):
            record = memory.product(descriptor.product.id)
            if record is None or not onetime.is_one_time(record.key):
                continue
            key = record.key
            lasting = onetime.is_done(verdict_now(parts, descriptor, memory, facts))
            if not lasting and not bound.lasting(memory, key, facts):
                products.append(descriptor.product.id)
    except MusterError:
        return NotLasting(())
    return NotLasting(tuple(products))


def _with_memory(
    pairs: Iterable[tuple[Store, Descriptor]],
) -> Iterator[tuple[Store, Descriptor, Memory]]:
    """Products with what their stores hold; each store is loaded once."""
    held: dict[str, Memory] = {}
    for store, descriptor in pairs:
        if store.publisher not in held:
            held[store.publisher] = load_present(store).memory
        yield store, descriptor, held[store.publisher]


def waiting(parts: Parts) -> list[tuple[Store, Descriptor]]:
    """Products whose installed key activates them once."""
    pairs: list[tuple[Store, Descriptor]] = []
    for store, descriptor, memory in _with_memory(parts.descriptors(None)):
        record = memory.product(descriptor.product.id)
        if record is not None and onetime.is_one_time(record.key):
            pairs.append((store, descriptor))
    return pairs


def one_waiting(parts: Parts) -> tuple[Store, Descriptor]:
    pairs = waiting(parts)
    if len(pairs) == 1:
        return pairs[0]
    if not pairs:
        return parts.one(None)  # its key, or that there is none, is told
    listed = ", ".join(descriptor.product.id for _, descriptor in pairs)
    raise error("client/which-product", products=listed)


def statuses(parts: Parts, product: str | None = None) -> tuple[Status, ...]:
    """What is known of one product, or of all, with what it was judged by.

    Each store is loaded once.
    Raises: `client/no-product`, `client/not-added`. A store that cannot be read is told in
        the verdict.
    """
    pairs = parts.descriptors(product)
    if not pairs:
        raise parts.no_product()
    facts, now = _facts(parts), parts.clock.now()
    by_store: dict[Store, list[Descriptor]] = {}
    for store, descriptor in pairs:
        by_store.setdefault(store, []).append(descriptor)
    statuses: list[Status] = []
    for store, descriptors in by_store.items():
        plan = parts.plan(store.publisher)
        verdicts, identity = load_verdicts(store, descriptors, facts, parts.boot, now)
        statuses += [
            Status(descriptor, verdict, identity, _applied(plan, verdict, now), store.folder)
            for descriptor, verdict in zip(descriptors, verdicts, strict=True)
        ]
    return tuple(statuses)


def status(parts: Parts, product: str | None = None) -> Status:
    """What is known of one product; it must be named where there are several."""
    return status_of(parts, *parts.one(product))


def status_of(
    parts: Parts, store: Store, descriptor: Descriptor, plan: Plan | None = None
) -> Status:
    now = parts.clock.now()
    chosen = parts.plan(store.publisher) if plan is None else plan
    verdict, identity = load_verdict(store, descriptor, _facts(parts), parts.boot, now)
    return Status(descriptor, verdict, identity, _applied(chosen, verdict, now), store.folder)


def _applied(plan: Plan, verdict: Verdict, now: int) -> Plan:
    return hosts.applied(plan, verdict.authority, now) if plan.files else plan


def _facts(parts: Parts) -> tuple[Fact, ...] | MusterError:
    """The machine's facts, or why they cannot be read."""
    try:
        return parts.facts()
    except MusterError as fault:
        return fault


def status_list(parts: Parts, product: str | None = None) -> StatusList:
    """What is known of one product, or of all, to be shown. Raises: as `statuses`."""
    now = parts.clock.now()
    states = statuses(parts, product)
    return StatusList(now, tuple(summary.status(entry, now) for entry in states))


def product_list(parts: Parts) -> ProductList:
    """The products on this machine. Raises: `client/no-product`."""
    return ProductList(tuple(map(summary.product, statuses(parts))))


def product_status(parts: Parts, product: str | None = None) -> ProductStatus:
    """What is known of one product, to be shown. Raises: `client/which-product`; as `statuses`."""
    return summary.status(status(parts, product), parts.clock.now())


def licence(parts: Parts, product: str | None = None) -> LicenceText:
    """The licence of a product: the bundle that anybody can verify offline.

    Raises: why there is none; `client/not-activated`.
    """
    state = status(parts, product)
    name = state.descriptor.product.id
    if state.verdict.licence is None:
        raise state.verdict.fault or error("client/not-activated", product=name)
    return LicenceText(name, state.verdict.licence.text)


def identities(parts: Parts) -> IdentityList:
    """Who this machine is to each publisher whose store can be read.

    Raises: `client/no-product`.
    """
    stores = {store.publisher: store for store, _ in parts.descriptors(None)}
    if not stores:
        raise parts.no_product()
    memories = [(publisher_id, _memory(store)) for publisher_id, store in stores.items()]
    return IdentityList(
        tuple(
            KnownIdentity(publisher, memory.identity.mode, memory.identity.cmid)
            for publisher, memory in memories
            if memory is not None
        )
    )


def facts_list(path: Path | None, *, whole: bool = False) -> FactList:
    """By which facts this machine is known (`muster.client.facts`).

    Args:
        path: the facts file that was chosen, or None.
        whole: show values whole; else they are masked.
    """
    return FactList(facts.statuses(facts.readings(path), whole=whole))


def discovered(parts: Parts, publisher: str = "", *, probe: bool = True) -> DiscoveredHosts:
    """How hosts are found and what each serves, to be shown. Raises: as `discover`."""
    return summary.discovery(discover(parts, publisher, probe=probe))


def discover(parts: Parts, publisher: str = "", *, probe: bool = True) -> Discovery:
    """Show how hosts are found, and ask each what it serves.

    Changes nothing.
    """
    store, descriptors = parts.one_publisher(publisher)
    label = descriptors[0].trust.label
    memory, now = _memory(store), parts.clock.now()
    plan = hosts.applied(parts.plan(store.publisher), authority(descriptors[0], memory, now), now)
    last_good = _last_good(memory)
    if plan.host is not None:
        return Discovery(
            publisher=store.publisher,
            label=label,
            plan=plan,
            asked=(),
            found=(),
            faults=(),
            last_good=last_good,
            probes=_probes(parts, [Candidate(plan.host, Source.SET)], store.publisher, probe=probe),
        )
    asked = hosts.names_asked(label, plan)
    answers, faults = ask_dns(parts.network, asked, parts.late())
    if not asked and not plan.sites:
        faults = (error("client/no-suffix"),)
    held = () if memory is None else memory.doubts
    doubted = doubts.standing(held, now)
    candidates = sites.order(plan.sites, parts.dice, doubted=doubted)
    seen = [candidate.address for candidate in candidates]
    candidates += order(answers, parts.dice, passed=seen, doubted=doubted, limit=_MAX_PROBED)
    if not candidates and asked and not faults:
        listed = ", ".join(f"{question.label}, {question.general}" for question in asked)
        faults = (error("client/no-records", names=listed),)
    if plan.unasked:
        faults = (*faults, not_asked(plan.unasked))
    faults = (*plan.faults, *faults)
    return Discovery(
        publisher=store.publisher,
        label=label,
        plan=plan,
        asked=asked,
        found=answers,
        faults=faults,
        last_good=last_good,
        probes=tuple(
            replace(answer, doubted=answer.candidate.address in doubted)
            for answer in _probes(parts, candidates, store.publisher, probe=probe)
        ),
    )


def reports(parts: Parts) -> tuple[Report, ...]:
    """Look why this machine is or is not licensed: one report for each publisher.

    Asks DNS, all hosts that it names and, where its address is known, the publisher; changes
    nothing (docs/doctor.md).
    Raises: `client/no-product`.
    """
    by_store: dict[str, list[Status]] = {}
    for entry in statuses(parts):
        by_store.setdefault(entry.descriptor.publisher, []).append(entry)
    keeper = agent.status(store=parts.root)
    found = [
        doctor.collect(parts.network, parts.dice, statuses, parts.clock.now(), parts.late())
        for statuses in by_store.values()
    ]
    return tuple(doctor.diagnose(replace(findings, agent=keeper)) for findings in found)


def _probes(
    parts: Parts, candidates: Iterable[Candidate], publisher: str, *, probe: bool
) -> tuple[Probe, ...]:
    return tuple(
        _probe(parts, candidate, publisher) if probe else Probe(candidate, None, None)
        for candidate in candidates
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
    mine = [
        served_publisher for served_publisher in served if served_publisher.publisher == publisher
    ]
    return Probe(candidate, mine[0] if mine else None, None)


def _memory(store: Store) -> Memory | None:
    """What a store holds; None where it is new or cannot be read."""
    try:
        loaded = store.load()
    except MusterError:
        return None
    return None if loaded is None else loaded.memory


def _last_good(memory: Memory | None) -> Address | None:
    if memory is None:
        return None
    records = sorted(memory.products.values(), key=lambda record: record.last_contact)
    known = [record.last_good for record in records if record.last_good is not None]
    return known[-1] if known else None


def history(parts: Parts, publisher: str = "") -> History:
    """What was changed on this machine, oldest first."""
    lines: list[HistoryLine] = []
    for publisher_id in store_files.publishers(parts.root, parts.disk):
        if publisher not in ("", publisher_id):
            continue
        loaded = parts.store(publisher_id).load()
        notes = () if loaded is None else loaded.memory.history
        lines += [
            HistoryLine(note.at, note.event, publisher_id, note.product or None, note.detail)
            for note in notes
        ]
    return History(tuple(sorted(lines, key=lambda line: line.at)))
