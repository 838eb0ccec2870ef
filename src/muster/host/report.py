"""What administrators are told of a host: status, machines, requests, as plain data.

Decides what is shown and under which names; `--json` prints it as it is. Refuses to know how it is
worded: that is `muster.cli.host`. Administrators see whole counts, machines never do
(docs/spec/06-counting.md, section 6.8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from muster.core import settings as table
from muster.core.errors import MusterError
from muster.core.products import COUNT_WINDOW, DAY
from muster.core.settings import Role, Value
from muster.core.states import LicenceState
from muster.core.text import shown_url
from muster.db.engine import Reader
from muster.host import count, ledger, request_log, rules, store
from muster.host.model import (
    HeldGrant,
    HostKey,
    HostView,
    LeaseRow,
    LogRow,
    Machine,
    PublisherView,
    Settings,
)
from muster.lease.terms import Terms
from muster.net.certificate import certificate_of

OLD_CATALOGUE = 400 * DAY
"""A catalogue older than this is a warning, never a stop."""
_NOT_FAILED = ("", "host/insufficient-count")


def status(reader: Reader, view: HostView, values: Mapping[str, Value], now: int) -> dict[str, Any]:
    """The whole status. `values` are the settings that are set."""
    listening = store.listening(reader)
    return {
        "time": now,
        "publishers": [
            _publisher(reader, one, view.settings, now) for one in view.publishers.values()
        ],
        "applications": applications(reader, view, now),
        "requests": _requests(reader),
        "listening": None if listening is None else {"address": listening[0], "port": listening[1]},
        "settings": settings_data(values),
        "dns": [
            {"zone": one.zone, "at": one.at, "code": one.code, "detail": one.detail}
            for one in store.dns_results(reader)
        ],
    }


def tls_data(values: Mapping[str, Value], now: Callable[[], float]) -> dict[str, Any] | None:
    """How it stands with the certificate of the settings; None where TLS is not spoken.

    Looks at the files: a running host shows the certificate of before while these cannot be used.
    """
    path, key = (str(values.get(name, "")) for name in ("tls_certificate", "tls_key"))
    try:
        found = certificate_of(path, key, now)
    except MusterError as fault:
        return {"certificate": path, "names": [], "ends_at": None, "problem": fault.what}
    if found is None:
        return None
    shown, problem = found.look(), found.problem
    return {
        "certificate": path,
        "names": list(shown.names),
        "ends_at": shown.ends_at,
        "problem": None if problem is None else problem.what,
    }


def settings_data(values: Mapping[str, Value]) -> dict[str, Any]:
    """All settings of a host by name: the value, and whether it is set."""
    return {
        one.name: {"value": values.get(one.name, one.default), "set": one.name in values}
        for one in table.of_role(Role.HOST)
    }


def _publisher(reader: Reader, one: PublisherView, settings: Settings, now: int) -> dict[str, Any]:
    held = {each.grant.key: each for each in one.grants}
    old = one.catalogue is not None and now - one.catalogue.iat > OLD_CATALOGUE
    return {
        "publisher": one.publisher,
        "label": one.label,
        "name": one.trust.name,
        "url": None if one.url is None else shown_url(one.url),
        "trust": one.trust.version,
        "catalogue": one.catalogue_version,
        "catalogue_old": old,
        "serving": rules.serves(one, now),
        "groups": rules.granted_groups(one, now),
        "keys": [_key(reader, one, key, held.get(key.key_id), settings, now) for key in one.keys],
        "broken": [fault.code for fault in one.broken],
        "clones": ledger.with_clones(reader, one.publisher, now - COUNT_WINDOW),
    }


def _key(
    reader: Reader,
    one: PublisherView,
    key: HostKey,
    held: HeldGrant | None,
    settings: Settings,
    now: int,
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "key": key.key_id,
        "partial": key.partial,
        "hardware": key.hw,
        "hardware_fact": key.primary,
        "installed_at": key.installed_at,
        "activated_at": key.activated_at,
        "grant": None,
        "terms": None,
    }
    if held is None:
        return data
    fault = rules.live(one, held, now)
    grant = held.grant
    data["grant"] = {
        "jti": grant.jti,
        "group": grant.group,
        "covers": list(grant.covers),
        "issued_at": grant.iat,
        "expires_at": grant.exp,
        "max_lease": grant.max_lease,
        "code": "" if fault is None else fault.code,
    }
    if held.terms is not None:
        silent, back = _silent_seats(reader, one, held, settings, now)
        data["terms"] = {
            "version": held.terms.version,
            "limit": held.terms.limit,
            "over": held.terms.over,
            "customer": held.terms.customer,
            "agreement": held.terms.agreement,
            "max_lease": held.terms.max_lease,
            "seats": ledger.seats(reader, one.publisher, grant.jti, now),
            "silent": silent,
            "silent_until": back or None,
        }
    return data


def _silent_seats(
    reader: Reader, one: PublisherView, held: HeldGrant, settings: Settings, now: int
) -> tuple[int, int]:
    """Machines that hold a seat under a grant and have been silent, and when the first of these
    seats comes back (0 where there are none)."""
    quiet = ledger.quiet_seats(reader, one.publisher, held.grant.jti, now, now - DAY)
    told: dict[str, int] = {}
    ends: dict[str, int] = {}
    seen: dict[str, int] = {}
    for cmid, product, last_seen, expires_at in quiet:
        told[cmid] = max(told.get(cmid, DAY), _silent_after(one, product, held.terms, settings))
        ends[cmid] = max(ends.get(cmid, 0), expires_at)
        seen[cmid] = last_seen
    back = [ends[cmid] for cmid, last_seen in seen.items() if now - last_seen > told[cmid]]
    return len(back), min(back, default=0)


def applications(reader: Reader, view: HostView, now: int) -> list[dict[str, Any]]:
    """The count of each application that the host can serve or that machines asked for."""
    counted = {(one.publisher, one.application): one for one in ledger.counts(reader, now)}
    found = []
    for one in view.publishers.values():
        groups = set(rules.granted_groups(one, now))
        products = () if one.catalogue is None else one.catalogue.products
        names = [] if one.catalogue is None else [item.id for item in one.catalogue.applications]
        for application in names:
            served = [
                item
                for item in products
                if item.application == application and item.group in groups
            ]
            row = counted.get((one.publisher, application))
            if not served and row is None:
                continue
            number = 0 if row is None else row.count
            found.append(
                {
                    "publisher": one.publisher,
                    "label": one.label,
                    "application": application,
                    "count": number,
                    "addresses": 0 if row is None else row.addresses,
                    "products": [
                        {
                            "product": item.id,
                            "group": item.group,
                            "need": item.need,
                            "met": number >= item.need,
                        }
                        for item in served
                    ],
                }
            )
    return found


def _requests(reader: Reader) -> dict[str, Any]:
    total = failed = 0
    states = dict.fromkeys((int(state) for state in LicenceState), 0)
    outcomes: dict[str, int] = {}
    for one in request_log.counters(reader):
        total += one.number
        failed += one.number if one.code not in _NOT_FAILED else 0
        states[one.state] = states.get(one.state, 0) + one.number
        outcomes[one.code or "leased"] = outcomes.get(one.code or "leased", 0) + one.number
    return {
        "total": total,
        "failed": failed,
        "by_state": {str(state): number for state, number in states.items()},
        "by_outcome": outcomes,
    }


def clients(
    reader: Reader, view: HostView, now: int, limit: int, cmid: str | None = None
) -> list[dict[str, Any]]:
    """Machines, the most recently seen first, with their counts and leases.

    `silent` tells of a machine that counts or holds a lease and was last seen longer ago than
    section 6.5 says, `silent_days` for how many whole days; `seat_until` when the last of its
    leases under a ceiling ends, None where it holds no seat.
    """
    return [_client(reader, view, one, now) for one in ledger.machines(reader, limit, cmid)]


def silent_clients(reader: Reader, view: HostView, now: int, limit: int) -> list[dict[str, Any]]:
    """Machines that have been silent, as `clients` tells of them, the longest silent first."""
    quiet = ledger.quiet_machines(reader, limit, now, now - DAY)
    found = [_client(reader, view, one, now) for one in quiet]
    return [one for one in found if one["silent"]]


def _client(reader: Reader, view: HostView, one: Machine, now: int) -> dict[str, Any]:
    known = view.publishers.get(one.publisher)
    rows = ledger.applications_of(reader, one.publisher, one.cmid)
    leases = ledger.leases(reader, one.publisher, one.cmid)
    live = [lease for lease in leases.values() if _live(lease, now)]
    counted = {name: count.counts(row, now) for name, row in rows.items()}
    quiet = max(
        (
            _silent_after(known, lease.product, _terms(known, lease), view.settings)
            for lease in live
        ),
        default=DAY,
    )
    silent = (bool(live) or any(counted.values())) and now - one.last_seen > quiet
    seats = [lease.expires_at for lease in live if _terms(known, lease) is not None]
    return {
        "publisher": one.publisher,
        "label": "" if known is None else known.label,
        "cmid": one.cmid,
        "name": one.name,
        "identity": one.identity,
        "address": one.address,
        "os": one.os,
        "version": one.version,
        "virtual": one.virtual,
        "state": one.state,
        "first_seen": one.first_seen,
        "last_seen": one.last_seen,
        "silent": silent,
        "silent_days": (now - one.last_seen) // DAY if silent else 0,
        "seat_until": max(seats, default=None),
        "duplicates": one.duplicates,
        "cloned_at": one.cloned_at or None,
        "restored": one.restored,
        "clone_name": one.clone_name,
        "clone_address": one.clone_address,
        "applications": counted,
        "leases": [
            {
                "product": lease.product,
                "issued_at": lease.issued_at,
                "expires_at": lease.expires_at,
                "live": _live(lease, now),
            }
            for lease in leases.values()
        ],
    }


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
    for one in products:
        if one.id == product:
            return rules.silent_after(one, settings, terms)
    return DAY


def request_data(row: LogRow) -> dict[str, Any]:
    """One request of the log, with the fields of event 12290."""
    return {
        "id": row.id,
        "at": row.at,
        "code": row.code,
        "field_code": row.field_code,
        "need": row.need,
        "address": row.address,
        "cmid": row.cmid,
        "client_time": row.client_time,
        "virtual": row.virtual,
        "state": row.state,
        "minutes": row.minutes,
        "publisher": row.publisher,
        "product": row.product,
        "count": row.count,
        "os": row.os,
        "version": row.version,
        "name": row.name,
    }
