"""The host's service: counted first, answered second, each batch in one durable transaction.

Decides the order in which rules, tables and signatures meet; the rules are `muster.host.rules`,
the meaning of rows is `muster.host.count`. Synchronous: the doors call it through the group writer
(docs/adr/0007-sync-services.md). Obeys docs/spec/06-counting.md.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.clock import Clock, Dice
from muster.core.errors import MusterError
from muster.core.settings import Value
from muster.db.engine import Database, Transaction
from muster.host import count, ledger, lines, rules, store
from muster.host.journal import Journal
from muster.host.keyring import KeyRing
from muster.host.limits import NewMachines
from muster.host.lines import Line, Row
from muster.host.model import (
    Arrival,
    HostView,
    KnownMachine,
    LeaseRow,
    LogRow,
    Notice,
    Refused,
    Released,
    Reply,
)
from muster.host.rules import Standing
from muster.host.view import load_view
from muster.lease import strict
from muster.lease.bundle import Bundle
from muster.lease.claims import Claims
from muster.lease.grant import Grant
from muster.lease.jws import LEASE_TYP, check_header, parse
from muster.lease.lease import LeaseClaims, make_lease, read_claims
from muster.lease.notice import DUPLICATE_CMID, NoticeClaims, make_notice
from muster.lease.verify import open_licence
from muster.wire.activation import ActivationAnswer, ActivationRequest
from muster.wire.release import ReleaseRequest

_log = logging.getLogger("muster.host")


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """What one round of housekeeping did, in rows."""

    mended: int
    purged: int


class HostService:
    """Answers machines out of one database.

    Args:
        database: the host's, from `store.open_store`.
        keyring: the host signing keys.
        clock, dice: the machine's, or a test's.
        below, above: settings that give way to `muster host set`, and that win over it.
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        dice: Dice,
        *,
        below: Mapping[str, Value] | None = None,
        above: Mapping[str, Value] | None = None,
    ) -> None:
        self.database = database
        self._keyring = keyring
        self._clock = clock
        self._dice = dice
        self._below = below
        self._above = above
        self._limiter = NewMachines()
        self._journal = Journal()
        self._watch = count.watch(None, clock.now(), clock.monotonic())
        with database.snapshot() as reader:
            self._view = load_view(reader, keyring, below=below, above=above)

    def view(self) -> HostView:
        """What the host knows now; changes by commands of administrators are seen at once."""
        with self.database.snapshot() as reader:
            known = self._view
            if store.revision(reader) != known.revision:
                known = load_view(
                    reader, self._keyring, below=self._below, above=self._above, known=known
                )
                self._view = known
        return known

    @property
    def known(self) -> HostView:
        """The view as of the last transaction or look; costs nothing."""
        return self._view

    def now(self) -> int:
        """The host's clock, Unix seconds."""
        return self._clock.now()

    def handle(self, batch: Sequence[Arrival]) -> list[Reply]:
        """Count and answer requests in one transaction; durable when this returns.

        Each request sees the machines that came before it, those of the same batch included, so
        that 24 and 25 never both read 24.
        Raises: the errors `db/…`; then nothing of the batch was written.
        """
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._watch = count.watch(self._watch, now, monotonic)
        with self.database.transaction() as tx:
            if store.revision(tx) != self._view.revision:
                self._view = load_view(
                    tx, self._keyring, below=self._below, above=self._above, known=self._view
                )
            round_ = _Round(
                tx, self._view, self._dice, self._limiter, self._journal, now, monotonic
            )
            replies = [round_.answer(one) for one in batch]
            round_.finish()
        return replies

    def housekeep(self) -> Housekeeping:
        """Mend rows of a jumped clock and delete what nobody touched for 90 days, if the clock
        may be believed; a bounded piece of work each time."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._watch = count.watch(self._watch, now, monotonic)
        floor = max((one.floor for one in self.view().publishers.values()), default=0)
        mended = purged = 0
        if count.may_mend(self._watch, now, monotonic, floor):
            mended = self._mend(now)
        if count.may_purge(self._watch, now, monotonic, floor):
            with self.database.transaction() as tx:
                purged = ledger.purge(tx, now)
        if self._journal.due(monotonic):
            with self.database.transaction() as tx:
                self._journal.settle(tx, now, monotonic)
        return Housekeeping(mended, purged)

    def _mend(self, now: int) -> int:
        with self.database.snapshot() as reader:
            if not ledger.any_ahead(reader, now):
                return 0
        with self.database.transaction() as tx:
            number = ledger.mend(tx, now)
            store.audit(tx, now, Event.HOST_CLOCK_MEND, "", "", f"{number} rows set to now")
        _log.warning("a jumped clock was mended: %d rows from the future were set to now", number)
        return number

    def remove_machine(self, cmid: str, publisher: str | None = None) -> int:
        """An administrator's release of a machine: its leases, its place in the counts, and the
        memory of its hardware.

        Returns:
            How many leases and counts were given back; 0 when it was removed already.
        Raises: `host/unknown-machine`.
        """
        now = self._clock.now()
        with self.database.transaction() as tx:
            found = [
                one
                for one in ledger.machines(tx, 1024, cmid)
                if publisher is None or one.publisher == publisher
            ]
            if not found:
                raise error("host/unknown-machine", cmid=cmid)
            changed = 0
            for machine in found:
                number = _remove(tx, machine.publisher, cmid, now)
                if number:
                    store.audit(
                        tx,
                        now,
                        Event.HOST_MACHINE_REMOVE,
                        machine.publisher,
                        cmid,
                        f"{number} leases and counts given back",
                    )
                changed += number
        return changed


def _remove(tx: Transaction, publisher: str, cmid: str, now: int) -> int:
    changed = 0
    for lease in ledger.leases(tx, publisher, cmid).values():
        if not lease.released_at:
            ledger.release_lease(tx, publisher, cmid, lease.product, now)
            changed += 1
    for application, row in ledger.applications_of(tx, publisher, cmid).items():
        if row.last_seen > row.released:
            ledger.put_seen(tx, publisher, application, cmid, count.released(row, now))
            changed += 1
    ledger.forget_machine(tx, publisher, cmid, now)
    return changed


class _Round:
    """The requests of one transaction."""

    def __init__(
        self,
        tx: Transaction,
        view: HostView,
        dice: Dice,
        limiter: NewMachines,
        journal: Journal,
        now: int,
        monotonic: float,
    ) -> None:
        self._tx = tx
        self._view = view
        self._dice = dice
        self._limiter = limiter
        self._journal = journal
        self._now = now
        self._monotonic = monotonic
        self._counters: Counter[tuple[str, str, str, int]] = Counter()
        self._seats: dict[tuple[str, str], int] = {}

    def answer(self, arrival: Arrival) -> Reply:
        """Answer one request."""
        if isinstance(arrival.request, ReleaseRequest):
            return self._release(arrival.request, arrival.address)
        return self._activate(arrival.request, arrival.address, shared=arrival.shared)

    def finish(self) -> None:
        """Write what was gathered over the batch."""
        ledger.add_counters(self._tx, self._counters)
        self._journal.settle(self._tx, self._now, self._monotonic)

    # Activation (docs/spec/06-counting.md, 6.2).

    def _activate(self, request: ActivationRequest, address: str, *, shared: bool) -> Reply:
        tx, now = self._tx, self._now
        entitled = rules.standing(self._view, request.publisher, request.product, now)
        if isinstance(entitled, MusterError):
            return self._refuse(request, address, entitled)
        product, publisher = entitled.product, request.publisher
        leases = ledger.leases(tx, publisher, request.cmid)
        rest = _minutes(leases.get(product.id), now)
        refusal = rules.screen(request, product, now)
        if refusal is not None:
            return self._refuse(request, address, refusal, entitled, rest)
        refusal = rules.unproved(request)
        if refusal is not None:
            return self._refuse(request, address, refusal, entitled, rest)
        known = ledger.known_machine(tx, publisher, request.cmid)
        row, line = rules.line(request, known, now)
        if row in (Row.REPEAT, Row.OLD):
            return self._again(request, address, row, entitled, leases)
        if row in lines.CLONES:
            ledger.put_line(tx, publisher, request.cmid, line)
            self._name_clones(request, address, row)
            return self._refuse_clone(request, address, entitled, rest)
        source = None if shared else address
        refusal = self._bounded(request, source, entitled, known, leases)
        if refusal is not None:
            return self._refuse(request, address, refusal, entitled, rest)

        number = self._count(request, address, entitled, known, line)
        self._name_clones(request, address, row)
        shown = count.shown(number, product.need)
        refusal = rules.insufficient(number, product, self._view.settings)
        if refusal is not None:
            return self._refuse(request, address, refusal, entitled, rest, shown)
        claims = rules.lease_claims(
            request, entitled, self._view.settings, number, self._token(), now
        )
        self._keep(claims, entitled, leases)
        self._log(request, address, None, entitled, rest, shown)
        return _answer(claims, entitled)

    def _again(
        self,
        request: ActivationRequest,
        address: str,
        row: Row,
        entitled: Standing,
        leases: Mapping[str, LeaseRow],
    ) -> Reply:
        """A request that was answered before: alike, or not at all; nothing is kept."""
        product = entitled.product
        lease = leases.get(product.id)
        rest = _minutes(lease, self._now)
        if row is Row.OLD or lease is None or lease.released_at or lease.nonce != request.nonce:
            return self._refuse(request, address, error("host/request-old"), entitled, rest)
        application = product.application
        number = ledger.count(
            self._tx, request.publisher, application, self._now, most=2 * product.need
        )
        shown = count.shown(number, product.need)
        refusal = rules.insufficient(number, product, self._view.settings)
        if refusal is not None:
            return self._refuse(request, address, refusal, entitled, rest, shown)
        claims = rules.lease_claims(
            request, entitled, self._view.settings, number, lease.jti, lease.issued_at
        )
        self._log(request, address, None, entitled, rest, shown)
        return _answer(replace(claims, exp=lease.expires_at), entitled)

    def _name_clones(self, request: ActivationRequest, address: str, row: Row) -> None:
        """Tell that several machines share a store, when it is found."""
        if row in (Row.FIRST_CAME_BACK, Row.LATER_CAME_BACK):
            ledger.note_clones(self._tx, request.publisher, request.cmid, self._now)
            written = self._journal.entry(
                self._tx,
                self._now,
                Event.HOST_CLONES_FIND,
                request.publisher,
                request.cmid,
                "their requests alternate; the first machine keeps the CMID",
                address,
                self._monotonic,
            )
            if not written:
                return
            _log.warning(
                "several machines share the store of %s: the first keeps this CMID, the others"
                " are told to take their own",
                request.cmid,
            )

    def _bounded(
        self,
        request: ActivationRequest,
        source: str | None,
        entitled: Standing,
        known: KnownMachine | None,
        leases: Mapping[str, LeaseRow],
    ) -> MusterError | None:
        """The bounds on seats and on new machines; neither counts. `source` is None where others
        stand behind the same address."""
        held = entitled.held
        if held.terms is not None:
            holds = _holds_seat(leases, held.grant, self._now)
            taken = self._taken(request.publisher, held.grant)
            refusal = rules.seat_refused(held.terms, taken, holds)
            if refusal is not None:
                return refusal
        if known is None and source is not None:
            return self._limiter.take(source, self._view.settings.new_cmid_rate, self._monotonic)
        return None

    def _taken(self, publisher: str, grant: Grant) -> int:
        """Seats taken under a grant; read once a transaction, then kept in step."""
        key = (publisher, grant.jti)
        if key not in self._seats:
            self._seats[key] = ledger.seats(self._tx, publisher, grant.jti, self._now)
        return self._seats[key]

    def _count(
        self,
        request: ActivationRequest,
        address: str,
        entitled: Standing,
        known: KnownMachine | None,
        line: Line,
    ) -> int:
        """Count the machine; the count of this very transaction, at most 2 × need."""
        tx, now, publisher = self._tx, self._now, request.publisher
        application = entitled.product.application
        row = ledger.seen(tx, publisher, application, request.cmid)
        ledger.put_seen(tx, publisher, application, request.cmid, count.sighted(row, now))
        fingerprint = tuple(sorted(set(request.fingerprint)))
        if not fingerprint and known is not None:
            fingerprint = known.fingerprint
        ledger.put_machine(tx, request, fingerprint, line, address, now)
        return ledger.count(tx, publisher, application, now, most=2 * entitled.product.need)

    def _keep(
        self, claims: LeaseClaims, entitled: Standing, leases: Mapping[str, LeaseRow]
    ) -> None:
        grant = entitled.held.grant
        key = (claims.publisher, grant.jti)
        if key in self._seats and not _holds_seat(leases, grant, self._now):
            self._seats[key] += 1
        ledger.put_lease(
            self._tx,
            LeaseRow(
                publisher=claims.publisher,
                product=claims.product,
                cmid=claims.cmid,
                application=entitled.product.application,
                grant_jti=grant.jti,
                jti=claims.jti,
                nonce=claims.nonce,
                issued_at=claims.iat,
                expires_at=claims.exp,
            ),
        )

    def _token(self) -> str:
        return strict.b64url_encode(self._dice.token(16))

    # Refusals.

    def _refuse(
        self,
        request: ActivationRequest,
        address: str,
        refusal: MusterError,
        entitled: Standing | None = None,
        rest: int = 0,
        shown: int = 0,
    ) -> Refused:
        self._log(request, address, refusal, entitled, rest, shown)
        known = self._view.publishers.get(request.publisher)
        if known is None:
            return Refused(refusal)
        return Refused(refusal, known.trust.version, known.catalogue_version)

    def _refuse_clone(
        self, request: ActivationRequest, address: str, entitled: Standing, rest: int
    ) -> Refused:
        """The one refusal that changes a client: signed, for this nonce alone."""
        ledger.add_duplicate(
            self._tx, request.publisher, request.cmid, self._now, request.client.name, address
        )
        refused = self._refuse(request, address, error(DUPLICATE_CMID), entitled, rest)
        signer = entitled.publisher.signer
        assert signer is not None
        text = make_notice(
            NoticeClaims(
                cmid=request.cmid,
                publisher=request.publisher,
                product=request.product,
                iat=self._now,
                jti=self._token(),
                code=DUPLICATE_CMID,
                nonce=request.nonce,
            ),
            signer,
        )
        notice = Notice(text, entitled.held.grant.text, signer.public)
        return Refused(refused.error, refused.trust, refused.catalogue, notice)

    def _log(
        self,
        request: ActivationRequest,
        address: str,
        refusal: MusterError | None,
        entitled: Standing | None,
        rest: int,
        shown: int,
    ) -> None:
        code = "" if refusal is None else refusal.code
        # Names that nobody knows are not counted one by one: anybody could invent more.
        named = (request.publisher, request.product) if entitled is not None else ("", "")
        self._counters[(*named, code, request.state)] += 1
        self._journal.request(
            self._tx,
            LogRow(
                at=self._now,
                publisher=request.publisher,
                product=request.product,
                cmid=request.cmid,
                address=address,
                code=code,
                field_code="" if refusal is None else refusal.row.field_code,
                need=0 if entitled is None else entitled.product.need,
                count=shown,
                client_time=request.sent_at,
                virtual=request.client.virtual,
                state=request.state,
                minutes=rest,
                os=request.client.os,
                version=request.client.version,
                name=request.client.name,
            ),
            self._monotonic,
        )

    # Release (docs/spec/06-counting.md, 6.9).

    def _release(self, request: ReleaseRequest, address: str) -> Reply:
        try:
            claims = self._proved(request)
        except MusterError as refusal:
            return Refused(refusal)
        tx, now, publisher, cmid = self._tx, self._now, claims.publisher, claims.cmid
        leases = ledger.leases(tx, publisher, cmid)
        row = leases.get(claims.product)
        if row is None:
            return Refused(error("host/release-unknown"))
        known = ledger.known_machine(tx, publisher, cmid)
        unfit = rules.release_refused(request, claims, known, now)
        if unfit is not None:
            return Refused(unfit)
        assert known is not None
        ledger.put_line(tx, publisher, cmid, replace(known.line, asked_at=request.sent_at))
        if row.released_at:
            return Released(False)
        ledger.release_lease(tx, publisher, cmid, row.product, now)
        self._seats.pop((publisher, row.grant_jti), None)
        others = {
            name: (one.expires_at, one.released_at)
            for name, one in leases.items()
            if one.application == row.application
        }
        if not rules.still_held(others, row.product, now):
            seen = ledger.seen(tx, publisher, row.application, cmid)
            ledger.put_seen(tx, publisher, row.application, cmid, count.released(seen, now))
        self._journal.entry(
            tx, now, Event.HOST_LEASE_RELEASE, publisher, cmid, row.product, address,
            self._monotonic,
        )  # fmt: skip
        return Released(row.expires_at > now)

    def _proved(self, request: ReleaseRequest) -> LeaseClaims:
        """The claims of a lease that a grant of this database covers, shown by the machine that
        it names. Raises: `host/release-proof`, `host/request-proof`, `host/not-served`, and as
        `muster.lease.verify.open_licence`."""
        bundle = request.bundle
        compact = parse(bundle.lease, strict.SMALL, "lease")
        check_header(compact, LEASE_TYP, "lease")
        said = read_claims(Claims(compact.payload, "lease"))
        known = self._view.publishers.get(said.publisher)
        if known is None:
            labels = rules.labels(self._view, self._now)
            raise error("host/not-served", product=said.product, labels=labels)
        opened = open_licence(bundle.encode(), known.trust, said.publisher)
        claims, grant = opened.lease, opened.grant
        ours = any(held.grant.jti == grant.jti for held in known.grants)
        if not ours or claims.group not in grant.covers:
            raise error("host/release-proof", detail="the grant is not one of this host")
        request.check_proof(claims.publisher, claims.identity, claims.cmid)
        return claims


def _answer(claims: LeaseClaims, entitled: Standing) -> ActivationAnswer:
    """The answer that brings a lease."""
    signer = entitled.publisher.signer
    assert signer is not None
    return ActivationAnswer(
        bundle=Bundle(
            lease=make_lease(claims, signer),
            grant=entitled.held.grant.text,
            signer=signer.public,
        ),
        count=claims.count,
        need=claims.need,
        trust=claims.trust,
        catalogue=claims.catalogue,
    )


def _minutes(lease: LeaseRow | None, now: int) -> int:
    """Minutes that a machine's lease from this host still runs."""
    if lease is None or lease.released_at:
        return 0
    return max(0, lease.expires_at - now) // 60


def _holds_seat(leases: Mapping[str, LeaseRow], grant: Grant, now: int) -> bool:
    return any(
        one.grant_jti == grant.jti and not one.released_at and one.expires_at > now
        for one in leases.values()
    )
