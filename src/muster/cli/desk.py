"""The telephone desk at a terminal: asks, repeats, reads back (`muster publisher confirm`).

Decides how `muster.publisher.desk` looks in a terminal. It is used only where somebody sits at one.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from muster.core.digits import format_rows
from muster.core.errors import MusterError
from muster.core.ids import InstallationId
from muster.publisher.desk import Entry, Reading
from muster.system.qr import load, terminal

HELP = (
    "Type the groups as they are read, one or several a line. A wrong group is reported at once.\n"
    "  -      drop the last group      ?      show the groups so far\n"
    "  Enter  done, when it is complete    Ctrl-C leaves; no activation is used before the end"
)


def prompt(check: Callable[[InstallationId], object]) -> str:
    """Ask for an installation ID until it is whole and its proof holds; its digits.

    Args:
        check: raises what is wrong with a whole ID before anything is drawn.
    """
    click.echo(HELP)
    entry = Entry()
    while True:
        hint = f"{entry.next_label}{' (Enter: done)' if entry.may_end else ''}"
        typed = click.prompt(hint, default="", show_default=False, prompt_suffix="> ").strip()
        if typed == "-":
            entry = entry.without_last()
            click.echo(f"Go on at {entry.next_label}.")
            continue
        if typed == "?":
            click.echo(format_rows(entry.groups) or "Nothing yet.")
            continue
        entry, fault = entry.typed(typed)
        if fault is not None:
            click.echo(f"{fault.what} {fault.fix} Go on at {entry.next_label}.")
            continue
        if entry.part:
            click.echo(f"{entry.next_label} has {len(entry.part)} of 6 digits; go on.")
            continue
        if not entry.must_end and (typed or not entry.may_end):
            if not typed:
                click.echo(
                    f"It is not complete: a machine has 12 groups, a host 15. "
                    f"So far there are {len(entry.groups)}."
                )
            continue
        try:
            check(entry.installation_id())
        except MusterError as refusal:
            click.echo(f"{refusal.what} {refusal.why} {refusal.fix}")
            if refusal.code.startswith(("digits/", "id/")):
                click.echo("Compare the rows:")
                click.echo(format_rows(entry.groups))
                entry = entry.without_last()
                continue
            raise
        return "-".join(entry.groups)


def lines(confirmation: str) -> list[str]:
    """The digits in lettered rows."""
    return format_rows(tuple(confirmation.split("-"))).splitlines()


def give(confirmation: str, short: bytes) -> None:
    """Offer the answer as QR code and as a text first, by voice last; until somebody is done."""
    while True:
        way = click.prompt(
            "Give it as [q]R code, [t]ext, or by [v]oice; [d]one",
            type=click.Choice(["q", "t", "v", "d"]),
            default="d",
            show_choices=False,
        )
        if way == "d":
            return
        if way == "q":
            _draw(short)
        elif way == "t":
            click.echo(confirmation)
        else:
            _read(Reading.of(confirmation))


def _draw(short: bytes) -> None:
    """The code; or why it cannot be drawn, for the answer can be given in other ways too."""
    try:
        load("publisher")
    except MusterError as fault:
        click.echo(f"{fault.what} {fault.why} {fault.fix}")
        return
    click.echo(terminal(short))


def _read(reading: Reading) -> None:
    click.echo("Enter: next row; r: again; b: row before; a letter above r: that row; x: stop.")
    while not reading.ended:
        click.echo(reading.spoken())
        typed = click.prompt("", default="", show_default=False, prompt_suffix="").strip().lower()
        if typed == "x":
            return
        if typed == "b":
            reading = reading.back()
        elif typed != "r":
            reading = reading.to(typed) if typed.isalpha() else reading.on()
    click.echo("That was the last row.")
