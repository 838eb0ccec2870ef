"""Installing and uninstalling product keys."""

from __future__ import annotations

from muster.client import conversion, onetime
from muster.client.authority import authority
from muster.client.model import Memory
from muster.client.results import KeyChange
from muster.client.store import Store
from muster.client.stores import Parts, load_present, record_of
from muster.core.audit import Event as Audit
from muster.core.catalogue import error
from muster.core.identity import facts_salt, prefix_of
from muster.core.ids import proof_key
from muster.core.keys import Kind, ProductKey, parse_product_key
from muster.core.states import LicenceEvent, step
from muster.core.values import replace
from muster.lease.descriptor import Descriptor


def install_key(parts: Parts, text: str, product: str | None = None) -> KeyChange:
    """Install a product key in place of the one that is there.

    A setup key makes this machine a client of hosts; a multiple activation, evaluation or
    retail key is activated by the publisher. The licence that runs stays until another one is
    verified.

    Raises: `key/…` for what is no product key; `client/host-key`, `client/key-group`,
        `client/which-key-product`, `client/key-publisher`, `client/key-unknown`,
        `client/no-product`, `client/conversion-…`, `client/better-licence` (an evaluation key where
        a lease or a licence for ever runs), `client/longer-evaluation`.
    What is kept of a key does not give it back (docs/spec/01-identities.md, section 1.7.5).
    """
    key = parse_product_key(text)
    pairs = parts.descriptors(product)
    if not pairs:
        raise parts.no_product()
    if key.kind is Kind.HOST:
        raise error("client/host-key", masked=key.masked)
    of_publisher = [pair for pair in pairs if prefix_of(pair[1].publisher) == key.prefix]
    if not of_publisher:
        labels = ", ".join(sorted({pair.trust.label for _, pair in pairs}))
        raise error("client/key-publisher", masked=key.masked, publishers=labels)
    if key.kind in onetime.KINDS:
        return _put_key(parts, *_covered(parts, key, of_publisher), key)
    for store, descriptor in of_publisher:
        if descriptor.product.setup_key == key.text:
            return _put_key(parts, store, descriptor, key)
    return _put_key(parts, *_converted(parts, key, of_publisher), key)


def _converted(
    parts: Parts, key: ProductKey, pairs: list[tuple[Store, Descriptor]]
) -> tuple[Store, Descriptor]:
    """The evaluation build that becomes the product of a setup key."""
    unknown = error("client/key-unknown", masked=key.masked)
    for store, descriptor in pairs:
        if descriptor.product.channel != conversion.EVALUATION:
            continue
        held = authority(descriptor, load_present(store).memory, parts.clock.now())
        if held.catalogue is None:
            unknown = error("client/conversion-unknown", source=descriptor.product.id)
        elif conversion.by_setup_key(descriptor.product, key.text, held.catalogue) is not None:
            onetime.check_conversion(
                descriptor.product, key.key_id, descriptor.groups, held.catalogue
            )
            return store, descriptor
    raise unknown


def _covered(
    parts: Parts, key: ProductKey, pairs: list[tuple[Store, Descriptor]]
) -> tuple[Store, Descriptor]:
    """The one product that a key which activates machines once is for."""
    number = key.key_id.group
    fits = [pair for pair in pairs if any(group.number == number for group in pair[1].groups)]
    if not fits:
        raise error(
            "client/key-group",
            masked=key.masked,
            product=", ".join(pair.product.id for _, pair in pairs),
            kind=key.kind.text,
            group=number,
        )
    if len(fits) > 1:
        # The key's own group says it, where only one product is of that group itself.
        own = [
            pair
            for pair in fits
            if any(
                group.number == number and group.id == pair[1].product.group
                for group in pair[1].groups
            )
        ]
        fits = own if len(own) == 1 else fits
    if len(fits) > 1:
        products = ", ".join(pair.product.id for _, pair in fits)
        raise error(
            "client/which-key-product",
            masked=key.masked,
            kind=key.kind.text,
            products=products,
        )
    store, descriptor = fits[0]
    memory = load_present(store).memory
    held = authority(descriptor, memory, parts.clock.now())
    onetime.check_conversion(descriptor.product, key.key_id, descriptor.groups, held.catalogue)
    return store, descriptor


def _put_key(parts: Parts, store: Store, descriptor: Descriptor, key: ProductKey) -> KeyChange:
    with store.lock():
        memory = load_present(store).memory
        record = record_of(memory, descriptor)
        if key.kind is Kind.EVALUATION:
            now = parts.clock.now()
            held = authority(descriptor, memory, now)
            onetime.refuse_worse(descriptor, memory, parts.facts(), held, now, key.key_id)
        changed = record.key != key.key_id.text
        if changed:
            state = step(record.state, LicenceEvent.KEY_INSTALLED)
            since = record.since
            if state != record.state:  # back in the initial grace, which began once
                since = record.added
            record = replace(
                record,
                key=key.key_id.text,
                masked=key.masked,
                state=state,
                since=since,
                next_attempt=0,
                failures=0,
                failure=None,
            )
            memory = parts.noted(
                memory.with_product(record), Audit.CLIENT_KEY_INSTALL, record.product
            )
        if key.kind in onetime.KINDS:
            changed = _keep_of_key(store, memory, key, changed=changed)
        elif changed:
            store.save(memory)
    return KeyChange(descriptor.product.id, descriptor.publisher, key.masked, changed, record.state)


def _keep_of_key(store: Store, memory: Memory, key: ProductKey, *, changed: bool) -> bool:
    """Save with what a machine keeps of a key (section 1.7.5); whether anything was new."""
    name = key.key_id.text
    if not changed and name in memory.salts and name in store.proofs():
        return False
    salt = facts_salt(store.publisher, key.key_id, key.tag_bytes)
    proof = proof_key(store.publisher, key.key_id, key.tag_bytes)
    store.save(memory.salted(name, salt), proofs={name: proof})
    return True


def uninstall_key(parts: Parts, product: str | None = None) -> KeyChange:
    """Remove the product key and with it the licence: the product is unlicensed then."""
    store, descriptor = parts.one(product)
    with store.lock():
        memory = load_present(store).memory
        record = record_of(memory, descriptor)
        changed = bool(record.key)
        masked = record.masked
        if changed:
            record = replace(
                record,
                key="",
                masked="",
                licence="",
                nonce="",
                state=step(record.state, LicenceEvent.KEY_REMOVED),
                since=parts.clock.now(),
                next_attempt=0,
                failures=0,
                failure=None,
            )
            memory = parts.noted(
                memory.with_product(record), Audit.CLIENT_KEY_REMOVE, record.product
            )
            store.save(memory)
    return KeyChange(descriptor.product.id, descriptor.publisher, masked, changed, record.state)
