"""Makes a publisher: its roots, its working keys, trust version 1 and catalogue version 1."""

from __future__ import annotations

import contextlib
from pathlib import Path

from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.clock import BootClock, Dice
from muster.core.identity import check_label, publisher_id, publisher_prefix
from muster.core.values import dataclass, replace
from muster.lease.jws import SigningKey
from muster.lease.trust import CATALOGUE_ROLE, GRANT_ROLE, TrustClaims, TrustKey, anchor, make_trust
from muster.publisher import evidence, rules, tables
from muster.publisher.act.catalogue import audit_change, in_need_of_setup
from muster.publisher.act.keys import register
from muster.publisher.act.signing import kids, sign_catalogue, signed_by
from muster.publisher.issuer import Issuer
from muster.publisher.model import Content, KeyFileRecord, Publisher, SignedText
from muster.publisher.office import LOCK_FILE
from muster.publisher.results import PublisherMade
from muster.publisher.store import holds_database, open_store, was_publisher
from muster.publisher.vault import RESERVE, ROOT, Vault
from muster.system.files import Lock, make_folder


@dataclass(frozen=True, slots=True)
class NewPublisher:
    """A publisher that is to be made: its label, for ever, its name, the `content` of catalogue
    version 1, and the new file of the `reserve` root, outside of the store."""

    label: str
    name: str
    content: Content
    reserve: Path


def init_publisher(
    folder: Path,
    vault: Vault,
    wanted: NewPublisher,
    clock: BootClock,
    dice: Dice,
    actor: Who,
    url: str = "",
) -> PublisherMade:
    """Make a publisher: two roots, one key file per role, trust version 1, catalogue version 1.

    All its rows are written in one transaction, after the migrations, of which each has its own.
    A store that holds the publisher already is left as it is. One where an earlier `init` did not
    end starts again; the key files of that one are moved aside.

    Args:
        folder: the store; made where missing.
        vault: over `folder / KEYS_FOLDER`.
        wanted: what it is to be.
        url: a database in place of the store's file, as `open_store` takes it.
    Raises: `publisher/other`, `publisher/lost`, `publisher/reserve-inside`,
        `publisher/catalogue-file`, `keyfile/exists`, `id/grammar`, `publisher/clock`, and the
        errors of files and database.
    """
    reserve = wanted.reserve
    check_label(wanted.label)
    rules.check_content(wanted.content)
    now = clock.now()
    rules.today(now)
    if folder.resolve() in reserve.resolve().parents:
        raise error("publisher/reserve-inside")
    make_folder(folder, keep_owner=True)
    with Lock(folder / LOCK_FILE):
        if url or holds_database(folder):
            existing = _found(folder, now, wanted.label, vault, url)
            if existing is not None:
                return existing
        if was_publisher(folder):
            raise error("publisher/lost", path=str(folder))
        if reserve.exists():
            raise error("keyfile/exists", path=str(reserve))
        unfinished = vault.create_folder()
        publisher, root = _make(folder, vault, wanted, now, dice, actor, url)
        evidence.keep(folder, evidence.Anchor(now, now, clock.uptime()))
    return replace(
        _publisher_made(publisher, vault, 1, 1),
        changed=True,
        root=str(vault.folder / root.file),
        reserve_root=str(reserve),
        unfinished=None if unfinished is None else str(unfinished),
    )


def _publisher_made(
    publisher: Publisher, vault: Vault, trust: int, catalogue: int
) -> PublisherMade:
    return PublisherMade(
        changed=False,
        publisher=publisher.id,
        label=publisher.label,
        name=publisher.name,
        trust=trust,
        catalogue=catalogue,
        store=str(vault.folder.parent),
        keys=str(vault.folder),
    )


def _found(folder: Path, now: int, label: str, vault: Vault, url: str) -> PublisherMade | None:
    """The publisher that a store holds already; None where an earlier `init` did not end."""
    with contextlib.closing(open_store(folder, now, url=url)) as store, store.view() as reader:
        publisher = tables.documents.publisher(reader)
        if publisher is None:
            return None
        if publisher.label != label:
            raise error("publisher/other", found=publisher.label, wanted=label)
        trust, catalogue = (
            tables.documents.newest_trust(reader).version,
            tables.documents.newest_catalogue(reader).version,
        )
        return _publisher_made(publisher, vault, trust, catalogue)


def _make(
    folder: Path,
    vault: Vault,
    wanted: NewPublisher,
    now: int,
    dice: Dice,
    actor: Who,
    url: str,
) -> tuple[Publisher, KeyFileRecord]:
    label, name, content = wanted.label, wanted.name, wanted.content
    records: list[KeyFileRecord] = []

    def make(role: str, number: int, path: Path | None = None) -> SigningKey:
        record, key = vault.make_key(role, number, dice.token(32), now, path)
        records.append(record)
        return key

    root = make(ROOT, 1)
    catalogue_key = make(CATALOGUE_ROLE, 1)
    grant_key = make(GRANT_ROLE, 0)
    tag_key = dice.token(32)
    vault.make_tag_key(tag_key)
    reserve_root = make(RESERVE, 1, wanted.reserve)
    issuer = publisher_id(root.public.raw)
    text = make_trust(
        TrustClaims(
            issuer=issuer,
            label=label,
            name=name,
            version=1,
            iat=now,
            roots=(root.public, reserve_root.public),
            keys=(
                TrustKey(catalogue_key.public, CATALOGUE_ROLE),
                TrustKey(grant_key.public, GRANT_ROLE, index=0),
            ),
        ),
        root,
    )
    trust = anchor(text)
    publisher = Publisher(issuer, label, name, now)
    issuer_of_keys = Issuer(publisher_prefix(root.public.raw), issuer, tag_key, dice, now)
    setup = issuer_of_keys.issue_setup(in_need_of_setup(content, {}), {})
    finished = rules.with_setup_keys(
        content, {key.issued.product or "": key.key.text for key in setup}
    )
    signed = sign_catalogue(trust, 1, now, finished, (), catalogue_key)
    with (
        contextlib.closing(open_store(folder, now, create=True, url=url)) as store,
        store.edit() as tx,
    ):
        tables.documents.add_publisher(tx, publisher)
        tables.documents.add_trust(tx, SignedText(1, now, text))
        tables.documents.add_catalogue(tx, signed)
        for record in records:
            tables.documents.add_key_file(tx, record)
        detail = {
            "label": label,
            "roots": kids(trust.roots),
            "signer": root.public.kid,
            **signed_by(signed, catalogue_key),
        }
        tables.audit.write(tx, now, actor, Event.PUBLISHER_INIT, issuer, detail)
        register(tx, setup, now, actor)
        for change in rules.diff(Content(), content):
            audit_change(tx, change, now, actor)
    return publisher, records[0]
