"""Enrolment of a host: pin publishers, install host keys, and forget both.

Decides what a wish comes to; what of a document verifies is decided in `muster.host.enrol`. Each
publisher file is pinned in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.identity import Fact
from muster.host.enrol import HostAdmin
from muster.host.open import OpenHost
from muster.host.results import (
    HostInit,
    KeyInstallation,
    KeyRemoval,
    PublisherRemoval,
    key_members,
    publisher_update,
)
from muster.wire.exchange import PublisherFile


def pin(host: OpenHost, files: Sequence[PublisherFile]) -> HostInit:
    """Pin publishers by their files; of one that is pinned, take what is newer.

    Raises: as `HostAdmin.add_publisher`.
    """
    admin = host_admin(host)
    updates = tuple(publisher_update(admin.add_publisher(file)) for file in files)
    return HostInit(any(update.changed for update in updates), str(host.folder), updates)


def install_key(
    host: OpenHost, text: str, facts: Sequence[Fact], publisher: str | None = None
) -> KeyInstallation:
    """Install a host key.

    Args:
        text: the product key as typed.
        facts: of this machine, for the hardware id.
        publisher: which one is meant, by id or label, where several have the same prefix.
    Raises: `host/unknown-publisher`; as `HostAdmin.install_key`.
    """
    done = host_admin(host).install_key(text, facts, publisher)
    return KeyInstallation(
        changed=done.changed,
        label=done.label,
        **key_members(done.key),
        survives_reinstall=done.survives,
    )


def remove_key(host: OpenHost, name: str) -> KeyRemoval:
    """Remove a host key with its grant, by last group or key id. Raises: `host/unknown-key`,
    `host/which-key`."""
    key = host_admin(host).remove_key(name)
    return KeyRemoval(
        changed=True,
        **key_members(key),
    )


def remove_publisher(host: OpenHost, name: str) -> PublisherRemoval:
    """Forget a publisher, by id or label, with its keys and grants; the others go on.

    Raises: `host/unknown-publisher`.
    """
    return PublisherRemoval(True, host_admin(host).remove_publisher(name))


def host_admin(host: OpenHost) -> HostAdmin:
    """What verifies and stores, on an open host."""
    return HostAdmin(host.database, host.keyring, host.clock, host.dice)
