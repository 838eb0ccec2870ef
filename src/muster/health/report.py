"""The words of a doctor's report, the same for client and host.

Decides which topics there are, in which order they come, and what is mended first. Refuses to know
what is checked and by which rules (`muster.health.rules`). Obeys docs/doctor.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from muster.core.errors import MusterError
from muster.wire.peer import quoted


class Mark(enum.Enum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should look at it."""
    FAIL = "fail"
    """Something is to be mended."""
    UNKNOWN = "unknown"
    """It could not be found out."""
    SKIPPED = "skipped"


class Topic(enum.Enum):
    """What is checked, in this order: what stands first is mended first."""

    RECORDS = "records"
    REACHABILITY = "reachability"
    CLOCK = "clock"
    GRANT = "grant"
    CATALOGUE = "catalogue"
    LICENCE = "licence"
    CLONES = "clones"


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
    """All checks for one publisher, in the order of the topics; `role` is client or host."""

    role: str
    publisher: str
    label: str
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is to be mended and nothing stayed unknown."""
        return not any(one.mark in (Mark.FAIL, Mark.UNKNOWN) for one in self.checks)

    @property
    def cure(self) -> Check | None:
        """The one thing to mend first: the first failure, else the first unknown."""
        for mark in (Mark.FAIL, Mark.UNKNOWN):
            for one in self.checks:
                if one.mark is mark:
                    return one
        return None


def report(role: str, publisher: str, label: str, checks: Iterable[Check]) -> Report:
    """Put checks in the order of their topics; within one topic they keep theirs."""
    order = list(Topic)
    found = sorted(checks, key=lambda one: order.index(one.topic))
    return Report(role, publisher, label, tuple(found))


def failed(topic: Topic, fault: MusterError, mark: Mark = Mark.FAIL, host: str = "") -> Check:
    """A check that ended with an error of the catalogue; a peer's own words are marked as such."""
    what = " ".join((fault.what, *quoted(fault)))
    return Check(topic, mark, what, fault.fix, host, fault.code)
