"""Changing how a machine identifies itself, and what it remembers of its clock."""

from __future__ import annotations

import logging

from muster.client import identity as identities
from muster.client import store as store_files
from muster.client.requests import Requests, Secrets
from muster.client.results import ClockReset, IdentityChange, MarkReset
from muster.client.store import Store
from muster.client.stores import Parts, load_present
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.text import instant_text
from muster.core.values import replace

_LOG = logging.getLogger("muster.client")


def set_identity(parts: Parts, mode: str, given: str = "", publisher: str = "") -> IdentityChange:
    """Choose how this machine identifies itself to a publisher.

    Every licence of the publisher on this machine ends with its old identity.
    Raises: `client/identity-…`, `client/no-system-uuid`, `id/explicit`.
    """
    if (mode == "explicit") != bool(given):
        raise error("client/identity-id", mode=mode)
    store, descriptors = parts.one_publisher(publisher)
    with store.lock():
        memory = load_present(store).memory
        for descriptor in descriptors:
            product = descriptor.product
            identities.check_mode(mode, product.identity, product.id)
        if mode == memory.identity.mode and given == memory.identity.given:
            return IdentityChange(store.publisher, mode, memory.identity.cmid, changed=False)
        fresh = identities.new_identity(mode, store.publisher, parts.facts(), parts.dice, given)
        # What binds licences to this store stays: they outlive a change of mode.
        identity = replace(fresh.identity, store_random=memory.identity.store_random)
        detail = f"{memory.identity.cmid} became {identity.cmid}"
        memory = replace(memory, identity=identity, requests=Requests())
        store.save(
            parts.noted(memory.with_all(next_attempt=0), Audit.CLIENT_CMID_RENEW, detail=detail),
            Secrets().with_seed(identity.cmid, fresh.seed),
        )
    return IdentityChange(store.publisher, identity.mode, identity.cmid, changed=True)


def reset_clock_mark(parts: Parts, publisher: str = "") -> ClockReset:
    """Forget that the clock was ever ahead; logged. All publishers where none is named."""
    stores = [
        Store(parts.root, publisher_id, parts.disk)
        for publisher_id in store_files.publishers(parts.root, parts.disk)
        if not publisher or publisher_id == publisher
    ]
    if not stores:
        raise parts.no_product()
    resets: list[MarkReset] = []
    for store in stores:
        with store.lock():
            loaded = store.load()
            if loaded is None:
                continue
            old = loaded.memory.clock_mark
            if old:
                memory = replace(loaded.memory, clock_mark=0)
                detail = f"it was {instant_text(old)}"
                store.save(parts.noted(memory, Audit.CLIENT_CLOCK_MARK_RESET, detail=detail))
                _LOG.warning(
                    "the clock mark of %s was reset; it was %s",
                    store.publisher,
                    instant_text(old),
                )
            resets.append(MarkReset(store.publisher, old))
    return ClockReset(any(reset.old for reset in resets), tuple(resets))
