"""The host's side of `muster doctor`: do machines find this host, and can it answer them.

`look` asks DNS for the records that the host should have, itself at the address that machines
would use, every other host that is beside it, and the publisher where its address is known;
`judge` is pure over what was found. Refuses to change anything: newer documents are followed for
the look only. Obeys docs/doctor.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from muster.core.catalogue import CATALOGUE, error
from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.settings import Value
from muster.core.text import instant_text, shown_url
from muster.core.values import dataclass, replace
from muster.health import probe
from muster.health.probe import Advertised, ProbeResult, Reply
from muster.health.report import Check, Mark, Report, Topic, failed, report
from muster.health.rules import THIS_HOST, check_hosts, newest_catalogue, newest_trust
from muster.host import rules
from muster.host.model import HeldGrant, HostKey, HostView, PublisherView
from muster.host.publish import Plan, check_target, plan_of
from muster.host.running import HostProcess
from muster.lease.catalogue import Catalogue
from muster.net.dns import SRV, Resolver
from muster.net.http import HTTPClient
from muster.wire.routes import HOST_PORT, PROBLEM, Route

_ANY = ("0.0.0.0", "::")  # noqa: S104  # what a host may listen at; nothing is bound here
_MOST = 16
"""Hosts that are looked at."""
OLD_NEWS = 7 * DAY
"""News that are older are told."""
OLD_FILE = 35 * DAY
"""The same of a publisher that is not asked: a file once a month is a good habit."""
GRANT_ENDS = 30 * DAY
"""How long before its end a grant is told; as the alert MusterHostGrantEnds."""
_NEW_KEY = (
    "Ask the publisher for a new host key; then 'muster host install-key KEY' and 'muster host"
    " activate'."
)
_PUBLISH = "Run 'muster host publish-dns'; if DNS refuses it, the command prints the records."


@dataclass(frozen=True, slots=True)
class Prober:
    """What asks: DNS, hosts (over TLS where this host speaks it: machines ask all hosts alike), and
    publishers (by the proxies of the environment)."""

    resolver: Resolver
    hosts: HTTPClient
    publishers: HTTPClient
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found for one publisher.

    `plan` says which records there should be, None where the host publishes none, and `plan_fault`
    why there is no plan; `records` what is at each name, or why DNS did not tell; `own` what
    this host answered at the address that machines would use, None where it has none; `others`
    what hosts beside it said; `publisher` what the publisher's service said; `clones` machines of
    which clones were found within 30 days; `process` the one that serves, None where none does.
    """

    view: PublisherView
    now: int
    plan: Plan | None
    plan_fault: MusterError | None
    records: Mapping[str, tuple[SRV, ...] | MusterError]
    own: ProbeResult | None
    others: tuple[ProbeResult, ...]
    publisher: ProbeResult | None
    clones: int = 0
    process: HostProcess | None = None


def examine(
    prober: Prober,
    view: HostView,
    values: Mapping[str, Value],
    *,
    process: HostProcess | None,
    name: str,
    now: int,
    clones: Mapping[str, int] | None = None,
) -> list[Report]:
    """Look and judge, one report for each publisher that the host knows.

    Args:
        prober: asks.
        view: what the host knows.
        values: settings that are set.
        process: the one that serves, as it says of itself; None where none does.
        name: this machine's full name.
        now: Unix seconds.
        clones: machines of which clones were found within 30 days, by publisher.
    """
    if not view.publishers:
        fix = "Run 'muster host init --publisher FILE' with a publisher's file."
        check = Check(Topic.GRANT, Mark.FAIL, "This host knows no publisher.", fix)
        return [report("host", "", "", [check])]
    return [
        diagnose(
            replace(
                collect(prober, publisher, values, process=process, name=name, now=now),
                clones=(clones or {}).get(publisher.publisher, 0),
            )
        )
        for publisher in view.publishers.values()
    ]


def collect(
    prober: Prober,
    view: PublisherView,
    values: Mapping[str, Value],
    *,
    process: HostProcess | None,
    name: str,
    now: int,
) -> Findings:
    """Ask around for one publisher; arguments as those of `examine`."""
    plan, plan_fault = None, None
    listening = _listening(process)
    if _publishes(values, process):
        try:
            port = HOST_PORT if listening is None else listening[1]
            wanted_plan = plan_of(_published(values, process), port=port, name=name, tsig=None)
            check_target(wanted_plan)
            plan = wanted_plan
        except MusterError as fault:
            plan_fault = fault
    records: dict[str, tuple[SRV, ...] | MusterError] = {}
    for wanted in [] if plan is None else plan.names([view.label]):
        try:
            records[wanted.name] = prober.resolver.srv(wanted.name)
        except MusterError as fault:
            records[wanted.name] = fault
    own_address = _own_address(plan, listening)
    own = None
    if listening is not None and own_address is not None:
        # Without records machines are told a name; its certificate is for that, not for loopback.
        target = str(values.get("dns_target") or name) if plan is None and prober.tls else ""
        own = _probe_best(prober, own_address, THIS_HOST, view, now, ours=True, name=target)
    others: dict[tuple[str, int], bool] = {}
    for owner, answer in records.items():
        for record in () if isinstance(answer, MusterError) else answer:
            address = (record.target, record.port)
            if address != own_address:
                others[address] = others.get(address, False) or "._sub." in owner
    results = tuple(
        _probe_best(prober, address, "beside it in DNS", view, now, ours=ours)
        for address, ours in list(others.items())[:_MOST]
    )
    service = None
    if view.url:
        peer = Advertised(shown_url(view.url), "the publisher", ours=True)
        call = _caller(prober.publishers, view.url.rstrip("/"))
        service = probe.probe_publisher(peer, call, view.trust.version, now)
    return Findings(view, now, plan, plan_fault, records, own, results, service, process=process)


def _listening(process: HostProcess | None) -> tuple[str, int] | None:
    return None if process is None or not process.port else (process.address, process.port)


def _published(values: Mapping[str, Value], process: HostProcess | None) -> Mapping[str, Value]:
    """The settings of records: those that the process works with, which its command line may have
    given, before those of the store."""
    if process is None or process.dns is None or not process.dns.target:
        return values
    return {**values, "dns_target": process.dns.target, "dns_domains": process.dns.domains}


def _publishes(values: Mapping[str, Value], process: HostProcess | None) -> bool:
    """Whether records are published: by the word of the process, else by the settings."""
    if process is not None and process.dns is not None:
        return process.dns.enabled
    return values.get("publish_dns", True) is not False


def _own_address(plan: Plan | None, listening: tuple[str, int] | None) -> tuple[str, int] | None:
    if plan is not None:
        return plan.target.lower().rstrip("."), plan.port
    if listening is None:
        return None
    address, port = listening
    return ("127.0.0.1" if address in _ANY else address), port


def _probe_best(
    prober: Prober,
    address: tuple[str, int],
    source: str,
    view: PublisherView,
    now: int,
    *,
    ours: bool,
    name: str = "",
) -> ProbeResult:
    """Ask a host, under another name than that of its address where one is given."""
    host, port = address
    text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    advertised = Advertised(text, source, ours)
    try:
        ips = prober.resolver.addresses(host)
        if not ips:
            raise error("net/name", name=host)
    except MusterError as fault:
        return ProbeResult(advertised, now, fault=fault)
    best = None
    for ip in ips:
        url = f"{'https' if prober.tls else 'http'}://{f'{name}:{port}' if name else text}"
        call = _caller(prober.hosts, url, (ip, port))
        best = probe.probe_host(advertised, call, view.publisher, view.trust.version, now)
        if best.fault is None:
            return best
    assert best is not None
    return best


def _caller(http: HTTPClient, url: str, connect_to: tuple[str, int] | None = None) -> probe.Call:
    def call(route: Route, path: str) -> Reply:
        response = http.request(
            route.method,
            url + path,
            headers={"Accept": f"{route.media_type}, {PROBLEM}"},
            connect_to=connect_to,
            limit=route.answer_limit,
        )
        return Reply(response.status, response.body, response.date)

    return call


def diagnose(findings: Findings) -> Report:
    """Judge what was found for one publisher. Pure."""
    view = findings.view
    own = () if findings.own is None or _left_out(findings.own) else (findings.own,)
    service = () if findings.publisher is None else (findings.publisher,)
    sources = (*own, *findings.others, *service)
    trust = newest_trust(view.trust, sources)
    catalogue = newest_catalogue(view.catalogue, trust, (probed.catalogue for probed in sources))
    checks = [*_records(findings), *_grants(view, catalogue, findings.now)]
    if findings.own is not None and not own:
        what = "This host answers, but not this machine: it is not in allowed_networks."
        checks.append(Check(Topic.REACHABILITY, Mark.SKIPPED, what, host=findings.own.host.address))
    elif findings.process is None:
        fix = "Start it: 'muster host serve', or the service that runs it."
        checks.append(Check(Topic.REACHABILITY, Mark.FAIL, "This host is not running.", fix))
    checks += _process(findings.process)
    checks += _news(findings)
    clocks = [probed for probed in (*findings.others, *service) if probed.fault is None]
    # Only a host that answers is judged by what it holds; this one's own store is judged above.
    checks += check_hosts(
        (*own, *findings.others), view.publisher, view.label, trust, catalogue, (), clocks
    )
    checks += _publisher(findings)
    checks += _own_catalogue(view, catalogue)
    checks.append(_clones(findings.clones))
    return report("host", view.publisher, view.label, checks)


def _process(process: HostProcess | None) -> list[Check]:
    """What the process that serves says is wrong with it; what the store tells too is left out."""
    if process is None:
        return []
    if not process.answers:
        what = f"The process {process.pid}, which serves this host, does not answer questions."
        fix = "Look at its log; if it hangs, stop it and start it again."
        if process.busy:
            what = f"The process {process.pid}, which serves this host, is asked too much."
            fix = "Ask again; other programs of the store's user ask all the time."
        return [Check(Topic.REACHABILITY, Mark.FAIL, what, fix)]
    checks = []
    for fault in process.problems:
        topic = {"dns": Topic.RECORDS, "news": Topic.CATALOGUE, "database": Topic.REACHABILITY}
        mark = Mark.WARN if fault.area in ("dns", "news") else Mark.FAIL
        what = f"The running host says: {fault.what}"
        where = topic.get(fault.area, Topic.GRANT)
        checks.append(Check(where, mark, what, fault.fix, code=fault.code))
    return checks


def _news(findings: Findings) -> list[Check]:
    """Whether the running host heard of the publisher lately: told while it is too long ago, and
    where the last asking failed before the process that runs now began."""
    process = findings.process
    problems = () if process is None else process.problems
    for told in () if process is None else process.news:
        if told.publisher != findings.view.publisher or told.at is None:
            continue
        since = told.at if told.good_at is None else told.good_at
        known = any(problem.area == "news" for problem in problems)
        if findings.now - since <= OLD_NEWS and (known or not told.code):
            continue
        last = "never" if told.good_at is None else f"last {instant_text(told.good_at)}"
        fix = "Run 'muster host catalogue fetch', which says why, or import the publisher's file."
        what = f"This host has asked its publisher for news by itself; it answered {last}."
        return [Check(Topic.CATALOGUE, Mark.WARN, what, fix, code=told.code)]
    view = findings.view
    asked = process is not None and any(one.publisher == view.publisher for one in process.news)
    if not asked and findings.now - view.news_at > OLD_FILE:
        what = f"No news of the publisher came since {instant_text(view.news_at)}."
        fix = "Import its newest file with 'muster host catalogue import FILE', once a month."
        return [Check(Topic.CATALOGUE, Mark.WARN, what, fix)]
    return []


def _left_out(own: ProbeResult) -> bool:
    """Whether this host answers, and its settings keep it from answering itself."""
    return own.fault is not None and own.fault.code == "host/network-not-allowed"


def _records(findings: Findings) -> list[Check]:
    if findings.plan_fault is not None:
        return [failed(Topic.RECORDS, findings.plan_fault)]
    if findings.plan is None:
        what = "This host is set to publish no records; machines must be given its name."
        return [Check(Topic.RECORDS, Mark.SKIPPED, what)]
    own = _own_address(findings.plan, None)
    serves = rules.serves(findings.view, findings.now)
    checks = []
    for name, answer in findings.records.items():
        if isinstance(answer, MusterError):
            checks.append(failed(Topic.RECORDS, answer, Mark.UNKNOWN))
            continue
        here = any((record.target, record.port) == own for record in answer)
        if here == serves:
            records_text = (
                "names this host" if here else "does not name this host, which cannot serve now"
            )
            checks.append(Check(Topic.RECORDS, Mark.OK, f"{name} {records_text}."))
        elif serves:
            what = f"{name} does not name this host ({findings.plan.target}:{findings.plan.port})."
            checks.append(Check(Topic.RECORDS, Mark.FAIL, what, _PUBLISH))
        elif "._sub." in name:
            what = f"{name} names this host, which cannot serve {findings.view.label} now."
            fix = "Fix its grant, or run 'muster host publish-dns --withdraw'."
            checks.append(Check(Topic.RECORDS, Mark.FAIL, what, fix))
    return checks


def _grants(view: PublisherView, catalogue: Catalogue | None, now: int) -> Sequence[Check]:
    """This host's own grants, under the newest catalogue that is known."""
    checks = [failed(Topic.GRANT, fault) for fault in view.faults]
    asked = [_waiting(key) for key in view.keys if key.grant is None]
    if not view.grants and not asked:
        fault = error("host/not-activated" if view.keys else "host/no-key", label=view.label)
        return [*checks, failed(Topic.GRANT, fault)]
    judged = replace(view, catalogue=catalogue)
    last = {
        group: max(_end(held) for held in view.grants if held.grant.group == group)
        for group in {held.grant.group for held in view.grants}
    }
    for held in view.grants:
        refused = rules.live(judged, held, now)
        if refused is not None:
            check = failed(Topic.GRANT, refused)
            what = f"Host key {held.grant.key}: {check.what}"
            checks.append(Check(check.topic, check.mark, what, check.fix, code=check.code))
        else:
            covers = ", ".join(held.grant.covers)
            what = f"Host key {held.grant.key} has a grant for {covers}."
            mark, fix = Mark.OK, ""
            if last[held.grant.group] - now < GRANT_ENDS and held.grant.exp is not None:
                what = f"{what[:-1]}, which ends on {instant_text(held.grant.exp)}."
                mark, fix = Mark.WARN, _NEW_KEY
            checks.append(Check(Topic.GRANT, mark, what, fix))
    return [*checks, *asked]


def _end(held: HeldGrant) -> float:
    """When a grant ends."""
    return math.inf if held.grant.exp is None else held.grant.exp


def _waiting(key: HostKey) -> Check:
    """A key without a grant: what kept it away where it was asked for, else that nobody asked."""
    what = f"Host key {key.key_id} is installed, but has not been activated."
    row = CATALOGUE.get(key.refusal)
    if key.asked_at is None or row is None:
        fix = "Run 'muster host activate'."
        return Check(Topic.GRANT, Mark.FAIL, what, fix, code="host/not-activated")
    what += (
        f" It is asked for since {instant_text(key.asked_at)}, and the last answer was {row.code}"
    )
    # Texts with places need what the answer said, which is not kept.
    what += "." if "{" in row.what else f": {row.what}"
    fix = "Run 'muster host activate' to see what to do." if "{" in row.fix else row.fix
    return Check(Topic.GRANT, Mark.FAIL, what, fix, code=row.code)


def _clones(number: int) -> Check:
    """Machines that share a store are counted as one until they took a CMID of their own."""
    if not number:
        return Check(Topic.CLONES, Mark.OK, "No clones of machines were found within 30 days.")
    of = "one machine" if number == 1 else f"{number} machines"
    what = f"Clones of {of} were found within 30 days; each is told to take an id of its own."
    fix = (
        "See 'muster host clients'. Remove the client's store before an image is made, or use the"
        " identity mode 'device'; docs/containers.md has recipes."
    )
    return Check(Topic.CLONES, Mark.WARN, what, fix)


def _publisher(findings: Findings) -> list[Check]:
    result = findings.publisher
    if result is None:
        return []
    if result.fault is None:
        return [
            Check(Topic.REACHABILITY, Mark.OK, f"The publisher answers at {result.host.address}.")
        ]
    what = f"{result.fault.what} An activated host works without its publisher."
    return [Check(Topic.REACHABILITY, Mark.WARN, what, result.fault.fix, code=result.fault.code)]


def _own_catalogue(view: PublisherView, catalogue: Catalogue | None) -> list[Check]:
    if catalogue is None:
        what = "This host has no catalogue, so it serves no machine."
        fix = "Run 'muster host catalogue import FILE' with the publisher's file."
        return [Check(Topic.CATALOGUE, Mark.FAIL, what, fix)]
    if view.catalogue_version < catalogue.version:
        held = f"version {view.catalogue_version}" if view.catalogue else "none"
        what = f"This host has catalogue {held}; there is version {catalogue.version}."
        fix = "Run 'muster host catalogue fetch', or 'muster host catalogue import FILE'."
        return [Check(Topic.CATALOGUE, Mark.WARN, what, fix)]
    what = f"This host has catalogue version {catalogue.version}, the newest known."
    return [Check(Topic.CATALOGUE, Mark.OK, what)]
