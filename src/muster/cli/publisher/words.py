"""How commands of a publisher say instants, days, spans, tables and revocations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from muster.cli.output import emit

if TYPE_CHECKING:
    from muster.publisher.results import Revoked


MOST_GRANTS = 20
"""Licence ids that a revocation prints; `--json` has them all."""


def emit_revoked(outcome: Revoked, subject: str) -> None:
    if not outcome.changed:
        emit(outcome, [f"{subject} already; nothing was changed."])
        return
    more = len(outcome.grants) - MOST_GRANTS
    lines = [
        f"{subject} in catalogue version {outcome.catalogue}.",
        *_lost(outcome),
        *(f"  grant {grant}" for grant in outcome.grants[:MOST_GRANTS]),
        *([f"  and {more} more"] if more > 0 else []),
        _reaches(outcome),
    ]
    emit(outcome, lines)


def _reaches(outcome: Revoked) -> str:
    """When those that lose by a revocation know of it: hosts, or the machines of a key."""
    from muster.core.keys import KeyId, Kind

    if outcome.key and KeyId.parse(outcome.key).kind is not Kind.HOST:
        return (
            "A machine loses it when it has this catalogue, within a day where it reaches the "
            "publisher; export it for machines that are offline."
        )
    return "A host stops when it has this catalogue; export it for hosts that are offline."


def _lost(outcome: Revoked) -> list[str]:
    parts = [
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in ((outcome.hosts, "host"), (outcome.machines, "machine"))
        if count
    ]
    count = outcome.hosts + outcome.machines
    verb = "loses its licence" if count == 1 else "lose their licences"
    return [f"{' and '.join(parts) or 'No host and no machine'} {verb}."]


def when(instant: int) -> str:
    from muster.core.text import instant_text

    return instant_text(instant)


def day(day: int | None) -> str:
    from muster.core.products import day_start
    from muster.core.text import day_text

    return "-" if day is None else day_text(day_start(day))


def span(seconds: int) -> str:
    from muster.core.text import exact_span_text

    return exact_span_text(seconds)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
