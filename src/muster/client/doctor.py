"""The client's side of `muster doctor`: why is this machine licensed, or why not.

`look` asks DNS, every host that it names, and the publisher where its address is known; `judge`
is pure over what was found. Decides what a machine needs: hosts for products with a setup key,
none for products that hold a licence of their own. Refuses to change anything: what hosts show
beyond the store is followed for the look only. Obeys docs/doctor.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from muster.client.discovery import (
    Address,
    Candidate,
    Found,
    Names,
    Source,
    names,
    not_asked,
    order,
)
from muster.client.driver import Network, discover
from muster.client.findings import Status
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.states import GRACES
from muster.core.text import instant_text, shown_url
from muster.core.values import dataclass
from muster.health import probe
from muster.health.probe import Advertised, Heard, Looked
from muster.health.report import Check, Mark, Report, Topic, failed, report
from muster.health.rules import judge_hosts, newest_catalogue, newest_trust
from muster.lease.catalogue import Catalogue
from muster.lease.trust import Trust
from muster.wire.routes import Route

_FOUND = {
    Source.SET: "set by an administrator",
    Source.LABEL: "its label's records",
    Source.GENERAL: "the general records",
    Source.LAST: "asked last time",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found for one publisher.

    `asked` and `found` are the names asked and what DNS said, `faults` where it did not answer;
    `hosts` what each host said; `publisher` what the publisher's service said, None where its
    address is not known here.
    """

    statuses: Sequence[Status]
    asked: tuple[Names, ...]
    found: tuple[Found, ...]
    faults: tuple[MusterError, ...]
    hosts: tuple[Looked, ...]
    publisher: Looked | None


def look(
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
    asked: tuple[Names, ...] = ()
    found: tuple[Found, ...] = ()
    faults: tuple[MusterError, ...] = ()
    if plan.host is not None:
        candidates: Sequence[Candidate] = [Candidate(plan.host, Source.SET)]
    else:
        asked = tuple(names(first.descriptor.trust.label, one) for one in plan.suffixes)
        found, faults = discover(network, asked, late)
        # By name: a report should read the same each time.
        candidates = sorted(order(found, dice), key=lambda one: one.address.text)
    hosts = tuple(
        probe.look(
            Advertised(one.address.text, _FOUND[one.source], one.source is not Source.GENERAL),
            _caller(network, one.address),
            publisher,
            held,
            now,
        )
        for one in candidates
    )
    url = plan.publisher_url or next((one.descriptor.url for one in statuses), "")
    service = None
    if url:
        peer = Advertised(shown_url(url), "the publisher", ours=True)
        service = probe.look_at_publisher(peer, _asker(network, url), held, now)
    return Findings(statuses, asked, found, faults, hosts, service)


def _caller(network: Network, address: Address) -> probe.Call:
    def call(route: Route, path: str) -> Heard:
        reply = network.call(address, route, path, None)
        return Heard(reply.status, reply.body, reply.date)

    return call


def _asker(network: Network, url: str) -> probe.Call:
    def call(route: Route, path: str) -> Heard:
        reply = network.ask(url, route, path, None)
        return Heard(reply.status, reply.body, reply.date)

    return call


def judge(findings: Findings) -> Report:
    """Judge what was found. Pure."""
    first = findings.statuses[0]
    descriptor, held = first.descriptor, first.verdict.authority
    service = () if findings.publisher is None else (findings.publisher,)
    sources = (*findings.hosts, *service)
    trust = newest_trust(held.trust, sources)
    catalogue = newest_catalogue(held.catalogue, trust, (one.catalogue for one in sources))
    groups = {one.descriptor.product.group for one in findings.statuses if _needs_host(one)}
    checks = _records(findings, needed=bool(groups))
    heard = [one for one in sources if one.problem is None]
    checks += judge_hosts(
        findings.hosts,
        descriptor.publisher,
        descriptor.trust.label,
        trust,
        catalogue,
        groups,
        heard,
    )
    for one in service:
        checks.append(_publisher(one))
    checks += _own_catalogue(findings.statuses, trust, catalogue)
    checks += [_licence(one, catalogue) for one in findings.statuses]
    return report("client", descriptor.publisher, descriptor.trust.label, checks)


def _needs_host(status: Status) -> bool:
    licence = status.verdict.licence
    return licence is None or licence.kind == "lease"


def _records(findings: Findings, *, needed: bool) -> list[Check]:
    plan = findings.statuses[0].plan
    if plan.host is not None:
        what = f"Discovery is off: {plan.host.text} is set, and no other host is asked."
        return [Check(Topic.RECORDS, Mark.SKIPPED, what)]
    total = sum(len(one.label) + len(one.general) for one in findings.found)
    if not needed and not total:
        what = "Every product here has a licence of its own; no host is needed."
        return [Check(Topic.RECORDS, Mark.SKIPPED, what)]
    if not findings.asked:
        return [failed(Topic.RECORDS, error("client/no-suffix"))]
    checks = [failed(Topic.RECORDS, one, Mark.UNKNOWN) for one in findings.faults]
    if plan.unasked:
        checks.append(failed(Topic.RECORDS, not_asked(plan.unasked), Mark.WARN))
    if not total and not findings.faults:
        listed = ", ".join(f"{one.label}, {one.general}" for one in findings.asked)
        return [*checks, failed(Topic.RECORDS, error("client/no-records", names=listed))]
    for asked, answer in zip(findings.asked, findings.found, strict=True):
        for name, records in ((asked.label, answer.label), (asked.general, answer.general)):
            if records:
                number = f"{len(records)} record{'' if len(records) == 1 else 's'}"
                checks.append(Check(Topic.RECORDS, Mark.OK, f"{name} has {number}."))
    return checks


def _publisher(one: Looked) -> Check:
    if one.problem is None:
        return Check(Topic.REACHABILITY, Mark.OK, f"The publisher answers at {one.host.address}.")
    found = failed(Topic.REACHABILITY, one.problem, Mark.WARN)
    what = f"{found.what} Only one-time activation over the network needs the publisher."
    return Check(found.topic, found.mark, what, found.fix, code=found.code)


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
    for one in statuses:
        product = one.descriptor.product.id
        try:
            catalogue.product(product)
        except MusterError as fault:
            checks.append(failed(Topic.CATALOGUE, fault))
    return checks


def _licence(status: Status, catalogue: Catalogue | None) -> Check:
    verdict = status.verdict
    name, licence = status.descriptor.product.id, verdict.licence
    if licence is None:
        problem = verdict.problem or error("client/not-activated", product=name)
        mark = Mark.WARN if verdict.state in GRACES else Mark.FAIL
        what = f"{name}: {verdict.state.text}. {problem.what}"
        return Check(Topic.LICENCE, mark, what, problem.fix, code=problem.code)
    if catalogue is not None and catalogue.product_revoked(status.descriptor.product) is not None:
        until = "its end" if licence.expires is None else instant_text(licence.expires)
        fault = error("client/revoked-product", product=name, until=until)
        found = failed(Topic.LICENCE, fault, Mark.WARN)
        return Check(found.topic, found.mark, found.what, found.fix, code=found.code)
    if catalogue is not None and catalogue.revoked(licence.grant_jti, licence.key) is not None:
        until = "its end" if licence.expires is None else instant_text(licence.expires)
        found = failed(Topic.LICENCE, error("client/revoked-host", until=until), Mark.WARN)
        return Check(found.topic, found.mark, f"{name}: {found.what}", found.fix, code=found.code)
    if verdict.warnings:
        one = verdict.warnings[0]
        return Check(Topic.LICENCE, Mark.WARN, f"{name}: {one.what}", one.fix, code=one.code)
    until = "permanently" if verdict.until is None else f"until {instant_text(verdict.until)}"
    return Check(Topic.LICENCE, Mark.OK, f"{name} is licensed {until}.")
