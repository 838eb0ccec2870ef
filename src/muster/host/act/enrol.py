"""Enrolment of a host: pin publishers, install host keys, and forget both.

Decides what an administrator's wish changes. Each publisher file is pinned in a transaction of its
own. Obeys docs/spec/04-grant-function.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core import identity
from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import Fact
from muster.core.ids import proof_key
from muster.core.keys import ProductKey, parse_product_key
from muster.core.values import replace
from muster.host import keys
from muster.host.act.updates import add_publisher
from muster.host.model import HostKey, HostView, PublisherView
from muster.host.open import OpenHost
from muster.host.results import (
    HostInit,
    KeyInstallation,
    KeyRemoval,
    PublisherRemoval,
    key_members,
)
from muster.host.tables import audit, documents, host_keys, own
from muster.host.view import publisher_id
from muster.wire.exchange import PublisherFile


def pin(host: OpenHost, files: Sequence[PublisherFile]) -> HostInit:
    """Pin publishers by their files; of one that is pinned, take what is newer.

    Raises: as `updates.add_publisher`.
    """
    updates = tuple(add_publisher(host, file) for file in files)
    return HostInit(any(update.changed for update in updates), str(host.folder), updates)


def remove_publisher(host: OpenHost, name: str) -> PublisherRemoval:
    """Forget a publisher, by id or label, with its keys and grants; the others go on.

    Raises: `host/unknown-publisher`.
    """
    with host.database.transaction() as tx:
        publisher = publisher_id(host.view(tx), name)
        assert publisher is not None
        documents.remove_publisher(tx, publisher)
        now = host.clock.now()
        audit.write(tx, now, host.actor, Event.HOST_PUBLISHER_REMOVE, publisher, publisher)
        own.touch(tx)
    return PublisherRemoval(True, publisher)


def install_key(
    host: OpenHost, text: str, facts: Sequence[Fact], publisher: str | None = None
) -> KeyInstallation:
    """Install a host key: check it, make the host signing key, compute binding and hardware id.

    Args:
        text: the product key as typed.
        facts: of this machine, for the hardware id.
        publisher: which one is meant, by id or label, where several have the same prefix.
    Raises: `key/…`, `host/key-setup`, `host/key-mak`, `host/key-machine`, `host/key-publisher`,
        `host/key-group`, `host/which-publisher`, `host/unknown-publisher`.
    """
    product_key = parse_product_key(text)
    keys.check_kind(product_key)
    with host.database.snapshot() as reader:
        view = host.view(reader)
        random = own.store_random(reader)
    known = _publisher_of(view, product_key, publisher_id(view, publisher))
    _check_group(known, product_key)
    # A key file is made before the transaction, never inside of it.
    signing = host.keyring.ensure(known.publisher, host.dice)
    primary = identity.primary_fact(facts, random)
    key_id, tag, name = product_key.key_id, product_key.tag_bytes, known.publisher
    key = HostKey(
        publisher=name,
        key_id=key_id.text,
        partial=product_key.text[-5:],
        binding=identity.host_binding(name, key_id, signing.public.raw),
        hw=identity.hardware_id(name, key_id, tag, primary),
        primary=primary.name,
        proof_key=proof_key(name, key_id, tag),
        installed_at=host.clock.now(),
    )
    with host.database.transaction() as tx:
        rows = host_keys.rows(tx, name)
        before = next((row for row in rows if row.key_id == key_id.text), None)
        if before is not None and before.binding == key.binding:
            key = replace(
                key,
                installed_at=before.installed_at,
                grant=before.grant,
                terms=before.terms,
                activated_at=before.activated_at,
                asked_at=before.asked_at,
                asked_name=before.asked_name,
                refusal=before.refusal,
            )
        changed = key != before
        if changed:
            host_keys.put(tx, key)
            now, detail = host.clock.now(), f"{key_id.text}, group {product_key.group}"
            audit.write(tx, now, host.actor, Event.HOST_KEY_INSTALL, name, key.partial, detail)
            own.touch(tx)
    return KeyInstallation(
        changed=changed,
        label=known.label,
        **key_members(key),
        survives_reinstall=primary.name != identity.STORE_RANDOM,
    )


def remove_key(host: OpenHost, name: str) -> KeyRemoval:
    """Remove a host key with its grant, by last group or key id. Raises: `host/unknown-key`,
    `host/which-key`."""
    with host.database.transaction() as tx:
        key = keys.find_key(host.view(tx), name)
        host_keys.remove(tx, key.publisher, key.key_id)
        now = host.clock.now()
        event = Event.HOST_KEY_REMOVE
        audit.write(tx, now, host.actor, event, key.publisher, key.partial, key.key_id)
        own.touch(tx)
    return KeyRemoval(changed=True, **key_members(key))


def _publisher_of(view: HostView, key: ProductKey, publisher: str | None) -> PublisherView:
    if publisher is not None and publisher not in view.publishers:
        raise error("host/unknown-publisher", publisher=publisher)
    meant = [
        known
        for known in view.publishers.values()
        if identity.prefix_of(known.publisher) == key.prefix
        and (publisher is None or known.publisher == publisher)
    ]
    if not meant:
        raise error("host/key-publisher", masked=key.masked)
    if len(meant) > 1:
        raise error("host/which-publisher", count=len(meant))
    return meant[0]


def _check_group(known: PublisherView, key: ProductKey) -> None:
    try:
        if known.catalogue is not None:
            known.catalogue.group_numbered(key.group)
            return
    except MusterError:
        pass
    raise error("host/key-group", group=key.group, masked=key.masked)
