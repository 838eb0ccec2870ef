"""Adding a product to a machine by its descriptor, and removing it."""

from __future__ import annotations

from muster.client import identity as identities
from muster.client.model import Memory, ProductRecord
from muster.client.requests import Secrets
from muster.client.results import ProductAdded, ProductRemoved
from muster.client.store import Store
from muster.client.stores import Parts, load_present
from muster.client.trust_chain import anchor_name, walk
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.keys import parse_product_key
from muster.core.states import LicenceEvent, LicenceState, step
from muster.core.values import replace
from muster.lease.descriptor import Descriptor, read_descriptor
from muster.lease.trust import Trust


def add_product(
    parts: Parts,
    data: bytes,
    *,
    identity: str | None = None,
    given: str = "",
    with_key: bool = True,
) -> ProductAdded:
    """Set a product up on this machine by its descriptor.

    A product's setup key is in its descriptor and is installed with it. Adding the same
    descriptor again changes nothing; a newer descriptor replaces the one that is there.

    Args:
        data: the descriptor; that it may be trusted was checked by who read it.
        identity: the identity mode, None for `machine` or what the publisher's store has.
        given: the operator's id for mode explicit.
        with_key: install the product's setup key.
    Raises: the errors of `read_descriptor`; `client/publisher-known`, `client/identity-…`,
        `client/no-system-uuid`, `file/…`.
    """
    descriptor = read_descriptor(data)
    product = descriptor.product
    store = parts.store(descriptor.publisher)
    mode = identity or "machine"
    if (mode == "explicit") != bool(given) and (identity or given):
        raise error("client/identity-id", mode=mode)
    fresh = Secrets()
    with store.lock():
        loaded, warnings = _load_or_create(store)
        if loaded is None:
            identities.check_mode(mode, product.identity, product.id)
            renewed = identities.new_identity(
                mode, descriptor.publisher, parts.facts(), parts.dice, given
            )
            fresh = Secrets().with_seed(renewed.identity.cmid, renewed.seed)
            memory = Memory(descriptor.publisher, renewed.identity)
        else:
            memory = loaded
            mode = memory.identity.mode if identity is None else identity
            identities.check_mode(mode, product.identity, product.id)
            if mode != memory.identity.mode or (given and given != memory.identity.given):
                raise error("client/identity-known", mode=memory.identity.mode)
        _same_line(store, memory, descriptor)
        record, changed = _added(parts, memory, descriptor, with_key=with_key)
        anchor = _anchor_bytes(store, product.id)
        if changed or anchor != data or loaded is None:
            store.add_anchor(product.id, data)
            first = {product.id: record.added, **memory.first_added}
            memory = replace(memory.with_product(record), first_added=first)
            came = walk(descriptor.trust, memory.trust).trust.version
            if came > descriptor.trust.version:
                memory = memory.reached(anchor_name(descriptor.trust), came)
            store.save(parts.noted(memory, Audit.CLIENT_PRODUCT_ADD, product.id), fresh)
            changed = True
    return ProductAdded(
        product=product.id,
        publisher=descriptor.publisher,
        label=descriptor.trust.label,
        changed=changed,
        key=record.masked,
        state=record.state,
        identity=memory.identity.mode,
        cmid=memory.identity.cmid,
        warnings=warnings,
    )


def _added(
    parts: Parts, memory: Memory, descriptor: Descriptor, *, with_key: bool
) -> tuple[ProductRecord, bool]:
    product = descriptor.product
    record = memory.product(product.id)
    changed = record is None
    if record is None:
        at = memory.first_added.get(product.id, parts.clock.now())
        state = step(LicenceState.UNLICENSED, LicenceEvent.PRODUCT_ADDED)
        record = ProductRecord(product=product.id, added=at, state=state, since=at)
    if with_key and product.setup_key and not record.key:
        key = parse_product_key(product.setup_key)
        record = replace(record, key=key.key_id.text, masked=key.masked)
        changed = True
    return record, changed


def _load_or_create(store: Store) -> tuple[Memory | None, tuple[MusterError, ...]]:
    """The memory; a damaged store without a good generation is kept aside and started again."""
    try:
        loaded = store.load()
    except MusterError as fault:
        if fault.code != "client/store-damaged":
            raise
        store.reset()
        return None, (fault,)
    return (None, ()) if loaded is None else (loaded.memory, loaded.warnings)


def _same_line(store: Store, memory: Memory, descriptor: Descriptor) -> None:
    """Refuse a descriptor whose trust is not on one line with those that are here."""
    for product in store.products():
        try:
            other = read_descriptor(store.anchor(product))
        except MusterError:
            continue
        low, high = sorted((other.trust, descriptor.trust), key=_by_version)
        if not _leads_to(low, high, memory.trust):
            detail = f"its trust version {descriptor.trust.version} is not on the same trust chain"
            raise error("client/publisher-known", publisher=descriptor.publisher, detail=detail)


def _anchor_bytes(store: Store, product: str) -> bytes | None:
    try:
        return store.anchor(product)
    except MusterError as fault:
        if fault.code == "client/not-added":
            return None
        raise


def remove_product(parts: Parts, product: str | None = None) -> ProductRemoved:
    """Forget a product on this machine: its key, its licence and its descriptor.

    A lease that runs is not given back by this; `release` does that.
    """
    store, descriptor = parts.one(product)
    with store.lock():
        memory = load_present(store).memory
        memory = memory.without_product(descriptor.product.id)
        store.save(parts.noted(memory, Audit.CLIENT_PRODUCT_REMOVE, descriptor.product.id))
        store.remove_anchor(descriptor.product.id)
    return ProductRemoved(descriptor.product.id, descriptor.publisher, changed=True)


def _by_version(trust: Trust) -> int:
    return trust.version


def _leads_to(low: Trust, high: Trust, line: tuple[str, ...]) -> bool:
    """Whether a higher trust is on one line with a lower one, as far as can be seen here."""
    if low.version == high.version:
        return low.text == high.text
    reached = walk(low, (*line, high.text)).trust
    return reached.version >= high.version or low.roots == high.roots
