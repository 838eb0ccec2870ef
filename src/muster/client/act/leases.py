"""Asking hosts for leases, and waiting for a licence."""

from __future__ import annotations

import logging
from collections.abc import Callable

from muster.client import look, onetime, summary
from muster.client.act import onetime as once
from muster.client.driver import Driver
from muster.client.findings import Activation, Status
from muster.client.hosts import applied
from muster.client.judge import with_warnings
from muster.client.machine import Machine
from muster.client.messages import Finish, Save, Situation
from muster.client.results import Activations, Waited
from muster.client.store import Loaded, Store
from muster.client.stores import Parts, load_present
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.records import widened
from muster.core.text import instant_text
from muster.lease.descriptor import Descriptor

_LOG = logging.getLogger("muster.client")


def activate(
    parts: Parts, product: str | None = None, *, typed: bool = True, publisher_url: str = ""
) -> Activations:
    """Ask hosts for a lease, or the publisher for an activation; for one product or for all.

    Args, Raises: as `try_products`.
    """
    tried = try_products(parts, product, typed=typed, publisher_url=publisher_url)
    return summary.activations(tried, parts.clock.now())


def try_products(
    parts: Parts, product: str | None = None, *, typed: bool = True, publisher_url: str = ""
) -> list[Activation]:
    """Ask hosts for a lease, or the publisher for an activation; for one product or for all.

    The installed key decides which: a setup key asks hosts. A machine whose key has activated
    it already asks the publisher for news only, where its address is known.

    Args:
        product: a product id, None for every product that has a key.
        typed: somebody asked for it now; False tries only what is due.
        publisher_url: where the publisher's service listens; by default the setting, else what
            the descriptor says.
    Raises: `client/no-product`, `client/not-added`, `client/no-key` and what a store that
        cannot be read raises. What hosts say is told in the results.
    """
    pairs = parts.descriptors(product)
    if not pairs:
        raise parts.no_product()
    results: list[Activation] = []
    for store, descriptor in pairs:
        with store.lock():
            loaded = load_present(store)
            record = loaded.memory.product(descriptor.product.id)
            if product is None and len(pairs) > 1 and record is not None and not record.key:
                continue
            if record is not None and onetime.is_one_time(record.key):
                results.append(
                    once.try_once(parts, store, descriptor, loaded, publisher_url, typed=typed)
                )
            else:
                results.append(_try_hosts(parts, store, descriptor, loaded, typed))
    if not results:
        listed = ", ".join(descriptor.product.id for _, descriptor in pairs)
        raise error("client/no-key", product=listed)
    return results


def _try_hosts(
    parts: Parts, store: Store, descriptor: Descriptor, loaded: Loaded, typed: bool
) -> Activation:
    warnings: list[MusterError] = list(loaded.warnings)
    plan = parts.plan(store.publisher)
    situation = Situation(
        descriptor=descriptor,
        memory=loaded.memory,
        facts=parts.facts(),
        plan=plan,
        info=parts.info,
        boot=parts.boot,
        secrets=store.known_secrets(),
        uptime=parts.uptime(),
    )
    machine = Machine(situation, parts.dice)

    def save(effect: Save) -> None:
        store.save(effect.memory, effect.secrets)

    def tell(about: MusterError) -> None:
        warnings.append(about)
        _LOG.warning("%s: %s", about.code, about.what)

    finish = Driver(parts.network, parts.clock, save, tell).run(machine, typed=typed)
    _log_finish(descriptor, finish)
    # What was told while the store was loaded holds as long as nothing was written over it.
    loading = () if finish.due else loaded.warnings
    identity = machine.memory.identity if finish.due else loaded.memory.identity
    verdict = with_warnings(finish.verdict, parts.clock.now(), loading)
    if plan.files:
        plan = applied(plan, verdict.authority, parts.clock.now())
    status = Status(descriptor, verdict, identity, plan, store.folder)
    return Activation(
        status, finish.fault, finish.renewed, finish.due, finish.tried, tuple(warnings)
    )


def wait(parts: Parts, product: str | None, seconds: int, sleep: Callable[[float], None]) -> Waited:
    """Wait until a product is licensed, asking hosts whenever a try is due.

    Args, Raises: as `wait_for`.
    """
    before = look.status(parts, product).verdict
    status = wait_for(parts, product, seconds, sleep)
    shown = summary.status(status, parts.clock.now())
    return widened(Waited, shown, changed=not before.licensed)


def wait_for(
    parts: Parts,
    product: str | None,
    seconds: int,
    sleep: Callable[[float], None],
    poll: float = 1.0,
) -> Status:
    """Wait until a product is licensed, asking hosts whenever a try is due.

    Args:
        seconds: how long; 0 looks once.
        sleep: waits some seconds.
        poll: seconds between two looks at the store, so that what another process brings
            counts too.
    Raises: `client/wait-over`, naming the last reason.
    """
    store, descriptor = parts.one(product)
    end = parts.clock.monotonic() + seconds
    while True:
        status = look.status_of(parts, store, descriptor)
        if not status.verdict.licensed:
            status = try_products(parts, descriptor.product.id, typed=False)[0].status
        if status.verdict.licensed:
            return status
        left = end - parts.clock.monotonic()
        if left <= 0:
            fault = status.verdict.fault
            why = "No host was asked" if fault is None else fault.what.rstrip(".")
            fix = "Run 'muster client status'" if fault is None else fault.fix.rstrip(".")
            name = descriptor.product.id
            raise error("client/wait-over", product=name, seconds=seconds, why=why, fix=fix)
        sleep(min(poll, left))


def _log_finish(descriptor: Descriptor, finish: Finish) -> None:
    product = f"{descriptor.publisher}/{descriptor.product.id}"
    if finish.renewed:
        until = finish.verdict.until
        _LOG.info(
            "%s is licensed until %s", product, "ever" if until is None else instant_text(until)
        )
    elif finish.fault is not None:
        _LOG.warning("%s got no lease: %s: %s", product, finish.fault.code, finish.fault.what)
