"""Activation of machines: draws on the pools of multiple activation, evaluation and retail keys.

One function serves every channel: one installation ID or ten thousand. Decides each row by
`muster.publisher.rules`, signs outside of transactions where it can, and writes draws, counts,
alerts and audit rows of up to `PIECE` rows in one transaction that is durable before its answer
leaves. Refuses to know HTTP and files. Obeys docs/spec/11-pools.md.

A row is signed before its transaction begins, which changes nothing: the grant is a function of
values that do not change (docs/spec/04-grant-function.md). The transaction looks again; a row that
was drawn meanwhile gets the grant that was drawn, and after a rotation the piece is started again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import grant_jti
from muster.core.ids import InstallationId, check_proof, parse_installation_id
from muster.core.values import dataclass, replace
from muster.db.engine import Transaction
from muster.lease.catalogue import Catalogue
from muster.lease.grant import GrantValues, confirmation_of, issue_grant
from muster.lease.jws import SigningKey
from muster.lease.trust import GRANT_ROLE, Trust, TrustKey
from muster.publisher import rules, tables
from muster.publisher.document_cache import DocumentCache
from muster.publisher.evidence import CheckedClock, Reading
from muster.publisher.model import IssuedKey, MachineGrant
from muster.publisher.store import Store
from muster.publisher.throttle import Guesses, Unthrottled
from muster.publisher.vault import Vault
from muster.wire.publisher import TRUST_STEPS, ConfirmAnswer

PIECE = 500
"""Rows drawn in one transaction."""
_ROUNDS = 8
"""How often a piece is started again after rotations or other servers' draws."""
_log = logging.getLogger("muster.publisher")


@dataclass(frozen=True, slots=True)
class MachineActivation:
    """The grant of one machine, and whether it was drawn now."""

    grant: MachineGrant
    drawn: bool


@dataclass(frozen=True, slots=True)
class Activated:
    """What became of the rows of one call, in their order, and what machines need to follow."""

    rows: tuple[MachineActivation | MusterError, ...]
    trust: tuple[str, ...]
    catalogue: str

    @property
    def drawn(self) -> bool:
        """Whether anything was drawn."""
        return any(isinstance(row, MachineActivation) and row.drawn for row in self.rows)

    def answer(self) -> ConfirmAnswer:
        """The answer to a call with one row. Raises: the row's error."""
        (row,) = self.rows
        if isinstance(row, MusterError):
            raise row
        return ConfirmAnswer(
            grant=row.grant.grant,
            confirmation_id=row.grant.confirmation,
            trust=self.trust,
            catalogue=self.catalogue,
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """One installation ID that was read and whose proof holds; `index` in the call, `held` the
    trust that its machine holds."""

    index: int
    iid: InstallationId
    held: Trust


@dataclass(frozen=True, slots=True)
class _Known:
    """What one state of the tables says to all rows of a key."""

    key: IssuedKey
    newest: Trust
    catalogue: Catalogue
    signers: dict[int, TrustKey | None]
    keys: dict[str, SigningKey]

    def signer(self, row: _Row) -> TrustKey:
        """The key that signs for the trust that an asker holds.

        Raises: `publisher/update-trust-first`.
        """
        key = self.signers[row.iid.trust_residue]
        if key is None:
            raise self.behind(row)
        return key

    def behind(self, row: _Row) -> MusterError:
        """What an asker is told whose trust does not know the key that signed, or would sign."""
        held, newest = row.held.version, self.newest.version
        return error("publisher/update-trust-first", held=held, trust=newest)

    def used_up(self) -> MusterError:
        """What an asker is told when the pool has no activation left."""
        size = self.key.pool + self.key.corrected
        return error("publisher/pool-used-up", key=self.key.key_id.text, pool=size)


class Pools:
    """Draws on pools. May be used from any thread, and by several processes.

    Args:
        publisher: the publisher's id.
        store: its tables.
        vault: its key files; asked for grant keys only.
        clock: the publisher's clock, checked where something is drawn or signed.
        documents: shared with the service.
        piece: rows drawn in one transaction.
    """

    def __init__(
        self,
        publisher: str,
        store: Store,
        vault: Vault,
        clock: CheckedClock,
        documents: DocumentCache,
        piece: int = PIECE,
    ) -> None:
        self._publisher = publisher
        self._store = store
        self._vault = vault
        self._clock = clock
        self._documents = documents
        self._size = piece

    def activate(
        self, installation_ids: Sequence[str], channel: str, guesses: Guesses | None = None
    ) -> Activated:
        """Answer the installation IDs of machines, all of one key.

        The same machine with the same key gets the same grant, byte for byte, and uses no other
        activation, whichever way it asks.

        Args:
            installation_ids: 12 groups of digits each, as typed, read or sent.
            channel: through which they came, for the audit: "http", "batch", "file", "desk", "qr".
            guesses: throttles whoever asks; nobody by default.
        Returns:
            A grant or an error for each row: `digits/…`, `id/…`, `publisher/not-machine-key`,
            `publisher/unknown-key`, `publisher/batch-key`, `publisher/trust-unknown`,
            `publisher/update-trust-first`, `publisher/pool-used-up`, and those of
            `rules.decide_machine`.
        Raises: `publisher/clock`, `publisher/busy-keys`, and the errors of database and key files.
            Rows of pieces that were written before stay drawn, and are answered when they ask
            again.
        """
        reading = self._clock.unchecked()
        results: list[MachineActivation | MusterError | None] = [None] * len(installation_ids)
        rows = self._read(installation_ids, results, guesses or Unthrottled())
        for start in range(0, len(rows), self._size):
            self._chunk(rows[start : start + self._size], reading, channel, results)
        lowest = [
            row.held.version for row in rows if isinstance(results[row.index], MachineActivation)
        ]
        with self._store.view() as reader:
            trust = tables.documents.trust_above(reader, min(lowest), TRUST_STEPS) if lowest else ()
            catalogue = tables.documents.newest_catalogue(reader)
        finished = tuple(result for result in results if result is not None)
        assert len(finished) == len(installation_ids)
        return Activated(finished, tuple(version.text for version in trust), catalogue.text)

    def _read(
        self,
        installation_ids: Sequence[str],
        results: list[MachineActivation | MusterError | None],
        guesses: Guesses,
    ) -> list[_Row]:
        """The rows that may draw; the others get their error."""
        rows: list[_Row] = []
        key: IssuedKey | None = None
        trusts: dict[int, Trust] = {}
        with self._store.view() as reader:
            for index, text in enumerate(installation_ids):
                try:
                    with guesses.guess() as enter:
                        iid = parse_installation_id(text)
                        enter((int(iid.key_id.kind), iid.key_id.group))
                        if key is None or key.key_id != iid.key_id:
                            issued = rules.check_machine_request(
                                iid, tables.keys.key(reader, iid.key_id)
                            )
                            if key is not None:
                                raise error("publisher/batch-key", key=issued.key_id.text)
                            check_proof(iid, issued.proof_key)
                            key = issued
                        else:
                            check_proof(iid, key.proof_key)
                    if iid.trust_residue not in trusts:
                        trusts[iid.trust_residue] = self._documents.held(reader, iid.trust_residue)
                    rows.append(_Row(index, iid, trusts[iid.trust_residue]))
                except MusterError as fault:
                    results[index] = fault
        return rows

    def _chunk(
        self,
        rows: Sequence[_Row],
        reading: Reading,
        channel: str,
        results: list[MachineActivation | MusterError | None],
    ) -> None:
        now = reading.now
        for _ in range(_ROUNDS):
            known, before = self._read_known(rows, now)
            signed = self._presign(rows, before, known, now)
            if self._give_again(rows, before, known, signed, now, results):
                return
            self._clock.believe(reading)
            with self._store.edit() as tx:
                if tables.documents.newest_trust(tx).version != known.newest.version:
                    continue  # keys were rotated between the two looks
                if self._write(tx, rows, known, signed, now, channel, results):
                    return
        raise error("publisher/busy-keys", retry_after=1)

    def _read_known(self, rows: Sequence[_Row], now: int) -> tuple[_Known, dict[str, MachineGrant]]:
        """What is known now, with the grant keys opened: a second that no transaction waits for."""
        key_id = rows[0].iid.key_id
        with self._store.view() as reader:
            key = rules.check_machine_request(rows[0].iid, tables.keys.key(reader, key_id))
            newest, catalogue = self._documents.known(reader)
            held = {row.iid.trust_residue: row.held for row in rows}
            day = rules.today(now)
            signers = {
                residue: rules.choose_key(newest, trust, GRANT_ROLE, day)
                for residue, trust in held.items()
            }
            files = {
                signer.key.kid: (tables.documents.key_file(reader, signer.key.kid), signer.key)
                for signer in signers.values()
                if signer is not None
            }
            before = tables.pools.machines_bound(
                reader, key_id.text, [row.iid.binding for row in rows]
            )
        keys = {
            kid: self._vault.signing_key(record, public) for kid, (record, public) in files.items()
        }
        return _Known(key, newest, catalogue, signers, keys), before

    def _presign(
        self, rows: Sequence[_Row], before: dict[str, MachineGrant], known: _Known, now: int
    ) -> dict[str, MachineGrant]:
        """The grants of the rows that look new, by binding, as many as the pool can have."""
        grants: dict[str, MachineGrant] = {}
        for row in rows:
            binding = row.iid.binding
            if binding in before or binding in grants or len(grants) >= known.key.left:
                continue
            if known.signers[row.iid.trust_residue] is not None and known.key.revoked is None:
                grants[binding] = self._sign(known, row, rules.today(now), known.key.term, now)
        return grants

    def _sign(self, known: _Known, row: _Row, day: int, term: int, now: int) -> MachineGrant:
        signer = known.signer(row)
        assert signer.index is not None
        key_id, binding = row.iid.key_id, row.iid.binding
        text = issue_grant(
            GrantValues(
                publisher=self._publisher,
                key_id=key_id,
                binding=binding,
                hw=None,
                term=term,
                day=day,
                group=known.catalogue.group_numbered(key_id.group),
            ),
            known.keys[signer.key.kid],
        )
        return MachineGrant(
            key=key_id.text,
            binding=binding,
            jti=grant_jti(self._publisher, key_id, binding),
            day=day,
            term=term,
            kid=signer.key.kid,
            grant=text,
            confirmation=confirmation_of(text, signer.index).text,
            first_at=now,
            last_at=now,
        )

    def _decide(
        self, row: _Row, known: _Known, grant: MachineGrant | None, now: int
    ) -> rules.MachineAgain | None:
        """The grant that a row has, or None for a draw. Raises: its refusal."""
        repeat = rules.decide_machine(known.key, grant, known.newest, now)
        if repeat is None or repeat.resign:
            known.signer(row)
        elif not rules.accepts_signature(row.held, repeat.grant.kid, repeat.grant.day):
            # Digits alone must be enough: the asker's trust must know the key that signed.
            raise known.behind(row)
        return repeat

    def _give_again(
        self,
        rows: Sequence[_Row],
        before: dict[str, MachineGrant],
        known: _Known,
        signed: dict[str, MachineGrant],
        now: int,
        results: list[MachineActivation | MusterError | None],
    ) -> bool:
        """Answer without a transaction where nothing is to be written; whether that was so."""
        if signed:
            return False
        answers: dict[int, MachineActivation | MusterError] = {}
        stale: list[str] = []
        for row in rows:
            try:
                again = self._decide(row, known, before.get(row.iid.binding), now)
                if again is None and known.key.left <= 0:
                    raise known.used_up()
            except MusterError as fault:
                answers[row.index] = fault
                continue
            if again is None or again.resign:
                return False
            answers[row.index] = MachineActivation(again.grant, drawn=False)
            if now - again.grant.last_at >= rules.TOUCH_SECONDS:
                stale.append(row.iid.binding)
        for index, result in answers.items():
            results[index] = result
        if stale:
            with self._store.edit() as tx:
                tables.pools.touch_machines(tx, known.key.key_id.text, stale, now)
        return True

    def _write(
        self,
        tx: Transaction,
        rows: Sequence[_Row],
        known: _Known,
        signed: dict[str, MachineGrant],
        now: int,
        channel: str,
        results: list[MachineActivation | MusterError | None],
    ) -> bool:
        """Draw, sign again, count and audit one piece; False to begin it again."""
        name = known.key.key_id.text
        key = tables.keys.key(tx, known.key.key_id)
        assert key is not None
        known = replace(known, key=key)
        there = tables.pools.machines_bound(tx, name, [row.iid.binding for row in rows])
        fresh: dict[str, MachineGrant] = {}
        answers: dict[int, MachineActivation | MusterError] = {}
        resigned: dict[str, tuple[MachineGrant, str]] = {}
        for row in rows:
            binding = row.iid.binding
            try:
                again = self._decide(row, known, there.get(binding), now)
                if again is None:
                    if len(fresh) >= key.left:
                        raise known.used_up()
                    if binding not in signed:
                        return False  # the pool grew, or a draw was undone, since the first look
                    fresh[binding] = there[binding] = signed[binding]
                    answers[row.index] = MachineActivation(fresh[binding], drawn=True)
                elif again.resign:
                    old = again.grant
                    new = self._sign(known, row, old.day, old.term, now)
                    new = replace(new, first_at=old.first_at, last_at=max(now, old.last_at))
                    resigned[binding] = (new, old.kid)
                    there[binding] = new
                    answers[row.index] = MachineActivation(new, drawn=False)
                else:
                    answers[row.index] = MachineActivation(again.grant, drawn=False)
            except MusterError as fault:
                answers[row.index] = fault
        if fresh:
            if not tables.pools.draw(tx, name, len(fresh)):
                return False
            tables.pools.add_machines(tx, tuple(fresh.values()))
        for grant, _ in resigned.values():
            tables.pools.resign_machine(tx, grant)
        self._audit(tx, key, fresh, resigned, now, channel)
        for index, result in answers.items():
            results[index] = result
        return True

    def _audit(
        self,
        tx: Transaction,
        key: IssuedKey,
        fresh: dict[str, MachineGrant],
        resigned: dict[str, tuple[MachineGrant, str]],
        now: int,
        channel: str,
    ) -> None:
        name, actor = key.key_id.text, f"door:{channel}"
        audited = [(grant, {"key": name, "kid": grant.kid}) for grant in fresh.values()]
        audited += [
            (grant, {"key": name, "kid": grant.kid, "withdrawn": withdrawn})
            for grant, withdrawn in resigned.values()
        ]
        tables.audit.write_many(
            tx,
            now,
            actor,
            [(Event.MACHINE_ACTIVATE, grant.jti, detail) for grant, detail in audited],
        )
        tell_levels(tx, key, replace(key, drawn=key.drawn + len(fresh)), now, actor)


def tell_levels(tx: Transaction, before: IssuedKey, after: IssuedKey, now: int, actor: Who) -> None:
    """Write an audit row and a warning for each alert level that a pool reaches by a change."""
    size = after.pool + after.corrected
    for level in rules.crossed(before, after):
        tables.audit.write(
            tx,
            now,
            actor,
            Event.POOL_ALERT,
            after.key_id.text,
            {"level": level, "drawn": after.drawn, "size": size},
        )
        _log.warning(
            "the pool of key %s has reached %d %%: %d of %d used",
            after.key_id.text,
            level,
            after.drawn,
            size,
        )
