"""`muster publisher clock …`: whether the clock is believed, and what a wrong one dated."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.options import Phrases, open_office, passphrase_options
from muster.cli.publisher.words import table, when
from muster.core.text import parse_instant


def _midnight(_: click.Context, __: click.Parameter, text: str) -> int:
    """The first second of a date, in Unix seconds."""
    dashed = len(text) == 10 and text[4] == text[7] == "-"
    instant = parse_instant(text) if dashed else None
    if instant is None:
        raise click.BadParameter("it is no date as 2026-11-30.")
    return instant


@click.group(cls=LazyGroup)
def clock() -> None:
    """The clock: whether it is believed, and what was dated while it was ahead."""


@clock.command("show")
@store_option
def clock_show(store: Path | None) -> None:
    """Show the clock, and what else this publisher knows of the time."""
    from muster.publisher import look

    with open_office(store) as office:
        shown = look.clock(office)
    lines = [f"The clock shows {when(shown.time)}."]
    lines += table(("WHEN", "KNOWN OF THE TIME"), [(when(e.at), e.what) for e in shown.evidence])
    if shown.doubt is not None:
        lines += [shown.doubt, "If it is right: 'muster publisher clock confirm' and the date."]
    if shown.hosts or shown.machines or shown.revocations:
        lines.append(
            f"Dated in the future: grants of {shown.hosts} hosts and {shown.machines} machines,"
            f" {shown.revocations} revocations. 'muster publisher clock repair' repairs them."
        )
    emit(shown, lines)


@clock.command("confirm")
@store_option
@click.argument("date", callback=_midnight)
def clock_confirm(store: Path | None, date: int) -> None:
    """Say that the clock is right: DATE is today in UTC, as 2026-11-30.

    For the day on which a publisher that did nothing for long, or whose clock was once wrong,
    refuses with publisher/clock although its clock is right. Look at another clock first.
    """
    from muster.core.products import day_of
    from muster.publisher.act import clock as act

    with open_office(store) as office:
        confirmed = act.confirm(office, day_of(date))
    lines = [f"The clock shows {when(confirmed.time)} and is believed."]
    emit(confirmed, lines if confirmed.changed else [*lines, "Nothing spoke against it."])


@clock.command("repair")
@store_option
@passphrase_options
def clock_repair(store: Path | None, phrases: Phrases) -> None:
    """Set right what was dated while the clock was ahead; no activation is used.

    Grants that begin in the future are signed again from today, revocations of the future count
    from today, in a new catalogue. Hosts and machines then activate again.
    """
    from muster.publisher.act import clock as act

    with open_office(store, phrases) as office:
        repaired = act.repair(office)
    if not repaired.changed:
        emit(repaired, ["Nothing is dated in the future."])
        return
    lines = [
        f"Grants of {len(repaired.hosts)} hosts and {repaired.machines} machines begin today,"
        f" {repaired.revocations} revocations count from today.",
        f"Catalogue version {repaired.catalogue}.",
        "Hosts and machines get their grants when they activate again, which uses no activation.",
    ]
    emit(repaired, lines)
