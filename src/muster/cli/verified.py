"""What `muster verify` tells of a file: the records of `--json`, and the lines.

Decides names and wording. Refuses to know how a file is judged (`muster.cli.verify`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from muster.core.errors import MusterError
from muster.core.records import Instant
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.lease.verify import StepResult

_MARKS = {"passed": "✓", "failed": "✗", "skipped": "–", "not reached": " "}
_PLAIN_MARKS = {"passed": "ok", "failed": "NO", "skipped": "--", "not reached": "  "}


@dataclass(frozen=True, slots=True)
class JudgedStep:
    """A step of docs/spec/05-verification.md: `outcome` is "passed", "failed", "skipped" (it is for
    the machine itself) or "not reached"."""

    number: str
    title: str
    outcome: str
    error: MusterError | None


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A licence, an activation or a notice whose signatures are not valid, so that nothing is told
    of what it says.

    `time` the instant by which it was judged; `anchor` where the judgement began; `trust` and
    `catalogue` the versions by which it was judged, `roots` the ids of the roots.
    """

    file: str
    good: bool
    time: Instant
    anchor: str
    publisher: str
    publisher_name: str
    trust: int
    roots: tuple[str, ...]
    catalogue: int | None
    steps: tuple[JudgedStep, ...]


@dataclass(frozen=True, slots=True)
class ProvedFile(JudgedFile):
    """A licence, an activation or a notice whose signatures hold, and what it says.

    `kind` is "lease", "notice" or the kind of an activation; `for` its publisher and product or
    key group; `machine` the CMID, None in an activation; `expires_at` None where it does not end;
    `revoked_at` since when the grant or the product is revoked; `signer` the host's key or the
    publisher.
    """

    kind: str
    for_: str
    machine: str | None
    issued_at: Instant | None
    expires_at: Instant | None
    revoked_at: Instant | None
    grant: str
    key: str
    signer: str | None


class Said(TypedDict):
    """What a `ProvedFile` has beside a `JudgedFile`."""

    kind: str
    for_: str
    machine: str | None
    issued_at: int | None
    expires_at: int | None
    revoked_at: int | None
    grant: str
    key: str
    signer: str | None


def judged_step(result: StepResult) -> JudgedStep:
    """What is told of a step."""
    return JudgedStep(result.number, result.title, result.outcome, result.error)


def first_error(results: Sequence[StepResult]) -> MusterError | None:
    """Why the file is refused; None where it is good."""
    return next((result.error for result in results if result.error is not None), None)


def report_lines(report: JudgedFile, results: Sequence[StepResult]) -> list[str]:
    """A report for people."""
    lines = _proved_lines(report) if isinstance(report, ProvedFile) else []
    lines.append(
        f"  Authority: trust version {report.trust} of {report.publisher}, from {report.anchor}"
    )
    marks = _MARKS if _encodes("✓✗–") else _PLAIN_MARKS
    for step in report.steps:
        line = f"{marks[step.outcome]} {step.number:>3}  {step.title}"
        if step.outcome == "skipped":
            line += " (not checked here: only the machine itself can)"
        elif step.error is not None:
            line += f": {step.error.code}: {step.error.what}"
        elif step.outcome == "not reached":
            line += " (not reached)"
        lines.append(line)
    fault = first_error(results)
    if fault is not None:
        lines += [f"Why: {fault.why}", f"Fix: {fault.fix}"]
    return lines


def _proved_lines(report: ProvedFile) -> list[str]:
    return [
        f"{report.kind.capitalize()} for {report.for_.partition('/')[2]} of"
        f" {report.publisher_name} ({report.publisher})",
        f"  Machine:   {report.machine or 'see step A6'}",
        f"  Issued:    {_when(report.issued_at)}",
        f"  Until:     {_until(report)}",
        f"  Signed by: {_signer(report)}",
    ]


def _until(report: ProvedFile) -> str:
    if report.kind == "notice":
        return "read once"
    text = _when(report.expires_at)
    if report.revoked_at is not None:
        text += f" (its grant or product is revoked since {_when(report.revoked_at)})"
    return text


def _signer(report: ProvedFile) -> str:
    if report.kind in ("lease", "notice"):
        return f"host {report.signer}, by grant {report.grant} on key {report.key}"
    return f"the publisher, grant {report.grant} on key {report.key}"


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _when(instant: int | None) -> str:
    from muster.core.text import instant_text

    return "no end" if instant is None else instant_text(instant)
