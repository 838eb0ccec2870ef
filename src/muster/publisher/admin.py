"""What an engineer of the publisher does: set up, issue, publish, rotate, revoke, release.

Decides each act as one transaction with its audit line, and signs what the act makes necessary: a
revocation stands in the next catalogue, which is signed at once. Refuses to know the terminal.
Acts that sign trust or a catalogue, or that issue keys, run one at a time (a lock in the store);
the service goes on beside them. Obeys docs/spec/03-trust-and-catalogue.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.clock import Clock, Dice
from muster.core.identity import check_label, prefix_of, publisher_id, publisher_prefix
from muster.core.ids import proof_key
from muster.core.keys import (
    SERIALS,
    KeyId,
    Kind,
    ProductKey,
    make_product_key,
    parse_product_key,
)
from muster.core.products import KeyGroup, Product
from muster.db.engine import ConstraintError, Reader, Transaction
from muster.lease.catalogue import Catalogue, make_catalogue, read_catalogue
from muster.lease.descriptor import make_descriptor
from muster.lease.jws import PublicKey, SigningKey
from muster.lease.trust import (
    CATALOGUE_ROLE,
    GRANT_ROLE,
    MAX_DAY,
    Trust,
    TrustKey,
    anchor,
    follow,
    make_trust,
    parse_trust,
)
from muster.publisher import chain, rules, tables, terms
from muster.publisher.chain import Head
from muster.publisher.model import (
    AuditRow,
    Change,
    Content,
    HostGrant,
    HostTerms,
    IssuedKey,
    KeyFileRecord,
    MachineGrant,
    Publisher,
    Seat,
    SignedText,
)
from muster.publisher.pools import tell_levels
from muster.publisher.store import DATABASE_FILE, Store, open_store
from muster.publisher.vault import RESERVE, ROOT, Vault
from muster.system.files import Lock, make_folder
from muster.wire.exchange import PublisherFile, ReplyFile
from muster.wire.publisher import TRUST_STEPS, ConfirmAnswer

KEYS_FOLDER = "keys"
LOCK_FILE = "admin.lock"
MOST_KEYS = 1000
"""Product keys that one command issues."""
ROLES = (GRANT_ROLE, CATALOGUE_ROLE)


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `init` made or found; the files of the two roots are None where nothing was made now."""

    publisher: Publisher
    changed: bool
    trust: int
    catalogue: int
    keys_folder: Path
    root: Path | None = None
    reserve: Path | None = None
    unfinished: Path | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A product key that was just issued, and the one time that it is shown in full."""

    issued: IssuedKey
    key: ProductKey


@dataclass(frozen=True, slots=True)
class Published:
    """The newest catalogue after an act, and what the act changed in it."""

    changed: bool
    version: int
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Revoked:
    """The newest catalogue after a revocation; `grants` are the licence ids that it revokes."""

    changed: bool
    catalogue: int
    grants: tuple[str, ...] = ()
    key: str = ""
    hw: str = ""


@dataclass(frozen=True, slots=True)
class Rotated:
    """The newest trust after a rotation; `again` hosts must activate again (which draws nothing),
    because the key that signed their grants was withdrawn."""

    trust: Trust
    catalogue: int
    again: int
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostRow:
    """One draw with its seat and key, for lists."""

    grant: HostGrant
    seat: Seat
    key: IssuedKey


def init_publisher(
    folder: Path,
    vault: Vault,
    *,
    label: str,
    name: str,
    content: Content,
    reserve: Path,
    clock: Clock,
    dice: Dice,
    actor: str,
    url: str = "",
) -> Initialised:
    """Make a publisher: two roots, one key file per role, trust version 1, catalogue version 1.

    A store that holds the publisher already is left as it is. One where an earlier `init` did not
    end begins anew; the key files of that one are moved aside.

    Args:
        folder: the store; made where missing.
        vault: over `folder / KEYS_FOLDER`.
        label, name: the publisher's; the label is for ever.
        content: of catalogue version 1.
        reserve: the new file of the reserve root, outside of the store.
        url: a database in place of the store's file, as `open_store` takes it.
    Raises: `publisher/other`, `publisher/reserve-inside`, `publisher/catalogue-file`,
        `keyfile/exists`, `id/grammar`, `publisher/clock`, and the errors of files and database.
    """
    check_label(label)
    rules.check_content(content)
    now = clock.now()
    rules.today(now)
    if folder.resolve() in reserve.resolve().parents:
        raise error("publisher/reserve-inside")
    make_folder(folder)
    with Lock(folder / LOCK_FILE):
        if url or (folder / DATABASE_FILE).exists():
            found = _found(folder, now, label, vault, url)
            if found is not None:
                return found
        if reserve.exists():
            raise error("keyfile/exists", path=str(reserve))
        unfinished = vault.create_folder()
        publisher, root = _make(folder, vault, label, name, content, reserve, now, dice, actor, url)
    return Initialised(
        publisher, True, 1, 1, vault.folder, vault.folder / root.file, reserve, unfinished
    )


def _found(folder: Path, now: int, label: str, vault: Vault, url: str) -> Initialised | None:
    """The publisher that a store holds already; None where an earlier `init` did not end."""
    with contextlib.closing(open_store(folder, now, url=url)) as store, store.view() as reader:
        found = tables.documents.publisher(reader)
        if found is None:
            return None
        if found.label != label:
            raise error("publisher/other", found=found.label, wanted=label)
        trust, catalogue = (
            tables.documents.newest_trust(reader).version,
            tables.documents.newest_catalogue(reader).version,
        )
        return Initialised(found, False, trust, catalogue, vault.folder)


def _make(
    folder: Path,
    vault: Vault,
    label: str,
    name: str,
    content: Content,
    reserve: Path,
    now: int,
    dice: Dice,
    actor: str,
    url: str,
) -> tuple[Publisher, KeyFileRecord]:
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
    reserve_root = make(RESERVE, 1, reserve)
    issuer = publisher_id(root.public.raw)
    text = make_trust(
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
        signer=root,
    )
    trust = anchor(text)
    publisher = Publisher(issuer, label, name, now)
    issuer_of_keys = _Issuer(publisher_prefix(root.public.raw), issuer, tag_key, dice, now)
    setup = issuer_of_keys.issue_setup(_in_need_of_setup(content, {}), {})
    finished = rules.with_setup_keys(
        content, {one.issued.product or "": one.key.text for one in setup}
    )
    signed = _sign_catalogue(trust, 1, now, finished, (), catalogue_key)
    with (
        contextlib.closing(open_store(folder, now, create=True, url=url)) as store,
        store.edit() as tx,
    ):
        tables.documents.add_publisher(tx, publisher)
        tables.documents.add_trust(tx, SignedText(1, now, text))
        tables.documents.add_catalogue(tx, signed)
        for record in records:
            tables.documents.add_key_file(tx, record)
        tables.audit.write(
            tx,
            now,
            actor,
            Event.PUBLISHER_INIT,
            issuer,
            {"label": label, "roots": _kids(trust.roots)},
        )
        tables.audit.write(tx, now, actor, Event.TRUST_SIGN, "1", {"signer": root.public.kid})
        _register(tx, setup, now, actor)
        for change in rules.diff(Content(), content):
            _audit_change(tx, change, now, actor)
        tables.audit.write(
            tx, now, actor, Event.CATALOGUE_SIGN, "1", {"signer": catalogue_key.public.kid}
        )
    return publisher, records[0]


class Admin:
    """The acts of an engineer on one publisher.

    Args:
        folder: the store.
        store: its tables.
        vault: its key files.
        clock, dice: of this machine.
        actor: who acts, for the audit table.
    """

    def __init__(
        self, folder: Path, store: Store, vault: Vault, clock: Clock, dice: Dice, actor: str
    ) -> None:
        self._folder = folder
        self._store = store
        self._vault = vault
        self._clock = clock
        self._dice = dice
        self._actor = actor
        with store.view() as reader:
            found = tables.documents.publisher(reader)
        if found is None:
            raise error("publisher/none", path=str(folder))
        self.publisher = found

    def close(self) -> None:
        """Close the tables."""
        self._store.close()

    def __enter__(self) -> Admin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What there is.

    def trust(self) -> Trust:
        """The newest trust."""
        with self._store.view() as reader:
            return parse_trust(tables.documents.newest_trust(reader).text)

    def trusts(self) -> tuple[Trust, ...]:
        """Every version of trust, lowest first."""
        with self._store.view() as reader:
            return tuple(
                parse_trust(one.text) for one in tables.documents.trust_above(reader, 0, 1_000_000)
            )

    def catalogue(self) -> Catalogue:
        """The newest catalogue."""
        with self._store.view() as reader:
            return _newest_catalogue(reader)[1]

    def product(self, product: str) -> Product:
        """A product of the newest catalogue. Raises: `publisher/product`."""
        for item in self.catalogue().products:
            if item.id == product:
                return item
        raise error("publisher/product", product=product)

    def descriptor(self, product: str, trust_version: int | None = None) -> bytes:
        """The descriptor of a product, to be built into its program.

        Args:
            product: its id in the newest catalogue.
            trust_version: the version to pin; the newest by default.
        Raises: `publisher/product`, `publisher/no-trust`.
        """
        found = self.product(product)
        with self._store.view() as reader:
            newest = tables.documents.newest_trust(reader)
            pinned = newest
            if trust_version is not None:
                chosen = tables.documents.trust_from(reader, trust_version)
                if chosen is None or chosen.version != trust_version:
                    raise error("publisher/no-trust", version=trust_version, newest=newest.version)
                pinned = chosen
            groups = _newest_catalogue(reader)[1].groups
        return make_descriptor(pinned.text, found, groups)

    def export(self, url: str | None) -> PublisherFile:
        """The publisher file: what hosts and offline sites need to know of this publisher."""
        with self._store.view() as reader:
            line = tables.documents.trust_above(reader, 0, 4097)
            return PublisherFile(
                publisher=self.publisher.id,
                anchor=line[0].text,
                trust=tuple(one.text for one in line[1:]),
                catalogue=tables.documents.newest_catalogue(reader).text,
                url=url,
            )

    def keys(self, kind: Kind | None = None) -> tuple[IssuedKey, ...]:
        """Issued product keys, in the order of issue."""
        with self._store.view() as reader:
            return tables.keys.keys(reader, kind)

    def find_key(self, text: str) -> IssuedKey:
        """The issued key of a key id, or of a product key as typed.

        A typed key is recognised as the service would: its serial was issued, and its tag proves
        itself by the proof key that was kept.

        Raises: `key/…` (not a key), `publisher/other-key`, `publisher/unknown-key`, `key/tag`.
        """
        typed: ProductKey | None = None
        if text.count("-") == 2:
            key_id = KeyId.parse(text.strip())
        else:
            typed = parse_product_key(text)
            if typed.prefix != prefix_of(self.publisher.id):
                raise error("publisher/other-key", masked=typed.masked)
            key_id = typed.key_id
        with self._store.view() as reader:
            found = tables.keys.key(reader, key_id)
        if found is None:
            raise error("publisher/unknown-key", key=key_id.text)
        if typed is not None:
            proof = proof_key(self.publisher.id, key_id, typed.tag_bytes)
            if proof != found.proof_key:
                raise error("key/tag", masked=typed.masked)
        return found

    def hosts(self, key: str | None = None) -> tuple[HostRow, ...]:
        """Every host grant that was drawn, or those of one host key."""
        with self._store.view() as reader:
            keys = {one.key_id.text: one for one in tables.keys.keys(reader, Kind.HOST)}
            seats = {(one.key, one.hw): one for one in tables.grants.seats(reader, key)}
            return tuple(
                HostRow(one, seats[one.key, one.hw], keys[one.key])
                for one in tables.grants.grants(reader, key=key)
            )

    def audit(self, after: int = 0, limit: int = 1000) -> tuple[AuditRow, ...]:
        """Rows of the audit table above a sequence number, oldest first."""
        with self._store.view() as reader:
            return tables.audit.rows(reader, after, limit)

    def check_audit(self, wanted: Head | None = None) -> Head:
        """Walk the chain of the audit table; its head. Raises: as `chain.check`."""
        with self._store.view() as reader:
            return chain.check(tables.audit.all_rows(reader), wanted)

    def export_audit(self, write: Callable[[bytes], object]) -> Head:
        """Give every row of the audit table to `write` as a line of JSON; the head.

        The rows are checked on the way: an export that ends well is a chain that holds.
        """
        head = Head()
        with self._store.view() as reader:
            for row in chain.walk(tables.audit.all_rows(reader)):
                write(chain.write_line(row))
                head = Head(row.seq, row.hash)
        return head

    # Product keys.

    def issue_host_keys(
        self, group: str, count: int = 1, term: int = 0, customer: str = ""
    ) -> tuple[NewKey, ...]:
        """Issue host keys.

        Args:
            group: id of the key group.
            count: 1 to `MOST_KEYS`.
            term: of the grants, times 30 days; 0 = no end.
            customer: for the publisher's own lists.
        Raises: `publisher/group`, `publisher/serials`, and the errors of opening the tag key.
        """
        return self._issue(Kind.HOST, group, count, term, customer)

    def issue_pool_keys(
        self,
        kind: Kind,
        group: str,
        pool: int | None,
        *,
        count: int = 1,
        term: int = 0,
        customer: str = "",
        alerts: Sequence[int] | None = None,
    ) -> tuple[NewKey, ...]:
        """Issue keys that activate machines, each with a pool of its own.

        Args:
            kind: mak, evaluation or retail.
            group: id of the key group.
            pool: machines that each key activates; None for a retail key, which activates one.
            count: 1 to `MOST_KEYS`.
            term: of the licences, times 30 days; 0 = no end, an evaluation has 3 or 6.
            customer: for the publisher's own lists.
            alerts: percentages of the pool at which somebody is told; None for the usual ones.
        Raises: `publisher/pool`, `publisher/group`, `publisher/serials`, and the errors of opening
            the tag key.
        """
        size, levels = rules.check_pool(kind, pool, term, alerts)
        return self._issue(kind, group, count, term, customer, size, levels)

    def _issue(
        self,
        kind: Kind,
        group: str,
        count: int,
        term: int,
        customer: str,
        pool: int = 0,
        alerts: tuple[int, ...] = (),
    ) -> tuple[NewKey, ...]:
        with self._alone() as now:
            with self._store.view() as reader:
                catalogue = _newest_catalogue(reader)[1]
                found = next((one for one in catalogue.groups if one.id == group), None)
                if found is None:
                    known = ", ".join(one.id for one in catalogue.groups)
                    raise error("publisher/group", group=group, known=known)
                taken = set(tables.keys.serials(reader, kind, found.number))
            issuer = self._issuer(now)
            made: list[NewKey] = []
            for _ in range(count):
                new = issuer.issue(kind, found, taken, term=term, customer=customer)
                if pool:
                    limit = rules.correction_limit(pool)
                    issued = replace(new.issued, pool=pool, correction_limit=limit, alerts=alerts)
                    new = NewKey(issued, new.key)
                taken.add(new.key.serial)
                made.append(new)
            with self._store.edit() as tx:
                _register(tx, made, now, self._actor)
        return tuple(made)

    def revoke_key(self, key: str) -> Revoked:
        """Revoke a product key, and with it every grant that was drawn on it, in a new catalogue.

        Raises: `key/id`, `publisher/unknown-key`, `publisher/kind`.
        """
        with self._alone() as now:
            found = self.find_key(key)
            name = found.key_id.text
            if found.key_id.kind is Kind.SETUP:
                raise error("publisher/kind", key=name, kind=found.key_id.kind.text)
            if found.revoked is not None:
                return Revoked(False, self.catalogue().version, key=name)

            def act(tx: Transaction) -> None:
                tables.keys.revoke_key(tx, name, rules.today(now))
                tables.audit.write(tx, now, self._actor, Event.KEY_REVOKE, name, {})

            version = self._sign_next(now, act)
            with self._store.view() as reader:
                hosts, machines = (
                    tables.grants.grants(reader, key=name),
                    tables.pools.machines(reader, key=name),
                )
            grants = [one.jti for one in hosts] + [one.jti for one in machines]
        return Revoked(True, version, tuple(grants), key=name)

    def revoke_product(self, product: str) -> Revoked:
        """Revoke a product in a new catalogue, by the key id of its setup key.

        Hosts that hold the catalogue refuse it; leases end within 30 days, activations at once.

        Raises: `publisher/product`, `publisher/no-setup-key`.
        Source: docs/spec/03-trust-and-catalogue.md, section 3.7.
        """
        with self._alone() as now:
            found = self.product(product)
            if not found.setup_key:
                raise error("publisher/no-setup-key", product=found.id)
            setup = parse_product_key(found.setup_key).key_id.text
            before = self.catalogue()
            if before.product_revoked(found) is not None:
                return Revoked(False, before.version, key=setup)

            def act(tx: Transaction) -> None:
                tables.keys.revoke_key(tx, setup, rules.today(now))
                tables.audit.write(
                    tx, now, self._actor, Event.PRODUCT_REVOKE, found.id, {"key": setup}
                )

            version = self._sign_next(now, act)
        return Revoked(True, version, key=setup)

    # Pools.

    def machines(self, key: str | None = None) -> tuple[MachineGrant, ...]:
        """Every activation of a machine that was drawn, or those of one key."""
        with self._store.view() as reader:
            return tables.pools.machines(reader, key=key)

    def correct_pool(self, key: str, count: int, reason: str) -> IssuedKey:
        """Give activations back to a pool after a mistake; within the key's limit, audited.

        Args:
            key: key id or product key.
            count: activations, from 1.
            reason: for the audit log; not empty.
        Returns:
            The key afterwards.
        Raises: `publisher/unknown-key`, `publisher/pool` (no pool, no reason, no count),
            `publisher/correction-limit`.
        """
        now, found = self._pool(key)
        name = found.key_id.text
        if count < 1 or not reason.strip():
            raise error("publisher/pool", detail="a correction has a number from 1 and a reason")
        with self._store.edit() as tx:
            if not tables.pools.correct_pool(tx, name, count):
                fresh = tables.keys.key(tx, found.key_id) or found
                raise error(
                    "publisher/correction-limit",
                    key=name,
                    corrected=fresh.corrected,
                    limit=fresh.correction_limit,
                )
            detail = {"count": count, "reason": reason.strip()[:256]}
            tables.audit.write(tx, now, self._actor, Event.POOL_CORRECT, name, detail)
            return tables.keys.key(tx, found.key_id) or found

    def extend_pool(self, key: str, pool: int) -> tuple[IssuedKey, bool]:
        """Give a pool another size, as a changed agreement says; audited.

        Returns:
            The key afterwards, and whether anything changed.
        Raises: `publisher/unknown-key`, `publisher/pool`, `publisher/pool-drawn`.
        """
        now, found = self._pool(key)
        name = found.key_id.text
        rules.check_pool(found.key_id.kind, pool, found.term, found.alerts)
        with self._store.edit() as tx:
            before = tables.keys.key(tx, found.key_id) or found
            if before.pool == pool:
                return before, False
            if not tables.pools.extend_pool(tx, name, pool, rules.correction_limit(pool)):
                raise error("publisher/pool-drawn", key=name, pool=pool, drawn=before.drawn)
            after = tables.keys.key(tx, found.key_id) or found
            detail = {"from": before.pool, "to": pool}
            tables.audit.write(tx, now, self._actor, Event.POOL_EXTEND, name, detail)
            tell_levels(tx, before, after, now, self._actor)
            return after, True

    def _pool(self, key: str) -> tuple[int, IssuedKey]:
        now = self._clock.now()
        rules.today(now)
        found = self.find_key(key)
        if not found.pool:
            kind = found.key_id.kind.text
            raise error("publisher/pool", detail=f"a {kind} key has no pool")
        return now, found

    def revoke_activation(self, jti: str) -> Revoked:
        """Revoke the activation of one machine in a new catalogue; it stays drawn.

        Args:
            jti: its licence id.
        Raises: `publisher/unknown-activation`.
        """
        with self._alone() as now:
            with self._store.view() as reader:
                found = tables.pools.machines(reader, jti=jti[:64])
                if not found:
                    raise error("publisher/unknown-activation", jti=jti[:64])
                (one,) = found
                if one.revoked is not None:
                    version = tables.documents.newest_catalogue(reader).version
                    return Revoked(False, version, (), key=one.key)

            def act(tx: Transaction) -> None:
                tables.pools.revoke_machine(tx, one.key, one.binding, rules.today(now))
                detail = {"key": one.key}
                tables.audit.write(tx, now, self._actor, Event.MACHINE_REVOKE, one.jti, detail)

            version = self._sign_next(now, act)
        return Revoked(True, version, (one.jti,), key=one.key)

    # Hosts.

    def revoke_host(self, host: str) -> Revoked:
        """Revoke the grants of a host in a new catalogue; its seat stays taken.

        Args:
            host: a licence id, which names one grant, or a hardware id, which names all of one
                machine.
        Raises: `publisher/unknown-host`.
        """
        return self._revoke(host, release=False)

    def release_host(self, host: str) -> Revoked:
        """Free the seat of a host, and revoke all its grants in the same new catalogue.

        Args:
            host: its hardware id, or the licence id of one of its grants.
        Raises: `publisher/unknown-host`.
        """
        return self._revoke(host, release=True)

    def _revoke(self, host: str, *, release: bool) -> Revoked:
        with self._alone() as now:
            with self._store.view() as reader:
                named = tables.grants.grants(reader, host=host)
                if not named:
                    raise error("publisher/unknown-host", host=host[:64])
                key, hw = named[0].key, named[0].hw
                if release:
                    named = tuple(
                        one for one in tables.grants.grants(reader, key=key) if one.hw == hw
                    )
                seat = tables.grants.seat(reader, key, hw)
                open_grants = [one for one in named if one.revoked is None]
                held = release and seat is not None and seat.released_at is None
                if not open_grants and not held:
                    version = tables.documents.newest_catalogue(reader).version
                    return Revoked(False, version, key=key, hw=hw)
            revoked: list[str] = []

            def act(tx: Transaction) -> None:
                # Read again: a host may have drawn between the two looks.
                fresh = (
                    tables.grants.grants(tx, key=key)
                    if release
                    else tables.grants.grants(tx, host=host)
                )
                for one in fresh:
                    if one.hw == hw and one.revoked is None:
                        tables.grants.revoke_grant(tx, one.key, one.binding, rules.today(now))
                        tables.audit.write(
                            tx, now, self._actor, Event.HOST_REVOKE, one.jti, {"key": key, "hw": hw}
                        )
                        revoked.append(one.jti)
                if held and tables.grants.release_host(tx, key, hw, now):
                    tables.audit.write(tx, now, self._actor, Event.HOST_RELEASE, hw, {"key": key})

            version = self._sign_next(now, act)
        return Revoked(True, version, tuple(revoked), key=key, hw=hw)

    def issue_terms(
        self,
        host: str,
        *,
        limit: int,
        over: str,
        agreement: str,
        customer: str,
        max_lease: int | None = None,
    ) -> tuple[HostTerms, ReplyFile]:
        """Put a ceiling on a host's grant; the terms, and the reply file that carries them.

        Terms that say the same as the newest ones are given again; nothing is signed then.

        Args:
            host: the licence id of its grant, or its hardware id where that names one grant.
            limit: machines.
            over: "refuse" or "report", what the host does above the limit.
            agreement: a contract's name or number, shown to the customer.
            customer: shown too; may be empty.
            max_lease: seconds that a lease under the ceiling lasts at most; None leaves that to
                the product and the key group.
        Raises: `publisher/unknown-host`, `publisher/many-hosts`, `publisher/grant-revoked`,
            `publisher/terms-later`, `publisher/no-key`, `terms/claims`.
        """
        with self._alone() as now:
            with self._store.view() as reader:
                grant = _one_grant(reader, host)
                held = tables.grants.host_terms(reader, grant.jti)
                trust, catalogue = _newest_catalogue(reader)
                entry = terms.signer_of(trust, now)
                record = tables.documents.key_file(reader, entry.key.kid)
            same = held is not None and terms.still_vouched(held, trust)
            wanted = (limit, over, customer, agreement, max_lease)
            if (
                same
                and held is not None
                and wanted == (held.limit, held.over, held.customer, held.agreement, held.max_lease)
            ):
                made = held
            else:
                key = self._vault.signing_key(record, entry.key)
                with self._edit() as tx:
                    if tables.documents.newest_trust(tx).version != trust.version:
                        raise error("publisher/changed")
                    made = terms.issue(
                        tx,
                        grant,
                        trust,
                        catalogue,
                        key,
                        now,
                        self._actor,
                        limit=limit,
                        over=over,
                        customer=customer,
                        agreement=agreement,
                        max_lease=max_lease,
                    )
            with self._store.view() as reader:
                line = tables.documents.trust_above(
                    reader, max(0, trust.version - TRUST_STEPS), TRUST_STEPS
                )
            answer = ConfirmAnswer(
                grant=grant.grant,
                confirmation_id=grant.confirmation,
                trust=tuple(one.text for one in line),
                catalogue=catalogue.text,
                terms=made.text,
            )
            return made, ReplyFile(self.publisher.id, answer)

    # Catalogues.

    def difference(self, content: Content) -> tuple[Change, ...]:
        """What publishing this content would change; checked, nothing is signed.

        Raises: `publisher/catalogue-file`, `publisher/catalogue-fixed`.
        """
        rules.check_content(content)
        old = _content(self.catalogue())
        rules.check_successor(old, content)
        return rules.diff(old, content)

    def publish(self, content: Content) -> Published:
        """Sign the next catalogue, with setup keys for the products that are new.

        Raises: as `difference`, and the errors of opening key files.
        """
        with self._alone() as now:
            changes = self.difference(content)
            before = self.catalogue()
            if not changes:
                return Published(False, before.version)
            known = {one.id: one.setup_key for one in before.products if one.setup_key}
            wanted = _in_need_of_setup(content, known)
            made: list[NewKey] = []
            if wanted:
                made, again = self._setup_keys(wanted, now)
                known |= again
                known |= {one.issued.product or "": one.key.text for one in made}
            finished = rules.with_setup_keys(content, known)

            def act(tx: Transaction) -> None:
                _register(tx, made, now, self._actor)
                for change in changes:
                    _audit_change(tx, change, now, self._actor)

            version = self._sign_next(now, act, finished)
        return Published(True, version, changes)

    def _setup_keys(
        self, wanted: Sequence[tuple[Product, KeyGroup]], now: int
    ) -> tuple[list[NewKey], dict[str, str]]:
        """Setup keys of products that have none in the newest catalogue: new ones, and the texts
        of those that an earlier catalogue had."""
        issuer = self._issuer(now)
        with self._store.view() as reader:
            issued = {one.product: one.key_id for one in tables.keys.keys(reader, Kind.SETUP)}
            taken = {
                group.number: set(tables.keys.serials(reader, Kind.SETUP, group.number))
                for _, group in wanted
            }
        again = {
            product.id: issuer.again(issued[product.id]).text
            for product, _ in wanted
            if product.id in issued
        }
        new = [one for one in wanted if one[0].id not in issued]
        return issuer.issue_setup(new, taken), again

    # Trust.

    def rotate(
        self,
        roles: Sequence[str],
        *,
        keep_days: int = 0,
        withdraw: bool = False,
        withdraw_retired: bool = False,
        root: Path | None = None,
    ) -> Rotated:
        """Sign the next trust version with the working root: a new key for each role named.

        Args:
            roles: grant, catalogue, or both.
            keep_days: days that the old keys may still sign; 0 = they are retired at the end of
                today. What a retired key signed stays good.
            withdraw: drop the old keys instead: everything that they signed refuses.
            withdraw_retired: drop the keys of these roles that were retired earlier as well.
            root: file of the working root, where it does not lie in the store.
        Raises: `publisher/key-away`, `publisher/wrong-key`, `publisher/trust-full`,
            `publisher/clock`.
        """
        with self._alone() as now:
            newest = self.trust()
            signer = self._root(newest.roots[0], root)
            return self._sign_trust(
                now,
                newest,
                signer,
                version=newest.version + 1,
                roots=newest.roots,
                roles=roles,
                until=None if withdraw else rules.today(now) + keep_days,
                retired_too=withdraw_retired,
            )

    def recover(
        self,
        reserve: Path,
        version: int | None = None,
        *,
        roles: Sequence[str] = (),
        withdraw: bool = False,
        new_root: bool = False,
        new_reserve: Path | None = None,
    ) -> Rotated:
        """Sign a higher trust version with the reserve root, after the working root was lost or
        stolen.

        Args:
            reserve: file of the reserve root.
            version: any above the newest, and above what a thief published; newest + 1 by default.
            roles: working keys to make anew.
            withdraw: drop the old ones of these roles instead of retiring them today.
            new_root: make a new working root.
            new_reserve: make a new reserve root in this file too; needs `new_root`. A further
                version, signed by the new working root, follows at once, because a descriptor can
                only pin a version that one of its own roots signed.
        Raises: `publisher/trust-step`, `publisher/key-away`, `publisher/wrong-key`,
            `publisher/reserve-inside`, `keyfile/exists`.
        """
        with self._alone() as now:
            newest = self.trust()
            wanted = newest.version + 1 if version is None else version
            if not newest.version < wanted < 2**53 - 1:
                raise error("publisher/trust-step", version=wanted, newest=newest.version)
            if new_reserve is not None:
                if self._folder.resolve() in new_reserve.resolve().parents:
                    raise error("publisher/reserve-inside")
                if new_reserve.exists():
                    raise error("keyfile/exists", path=str(new_reserve))
            signer = self._root(newest.roots[1], reserve)
            records: list[KeyFileRecord] = []
            roots = newest.roots
            root: SigningKey | None = None
            if new_root:
                root = self._new_key(ROOT, now, records)
                roots = (root.public, roots[1])
                if new_reserve is not None:
                    roots = (root.public, self._new_key(RESERVE, now, records, new_reserve).public)
            day = rules.today(now)
            result = self._sign_trust(
                now,
                newest,
                signer,
                version=wanted,
                roots=roots,
                roles=roles,
                until=None if withdraw else day,
                retired_too=False,
                records=records,
            )
            if root is not None and roots[1] != newest.roots[1]:
                result = replace(
                    self._sign_trust(
                        now,
                        result.trust,
                        root,
                        version=wanted + 1,
                        roots=roots,
                        roles=(),
                        until=day,
                        retired_too=False,
                    ),
                    again=result.again,
                )
            return replace(result, roots=tuple(one.kid for one in roots))

    def _root(self, public: PublicKey, path: Path | None) -> SigningKey:
        with self._store.view() as reader:
            record = tables.documents.key_file(reader, public.kid)
        return self._vault.signing_key(record, public, path)

    def _new_key(
        self, role: str, now: int, records: list[KeyFileRecord], path: Path | None = None
    ) -> SigningKey:
        with self._store.view() as reader:
            used = tables.documents.key_numbers(reader, role)
        number = rules.next_index(used) if role == GRANT_ROLE else max(used, default=0) + 1
        record, key = self._vault.make_key(role, number, self._dice.token(32), now, path)
        records.append(record)
        return key

    def _sign_trust(
        self,
        now: int,
        newest: Trust,
        signer: SigningKey,
        *,
        version: int,
        roots: tuple[PublicKey, PublicKey],
        roles: Sequence[str],
        until: int | None,
        retired_too: bool,
        records: list[KeyFileRecord] | None = None,
    ) -> Rotated:
        with self._store.view() as reader:
            _, catalogue = _newest_catalogue(reader)
        iat = rules.stamp(now, max(newest.iat, catalogue.iat))
        day = rules.today(now)
        made = [] if records is None else records
        # Judged before any key is made, with what will stand in the new version.
        rules.next_keys(
            newest.keys,
            [TrustKey(signer.public, role) for role in roles],
            day,
            until,
            retired_too=retired_too,
        )
        fresh: dict[str, SigningKey] = {}
        entries: list[TrustKey] = []
        for role in roles:
            fresh[role] = self._new_key(role, now, made)
            index = made[-1].number if role == GRANT_ROLE else None
            entries.append(TrustKey(fresh[role].public, role, index))
        text = make_trust(
            issuer=newest.issuer,
            label=newest.label,
            name=newest.name,
            version=version,
            iat=iat,
            roots=roots,
            keys=rules.next_keys(
                newest.keys,
                entries,
                day,
                min(until, MAX_DAY) if until is not None else None,
                retired_too=retired_too,
            ),
            signer=signer,
        )
        trust = follow(newest, text)
        with self._edit() as tx:
            if tables.documents.newest_trust(tx).version != newest.version:
                raise error("publisher/changed")
            tables.documents.add_trust(tx, SignedText(version, iat, text))
            for record in made:
                tables.documents.add_key_file(tx, record)
            tables.audit.write(
                tx,
                now,
                self._actor,
                Event.TRUST_SIGN,
                str(version),
                {
                    "signer": signer.public.kid,
                    "roots": _kids(roots),
                    "keys": [one.key.kid for one in trust.keys],
                },
            )
            if CATALOGUE_ROLE in fresh:
                # The newest catalogue never stands under a key that is gone.
                signed = _sign_catalogue(
                    trust,
                    catalogue.version + 1,
                    iat,
                    _content(catalogue),
                    tables.documents.revocations(tx),
                    fresh[CATALOGUE_ROLE],
                )
                self._add_catalogue(tx, signed, now, fresh[CATALOGUE_ROLE])
            drawn: list[HostGrant | MachineGrant] = [
                *tables.grants.grants(tx),
                *tables.pools.machines(tx),
            ]
            again = sum(
                1
                for one in drawn
                if one.revoked is None
                and rules.vouched(newest, one.kid, one.day)
                and not rules.vouched(trust, one.kid, one.day)
            )
            newest_catalogue = tables.documents.newest_catalogue(tx).version
        return Rotated(trust, newest_catalogue, again)

    # What all acts share.

    @contextlib.contextmanager
    def _alone(self) -> Iterator[int]:
        """Run one act at a time; gives the instant of the act."""
        with Lock(self._folder / LOCK_FILE):
            now = self._clock.now()
            rules.today(now)
            yield now

    @contextlib.contextmanager
    def _edit(self) -> Iterator[Transaction]:
        try:
            with self._store.edit() as tx:
                yield tx
        except ConstraintError as fault:
            raise error("publisher/changed") from fault

    def _issuer(self, now: int) -> _Issuer:
        tag_key = self._vault.tag_key()
        prefix = prefix_of(self.publisher.id)
        return _Issuer(prefix, self.publisher.id, tag_key, self._dice, now)

    def _sign_next(
        self, now: int, act: Callable[[Transaction], None], content: Content | None = None
    ) -> int:
        """Do `act` and sign the catalogue that follows from it, in one transaction.

        Args:
            now: Unix seconds.
            act: changes the tables; may not sign.
            content: of the next catalogue; that of the newest by default.
        Returns:
            The version of the new catalogue.
        """
        with self._store.view() as reader:
            trust, catalogue = _newest_catalogue(reader)
            entry = rules.catalogue_key(trust, rules.today(now))
            iat = rules.stamp(now, max(trust.iat, catalogue.iat))
            record = tables.documents.key_file(reader, entry.key.kid)
        key = self._vault.signing_key(record, entry.key)
        with self._edit() as tx:
            if (
                tables.documents.newest_trust(tx).version != trust.version
                or tables.documents.newest_catalogue(tx).version != catalogue.version
            ):
                raise error("publisher/changed")
            act(tx)
            signed = _sign_catalogue(
                trust,
                catalogue.version + 1,
                iat,
                _content(catalogue) if content is None else content,
                tables.documents.revocations(tx),
                key,
            )
            self._add_catalogue(tx, signed, now, key)
        return signed.version

    def _add_catalogue(
        self, tx: Transaction, signed: SignedText, now: int, key: SigningKey
    ) -> None:
        tables.documents.add_catalogue(tx, signed)
        detail = {"signer": key.public.kid}
        tables.audit.write(tx, now, self._actor, Event.CATALOGUE_SIGN, str(signed.version), detail)


def open_admin(
    folder: Path, vault: Vault, clock: Clock, dice: Dice, actor: str, url: str = ""
) -> Admin:
    """Open the acts on the publisher in a store folder; `url` as `open_store` takes it.

    Raises: `publisher/none`, and the errors of opening its database.
    """
    store = open_store(folder, clock.now(), url=url)
    try:
        return Admin(folder, store, vault, clock, dice, actor)
    except BaseException:
        store.close()
        raise


class _Issuer:
    """Makes product keys: draws serials, computes tags and proof keys."""

    def __init__(self, prefix: int, publisher: str, tag_key: bytes, dice: Dice, now: int) -> None:
        self._prefix = prefix
        self._publisher = publisher
        self._tag_key = tag_key
        self._dice = dice
        self._now = now

    def issue(
        self,
        kind: Kind,
        group: KeyGroup,
        taken: set[int],
        *,
        term: int = 0,
        customer: str = "",
        product: str | None = None,
    ) -> NewKey:
        """A new key whose serial is not among `taken`. Raises: `publisher/serials`."""
        if len(taken) >= SERIALS // 2:
            raise error("publisher/serials", group=group.id, count=1)
        serial = self._dice.below(SERIALS)
        while serial in taken:
            serial = self._dice.below(SERIALS)
        key = make_product_key(self._tag_key, kind, self._prefix, group.number, serial)
        issued = IssuedKey(
            key_id=key.key_id,
            group=group.id,
            masked=key.masked,
            proof_key=proof_key(self._publisher, key.key_id, key.tag_bytes),
            issued_at=self._now,
            term=term,
            customer=customer,
            product=product,
        )
        return NewKey(issued, key)

    def issue_setup(
        self, wanted: Sequence[tuple[Product, KeyGroup]], taken: dict[int, set[int]]
    ) -> list[NewKey]:
        """One setup key for each product; `taken` serials by group number grow with it."""
        made: list[NewKey] = []
        for product, group in wanted:
            serials = taken.setdefault(group.number, set())
            made.append(self.issue(Kind.SETUP, group, serials, product=product.id))
            serials.add(made[-1].key.serial)
        return made

    def again(self, key_id: KeyId) -> ProductKey:
        """A key that was issued before, made again out of its serial."""
        return make_product_key(
            self._tag_key, key_id.kind, self._prefix, key_id.group, key_id.serial
        )


def _register(tx: Transaction, made: Sequence[NewKey], now: int, actor: str) -> None:
    for new in made:
        tables.keys.add_key(tx, new.issued)
        detail: dict[str, Any] = {"group": new.issued.group, "term": new.issued.term}
        if new.issued.product:
            detail["product"] = new.issued.product
        if new.issued.pool:
            detail["pool"] = new.issued.pool
        tables.audit.write(tx, now, actor, Event.KEY_ISSUE, new.issued.key_id.text, detail)


def _one_grant(reader: Reader, host: str) -> HostGrant:
    named = tables.grants.grants(reader, host=host)
    if not named:
        raise error("publisher/unknown-host", host=host[:64])
    good = [one for one in named if one.revoked is None]
    if not good:
        raise error("publisher/grant-revoked", jti=named[-1].jti)
    if len(good) > 1:
        raise error("publisher/many-hosts", host=host[:64], count=len(good))
    return good[0]


def _audit_change(tx: Transaction, change: Change, now: int, actor: str) -> None:
    event = Event.PRODUCT_ADD if change.how == "added" else Event.PRODUCT_CHANGE
    detail = {"what": change.what, "how": change.how, "fields": list(change.fields)}
    tables.audit.write(tx, now, actor, event, change.id, detail)


def _in_need_of_setup(content: Content, known: dict[str, str]) -> list[tuple[Product, KeyGroup]]:
    groups = {one.id: one for one in content.groups}
    return [
        (one, groups[one.group])
        for one in content.products
        if rules.needs_setup_key(one) and one.id not in known
    ]


def _newest_catalogue(reader: Reader) -> tuple[Trust, Catalogue]:
    trust = parse_trust(tables.documents.newest_trust(reader).text)
    return trust, read_catalogue(tables.documents.newest_catalogue(reader).text, trust)


def _content(catalogue: Catalogue) -> Content:
    return Content(
        groups=catalogue.groups,
        applications=catalogue.applications,
        products=catalogue.products,
        conversions=catalogue.conversions,
    )


def _sign_catalogue(
    trust: Trust,
    version: int,
    iat: int,
    content: Content,
    revocations: Sequence[Any],
    key: SigningKey,
) -> SignedText:
    text = make_catalogue(
        trust=trust,
        version=version,
        iat=iat,
        groups=content.groups,
        applications=content.applications,
        products=content.products,
        conversions=content.conversions,
        revocations=revocations,
        key=key,
    )
    return SignedText(version, iat, text)


def _kids(keys: Sequence[PublicKey]) -> list[str]:
    return [one.kid for one in keys]
