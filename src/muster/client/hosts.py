"""Which hosts a try asks and in which order, and what is told where none gave a licence. Pure.

Decides how the settings, the last good host, DNS, asides and doubts come together. Refuses to know
what a host answered (`muster.client.machine`). Obeys docs/spec/07-discovery.md, sections 7.3 to
7.5.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from muster.client import schedule, sites
from muster.client.authority import Authority
from muster.client.discovery import (
    Address,
    Candidate,
    Source,
    SRVAnswer,
    SRVNames,
    left_out,
    names,
    order,
    suffixes,
)
from muster.client.messages import Plan, Tried
from muster.client.model import Aside, ProductRecord
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import Kind, MusterError
from muster.core.values import replace
from muster.lease.descriptor import Descriptor

NOT_ASKED: Final = "client/not-asked"
"""What is told of a host when the time of the try was over before its turn."""


def applied(plan: Plan, held: Authority, now: int) -> Plan:
    """A plan with what its site files say for the product that `held` was reached from.

    Source: docs/spec/15-site-files.md, section 15.4.
    """
    judged = sites.judge(plan.files, held.trust, held.catalogue, max(now, held.clock_mark))
    told = sites.suffixes_of(judged.sites)
    if told and not plan.chosen:
        plan = replace(plan, suffixes=suffixes(told, ()), unasked=left_out(told, ()))
    return replace(plan, files=(), sites=judged.sites, faults=judged.faults)


def names_asked(label: str, plan: Plan) -> tuple[SRVNames, ...]:
    """The names that DNS is asked for a publisher's hosts: a pair for each suffix of the plan."""
    return tuple(names(label, suffix) for suffix in plan.suffixes)


def before_dns(
    plan: Plan, record: ProductRecord, doubted: Collection[Address], dice: Dice
) -> list[Candidate]:
    """The hosts that are asked before DNS is: the one that was set, or those of site files and
    the last good one."""
    if plan.host is not None:
        return [Candidate(plan.host, Source.SET)]
    asides, last = set_aside(record), record.last_good if plan.caching else None
    queue: list[Candidate] = []
    if plan.sites:
        queue = sites.order(plan.sites, dice, passed=asides, doubted=doubted, first=last)
        if last in sites.named(plan.sites):
            return queue
    if last is None or last in asides or (plan.suffixes and last in doubted):
        return queue
    return [*queue, Candidate(last, Source.LAST)]


def from_dns(
    answers: Sequence[SRVAnswer],
    plan: Plan,
    record: ProductRecord,
    dice: Dice,
    *,
    tried: Sequence[Tried],
    doubted: Collection[Address],
) -> list[Candidate]:
    """The hosts that DNS named and that were not asked yet; a doubted last good host is behind."""
    passed = {attempt.candidate.address for attempt in tried} | set_aside(record)
    queue = list(order(answers, dice, passed=passed, doubted=doubted))
    last = record.last_good
    if plan.caching and last is not None and last in doubted:
        named = {candidate.address for candidate in queue}
        if last not in passed | named:
            queue.append(Candidate(last, Source.LAST))
    return queue


def nothing_found(plan: Plan, record: ProductRecord, descriptor: Descriptor) -> MusterError:
    """Why DNS named no host that may be asked: `client/all-aside` or `client/no-records`."""
    asides = set_aside(record)
    if asides:
        hosts = ", ".join(sorted(aside.text for aside in asides))
        return error("client/all-aside", hosts=hosts, product=descriptor.product.id)
    asked = names_asked(descriptor.trust.label, plan)
    listed = ", ".join(f"{question.label}, {question.general}" for question in asked)
    return error("client/no-records", names=listed)


def set_aside(record: ProductRecord) -> set[Address]:
    """The hosts that do not serve this product."""
    return {aside.address for aside in record.aside}


def standing_asides(record: ProductRecord, now: int) -> tuple[Aside, ...]:
    """Asides that still hold; one further ahead than any was set by another clock."""
    return tuple(aside for aside in record.aside if now < aside.until <= now + schedule.ASIDE)


def why_nobody(tried: Sequence[Tried], faults: Sequence[MusterError]) -> MusterError:
    """The one error that tells why no host gave a lease.

    Args:
        tried: the hosts that were asked.
        faults: what failed before any could be asked.
    """
    failures = [
        (attempt.candidate, attempt.fault) for attempt in tried if attempt.fault is not None
    ]
    if not failures:
        return faults[0] if faults else error("client/no-records", names="none")
    if len(failures) == 1:
        return failures[0][1]
    listed = "; ".join(
        f"{candidate.address.text}: {fault.code}: {fault.what.rstrip('.')}"
        for candidate, fault in failures
    )
    spoke = any(fault.row.kind is not Kind.FAULT for _, fault in failures)
    code = "client/no-licence" if spoke else "client/no-host"
    asked = [fault for _, fault in failures if fault.code != NOT_ASKED]
    return error(code, hosts=listed, tried=len(asked))
