"""The list of machines of a host, however many they are.

Decides from which states of the database a list is read: up to a page of machines is one state,
which is short. A state that lasts as long as a million machines take would keep the log of the
database from being brought into it. So each further page is a state of its own, and who asked
meanwhile, and moved to the part that was read, is read again at the end: each machine is listed
once, as it was in one state. Refuses to know how a list is shown.
"""

from __future__ import annotations

from muster.core.products import COUNT_WINDOW, DAY
from muster.core.values import dataclass
from muster.db.engine import Reader
from muster.host import count, rules
from muster.host.model import HostView, LeaseRow, Machine, PublisherView, Settings
from muster.host.open import OpenHost
from muster.host.results import ClientLease, ClientStatus
from muster.host.tables import ledger
from muster.host.view import publisher_id
from muster.lease.terms import Terms

PAGE = 1_000
"""Machines that are read from one state of the database."""
_LATE = 60
"""Seconds by which a request may be dated before it is durable."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which machines are listed; the members are those of `look.clients`."""

    publisher: str | None = None
    silent: bool = False
    silent_for: int | None = None
    name: str | None = None
    duplicates: bool = False

    @property
    def quiet(self) -> bool:
        """Whether the longest silent come first."""
        return self.silent or self.silent_for is not None


class _List:
    """A list in the making."""

    def __init__(self, host: OpenHost, wanted: Wanted) -> None:
        self._host = host
        self._wanted = wanted
        self._view: HostView | None = None
        self.now = host.clock.now()
        self.rows: dict[tuple[str, str], ClientStatus] = {}

    def page(self, reader: Reader, size: int, after: Machine | None) -> list[Machine]:
        """Read a page; the machines in it."""
        wanted, now = self._wanted, self.now
        if self._view is None:
            self._view = self._host.view(reader)
        chosen = ledger.Chosen(
            publisher=publisher_id(self._view, wanted.publisher),
            name=wanted.name,
            cloned_since=now - COUNT_WINDOW if wanted.duplicates else None,
        )
        if wanted.quiet:
            before = now - (DAY if wanted.silent_for is None else wanted.silent_for)
            found = ledger.quiet_machines(reader, size, now, before, chosen=chosen, after=after)
        else:
            found = ledger.machines(reader, size, chosen=chosen, after=after)
        for machine in found:
            row = _client(reader, self._view, machine, now)
            self.rows[machine.publisher, machine.cmid] = row
        return found

    def pages(self, limit: int) -> int:
        """Read `limit` machines, each page from a state of its own; how many pages."""
        read, number, last = 0, 0, None
        while read < limit:
            size = min(PAGE, limit - read)
            with self._host.snapshot() as reader:
                machines = self.page(reader, size, last)
            read, number = read + len(machines), number + 1
            if len(machines) < size:
                break
            last = machines[-1]
        return number

    def catch_up(self, limit: int, since: int) -> None:
        """Read, from one state, whoever was seen since an instant."""
        read, last = 0, None
        with self._host.snapshot() as reader:
            while read < limit:
                machines = self.page(reader, min(PAGE, limit - read), last)
                if not machines or machines[-1].last_seen < since:
                    break
                read, last = read + len(machines), machines[-1]


def list_machines(host: OpenHost, limit: int, wanted: Wanted) -> tuple[ClientStatus, ...]:
    """Machines; the arguments are those of `look.clients`. Raises: `host/unknown-publisher`."""
    listed = _List(host, wanted)
    several = listed.pages(limit) > 1
    if several and not wanted.quiet:
        listed.catch_up(limit, listed.now - _LATE)
    rows = list(listed.rows.values())
    if several and not wanted.quiet:
        rows.sort(key=lambda row: (-row.last_seen, row.publisher, row.cmid))
    return tuple(row for row in rows[:limit] if row.silent or not wanted.silent)


def _client(reader: Reader, view: HostView, machine: Machine, now: int) -> ClientStatus:
    known = view.publishers.get(machine.publisher)
    rows = ledger.applications_of(reader, machine.publisher, machine.cmid)
    leases = ledger.leases(reader, machine.publisher, machine.cmid)
    live = [lease for lease in leases.values() if _live(lease, now)]
    counted = {name: count.counts(row, now) for name, row in rows.items()}
    spans = (
        _silent_after(known, lease.product, _terms(known, lease), view.settings) for lease in live
    )
    silence = now - machine.last_seen
    silent = (bool(live) or any(counted.values())) and silence > max(spans, default=DAY)
    seats = [lease.expires_at for lease in live if _terms(known, lease) is not None]
    return ClientStatus(
        publisher=machine.publisher,
        label="" if known is None else known.label,
        cmid=machine.cmid,
        name=machine.name,
        identity=machine.identity,
        address=machine.address,
        os=machine.os,
        version=machine.version,
        virtual=machine.virtual,
        state=machine.state,
        first_seen=machine.first_seen,
        last_seen=machine.last_seen,
        silent=silent,
        silent_days=silence // DAY if silent else 0,
        seat_until=max(seats, default=None),
        duplicates=machine.duplicates,
        cloned_at=machine.cloned_at or None,
        restored=machine.restored,
        clone_name=machine.clone_name,
        clone_address=machine.clone_address,
        applications=counted,
        leases=tuple(
            ClientLease(lease.product, lease.issued_at, lease.expires_at, _live(lease, now))
            for lease in leases.values()
        ),
    )


def _live(lease: LeaseRow, now: int) -> bool:
    return not lease.released_at and lease.expires_at > now


def _terms(known: PublisherView | None, lease: LeaseRow) -> Terms | None:
    """The terms of the grant under which a lease was given."""
    grants = () if known is None else known.grants
    return next((held.terms for held in grants if held.grant.jti == lease.grant_jti), None)


def _silent_after(
    known: PublisherView | None, product: str, terms: Terms | None, settings: Settings
) -> int:
    """Seconds after which the holder of a lease of a product is silent."""
    catalogue = None if known is None else known.catalogue
    products = () if catalogue is None else catalogue.products
    for row in products:
        if row.id == product:
            return rules.silent_after(row, settings, terms)
    return DAY
