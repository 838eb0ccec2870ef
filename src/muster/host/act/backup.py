"""Backs a host up while it runs, and puts a backup into a store: an empty one, one that has rows,
or the database that is there already.

Decides in which order a restore judges and changes, so that nothing is changed where the whole
cannot be. Obeys docs/spec/09-files.md, section 9.6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import host_binding
from muster.core.keys import KeyId
from muster.db.engine import Transaction
from muster.host import backup_file
from muster.host.backup_file import HostBackup, Merged
from muster.host.keyring import KeyRing
from muster.host.open import OpenHost
from muster.host.results import HostBackupWritten, HostRestored
from muster.host.tables import audit, documents, host_keys, merging, own, tallies
from muster.system.keyfile import seal_key, unseal_key
from muster.system.linefile import LineFile
from muster.system.private import new_file

ROLE = "host"
"""The role of a signing key that is sealed in a backup."""


def write_backup(
    host: OpenHost, path: Path, passphrase: Callable[[], str] | None = None
) -> HostBackupWritten:
    """Write one state of the tables into a new file, while the host serves.

    Where the database takes no writes, as on a full disk, the file is made all the same: only the
    audit says nothing of it.

    Args:
        path: the file; nothing may have its name.
        passphrase: seals the signing keys into the file; None leaves them out.
    Raises: `backup/exists`, `host/not-initialised`, `host/signing-key`, `file/…`, `keyfile/…`, and
        the errors of the database.
    """
    now = host.clock.now()
    with host.snapshot() as reader:
        if own.revision(reader) == 0:
            raise error("host/not-initialised", path=str(host.folder))
        publishers = [row.publisher for row in documents.publishers(reader)]
    sealed: dict[str, str] = {}
    for publisher in publishers if passphrase is not None else ():
        assert passphrase is not None
        key = host.keyring.load(publisher)
        if key is not None:
            sealed[publisher] = seal_key(path, key.raw, passphrase(), ROLE).decode()
    try:
        with new_file(path) as out, host.database.snapshot() as reader:
            rows = backup_file.write(out, reader, now, sealed)
            store = own.store_id(reader)
    except MusterError as fault:
        if fault.code == "file/exists":
            raise error("backup/exists", path=str(path)) from fault
        raise
    not_audited = ""
    try:
        with host.database.transaction() as tx:
            detail = f"{rows} rows, {len(sealed)} keys"
            audit.write(tx, now, host.actor, Event.HOST_BACKUP, "", store, detail)
    except MusterError as fault:
        not_audited = fault.code
    keys = tuple(sorted(sealed))
    return HostBackupWritten(True, str(path), store, now, rows, keys, not_audited)


def restore(
    host: OpenHost, file: LineFile, backup: HostBackup, keys: Mapping[str, bytes]
) -> HostRestored:
    """Fill the empty tables of a store from a backup.

    Args:
        file: the backup. backup: what `backup_file.read` said of it.
        keys: from `open_keys`.
    Raises: `backup/not-empty`, `backup/damaged`, `file/…`.
    """
    now = host.clock.now()
    with host.database.transaction() as tx:
        if own.revision(tx):
            raise error("backup/not-empty")
        backup_file.fill(file, tx, now)
        if own.revision(tx) == 0:
            raise error("backup/damaged", path=str(file.path), line=1, detail="it has no host")
        return _finish(host, tx, backup, keys, f"made {backup.made_at}", None)


def merge(
    host: OpenHost, file: LineFile, backup: HostBackup, keys: Mapping[str, bytes]
) -> HostRestored:
    """Take what a backup of this host knows of machines into its tables: times by maximum.

    Raises: as `restore`; `backup/other-host`, `host/not-initialised`.
    """
    now = host.clock.now()
    with host.database.transaction() as tx:
        if own.revision(tx) == 0:
            raise error("host/not-initialised", path=str(host.folder))
        mine = frozenset(
            (key.publisher, key.key_id, key.binding)
            for publisher in documents.publishers(tx)
            for key in host_keys.rows(tx, publisher.publisher)
        )
        if backup.host != own.store_id(tx) and not backup.bindings & mine:
            raise error("backup/other-host", path=str(file.path))
        known = frozenset(row.publisher for row in documents.publishers(tx))
        merged = backup_file.merge(file, tx, now, known)
        detail = f"made {backup.made_at}, {merged.taken} rows merged, {merged.skipped} passed over"
        return _finish(host, tx, backup, keys, detail, merged)


def adopt(host: OpenHost) -> HostRestored:
    """Take the database that is in the store as if it had been restored: what it knows of the
    lines of machines is forgotten.

    Raises: `host/not-initialised`.
    """
    now = host.clock.now()
    with host.database.transaction() as tx:
        if own.revision(tx) == 0:
            raise error("host/not-initialised", path=str(host.folder))
        merging.forget_lines(tx, now)
        backup = HostBackup(own.store_id(tx), now, 0, frozenset(), {})
        return _finish(host, tx, backup, {}, "the database that was there", None)


def _finish(
    host: OpenHost,
    tx: Transaction,
    backup: HostBackup,
    keys: Mapping[str, bytes],
    detail: str,
    merged: Merged | None,
) -> HostRestored:
    """Write the keys and the audit row; what is told."""
    for publisher, raw in keys.items():
        host.keyring.put(publisher, raw)
    tallies.recount(tx)
    audit.write(tx, host.clock.now(), host.actor, Event.HOST_RESTORE, "", backup.host, detail)
    own.touch(tx)
    return HostRestored(
        changed=True,
        store=str(host.folder),
        host=backup.host,
        made_at=backup.made_at,
        rows=backup.rows if merged is None else merged.taken,
        skipped=0 if merged is None else merged.skipped,
        merged=merged is not None,
        keys=tuple(sorted(keys)),
        missing_keys=_missing(host, tx),
        aside=None,
    )


def open_keys(
    keyring: KeyRing, path: Path, backup: HostBackup, passphrase: Callable[[], str] | None
) -> Mapping[str, bytes]:
    """The signing keys in a backup that are not in the store, opened before anything is changed.

    Args:
        passphrase: opens them; None leaves them in the file.
    Returns: 32 bytes by publisher.
    Raises: `backup/key-differs`, `host/signing-key`, `keyfile/…`.
    """
    keys: dict[str, bytes] = {}
    for publisher, text in backup.keys.items() if passphrase is not None else ():
        assert passphrase is not None
        raw = unseal_key(path, text.encode(), passphrase(), ROLE).raw
        held = keyring.load(publisher)
        if held is None:
            keys[publisher] = raw
        elif held.raw != raw:
            raise error("backup/key-differs", path=str(keyring.path(publisher)))
    return keys


def _missing(host: OpenHost, tx: Transaction) -> tuple[str, ...]:
    """Publishers whose grants nobody can use: their signing key is not in the store."""
    missing = []
    for row in documents.publishers(tx):
        installed = host_keys.rows(tx, row.publisher)
        try:
            signer = host.keyring.load(row.publisher)
        except MusterError:
            signer = None
        if installed and (
            signer is None
            or all(
                host_binding(row.publisher, KeyId.parse(key.key_id), signer.public.raw)
                != key.binding
                for key in installed
            )
        ):
            missing.append(row.publisher)
    return tuple(missing)
