"""What a machine is: `muster client identity`, `facts` and `reset-clock-mark`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.client.options import MODES, machine_options, publisher_option
from muster.cli.client.words import when
from muster.cli.output import MusterCommand, emit, emit_done
from muster.core.values import replace

if TYPE_CHECKING:
    from muster.client.results import FactStatus

_CARRIED = {"machine": "the machine", "card": "a network card", "image": "the image"}


@click.command(cls=MusterCommand)
@click.argument("mode", type=click.Choice(MODES), required=False)
@click.option("--id", "given", default="", metavar="TEXT", help="The id of mode explicit.")
@publisher_option
@machine_options
def identity(mode: str | None, given: str, publisher: str, machine: compose.Machine) -> None:
    """Show how this machine identifies itself to a publisher, or change it to MODE.

    After a change this machine must ask again for every licence of the publisher.
    """
    from muster.client import look
    from muster.client.act.identity import set_identity

    if mode is None:
        listing = look.identities(machine.parts())
        emit(
            listing,
            [f"{known.publisher}  {known.mode}  {known.cmid}" for known in listing.identities],
        )
        return
    change = set_identity(machine.parts(), mode, given, publisher)
    emit_done(
        change,
        f"This machine is {change.cmid} ({change.mode}) to {change.publisher} now.",
        "This already is its identity; nothing was changed.",
    )


@click.command("reset-clock-mark", cls=MusterCommand)
@publisher_option
@machine_options
def reset_clock_mark(publisher: str, machine: compose.Machine) -> None:
    """Forget that the clock was once ahead; this is logged."""
    from muster.client.act import identity as act

    reset = act.reset_clock_mark(machine.parts(), publisher)
    emit(
        reset,
        [
            f"The clock mark of {mark.publisher} was {when(mark.old)} and has been reset."
            if mark.old
            else f"{mark.publisher} has no clock mark; nothing was changed."
            for mark in reset.marks
        ],
    )


@click.command(cls=MusterCommand)
@click.option(
    "--write", is_flag=True, help="Write the facts file, for users who may not read all facts."
)
@click.option("--values", is_flag=True, help="Show full values; by default they are masked.")
@machine_options
def facts(write: bool, values: bool, machine: compose.Machine) -> None:
    """Show the hardware facts of this machine, which of them count, and why others do not.

    Values are masked, because this output is often sent to help desks. With --write the facts
    file is written, so that programs of ordinary users see the same facts as root: run it as root
    at each boot, before any product starts.
    """
    from muster.client import look
    from muster.client.act.facts import write_facts

    if not write:
        listing = look.facts_list(machine.facts, whole=values)
        emit(listing, _facts_lines(listing.facts))
        return
    written = write_facts(machine.facts)
    listing = look.facts_list(None, whole=values)
    listing = replace(listing, file=written.file, changed=written.changed)
    line = f"{written.count} facts were written to {written.file}."
    emit(listing, [*_facts_lines(listing.facts), line])


def _facts_lines(statuses: tuple[FactStatus, ...]) -> list[str]:
    """One line a value."""
    lines = []
    for fact in statuses:
        for reading in fact.readings:
            what = reading.text
            if reading.counts:
                bound = "counts, can bind a one-time licence" if reading.binds else "counts"
                what = f"{bound}; carried by {_CARRIED[fact.carried_by]}"
            word = "yes" if reading.counts else "no"
            lines.append(
                f"{word:<4} {fact.name:<15} {reading.value or '-':<10} {what} ({reading.at})"
            )
    return lines
