"""The requests that are answered in one transaction: each counted first, then refused or leased.

Decides the order in which rules, tables and signatures meet for one request; the rules are
`muster.host.rules`, the meaning of rows is `muster.host.count`. Refuses to know transactions and
clocks: both are passed in (`muster.host.service`). Obeys docs/spec/06-counting.md.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.values import replace
from muster.db.engine import Transaction
from muster.host import challenges, count, lines, rules
from muster.host.journal import Deed, Journal
from muster.host.limits import NewMachines
from muster.host.lines import Line, Row
from muster.host.model import (
    HostView,
    KnownMachine,
    LeaseRow,
    LogRow,
    Notice,
    PublisherView,
    QueuedRequest,
    Refused,
    Released,
    Reply,
)
from muster.host.rules import Entitlement
from muster.host.tables import ledger, request_log, tallies
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


class Batch:
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

    def answer(self, arrival: QueuedRequest) -> Reply:
        """Answer one request."""
        if isinstance(arrival.request, ReleaseRequest):
            return self._release(arrival.request, arrival.address)
        return self._activate(arrival.request, arrival.address, shared=arrival.shared)

    def finish(self) -> None:
        """Write what was gathered over the batch."""
        request_log.add_counters(self._tx, self._counters)
        self._journal.settle(self._tx, self._now, self._monotonic)

    # Activation (docs/spec/06-counting.md, 6.2).

    def _activate(self, request: ActivationRequest, address: str, *, shared: bool) -> Reply:
        tx, now = self._tx, self._now
        entitled = rules.find_entitlement(self._view, request.publisher, request.product, now)
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
            return self._again(request, address, row, line, entitled, leases)
        refusal = rules.unchallenged(request, known, entitled.publisher, now)
        if refusal is not None:
            # The same request comes once more in a moment; that one is logged and counted.
            return self._refused(request, refusal)
        if row in lines.CLONES:
            ledger.put_line(tx, publisher, request.cmid, line)
            self._name_clones(request, address, row)
            return self._refuse_clone(request, address, entitled, rest)
        source = None if shared else address
        refusal = self._bounded(request, source, entitled, known, leases)
        if refusal is not None:
            if known is not None:
                # It has spent its challenge: a seat that is free later is not for a recording.
                ledger.put_line(tx, publisher, request.cmid, line)
                self._name_clones(request, address, row)
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
        return _answer(claims, entitled, line)

    def _again(
        self,
        request: ActivationRequest,
        address: str,
        row: Row,
        line: Line,
        entitled: Entitlement,
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
        return _answer(replace(claims, exp=lease.expires_at), entitled, line)

    def _name_clones(self, request: ActivationRequest, address: str, row: Row) -> None:
        """Tell that several machines share a store, when it is found."""
        if row in (Row.FIRST_CAME_BACK, Row.LATER_CAME_BACK):
            ledger.note_clones(self._tx, request.publisher, request.cmid, self._now)
            detail = "their requests alternate; the first machine keeps the CMID"
            deed = Deed(Event.HOST_CLONES_FIND, request.publisher, request.cmid, detail, address)
            written = self._journal.entry(self._tx, deed, self._now, self._monotonic)
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
        entitled: Entitlement,
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
            self._seats[key] = tallies.seats(self._tx, publisher, grant.jti, self._now)
        return self._seats[key]

    def _count(
        self,
        request: ActivationRequest,
        address: str,
        entitled: Entitlement,
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
        self, claims: LeaseClaims, entitled: Entitlement, leases: Mapping[str, LeaseRow]
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
        entitled: Entitlement | None = None,
        rest: int = 0,
        shown: int = 0,
    ) -> Refused:
        self._log(request, address, refusal, entitled, rest, shown)
        return self._refused(request, refusal)

    def _refused(self, request: ActivationRequest, refusal: MusterError) -> Refused:
        known = self._view.publishers.get(request.publisher)
        if known is None:
            return Refused(refusal)
        return Refused(refusal, known.trust.version, known.catalogue_version)

    def _refuse_clone(
        self, request: ActivationRequest, address: str, entitled: Entitlement, rest: int
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
        entitled: Entitlement | None,
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
        entitled = self._view.publishers[publisher]
        unfit = rules.release_refused(request, claims, known, entitled, now)
        if unfit is not None:
            return Refused(unfit)
        assert known is not None
        explicit = claims.identity == "explicit"
        line = lines.released(known.line, request.sent_at, explicit, now)
        ledger.put_line(tx, publisher, cmid, line)
        if row.released_at:
            return Released(False)
        ledger.release_lease(tx, publisher, cmid, row.product, now)
        self._seats.pop((publisher, row.grant_jti), None)
        others = {
            name: (lease_row.expires_at, lease_row.released_at)
            for name, lease_row in leases.items()
            if lease_row.application == row.application
        }
        if not rules.still_held(others, row.product, now):
            seen = ledger.seen(tx, publisher, row.application, cmid)
            ledger.put_seen(tx, publisher, row.application, cmid, count.released(seen, now))
        deed = Deed(Event.HOST_LEASE_RELEASE, publisher, cmid, row.product, address)
        self._journal.entry(tx, deed, now, self._monotonic)
        return Released(row.expires_at > now)

    def _proved(self, request: ReleaseRequest) -> LeaseClaims:
        """The claims of a lease that a grant of this database covers, shown by the machine that
        it names. Raises: `host/release-proof`, `host/request-proof`, `host/not-served`, and as
        `muster.lease.verify.open_licence`."""
        bundle = request.bundle
        compact = parse(bundle.lease, strict.SMALL, "lease")
        check_header(compact, LEASE_TYP, "lease")
        lease_claims = read_claims(Claims(compact.payload, "lease"))
        known = self._view.publishers.get(lease_claims.publisher)
        if known is None:
            labels = rules.labels(self._view, self._now)
            raise error("host/not-served", product=lease_claims.product, labels=labels)
        # The proof first: it costs a fraction, and a lease is there for everybody to copy.
        request.check_proof(lease_claims.publisher, lease_claims.identity, lease_claims.cmid)
        opened = open_licence(bundle.encode(), known.trust, lease_claims.publisher)
        claims, grant = opened.lease, opened.grant
        ours = any(held.grant.jti == grant.jti for held in known.grants)
        if not ours or claims.group not in grant.covers:
            raise error("host/release-proof", detail="the grant is not one of this host")
        return claims


def behind(view: HostView, request: ActivationRequest | ReleaseRequest) -> str:
    """The publisher that may have news which this host lacks, or "": a product that the host's
    catalogue has not is asked for, or a request or a lease names newer versions than the host's.
    Nothing of it is verified: it is reason to ask the publisher, and for nothing else (8.3)."""
    if isinstance(request, ActivationRequest):
        known = view.publishers.get(request.publisher)
        if known is None or not known.keys:
            return ""
        listed = () if known.catalogue is None else known.catalogue.products
        newer = _is_newer(known, request.trust, request.catalogue)
        unheard = all(one.id != request.product for one in listed)
        return known.publisher if newer or unheard else ""
    try:
        lease = read_claims(
            Claims(parse(request.bundle.lease, strict.SMALL, "lease").payload, "lease")
        )
    except MusterError:
        return ""
    known = view.publishers.get(lease.publisher)
    if known is None or not known.keys:
        return ""
    return known.publisher if _is_newer(known, lease.trust, lease.catalogue) else ""


def _is_newer(known: PublisherView, trust: int, catalogue: int) -> bool:
    return trust > known.trust.version or catalogue > known.catalogue_version


def _answer(claims: LeaseClaims, entitled: Entitlement, line: Line) -> ActivationAnswer:
    """The answer that brings a lease; `line` is what is kept of the machine now."""
    signer = entitled.publisher.signer
    assert signer is not None
    key = entitled.publisher.challenge_key
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
        challenge=challenges.after(
            key, claims.publisher, claims.cmid, rules.kept_of(line, claims.identity)
        ),
    )


def _minutes(lease: LeaseRow | None, now: int) -> int:
    """Minutes that a machine's lease from this host still runs."""
    if lease is None or lease.released_at:
        return 0
    return max(0, lease.expires_at - now) // 60


def _holds_seat(leases: Mapping[str, LeaseRow], grant: Grant, now: int) -> bool:
    return any(
        lease.grant_jti == grant.jti and not lease.released_at and lease.expires_at > now
        for lease in leases.values()
    )
