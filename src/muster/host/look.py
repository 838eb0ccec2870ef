"""What administrators are told of a host: status, machines, requests, audit, settings, as records.

Each public function is one question: it reads one snapshot of the store and returns a frozen
record of `muster.host.results`. Refuses to know how it is worded: that is `muster.cli.host`.
Administrators see whole counts, machines never do (docs/spec/06-counting.md, section 6.8). Long,
because the questions of one wing are one list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from muster.core import settings as table
from muster.core.errors import MusterError
from muster.core.products import COUNT_WINDOW, DAY
from muster.core.settings import Role, Value
from muster.core.states import LicenceState
from muster.core.text import shown_url
from muster.core.values import dataclass
from muster.db.engine import LOOK_CHECK_SECONDS, Reader
from muster.host import keys, rules
from muster.host.machine_list import Wanted, list_machines
from muster.host.model import (
    HeldGrant,
    HostKey,
    HostView,
    LogRow,
    PublisherNews,
    PublisherView,
    Settings,
)
from muster.host.open import OpenHost
from muster.host.publish import DNSPlace, check_target, read_plan
from muster.host.results import (
    ApplicationStatus,
    AuditList,
    ClientList,
    DatabaseCheck,
    DNSRecords,
    GrantStatus,
    HostSetting,
    HostSettings,
    HostStatus,
    KeyRequest,
    KeyStatus,
    Listening,
    NewsStatus,
    ProductNeed,
    PublisherStatus,
    RequestCounts,
    RequestList,
    SettingState,
    TermsStatus,
    TLSStatus,
    ZoneRecords,
    key_members,
)
from muster.host.running import HostProcess
from muster.host.tables import audit as audit_table
from muster.host.tables import dns, ledger, news, request_log, tallies
from muster.host.view import publisher_id
from muster.lease.terms import Terms
from muster.net.certificate import certificate_of
from muster.net.dnsupdate import nsupdate_script, zone_lines
from muster.net.firewall import FirewallRules, firewall_rules

OLD_CATALOGUE = 400 * DAY
"""A catalogue older than this is a warning, never a stop."""
_NOT_FAILED = ("", "host/insufficient-count")


# Settings.


def settings(host: OpenHost) -> HostSettings:
    """All settings of a host."""
    with host.snapshot() as reader:
        return HostSettings(_settings(host.values(reader)))


def setting(host: OpenHost, name: str) -> HostSetting:
    """One setting of a host. Raises: `settings/unknown`."""
    row = table.lookup(Role.HOST, name)
    with host.snapshot() as reader:
        values = host.values(reader)
    return HostSetting(row.name, values.get(row.name, row.default), row.name in values)


def _settings(values: Mapping[str, Value]) -> dict[str, SettingState]:
    return {
        row.name: SettingState(values.get(row.name, row.default), row.name in values)
        for row in table.of_role(Role.HOST)
    }


# Status.


def status(host: OpenHost) -> HostStatus:
    """The whole status of a host. Raises: `db/corrupt`, of one that does not run too."""
    now, process = host.clock.now(), host.process()
    if process is None:
        host.database.check(LOOK_CHECK_SECONDS)
    with host.snapshot() as reader:
        view, values = host.view(reader), host.values(reader)
        return HostStatus(
            time=now,
            store=str(host.folder),
            publishers=tuple(
                _publisher(reader, known, view.settings, now, process)
                for known in view.publishers.values()
            ),
            applications=_applications(reader, view, now),
            requests=_requests(reader),
            listening=_listening(process),
            process=process,
            settings=_settings(values),
            dns=tuple(dns.results(reader)),
            news=_news(news.rows(reader), view, process),
            tls=_tls(values, host.clock.now),
        )


def _news(
    kept: Mapping[str, PublisherNews], view: HostView, process: HostProcess | None
) -> tuple[NewsStatus, ...]:
    asking = {} if process is None else {told.publisher: told for told in process.news}
    by_file = {
        name: PublisherNews(name, None, known.news_at, "", 0)
        for name, known in view.publishers.items()
        if known.url is None
    }
    return tuple(
        NewsStatus(
            publisher=name,
            at=told.at,
            good_at=told.good_at,
            code=told.code,
            next_at=told.next_at if name in asking else None,
            failures=told.failures,
        )
        for name, told in {**by_file, **kept, **asking}.items()
    )


def _listening(process: HostProcess | None) -> Listening | None:
    return None if process is None or not process.port else Listening(process.address, process.port)


def _tls(values: Mapping[str, Value], now: Callable[[], float]) -> TLSStatus | None:
    """How it stands with the certificate of the settings.

    Looks at the files: a running host shows the certificate of before while these cannot be used.
    """
    path, key = (str(values.get(name, "")) for name in ("tls_certificate", "tls_key"))
    try:
        certificate = certificate_of(path, key, now)
    except MusterError as fault:
        return TLSStatus(path, (), None, fault.what)
    if certificate is None:
        return None
    shown, problem = certificate.refreshed(), certificate.fault
    return TLSStatus(path, shown.names, shown.ends_at, None if problem is None else problem.what)


def _publisher(
    reader: Reader,
    known: PublisherView,
    settings: Settings,
    now: int,
    process: HostProcess | None,
) -> PublisherStatus:
    held = {grant.grant.key: grant for grant in known.grants}
    catalogue = known.catalogue
    return PublisherStatus(
        publisher=known.publisher,
        label=known.label,
        name=known.trust.name,
        url=None if known.url is None else shown_url(known.url),
        trust=known.trust.version,
        catalogue=known.catalogue_version,
        catalogue_old=catalogue is not None and now - catalogue.iat > OLD_CATALOGUE,
        serving=process is not None and known.publisher in process.serving,
        able=rules.serves(known, now),
        groups=tuple(rules.granted_groups(known, now)),
        keys=tuple(
            _key(reader, known, key, held.get(key.key_id), settings, now) for key in known.keys
        ),
        broken=tuple(fault.code for fault in known.faults),
        faults=known.faults,
        clones=ledger.with_clones(reader, known.publisher, now - COUNT_WINDOW),
    )


def _key(
    reader: Reader,
    known: PublisherView,
    key: HostKey,
    held: HeldGrant | None,
    settings: Settings,
    now: int,
) -> KeyStatus:
    grant = terms = None
    if held is not None:
        grant = _grant(held, rules.live(known, held, now))
        if held.terms is not None:
            terms = _terms_status(reader, known, held, held.terms, settings, now)
    return KeyStatus(
        key=key.key_id,
        partial=key.partial,
        hardware=key.hw,
        hardware_fact=key.primary,
        installed_at=key.installed_at,
        activated_at=key.activated_at,
        grant=grant,
        terms=terms,
        asked_at=key.asked_at,
        refusal=key.refusal,
    )


def _grant(held: HeldGrant, fault: MusterError | None) -> GrantStatus:
    grant = held.grant
    return GrantStatus(
        grant=grant.jti,
        group=grant.group,
        covers=grant.covers,
        issued_at=grant.iat,
        expires_at=grant.exp,
        max_lease=grant.max_lease,
        code="" if fault is None else fault.code,
    )


def _terms_status(
    reader: Reader,
    known: PublisherView,
    held: HeldGrant,
    terms: Terms,
    settings: Settings,
    now: int,
) -> TermsStatus:
    silent, until = _silent_seats(reader, known, held, settings, now)
    return TermsStatus(
        version=terms.version,
        limit=terms.limit,
        over=terms.over,
        customer=terms.customer,
        agreement=terms.agreement,
        max_lease=terms.max_lease,
        seats=tallies.seats(reader, known.publisher, held.grant.jti, now),
        silent=silent,
        silent_until=until,
    )


def _silent_seats(
    reader: Reader, known: PublisherView, held: HeldGrant, settings: Settings, now: int
) -> tuple[int, int | None]:
    """Machines that hold a seat under a grant and have been silent, and when the first of these
    seats comes back (None where there are none)."""
    catalogue = known.catalogue
    spans = {
        product.id: rules.silent_after(product, settings, held.terms)
        for product in (() if catalogue is None else catalogue.products)
        if product.group in held.grant.covers
    }
    return tallies.silent_seats(reader, known.publisher, held.grant.jti, now, spans)


def applications(host: OpenHost) -> tuple[ApplicationStatus, ...]:
    """The count of each application that the host can serve or that machines asked for."""
    with host.snapshot() as reader:
        return _applications(reader, host.view(reader), host.clock.now())


def _applications(reader: Reader, view: HostView, now: int) -> tuple[ApplicationStatus, ...]:
    counted = {(row.publisher, row.application): row for row in ledger.counts(reader, now)}
    rows = []
    for known in view.publishers.values():
        groups = set(rules.granted_groups(known, now))
        products = () if known.catalogue is None else known.catalogue.products
        names = [] if known.catalogue is None else [app.id for app in known.catalogue.applications]
        for name in names:
            served = [item for item in products if item.application == name]
            served = [item for item in served if item.group in groups and item.channel == "volume"]
            row = counted.get((known.publisher, name))
            if not served and row is None:
                continue
            number = 0 if row is None else row.count
            rows.append(
                ApplicationStatus(
                    publisher=known.publisher,
                    label=known.label,
                    application=name,
                    count=number,
                    addresses=0 if row is None else row.addresses,
                    products=tuple(
                        ProductNeed(item.id, item.group, item.need, number >= item.need)
                        for item in served
                    ),
                )
            )
    return tuple(rows)


def _requests(reader: Reader) -> RequestCounts:
    total = failed = 0
    states = dict.fromkeys((int(state) for state in LicenceState), 0)
    outcomes: dict[str, int] = {}
    for row in request_log.counters(reader):
        total += row.number
        failed += row.number if row.code not in _NOT_FAILED else 0
        states[row.state] = states.get(row.state, 0) + row.number
        outcomes[row.code or "leased"] = outcomes.get(row.code or "leased", 0) + row.number
    by_state = {str(state): number for state, number in states.items()}
    return RequestCounts(total, failed, by_state, outcomes)


# The doctor.


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the doctor begins with: what the host knows, the settings that are set, the process that
    serves it, None where none does, and how many machines were cloned within 30 days, by
    publisher."""

    view: HostView
    values: Mapping[str, Value]
    process: HostProcess | None
    clones: Mapping[str, int]
    now: int


def surroundings(host: OpenHost) -> Surroundings:
    """What the doctor begins with."""
    now, process = host.clock.now(), host.process()
    with host.snapshot() as reader:
        view = host.view(reader)
        clones = {
            publisher: ledger.with_clones(reader, publisher, now - COUNT_WINDOW)
            for publisher in view.publishers
        }
        return Surroundings(view, host.values(reader), process, clones, now)


# Activation.


def key_request(
    host: OpenHost, publisher: str | None = None, key: str | None = None, name: str = ""
) -> KeyRequest | None:
    """What the publisher of a key is shown: of the one key that waits, or of the one that is named.

    Args:
        publisher: only keys of this one, by id or label.
        key: the key that is meant, by last group or key id, whether it waits or not.
        name: of this host, that the publisher may see.
    Returns:
        None where no key waits and none is named.
    Raises: `host/no-key`, `host/unknown-key`, `host/which-key`, `host/unknown-publisher`.
    """
    with host.snapshot() as reader:
        view = host.view(reader)
    waiting = keys.waiting(view, publisher_id(view, publisher), key, host.clock.now())
    if not waiting and key is None:
        return None
    chosen = keys.only(waiting or [keys.find_key(view, key or "")])
    # A grant that is held and waits is not one of this host: it is of another signing key.
    return KeyRequest(
        **key_members(chosen, activated=not waiting),
        installation_id=keys.installation_id(view, chosen),
        file=keys.request_file(view, chosen, name),
    )


# Machines.


def clients(
    host: OpenHost,
    limit: int,
    *,
    publisher: str | None = None,
    silent: bool = False,
    silent_for: int | None = None,
    name: str | None = None,
    duplicates: bool = False,
) -> ClientList:
    """Machines, the most recently seen first; more than `machine_list.PAGE` are of several states
    of the database, and each machine of one.

    Args:
        limit: how many are read at most.
        publisher: only those that asked for its products; its id or label.
        silent: only those that have been silent, the longest silent first.
        silent_for: only those that were last seen so many seconds ago or earlier, and count or hold
            a licence; the longest silent first.
        name: only those that call themselves so, in any case.
        duplicates: only those of which clones were found in the last 30 days.
    Raises: `host/unknown-publisher`.
    """
    wanted = Wanted(publisher, silent, silent_for, name, duplicates)
    return ClientList(list_machines(host, limit, wanted))


# Requests and audit.


LOG_PAGE = 10_000
"""Requests that are read from one state of the database."""


def requests(host: OpenHost, limit: int, cmid: str | None = None) -> RequestList:
    """The newest requests, of one machine or of all.

    A row never changes, so more than a page of them are read from several short states.
    """
    rows: list[LogRow] = []
    before = None
    while len(rows) < limit:
        size = min(LOG_PAGE, limit - len(rows))
        with host.snapshot() as reader:
            machine = None if cmid is None else cmid.lower()
            page = request_log.requests(reader, size, machine, before)
        rows += page
        if len(page) < size:
            break
        before = page[-1].id
    return RequestList(tuple(reversed(rows)))


def audit(host: OpenHost, limit: int) -> AuditList:
    """The newest entries of the audit."""
    with host.snapshot() as reader:
        return AuditList(tuple(reversed(audit_table.rows(reader, limit))))


# The network.


def firewall(host: OpenHost) -> FirewallRules:
    """The lines that open the port for machines: that of the running host, else of the settings."""
    process = host.process()
    with host.snapshot() as reader:
        values = {**table.defaults(Role.HOST), **host.values(reader)}
    running = process is not None and process.port > 0
    port, networks = values["port"], values["allowed_networks"]
    assert isinstance(port, int)
    assert isinstance(networks, tuple)
    address = str(values["bind"])
    if process is not None and running:
        port, address = process.port, process.address
    return firewall_rules("muster-host", port, address, networks, running=running)


def dns_records(host: OpenHost, place: DNSPlace) -> DNSRecords:
    """What the host would publish now. Raises: as `publish.read_plan`, `publish.check_target`."""
    plan, view = read_plan(host, place)
    check_target(plan)
    wanted = plan.names(rules.labels(view, host.clock.now()))
    zones = []
    for domain in plan.domains:
        here = [record for record in wanted if record.name.endswith(f"._tcp.{domain}")]
        zone = plan.zone or domain
        script = nsupdate_script(here, zone, plan.server or None)
        zones.append(ZoneRecords(zone, tuple(zone_lines(here).splitlines()), script))
    return DNSRecords(tuple(zones))


# The database.


def check_database(host: OpenHost) -> DatabaseCheck:
    """That the database in the store is the one that was here, which opening it showed, and that
    its pages fit together. Raises: `db/corrupt`, `db/foreign`."""
    with host.snapshot():
        pass  # whose tables they are
    host.database.check()
    return DatabaseCheck(host.database.name)
