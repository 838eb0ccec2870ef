"""Activating a machine without a network: installation IDs, confirmation IDs and files."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from muster.client import bound, look, onetime, summary
from muster.client.act import onetime as once
from muster.client.authority import apply_documents, authority
from muster.client.findings import Activation
from muster.client.model import Memory
from muster.client.results import Activations, Imported, OfflineRequest, RequestWritten
from muster.client.store import Loaded, Store
from muster.client.stores import Parts, load_present, record_of
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.ids import ConfirmationId, parse_confirmation_id
from muster.core.records import widened
from muster.core.values import replace
from muster.lease.descriptor import Descriptor
from muster.wire.exchange import (
    ConfirmationFile,
    read_publisher_file,
    read_reply,
)

_LOG = logging.getLogger("muster.client")


def installation_id(parts: Parts, product: str | None = None) -> OfflineRequest:
    """What to read out, show or send to activate a product without a network.

    Raises: `client/no-key`, `client/no-one-time-key`, `client/which-product`.
    """
    store, descriptor = parts.one(product) if product else look.one_waiting(parts)
    before = memory = load_present(store).memory
    facts = parts.facts()
    onetime.check_waiting(descriptor, memory)
    # An ordinary user may not write the system's store; the ID is the same.
    with contextlib.suppress(MusterError), store.lock():
        memory = once.remembering(store, descriptor, load_present(store).memory, facts)
    now = parts.clock.now()
    shown = onetime.installation_id(descriptor, memory, facts, now, store.proofs)
    return OfflineRequest(
        product=descriptor.product.id,
        publisher=store.publisher,
        key=record_of(memory, descriptor).masked,
        installation_id=shown.text,
        survives_reinstall=bound.lasting(memory, record_of(memory, descriptor).key, facts),
        changed=memory != before,
    )


def write_request(parts: Parts, path: Path, product: str | None = None) -> RequestWritten:
    """Write a request file, to be carried to the publisher; the same again is not written.

    Raises: as `installation_id`; `file/…`.
    """
    request = installation_id(parts, product)
    data = request.request.encode()
    try:
        changed = parts.disk.read(path, len(data)) != data
    except MusterError:
        changed = True  # missing, or another file
    if changed:
        parts.disk.write(path, data, 0o644, keep_previous=False)
    return widened(RequestWritten, replace(request, changed=changed), file=str(path))


def confirm(parts: Parts, digits: str, product: str | None = None) -> Activations:
    """Take the confirmation ID that was read back. Raises: as `take_digits`."""
    activation = apply_confirmation(parts, digits, product)
    return summary.activations([activation], parts.clock.now())


def apply_confirmation(parts: Parts, digits: str, product: str | None = None) -> Activation:
    """Take the confirmation ID that was read back; with several keys, the one that verifies.

    Raises: `digits/…`, `id/…`, `client/no-waiting-key`, `confirmation/…`, `licence/…`,
        `client/better-licence`, `client/conversion-…`.
    """
    confirmation = parse_confirmation_id(digits)
    return _confirm(parts, confirmation, [parts.one(product)] if product else look.waiting(parts))


def _confirm(
    parts: Parts, confirmation: ConfirmationId, waiting: list[tuple[Store, Descriptor]]
) -> Activation:
    if not waiting:
        raise error("client/no-waiting-key")
    first_fault: MusterError | None = None
    facts = parts.facts()
    for store, descriptor in waiting:
        with store.lock():
            loaded = load_present(store)
            now = parts.clock.now()
            try:
                grant = onetime.rebuilt(descriptor, loaded.memory, facts, confirmation, now)
            except MusterError as fault:
                first_fault = first_fault or fault
                continue
            return _keep(parts, store, descriptor, loaded, loaded.memory, grant, "digits")
    assert first_fault is not None
    raise first_fault


def accept_reply(parts: Parts, data: bytes, product: str | None = None) -> Activations:
    """Take a reply file, or the short form of it out of a QR code. Raises: as `take_reply`."""
    activation = apply_reply(parts, data, product)
    return summary.activations([activation], parts.clock.now())


def apply_reply(parts: Parts, data: bytes, product: str | None = None) -> Activation:
    """Take a reply file, or the short form of it out of a QR code.

    Nothing of it is kept unless the grant in it verifies for this machine.
    Raises: `wire/not-exchange`, `client/reply-publisher`, `client/no-waiting-key`, `trust/…`,
        `licence/…`, `confirmation/…`.
    """
    reply = read_reply(data)
    waiting = [parts.one(product)] if product else look.waiting(parts)
    if not waiting:
        raise error("client/no-waiting-key")
    waiting = [pair for pair in waiting if pair[0].publisher == reply.publisher]
    if not waiting:
        raise error("client/reply-publisher", publisher=reply.publisher)
    if isinstance(reply, ConfirmationFile):
        return _confirm(parts, parse_confirmation_id(reply.confirmation_id), waiting)
    first_fault: MusterError | None = None
    for store, descriptor in waiting:
        with store.lock():
            loaded = load_present(store)
            try:
                memory = apply_documents(
                    descriptor,
                    loaded.memory,
                    reply.answer.trust,
                    reply.answer.catalogue,
                    parts.clock.now(),
                )
                return _keep(
                    parts, store, descriptor, loaded, memory, reply.answer.grant, "a reply file"
                )
            except MusterError as fault:
                first_fault = first_fault or fault
    assert first_fault is not None
    raise first_fault


def _keep(
    parts: Parts,
    store: Store,
    descriptor: Descriptor,
    loaded: Loaded,
    memory: Memory,
    grant: str,
    channel: str,
) -> Activation:
    """Keep a grant of this machine; whether it is new is told in `renewed`."""
    now, facts = parts.clock.now(), parts.facts()
    before = record_of(loaded.memory, descriptor).licence
    running = look.verdict_now(parts, descriptor, loaded.memory, facts).licence
    memory, licence = onetime.accept(descriptor, memory, facts, grant, now, channel)
    store.save(memory)
    new = licence.text != before
    if new:
        _LOG.info("%s is activated by %s", descriptor.product.id, channel)
    warnings = (*loaded.warnings, *onetime.shortened(running, licence))
    return Activation(look.status_of(parts, store, descriptor), None, new, True, (), warnings)


def import_publisher_file(parts: Parts, data: bytes) -> Imported:
    """Take trust and catalogue out of a publisher file: news for machines without a network.

    Raises: `wire/not-exchange`, `client/reply-publisher`, `trust/…`, `catalogue/…`.
    """
    file = read_publisher_file(data)
    mine = [
        descriptor
        for descriptor in parts.descriptors(None)
        if descriptor[0].publisher == file.publisher
    ]
    if not mine:
        raise error("client/reply-publisher", publisher=file.publisher)
    store, descriptor = mine[0]
    with store.lock():
        before = load_present(store).memory
        memory = apply_documents(descriptor, before, file.trust, file.catalogue, parts.clock.now())
        memory = once.settled(parts, store, memory, parts.facts())
        changed = memory != before
        if changed:
            store.save(memory)
    held = authority(descriptor, memory, parts.clock.now())
    version = 0 if held.catalogue is None else held.catalogue.version
    return Imported(store.publisher, held.trust.version, version, changed)
