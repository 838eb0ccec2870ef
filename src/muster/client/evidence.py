"""What this machine tells others of its licences: verdicts by their descriptors, and evidence.

Asks nobody and changes nothing. Obeys docs/spec/14-agent.md.
"""

from __future__ import annotations

from muster.client import bound, look, onetime, schedule
from muster.client.agent_results import Evidence, JudgedProduct
from muster.client.agent_state import AgentProduct
from muster.client.findings import Status
from muster.client.identity import current_identity
from muster.client.judge import Verdict, is_activation, must_hurry
from muster.client.model import Identity, Memory
from muster.client.present import load_verdict
from muster.client.stores import Parts, load_present, record_of
from muster.core.errors import MusterError
from muster.core.identity import Fact, commitments
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.bundle import read_activation_bundle
from muster.lease.descriptor import read_descriptor
from muster.lease.grant import read_claims
from muster.lease.jws import parse


def judged(parts: Parts, data: bytes) -> JudgedProduct:
    """What a product is worth on this machine, by a descriptor that a caller sent.

    Args:
        data: the descriptor.
    Raises: of a descriptor that cannot be read. That the product is not set up is told.
    """
    descriptor = read_descriptor(data)
    store, now = parts.store(descriptor.publisher), parts.clock.now()
    facts: tuple[Fact, ...] | MusterError
    try:
        facts = parts.facts()
    except MusterError as fault:
        facts = fault
    verdict, identity = load_verdict(store, descriptor, facts, parts.boot, now)
    return _judged(verdict, identity, now)


def _judged(verdict: Verdict, identity: Identity | None, now: int) -> JudgedProduct:
    return JudgedProduct(
        product=verdict.product.id,
        publisher=verdict.publisher,
        name=verdict.product.name,
        edition=verdict.product.edition,
        licensed=verdict.licensed,
        state=verdict.state,
        state_text=verdict.state.text,
        kind="" if verdict.licence is None else verdict.licence.kind,
        until=verdict.until,
        features=verdict.product.features,
        identity=None if identity is None else identity.mode,
        why=None if verdict.licensed else verdict.fault,
        warnings=verdict.warnings,
        time=now,
    )


def evidence(parts: Parts, product: str) -> Evidence:
    """What anybody needs to verify the licence of a product by themselves.

    Raises: `client/not-added`, and what a store that cannot be read raises; `client/no-facts` and
        `facts/…` where the machine cannot be told.
    """
    store, descriptor = parts.one(product)
    now, facts = parts.clock.now(), parts.facts()
    memory = load_present(store).memory
    record = record_of(memory, descriptor)
    identity = current_identity(memory.identity, memory.publisher, facts, parts.boot)
    verdict = look.verdict_now(parts, descriptor, memory, facts)
    return Evidence(
        product=descriptor.product.id,
        publisher=descriptor.publisher,
        time=now,
        key_id=record.key,
        licence=record.licence or None,
        trust=memory.trust,
        catalogue=memory.catalogue or None,
        identity=identity.mode,
        cmid=identity.cmid,
        nonce=record.nonce,
        fingerprint=commitments(identity.salt, facts),
        binding=_binding(memory, record.licence, facts),
        clock_mark=verdict.authority.clock_mark,
        state=verdict.state,
        since=verdict.since,
        added_at=record.added,
    )


def _binding(memory: Memory, licence: str, facts: tuple[Fact, ...]) -> str | None:
    """The binding of this machine for the key of a stored activation, None for a lease."""
    if not is_activation(licence):
        return None
    bundle = read_activation_bundle(licence.encode("utf-8"))
    granted = read_claims(parse(bundle.grant, strict.SMALL, "grant"))
    salt = memory.salts.get(granted.key)
    if salt is None:
        return None
    return bound.binding_like(memory, granted.key, salt, facts, granted.binding)[0]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A product, and whether its next try is due by the clock of now."""

    product: AgentProduct
    due: bool


def upcoming(parts: Parts) -> list[Upcoming]:
    """When each product on this machine asks next, none where no product is set up.

    Raises: what a descriptor in a store that cannot be read raises.
    """
    if not parts.descriptors(None):
        return []
    now = parts.clock.now()
    return [_upcoming(status, now) for status in look.statuses(parts)]


def _upcoming(status: Status, now: int) -> Upcoming:
    verdict, record = status.verdict, status.verdict.record
    instant, due = None, False
    if record is not None and record.key and _asks_somebody(status):
        instant = record.next_attempt
        due = schedule.is_due(instant, now, record.scheduled)
        if not due and must_hurry(verdict) and not onetime.is_one_time(record.key):
            instant = min(instant, record.last_attempt + schedule.SHORTEST)
            due = schedule.is_due(instant, now, record.last_attempt)
    product = AgentProduct(
        status.descriptor.product.id,
        status.descriptor.publisher,
        verdict.licensed,
        verdict.state,
        instant,
    )
    return Upcoming(product, due)


def _asks_somebody(status: Status) -> bool:
    """Whether a scheduled try asks anybody: what is activated once asks for news, if it can."""
    if not onetime.is_done(status.verdict):
        return True
    record = status.verdict.record
    one_time = record is not None and onetime.is_one_time(record.key)
    return not one_time or bool(status.plan.publisher_url or status.descriptor.url)
