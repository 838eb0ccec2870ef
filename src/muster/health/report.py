"""The words of a doctor's report, the same for client and host.

Decides which topics there are, in which order they come, and what is fixed first. Refuses to know
what is checked and by which rules (`muster.health.rules`). Obeys docs/doctor.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.wire.peer import quoted


class Mark(enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should look at it."""
    FAIL = "fail"
    """Something needs fixing."""
    UNKNOWN = "unknown"
    """It could not be found out."""
    SKIPPED = "skipped"


class Topic(enum.Enum):
    """What is checked, in this order: what comes first is fixed first."""

    RECORDS = "records"
    REACHABILITY = "reachability"
    CLOCK = "clock"
    GRANT = "grant"
    CATALOGUE = "catalogue"
    LICENCE = "licence"
    CLONES = "clones"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked.

    `host` is the address of the host that it is about, or ""; `code` the row of the error
    catalogue behind it, or ""; `fix` what to do, "" where there is nothing to do.
    """

    topic: Topic
    mark: Mark
    what: str
    fix: str = ""
    host: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks for one publisher, in the order of the topics; `role` is client, host or
    publisher."""

    role: str
    publisher: str
    label: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing needs fixing and nothing stayed unknown."""
        return not any(check.mark in (Mark.FAIL, Mark.UNKNOWN) for check in self.checks)

    @property
    def next_fix(self) -> Check | None:
        """The check to fix first: the first failure, else the first unknown."""
        for mark in (Mark.FAIL, Mark.UNKNOWN):
            for check in self.checks:
                if check.mark is mark:
                    return check
        return None


def report(role: str, publisher: str, label: str, checks: Iterable[Check]) -> Report:
    """Put checks in the order of their topics; within one topic they keep theirs."""
    order = list(Topic)
    sorted_checks = sorted(checks, key=lambda check: order.index(check.topic))
    return Report(role, publisher, label, tuple(sorted_checks))


def failed(topic: Topic, fault: MusterError, mark: Mark = Mark.FAIL, host: str = "") -> Check:
    """A check that ended with an error of the catalogue; a peer's own words are marked as such."""
    what = " ".join((fault.what, *quoted(fault)))
    return Check(topic, mark, what, fault.fix, host, fault.code)


# Reports for programs: the fields are the members of `--json`.


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """One thing that was checked; `host`, `code` and `fix` are None where there is none."""

    topic: Topic
    mark: Mark
    host: str | None
    code: str | None
    what: str
    fix: str | None


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """All checks for a publisher; `next_fix` is the check to fix first, None where all is well."""

    role: str
    publisher: str | None
    label: str | None
    healthy: bool
    checks: tuple[CheckRecord, ...]
    next_fix: CheckRecord | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The reports of a machine or host; `healthy` where all of them are."""

    healthy: bool
    reports: tuple[ReportRecord, ...]


def diagnosis(reports: Iterable[Report]) -> Diagnosis:
    """Reports for programs."""
    records = tuple(map(_report_record, reports))
    return Diagnosis(all(record.healthy for record in records), records)


def _report_record(checked: Report) -> ReportRecord:
    return ReportRecord(
        role=checked.role,
        publisher=checked.publisher or None,
        label=checked.label or None,
        healthy=checked.healthy,
        checks=tuple(map(_check_record, checked.checks)),
        next_fix=None if checked.next_fix is None else _check_record(checked.next_fix),
    )


def _check_record(check: Check) -> CheckRecord:
    return CheckRecord(
        topic=check.topic,
        mark=check.mark,
        host=check.host or None,
        code=check.code or None,
        what=check.what,
        fix=check.fix or None,
    )
