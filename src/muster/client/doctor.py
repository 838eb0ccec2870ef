"""The client's side of `muster doctor`: why is this machine licensed, or why not.

`look` asks DNS, every host that it names, and the publisher where its address is known; `judge`
is pure over what was found. Decides what a machine needs: hosts for products with a setup key,
none for products that hold a licence of their own. Refuses to change anything: what hosts show
beyond the store is followed for the look only. Obeys docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from muster.client import onetime, sites
from muster.client.agent_state import AgentStatus
from muster.client.discovery import (
    Address,
    Candidate,
    Source,
    SRVAnswer,
    SRVNames,
    names,
    not_asked,
    order,
)
from muster.client.driver import Network, discover
from muster.client.findings import Status
from muster.client.model import Failure
from muster.core.catalogue import CATALOGUE, error
from muster.core.clock import Dice
from muster.core.errors import Kind, MusterError, Retry
from muster.core.states import GRACES
from muster.core.text import instant_text, shown_url
from muster.core.values import dataclass
from muster.health import probe
from muster.health.probe import Advertised, ProbeResult, Reply
from muster.health.report import Check, Mark, Report, Topic, failed, report
from muster.health.rules import check_hosts, newest_catalogue, newest_trust
from muster.lease.catalogue import Catalogue
from muster.lease.trust import Trust
from muster.wire.routes import Route

_FOUND = {
    Source.SET: "set by an administrator",
    Source.SITE: "named by a site file",
    Source.LABEL: "its label's records",
    Source.GENERAL: "the general records",
    Source.LAST: "asked last time",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found for one publisher.

    `asked` and `found` are the names asked and what DNS said, `faults` where it did not answer;
    `hosts` what each host said; `publisher` what the publisher's service said, None where its
    address is not known here; `agent` what is known of the agent that keeps this store.
    """

    statuses: Sequence[Status]
    asked: tuple[SRVNames, ...]
    found: tuple[SRVAnswer, ...]
    faults: tuple[MusterError, ...]
    hosts: tuple[ProbeResult, ...]
    publisher: ProbeResult | None
    agent: AgentStatus | None = None


def collect(
    network: Network,
    dice: Dice,
    statuses: Sequence[Status],
    now: int,
    late: Callable[[], bool] = lambda: False,
) -> Findings:
    """Ask around for one publisher.

    Args:
        network: DNS and HTTP.
        dice: order of hosts of one priority.
        statuses: all products of the publisher on this machine.
        now: Unix seconds.
        late: whether DNS has had its time.
    """
    first = statuses[0]
    plan, publisher = first.plan, first.descriptor.publisher
    held = first.verdict.authority.trust.version
    asked: tuple[SRVNames, ...] = ()
    answers: tuple[SRVAnswer, ...] = ()
    faults: tuple[MusterError, ...] = ()
    if plan.host is not None:
        candidates: Sequence[Candidate] = [Candidate(plan.host, Source.SET)]
    else:
        asked = tuple(names(first.descriptor.trust.label, suffix) for suffix in plan.suffixes)
        answers, faults = discover(network, asked, late)
        named = sites.order(plan.sites, dice)
        seen = [candidate.address for candidate in named]
        # By name: a report should read the same each time.
        candidates = sorted(
            [*named, *order(answers, dice, passed=seen)],
            key=lambda candidate: candidate.address.text,
        )
    hosts = tuple(
        probe.probe_host(
            Advertised(
                candidate.address.text,
                _FOUND[candidate.source],
                candidate.source is not Source.GENERAL,
            ),
            _caller(network, candidate.address),
            publisher,
            held,
            now,
        )
        for candidate in candidates
    )
    url = plan.publisher_url or next((status.descriptor.url for status in statuses), "")
    service = None
    if url:
        peer = Advertised(shown_url(url), "the publisher", ours=True)
        service = probe.probe_publisher(peer, _asker(network, url), held, now)
    return Findings(statuses, asked, answers, faults, hosts, service)


def _caller(network: Network, address: Address) -> probe.Call:
    def call(route: Route, path: str) -> Reply:
        reply = network.call(address, route, path, None)
        return Reply(reply.status, reply.body, reply.date)

    return call


def _asker(network: Network, url: str) -> probe.Call:
    def call(route: Route, path: str) -> Reply:
        reply = network.ask(url, route, path, None)
        return Reply(reply.status, reply.body, reply.date)

    return call


def diagnose(findings: Findings) -> Report:
    """Judge what was found. Pure."""
    first = findings.statuses[0]
    descriptor, held = first.descriptor, first.verdict.authority
    service = () if findings.publisher is None else (findings.publisher,)
    sources = (*findings.hosts, *service)
    trust = newest_trust(held.trust, sources)
    catalogue = newest_catalogue(held.catalogue, trust, (source.catalogue for source in sources))
    groups = {
        status.descriptor.product.group for status in findings.statuses if _needs_host(status)
    }
    checks = _records(findings, needed=bool(groups))
    heard = [source for source in sources if source.fault is None]
    checks += check_hosts(
        findings.hosts,
        descriptor.publisher,
        descriptor.trust.label,
        trust,
        catalogue,
        groups,
        heard,
    )
    for result in service:
        checks.append(_publisher(result))
    checks += _own_catalogue(findings.statuses, trust, catalogue)
    for status in findings.statuses:
        checks += _licence_checks(status, catalogue)
    if findings.agent is not None:
        checks.append(check_agent(findings.agent))
    return report("client", descriptor.publisher, descriptor.trust.label, checks)


def check_agent(agent: AgentStatus) -> Check:
    """Whether anybody renews by itself; a machine whose agent stands has its licences for now."""
    if not agent.running:
        fault = error("client/no-agent")
        what = f"The agent of this machine, which ran since {instant_text(agent.since)}, has ended."
        return Check(Topic.AGENT, Mark.WARN, what, fault.fix, code=fault.code)
    asked = "has not asked anybody yet"
    if agent.last_try is not None:
        asked = f"last asked at {instant_text(agent.last_try.at)}"
        failure = agent.last_try.error
        if failure is not None:
            what = f"The agent runs and {asked}, which ended with {failure.code}: {failure.what}"
            return Check(Topic.AGENT, Mark.WARN, what, failure.fix, code=failure.code)
    return Check(Topic.AGENT, Mark.OK, f"The agent of this machine runs and {asked}.")


def _needs_host(status: Status) -> bool:
    licence = status.verdict.licence
    if licence is None:
        return not onetime.is_waiting(status.verdict)
    return licence.kind == "lease"


def _records(findings: Findings, *, needed: bool) -> list[Check]:
    plan = findings.statuses[0].plan
    if plan.host is not None:
        what = f"Discovery is off: {plan.host.text} is set, and no other host is asked."
        return [Check(Topic.RECORDS, Mark.SKIPPED, what)]
    total = sum(len(answer.label) + len(answer.general) for answer in findings.found)
    checks = [failed(Topic.RECORDS, fault, Mark.WARN) for fault in plan.faults]
    if not needed and not total:
        what = "Every product here has a licence or a key of its own; no host is needed."
        return [*checks, Check(Topic.RECORDS, Mark.SKIPPED, what)]
    for site in plan.sites:
        listed = ", ".join(address.text for _, address in site.hosts)
        what = f"{site.path} names {listed}, until {instant_text(site.until)}."
        checks.append(Check(Topic.RECORDS, Mark.OK, what))
    if plan.sites and not total:
        what = "DNS names no host, and need not: a site file does."
        return [*checks, Check(Topic.RECORDS, Mark.SKIPPED, what)]
    if not findings.asked:
        return [*checks, failed(Topic.RECORDS, error("client/no-suffix"))]
    checks += [failed(Topic.RECORDS, fault, Mark.UNKNOWN) for fault in findings.faults]
    if plan.unasked:
        checks.append(failed(Topic.RECORDS, not_asked(plan.unasked), Mark.WARN))
    if not total and not findings.faults:
        listed = ", ".join(f"{asked.label}, {asked.general}" for asked in findings.asked)
        return [*checks, failed(Topic.RECORDS, error("client/no-records", names=listed))]
    for asked, answer in zip(findings.asked, findings.found, strict=True):
        for name, records in ((asked.label, answer.label), (asked.general, answer.general)):
            if records:
                number = f"{len(records)} record{'' if len(records) == 1 else 's'}"
                checks.append(Check(Topic.RECORDS, Mark.OK, f"{name} has {number}."))
    return checks


def _publisher(result: ProbeResult) -> Check:
    if result.fault is None:
        return Check(
            Topic.REACHABILITY, Mark.OK, f"The publisher answers at {result.host.address}."
        )
    check = failed(Topic.REACHABILITY, result.fault, Mark.WARN)
    what = f"{check.what} Only one-time activation over the network needs the publisher."
    return Check(check.topic, check.mark, what, check.fix, code=check.code)


def _own_catalogue(
    statuses: Sequence[Status], trust: Trust, catalogue: Catalogue | None
) -> list[Check]:
    if catalogue is None:
        what = "This machine has no catalogue yet; it comes with the first licence."
        return [Check(Topic.CATALOGUE, Mark.OK, what)]
    checks = []
    held = statuses[0].verdict.authority
    known = 0 if held.catalogue is None else held.catalogue.version
    if 0 < known < catalogue.version or held.trust.version < trust.version:
        what = (
            f"This machine holds trust version {held.trust.version} and catalogue version {known};"
            f" there are {trust.version} and {catalogue.version}."
        )
        fix = "Run 'muster client activate': they come with the answer."
        checks.append(Check(Topic.CATALOGUE, Mark.WARN, what, fix))
    for status in statuses:
        product = status.descriptor.product.id
        try:
            catalogue.product(product)
        except MusterError as fault:
            checks.append(failed(Topic.CATALOGUE, fault))
    return checks


def _licence_checks(status: Status, catalogue: Catalogue | None) -> list[Check]:
    """What a product is worth; what a person must do though nothing has ended yet comes first."""
    verdict, name = status.verdict, status.descriptor.product.id
    record, state = verdict.record, _licence(status, catalogue)
    if record is None or not record.key:
        return [state]
    checks = []
    waiting = onetime.is_waiting(verdict)
    if waiting:
        fault = error("client/key-waiting", product=name, masked=record.masked)
        what = f"{name}: {verdict.state.text}. {fault.what}"
        checks.append(Check(Topic.LICENCE, Mark.FAIL, what, fault.fix, code=fault.code))
    # An activation or an evaluation that runs beside a key that waits tells nothing of that key.
    leased = verdict.licence is None or verdict.licence.kind == "lease"
    if record.failure is not None and (waiting or leased):
        # First: to activate again would be refused again.
        checks = [*_refusals(f"{name}: {verdict.state.text}.", record.failure), *checks]
    codes = {"client/not-activated", *(check.code for check in checks)}
    told = checks and verdict.licence is None and (state.code in codes or _several(state.code))
    return checks if told else [*checks, state]


def _refusals(state: str, failure: Failure) -> list[Check]:
    """What keeps a product from its next lease and does not change by waiting: a full host."""
    rows = [failure.error().row]
    if _several(failure.code):
        rows = [row for code, row in CATALOGUE.items() if f": {code}: " in failure.why]
    checks = []
    for row in rows:
        if row.kind is Kind.REFUSAL and row.retry is not Retry.LATER:
            fix = failure.fix if row.code == failure.code or "{" in row.fix else row.fix
            why = failure.why if _several(failure.code) else ""
            tried = f"{state} The last try, at {instant_text(failure.at)}, brought no licence."
            what = " ".join(filter(None, (tried, failure.what, why)))
            checks.append(Check(Topic.LICENCE, Mark.FAIL, what, fix, code=row.code))
    return checks


def _several(code: str) -> bool:
    """Whether an error lists what each of several hosts said."""
    return code == "client/no-licence"


def _licence(status: Status, catalogue: Catalogue | None) -> Check:
    verdict = status.verdict
    name, licence = status.descriptor.product.id, verdict.licence
    if licence is None:
        fault = verdict.fault or error("client/not-activated", product=name)
        mark = Mark.WARN if verdict.state in GRACES else Mark.FAIL
        what = f"{name}: {verdict.state.text}. {fault.what}"
        return Check(Topic.LICENCE, mark, what, fault.fix, code=fault.code)
    if catalogue is not None and catalogue.product_revoked(status.descriptor.product) is not None:
        until = "its end" if licence.expires is None else instant_text(licence.expires)
        fault = error("client/revoked-product", product=name, until=until)
        check = failed(Topic.LICENCE, fault, Mark.WARN)
        return Check(check.topic, check.mark, check.what, check.fix, code=check.code)
    if catalogue is not None and catalogue.revoked(licence.grant_jti, licence.key) is not None:
        until = "its end" if licence.expires is None else instant_text(licence.expires)
        check = failed(Topic.LICENCE, error("client/revoked-host", until=until), Mark.WARN)
        return Check(check.topic, check.mark, f"{name}: {check.what}", check.fix, code=check.code)
    if verdict.warnings:
        problem_fault = verdict.warnings[0]
        return Check(
            Topic.LICENCE,
            Mark.WARN,
            f"{name}: {problem_fault.what}",
            problem_fault.fix,
            code=problem_fault.code,
        )
    until = "permanently" if verdict.until is None else f"until {instant_text(verdict.until)}"
    return Check(Topic.LICENCE, Mark.OK, f"{name} is licensed {until}.")
