"""The publisher's part of `muster doctor`: does its service run, and does anything come to an end.

Judges what `look.surroundings` found, and what the process says of itself: the same answers as
`publisher status` and `/readyz`, by the same look. Refuses to ask and to change anything. Pure.
Obeys docs/doctor.md.
"""

from __future__ import annotations

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.text import day_text
from muster.health.process import ServerProcess
from muster.health.report import Check, Mark, Report, Topic, failed, report
from muster.publisher.running import EndingGrant, PublisherSurroundings

OLD = 400 * DAY
"""Trust and catalogue that were signed longer ago are told."""
_NAMED = 5
"""Grants that are named one by one."""
_CLOCK = "publisher/clock"


def diagnose(
    process: ServerProcess | None, found: PublisherSurroundings | None, fault: MusterError | None
) -> Report:
    """Judge a publisher.

    Args:
        process: the one that serves, as it says of itself; None where none does.
        found: what its database says; None where that could not be read, which `fault` says.
    """
    checks = _process(process)
    if fault is not None:
        checks.append(failed(Topic.REACHABILITY, fault))
    if found is None:
        return report("publisher", "", "", checks)
    told = {problem.code for problem in process.problems} if process is not None else set()
    if fault is None:
        what = f"The database {found.database} answers."
        checks.append(Check(Topic.REACHABILITY, Mark.OK, what))
    checks += _clock(found, told=told)
    checks += _ending(found)
    checks += [
        _signed("Trust", found.status.trust, found.trust_at, found.now, "trust rotate"),
        _signed(
            "The catalogue, which carries the revocations,",
            found.status.catalogue,
            found.catalogue_at,
            found.now,
            "catalogue publish FILE",
        ),
    ]
    return report("publisher", found.status.publisher, found.status.label, checks)


def _process(process: ServerProcess | None) -> list[Check]:
    if process is None:
        fix = "Start it: 'muster publisher serve', or the service that runs it."
        what = "No service of this publisher runs here; it answers by file and telephone only."
        return [Check(Topic.REACHABILITY, Mark.WARN, what, fix)]
    if not process.answers:
        what = f"The process {process.pid}, which serves this publisher, does not answer questions."
        fix = "Look at its log; if it hangs, stop it and start it again."
        if process.busy:
            what = f"The process {process.pid}, which serves this publisher, is asked too much."
            fix = "Ask again; other programs of the store's user ask all the time."
        return [Check(Topic.REACHABILITY, Mark.FAIL, what, fix)]
    where = f"{process.address}:{process.port}"
    checks = [Check(Topic.REACHABILITY, Mark.OK, f"The service listens at {where}.")]
    for problem in process.problems:
        topic = Topic.GRANT if problem.area == "signing" else Topic.REACHABILITY
        topic = Topic.CLOCK if problem.code == _CLOCK else topic
        what = f"The running service says: {problem.what}"
        checks.append(Check(topic, Mark.FAIL, what, problem.fix, code=problem.code))
    if not process.ready and not process.problems:
        what = "The running service is not ready."
        checks.append(Check(Topic.REACHABILITY, Mark.FAIL, what, "Look at its log."))
    return checks


def _clock(found: PublisherSurroundings, *, told: set[str]) -> list[Check]:
    doubt = found.status.clock
    if doubt is None:
        return [Check(Topic.CLOCK, Mark.OK, "The clock of this publisher is believed.")]
    if _CLOCK in told:
        return []
    fix = "Set the clock; if it is right, 'muster publisher clock show' says what to type."
    return [Check(Topic.CLOCK, Mark.FAIL, doubt, fix, code=_CLOCK)]


def _ending(found: PublisherSurroundings) -> list[Check]:
    """Grants near their end: no host is renewed by itself, its customer needs another key."""
    if not found.ending:
        return [Check(Topic.GRANT, Mark.OK, "No grant of a host ends within 30 days.")]
    checks = [_ends(row, found.now) for row in found.ending[:_NAMED]]
    more = len(found.ending) - _NAMED
    if more > 0:
        what = f"{more} more grants of hosts end within 30 days, or ended within 30 days."
        checks.append(Check(Topic.GRANT, Mark.WARN, what, "See 'muster publisher host list'."))
    return checks


def _ends(row: EndingGrant, now: int) -> Check:
    name = f", host {row.name!r}," if row.name else ""
    verb = "ended" if row.ends <= now else "ends"
    what = f"The grant of host key {row.key}{name} {verb} on {day_text(row.ends)}."
    fix = "If the customer goes on, issue another key: 'muster publisher key issue --kind host'."
    return Check(Topic.GRANT, Mark.WARN, what, fix)


def _signed(what: str, version: int, at: int, now: int, command: str) -> Check:
    text = f"{what} has version {version} and was signed on {day_text(at)}."
    if now - at <= OLD:
        return Check(Topic.CATALOGUE, Mark.OK, text)
    fix = f"Look through it, then run 'muster publisher {command}'."
    return Check(Topic.CATALOGUE, Mark.WARN, text, fix)
