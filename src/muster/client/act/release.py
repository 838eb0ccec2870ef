"""Giving a lease back to the host that gave it."""

from __future__ import annotations

import logging

from muster.client import identity as identities
from muster.client import schedule, sites
from muster.client.attempt import MOST_CHALLENGES
from muster.client.authority import authority
from muster.client.discovery import TRY_SECONDS, Address, order, turn
from muster.client.driver import discover as ask_dns
from muster.client.hosts import applied, names_asked
from muster.client.judge import is_activation
from muster.client.messages import Plan
from muster.client.model import ProductRecord
from muster.client.results import Released
from muster.client.stores import Parts, load_present, record_of
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.states import LicenceEvent, LicenceState, step
from muster.core.values import replace
from muster.lease.bundle import read_bundle
from muster.lease.descriptor import Descriptor
from muster.lease.jws import SigningKey
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.release import ReleaseRequest, decode_released
from muster.wire.routes import RELEASE

_LOG = logging.getLogger("muster.client")


def release(parts: Parts, product: str | None = None) -> Released:
    """Give the lease of a product back to the host that gave it.

    Afterwards the product is unlicensed here; it asks again when `activate` is typed, or
    after 30 days.
    Raises: `client/nothing-to-release`, `client/no-secret`, what the host says, `net/…`.
    """
    store, descriptor = parts.one(product)
    name = descriptor.product.id
    with store.lock():
        memory = load_present(store).memory
        record = record_of(memory, descriptor)
        if not record.licence or is_activation(record.licence):
            raise error("client/nothing-to-release", product=name)
        secrets = store.secrets()
        key = identities.machine_key(memory.identity, store.publisher, parts.facts(), secrets.seeds)
        if key is None:
            raise error("client/no-secret", product=name)
        sent_at = memory.requests.next_sent_at(parts.clock.now())
        memory = replace(memory, requests=replace(memory.requests, sent_at=sent_at))
        # Before it leaves: the host may keep it, and its answer be lost.
        store.save(memory)
        bundle = read_bundle(record.licence.encode("utf-8"))
        line = memory.requests.line
        asked = ReleaseRequest(bundle, key.public.raw, line, sent_at)
        now = parts.clock.now()
        plan = applied(parts.plan(store.publisher), authority(descriptor, memory, now), now)
        host = _give_back(parts, plan, descriptor, record, asked, key)
        record = replace(
            record,
            licence="",
            nonce="",
            state=step(LicenceState.LICENSED, LicenceEvent.LICENCE_RELEASED),
            since=parts.clock.now(),
            next_attempt=parts.clock.now() + schedule.LONGEST,
            scheduled=parts.clock.now(),
            failure=None,
            failures=0,
        )
        store.save(
            parts.noted(
                memory.with_product(record),
                Audit.CLIENT_LICENCE_RELEASE,
                name,
                f"to {host.text}",
            )
        )
    _LOG.info("released %s at %s", name, host.text)
    return Released(name, host.text, changed=True)


def _give_back(
    parts: Parts,
    plan: Plan,
    descriptor: Descriptor,
    record: ProductRecord,
    asked: ReleaseRequest,
    key: SigningKey,
) -> Address:
    """Show the release to the host that gave the lease, else to each that can be found."""
    named = sites.named(plan.sites)
    last = record.last_good
    if last is not None and last in named:
        last, _ = named[last]  # as the file says that it is asked
    hosts = [address for address in (last, plan.host, *named) if address is not None]
    fault: MusterError | None = None
    looked = plan.host is not None
    tried: set[Address] = set()
    end = parts.clock.monotonic() + TRY_SECONDS
    while True:
        for store, host in enumerate(hosts):
            left = end - parts.clock.monotonic()
            if host in tried or left <= 0:
                continue
            tried.add(host)
            waiting = len(hosts) - store - 1 + (not looked)
            _, seconds = turn(left, waiting)
            try:
                fault = _refused(parts, host, asked, key, seconds)
                if fault is None:
                    return host
            except MusterError as failure:
                fault = failure
        if looked:
            break
        looked = True
        label = descriptor.trust.label
        answers, faults = ask_dns(parts.network, names_asked(label, plan), parts.late())
        hosts = [candidate.address for candidate in order(answers, parts.dice, passed=tried)]
        fault = fault or (faults[0] if faults else None)
    raise fault or error("client/no-suffix")


def _refused(
    parts: Parts, host: Address, asked: ReleaseRequest, key: SigningKey, seconds: float
) -> MusterError | None:
    """Show the release to one host, and sign it once more with each challenge that it gives.

    Returns: None where the host took it, else what it says. Raises: `net/…`, `wire/…`.
    Source: docs/spec/06-counting.md, section 6.9.
    """
    end = parts.clock.monotonic() + seconds
    for _ in range(1 + MOST_CHALLENGES):
        left = end - parts.clock.monotonic()
        if left <= 0:
            raise error("net/timeout", peer=host.text, seconds=f"{seconds:g}")
        body = asked.prove(key).body
        reply = parts.network.call(host, RELEASE, RELEASE.path, body, left)
        if reply.status == 200:
            decode_released(reply.body, host.text)
            return None
        problem = decode_problem(reply.status, reply.body, host.text, Peer.HOST)
        if not problem.challenge:
            break
        asked = replace(asked, challenge=problem.challenge)
    return problem.error()
