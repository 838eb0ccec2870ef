"""Keeps the host's SRV records true (docs/spec/07-discovery.md, section on publishing).

Decides which records a host publishes: the general name, and one name for each publisher that it
can serve now, in every domain that is set. What it can no longer serve is withdrawn. Where an
update is refused, it says what an administrator can paste; serving goes on. Refuses to know how an
update is sent: that is `muster.net.dnsupdate`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from muster.core import reach
from muster.core import settings as table
from muster.core.audit import Event, Who
from muster.core.catalogue import error
from muster.core.clock import Clock
from muster.core.errors import MusterError
from muster.core.settings import Role, Value
from muster.core.values import dataclass
from muster.db.engine import Database
from muster.host import rules
from muster.host.model import HostView
from muster.host.open import OpenHost
from muster.host.running import DNSPublishing, ZonePublished
from muster.host.tables import audit, dns
from muster.net.condition import Condition
from muster.net.dns import Resolver
from muster.net.dnsupdate import (
    DynamicUpdate,
    Signer,
    SRVRecord,
    general_name,
    label_name,
    nsupdate_script,
    parse_tsig_key,
    zone_lines,
)
from muster.net.kerberos import KEYTAB_LIMIT, Kerberos
from muster.system.private import read_private
from muster.system.textfile import read_text_private

DAILY = 24 * 3600
"""Seconds after which records are refreshed."""
AGAIN = 3600
"""Seconds after which a publishing that failed is tried again."""
LOOK_SECONDS = 30.0
"""How often a running host looks whether it serves other publishers than before."""
_KEY_FILE_LIMIT = 64 * 1024
_log = logging.getLogger("muster.host.dns")


@dataclass(frozen=True, slots=True)
class Plan:
    """Where and what to publish.

    `domains` to be found in; `zone` that holds them all, or "" where each is a zone of its own;
    `server` `ip` or `ip:port` of the primary, or "" to ask DNS for it; `target` the name that
    machines connect to.
    """

    domains: tuple[str, ...]
    zone: str
    server: str
    tsig: Signer | None
    target: str
    port: int
    priority: int
    weight: int
    ttl: int

    def names(self, labels: Sequence[str]) -> list[SRVRecord]:
        """The records of these labels, and the general ones, in all domains; none for none."""
        return [
            SRVRecord(name, self.port, self.target, self.priority, self.weight, self.ttl)
            for domain in self.domains
            for name in (
                [general_name(domain), *(label_name(label, domain) for label in labels)]
                if labels
                else []
            )
        ]


@dataclass(frozen=True, slots=True)
class ZoneResult:
    """How publishing in one zone went: RDATA added and removed, or the error.

    `records` are those wanted; with `withdrawn` none is wanted and they are those to remove.
    """

    zone: str
    records: tuple[SRVRecord, ...]
    added: int = 0
    removed: int = 0
    error: MusterError | None = None
    withdrawn: bool = False


def plan_of(values: Mapping[str, Value], *, port: int, name: str, tsig: Signer | None) -> Plan:
    """The plan of the settings that are set.

    Args:
        values: settings by name, from `view.effective`; the table's defaults for the others.
        port: where the host listens.
        name: the host's own full name, for what is not set.
        tsig: who signs updates, as `signer_of` has it.
    Raises: `host/dns-zone` when neither settings nor name tell a domain; `host/dns-target` for a
        single word that means this machine only, others are left to `check_target`.
    """
    full = {**table.defaults(Role.HOST), **values}
    target = str(full["dns_target"]) or name
    zone = str(full["dns_zone"])
    domains = full["dns_domains"]
    assert isinstance(domains, tuple)
    if target and "." not in target.strip("."):
        _refuse(target)
    if not domains:
        own = zone or target.partition(".")[2]
        domains = (own,) if own else ()
    if not domains or "." not in target.rstrip("."):
        missing = "the domain in which to publish" if not domains else "the host's full name"
        raise error("host/dns-zone", missing=missing)
    return Plan(
        domains=tuple(domains),
        zone=zone,
        server=str(full["dns_server"]),
        tsig=tsig,
        target=target,
        port=port,
        priority=_number(full["dns_priority"]),
        weight=_number(full["dns_weight"]),
        ttl=_number(full["dns_ttl"]),
    )


def check_target(plan: Plan) -> None:
    """Refuse to publish what no other machine can connect to; withdrawing it is always right.

    Raises: `host/dns-target`.
    """
    _refuse(plan.target)


def check_name(target: str) -> None:
    """Refuse a name for the records, where it is set, that no other machine can connect to.

    Raises: `host/dns-target`.
    """
    _refuse(target)
    if "." not in target.strip("."):
        detail = f"it has no domain, and records hold full names, such as {target}.corp.example"
        raise error("host/dns-target", target=target, detail=detail)


def _refuse(target: str) -> None:
    name = target.lower().removesuffix(".")
    labels = name.split(".")
    if not name:
        detail = "with it, they say that there is no host (RFC 2782)"
    elif reach.only_here(name):
        detail = "on every machine that name means the machine itself (RFC 6761)"
    elif ":" in name or labels[-1].isdigit():
        detail = "it is an address, and a record needs a name"
    else:
        return
    raise error("host/dns-target", target=target, detail=detail)


@dataclass(frozen=True, slots=True)
class DNSPlace:
    """What an act or a look of DNS is told beside the store.

    `name` the host's own full name; `port` that of the records, or None for where the host
    listens; `refused` is told what an administrator can paste where an update was refused.
    `running` tells that the host must be running where no port is given; otherwise the port of the
    settings is taken then.
    """

    name: str
    refused: Callable[[ZoneResult, str], None]
    port: int | None = None
    running: bool = False


def read_plan(host: OpenHost, place: DNSPlace) -> tuple[Plan, HostView]:
    """The plan of the settings, and what the host knows, out of one state of the store.

    Raises: `host/not-running`; as `plan_of` and `signer_of`.
    """
    with host.database.snapshot() as reader:
        values, view = host.values(reader), host.view(reader)
    return plan_of(
        values, port=_port(host, place, values), name=place.name, tsig=signer_of(values)
    ), view


def _port(host: OpenHost, place: DNSPlace, values: Mapping[str, Value]) -> int:
    if place.port is not None:
        return place.port
    process = host.process()
    if process is not None and process.port:
        return process.port
    if place.running:
        raise error("host/not-running")
    return _number({**table.defaults(Role.HOST), **values}["port"])


def signer_of(values: Mapping[str, Value]) -> Signer | None:
    """Who signs updates: the principal of `dns_keytab`, else the key of `tsig_key_file`; None where
    neither is set.

    Raises: `keyfile/rights` where others can read the file, `file/…`; as `parse_tsig_key` and
        `Kerberos.checked`.
    """
    keytab = str(values.get("dns_keytab", ""))
    if keytab:
        principal = str(values.get("dns_principal", ""))
        return Kerberos(keytab, lambda: read_private(keytab, KEYTAB_LIMIT), principal).checked()
    path = str(values.get("tsig_key_file", ""))
    if not path:
        return None
    text = read_text_private(path, _KEY_FILE_LIMIT).decode("utf-8", errors="replace")
    return parse_tsig_key(text)


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def publish(plan: Plan, view: HostView, now: int) -> list[ZoneResult]:
    """Publish what is served now and withdraw what is not; each zone by itself.

    A zone that fails does not stop the others; its error is in its result. With a target that
    `check_target` refuses nothing is sent.
    """
    served = rules.labels(view, now)
    every = sorted({publisher.label for publisher in view.publishers.values()})
    wanted = plan.names(served)
    if wanted:
        try:
            check_target(plan)
        except MusterError as fault:
            return [ZoneResult(plan.zone or domain, (), error=fault) for domain in plan.domains]
    names = {record.name for record in wanted}
    gone = [record for record in plan.names(every) if record.name not in names]
    return _by_zone(plan, wanted, gone)


def withdraw(plan: Plan, view: HostView) -> list[ZoneResult]:
    """Withdraw all records of this host."""
    every = sorted({publisher.label for publisher in view.publishers.values()})
    return _by_zone(plan, [], plan.names(every))


def _by_zone(
    plan: Plan, wanted: Sequence[SRVRecord], gone: Sequence[SRVRecord]
) -> list[ZoneResult]:
    results = []
    for domain in plan.domains:
        here = tuple(record for record in wanted if _within(record.name, domain))
        away = tuple(record for record in gone if _within(record.name, domain))
        zone = plan.zone or domain
        try:
            added, removed = _send(plan, domain, here, away)
            results.append(ZoneResult(zone, here or away, added, removed, withdrawn=not here))
        except MusterError as fault:
            results.append(ZoneResult(zone, here or away, error=fault, withdrawn=not here))
    return results


def _within(name: str, domain: str) -> bool:
    return name.endswith(f"._tcp.{domain.rstrip('.').lower()}")


def _send(
    plan: Plan, domain: str, here: Sequence[SRVRecord], away: Sequence[SRVRecord]
) -> tuple[int, int]:
    zone, server = plan.zone or domain, plan.server
    if not server:
        resolver = Resolver(extra="host")
        owner_zone, primary = resolver.zone_of(domain)
        zone = plan.zone or owner_zone
        addresses = resolver.addresses(primary)
        if not addresses:
            raise error("host/dns-zone", missing=f"the address of {primary}, the primary server")
        server = addresses[0] if ":" not in addresses[0] else f"[{addresses[0]}]:53"
    update = DynamicUpdate(server, zone, plan.tsig)
    added = removed = 0
    if here:
        published = update.publish(here)
        added += sum(map(len, published.added.values()))
        removed += sum(map(len, published.removed.values()))
    if away:
        published = update.withdraw(away)
        removed += sum(map(len, published.removed.values()))
    return added, removed


def by_hand(plan: Plan, records: Sequence[SRVRecord], zone: str, *, withdraw: bool = False) -> str:
    """What an administrator does where updates are refused: zone lines and an nsupdate script.

    With `withdraw` the lines to remove, and the script that removes them.
    """
    script = nsupdate_script(records, zone, plan.server or None, withdraw=withdraw)
    return paste_text(zone_lines(records), script, withdraw=withdraw)


def paste_text(lines: str, script: str, *, withdraw: bool = False) -> str:
    """Zone lines and the nsupdate script that does the same, with what each is for."""
    act = "lines to take out of the zone file" if withdraw else "lines for the zone file"
    return f"; {act}\n{lines}\n; or for 'nsupdate -k KEYFILE'\n{script}"


def remember(
    database: Database, results: Sequence[ZoneResult], now: int, actor: Who, event: Event
) -> None:
    """Keep the results for `muster host status`, and what changed for the audit."""
    with database.transaction() as tx:
        for result in results:
            code = "" if result.error is None else result.error.code
            dns.put_result(tx, dns.DNSResult(result.zone, now, code, _detail(result)))
            if result.added or result.removed:
                audit.write(
                    tx,
                    now,
                    actor,
                    event,
                    "",
                    result.zone,
                    f"{result.added} added, {result.removed} removed",
                )


def _detail(result: ZoneResult) -> str:
    return f"{len(result.records)} records" if result.error is None else result.error.what


TASK = "task:dns"
"""Who acts in the audit where the running host publishes by itself."""


class Keeper:
    """Publishes at the start, daily, and when other publishers are served than before.

    Args:
        plan: asked for each time, so that changed settings are followed; None means "do not
            publish".
        view: what the host knows.
        database, clock: the host's.
        refused: told of each zone that could not be published, with the text to paste.
        condition: is told what keeps the records from being published.
    """

    def __init__(
        self,
        plan: Callable[[], Plan | None],
        view: Callable[[], HostView],
        database: Database,
        clock: Clock,
        refused: Callable[[ZoneResult, str], None],
        condition: Condition,
    ) -> None:
        self._condition = condition
        self._results: dict[str, ZonePublished] = {}
        self._plan = plan
        self._view = view
        self._database = database
        self._clock = clock
        self._refused = refused
        self._last_faults: dict[str, str] = {}
        self._state: tuple[Plan | None, tuple[str, ...]] | None = None
        self._due = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host-dns", daemon=True)

    def start(self) -> None:
        """Start the thread; the first publishing is its first work."""
        self._thread.start()

    def stop(self, *, withdraw_records: bool) -> None:
        """End the thread; withdraw the records when told. Waits for an update under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if not withdraw_records:
            return
        plan = self._plan()
        if plan is None:
            return
        results = withdraw(plan, self._view())
        remember(self._database, results, self._clock.now(), TASK, Event.HOST_DNS_WITHDRAW)
        for result in results:
            if result.error is not None:
                _log.warning("records in %s were not withdrawn: %s", result.zone, result.error)

    def step(self) -> list[ZoneResult]:
        """Publish if it is time or if something changed; what was done."""
        monotonic, now = self._clock.monotonic(), self._clock.now()
        plan, view = self._plan(), self._view()
        state = (plan, tuple(rules.labels(view, now)))
        if state == self._state and monotonic < self._due:
            return []
        before = None if self._state is None else self._state[0]
        self._state = state
        self._due = monotonic + DAILY
        if plan is None:
            self._tell([], now)
            return []
        if before is not None and (before.target, before.domains) != (plan.target, plan.domains):
            remember(self._database, withdraw(before, view), now, TASK, Event.HOST_DNS_WITHDRAW)
        results = publish(plan, view, now)
        self._tell(results, now)
        remember(self._database, results, now, TASK, Event.HOST_DNS_PUBLISH)
        for result in results:
            if result.error is None:
                self._last_faults.pop(result.zone, None)
                _log.info(
                    "%d records published in %s",
                    len(result.records),
                    result.zone,
                    extra={"added": result.added, "removed": result.removed},
                )
                continue
            self._due = min(self._due, monotonic + AGAIN)
            # The text to paste is said once, not with every try.
            text = (
                by_hand(plan, result.records, result.zone, withdraw=result.withdrawn)
                if result.records
                else ""
            )
            if text and self._last_faults.get(result.zone) != text:
                self._last_faults[result.zone] = text
                self._refused(result, text)
        return results

    def _tell(self, results: Sequence[ZoneResult], now: int) -> None:
        self._results = {
            result.zone: ZonePublished(
                zone=result.zone,
                at=now,
                code="" if result.error is None else result.error.code,
                detail=_detail(result),
                records=() if result.error else tuple(zone_lines(result.records).splitlines()),
            )
            for result in results
        }
        self._condition.tell("dns", [result.error for result in results if result.error])

    @property
    def told(self) -> DNSPublishing:
        """What is published, as far as this process knows."""
        if self._state is not None and self._state[0] is None:
            return DNSPublishing(False, "publish_dns is off", ())
        (problem, *_) = (*self._condition.area("dns"), None)
        plan = None if self._state is None else self._state[0]
        return DNSPublishing(
            True,
            "" if problem is None else problem.what,
            tuple(self._results.values()),
            target="" if plan is None else plan.target,
            domains=() if plan is None else plan.domains,
        )

    def _run(self) -> None:
        while True:
            try:
                self.step()
            except MusterError as fault:
                self._condition.tell("dns", [fault])
            except Exception:  # noqa: BLE001 - serving goes on whatever happens here
                _log.exception("a defect in DNS publishing")
            if self._stop.wait(LOOK_SECONDS):
                return
