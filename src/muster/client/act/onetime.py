"""Activating a machine once at the publisher, over the network."""

from __future__ import annotations

import logging

from muster.client import bound, look, onetime, schedule
from muster.client.authority import apply_documents, authority
from muster.client.conversion import EVALUATION
from muster.client.driver import Reply
from muster.client.findings import Activation
from muster.client.judge import is_activation
from muster.client.model import Failure, Memory
from muster.client.store import Loaded, Store
from muster.client.stores import Parts, record_of
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.text import shown_url
from muster.core.values import replace
from muster.lease.descriptor import Descriptor, read_descriptor
from muster.lease.trust import WALK_LIMIT
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.publisher import ConfirmAnswer, ConfirmRequest, decode_confirm_answer
from muster.wire.routes import ACTIVATIONS, CATALOGUE, TRUST

_LOG = logging.getLogger("muster.client")


def try_once(
    parts: Parts, store: Store, descriptor: Descriptor, loaded: Loaded, url: str, *, typed: bool
) -> Activation:
    """Activate one product at the publisher, or look there for news when that is due."""
    warnings = tuple(loaded.warnings)
    facts, now, memory = parts.facts(), parts.clock.now(), loaded.memory
    verdict = look.verdict_now(parts, descriptor, memory, facts)
    record = record_of(memory, descriptor)
    plan = parts.plan(store.publisher)
    url = url or plan.publisher_url or descriptor.url
    activated = onetime.is_done(verdict)
    kept = memory
    due = schedule.is_due(record.next_attempt, now, record.scheduled)
    if (activated and not url) or not (typed or due):
        current = settled(parts, store, memory, facts)
        if current != memory:
            store.save(current)
        return Activation(
            look.status_of(parts, store, descriptor, plan), None, False, False, (), warnings
        )
    fault: MusterError | None = None
    try:
        if not url:
            raise error("client/no-publisher", product=descriptor.product.id)
        if activated:
            memory = _news(parts, descriptor, memory, url)
            again = now + onetime.LOOK_AGAIN
            memory = memory.with_product(
                replace(record, next_attempt=again, scheduled=now, last_contact=now)
            )
        else:
            kept = memory = remembering(store, descriptor, memory, facts)
            if not bound.lasting(memory, record.key, facts):
                warnings = (*warnings, error("client/not-lasting", product=descriptor.product.id))
            memory = _activated(parts, descriptor, memory, facts, url)
    except MusterError as failure:
        memory = kept
        record = onetime.after_failure(
            record_of(memory, descriptor), now, failure.code, parts.uptime(), parts.dice
        )
        if activated and typed:
            # The licence stands without news; whoever asked is told that there were none.
            warnings = (*warnings, failure)
        else:
            fault = failure
        if not activated:
            record = replace(record, failure=Failure.of(failure, now))
        memory = memory.with_product(record)
        _LOG.warning("%s got no activation: %s", descriptor.product.id, failure)
    store.save(settled(parts, store, memory, facts))
    status = look.status_of(parts, store, descriptor, plan)
    warnings = (*warnings, *onetime.shortened(verdict.licence, status.verdict.licence))
    if fault is None and not status.verdict.licensed:
        fault = status.verdict.fault
    return Activation(status, fault, fault is None and not activated, True, (), warnings)


def remembering(
    store: Store, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...]
) -> Memory:
    """The memory, saved, that knows the fact of the binding that is drawn for next.

    Saved before anybody is asked: an answer may be lost, and the next try must show the same.
    """
    key = record_of(memory, descriptor).key
    if not onetime.is_one_time(key):
        return memory
    known = bound.remembered(memory, key, bound.chosen(memory, key, facts))
    if known != memory:
        store.save(known)
    return known


def settled(parts: Parts, store: Store, memory: Memory, facts: tuple[Fact, ...]) -> Memory:
    """The memory with the states as they are judged now, so that a grace begins once.

    Only of products whose key activates them once; the machine that asks hosts keeps its own.
    """
    for name in store.products():
        record = memory.product(name)
        if record is None:
            continue
        product_record = look.verdict_now(
            parts, read_descriptor(store.anchor(name)), memory, facts
        ).record
        if product_record is None or not (
            is_activation(record.licence) or product_record.added != record.added
        ):
            continue
        if (product_record.state, product_record.since) != (record.state, record.since):
            memory = memory.with_product(product_record)
    return memory


def _activated(
    parts: Parts, descriptor: Descriptor, memory: Memory, facts: tuple[Fact, ...], url: str
) -> Memory:
    """The memory after the publisher activated this machine online."""
    now = parts.clock.now()
    proofs = parts.store(memory.publisher).proofs
    if descriptor.product.channel == EVALUATION and not memory.catalogue:
        # What the build may become is looked up before an activation is used for it.
        memory = _news(parts, descriptor, memory, url)
    digits = onetime.installation_id(descriptor, memory, facts, now, proofs).text
    answer = _confirmed(parts, url, digits)
    if answer is None:
        # The publisher wants newer trust first; with it the ID is another.
        memory = _news(parts, descriptor, memory, url)
        digits = onetime.installation_id(descriptor, memory, facts, now, proofs).text
        answer = _confirmed(parts, url, digits, last=True)
    assert answer is not None
    memory = apply_documents(descriptor, memory, answer.trust, answer.catalogue, now)
    memory, _ = onetime.accept(descriptor, memory, facts, answer.grant, now, "the publisher")
    record = record_of(memory, descriptor)
    return memory.with_product(replace(record, last_contact=now, last_attempt=now))


def _confirmed(parts: Parts, url: str, digits: str, *, last: bool = False) -> ConfirmAnswer | None:
    """The publisher's answer; None where it asks to follow trust first."""
    route = ACTIVATIONS
    reply = parts.network.ask(url, route, route.path, ConfirmRequest(digits).encode())
    peer = shown_url(url)
    if reply.status == 200:
        return decode_confirm_answer(reply.body, peer)
    problem = decode_problem(reply.status, reply.body, peer, Peer.PUBLISHER)
    if problem.code == "publisher/update-trust-first" and not last:
        return None
    raise problem.error()


def _news(parts: Parts, descriptor: Descriptor, memory: Memory, url: str) -> Memory:
    """The memory with the trust and the catalogue that the publisher has now."""
    now, peer = parts.clock.now(), shown_url(url)
    for _ in range(WALK_LIMIT):
        version = authority(descriptor, memory, now).trust.version + 1
        reply = parts.network.ask(url, TRUST, TRUST.fill(version=str(version)), None)
        if reply.status == 404:
            break
        memory = apply_documents(descriptor, memory, [_document(reply, peer)], None, now)
        if authority(descriptor, memory, now).trust.version < version:
            raise error("wire/bad-answer", peer=peer, detail="its trust leads nowhere")
    reply = parts.network.ask(url, CATALOGUE, CATALOGUE.path, None)
    return apply_documents(descriptor, memory, (), _document(reply, peer), now)


def _document(reply: Reply, peer: str) -> str:
    """The text of a signed document. Raises: the peer's refusal."""
    if reply.status != 200:
        raise decode_problem(reply.status, reply.body, peer, Peer.PUBLISHER).error()
    # What is not ASCII is no compact JWS; the reader will say so.
    return reply.body.decode("ascii", "replace").strip()
