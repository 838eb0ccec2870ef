"""Publish the SRV records of a host now, or withdraw them (docs/spec/07-discovery.md).

Decides from one state of the store what is sent, and what is remembered of it. Refuses to know
how records are kept true while a host serves: that is `muster.host.publish.Keeper`.
"""

from __future__ import annotations

from collections.abc import Sequence

from muster.core.audit import Event
from muster.core.catalogue import error
from muster.host import publish as records
from muster.host import rules
from muster.host.open import OpenHost
from muster.host.publish import DNSPlace, Plan, ZoneResult
from muster.host.results import DNSChange, ZoneChange
from muster.net.dnsupdate import zone_lines


def publish(host: OpenHost, place: DNSPlace) -> DNSChange:
    """Publish what is served now, and withdraw what is not.

    Where a zone refuses, the others are done and remembered all the same; then `place.refused` is
    told of the first one that did, and its error is raised.
    Raises: `host/dns-zone`, `host/dns-target`, `host/no-key` where nobody is served; the errors of
        `net.dnsupdate`.
    """
    plan, view = records.read_plan(host, place)
    now = host.clock.now()
    if not rules.labels(view, now):
        raise error("host/no-key")
    results = records.publish(plan, view, now)
    records.remember(host.database, results, now, host.actor, Event.HOST_DNS_PUBLISH)
    return _change(place, plan, results, withdrawn=False)


def withdraw(host: OpenHost, place: DNSPlace) -> DNSChange:
    """Withdraw all records of this host. Raises: as `publish`, except `host/no-key`."""
    plan, view = records.read_plan(host, place)
    results = records.withdraw(plan, view)
    records.remember(host.database, results, host.clock.now(), host.actor, Event.HOST_DNS_WITHDRAW)
    return _change(place, plan, results, withdrawn=True)


def _change(
    place: DNSPlace, plan: Plan, results: Sequence[ZoneResult], *, withdrawn: bool
) -> DNSChange:
    for result in results:
        if result.error is not None:
            if result.records:
                place.refused(
                    result,
                    records.by_hand(plan, result.records, result.zone, withdraw=result.withdrawn),
                )
            raise result.error
    return DNSChange(
        changed=any(result.added or result.removed for result in results),
        withdrawn=withdrawn,
        zones=tuple(
            ZoneChange(
                zone=result.zone,
                records=() if withdrawn else tuple(zone_lines(result.records).splitlines()),
                added=result.added,
                removed=result.removed,
            )
            for result in results
        ),
    )
