"""Phrases that several commands of `muster client` and `muster slmgr` share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from muster.cli.output import emit, exit_code, print_error, wants_json
from muster.core.catalogue import error
from muster.core.digits import format_rows
from muster.core.errors import MusterError

if TYPE_CHECKING:
    from muster.client.results import Activations, ProductActivation, Readout


def when(instant: int | None) -> str:
    """An instant as text; None is no end."""
    from muster.core.text import instant_text

    return "no end" if instant is None else instant_text(instant)


def warned(warnings: Iterable[MusterError]) -> list[str]:
    """A line for each warning."""
    return [f"Warning: {one.code}: {one.what} {one.fix}" for one in warnings]


def warn_not_lasting(products: Iterable[str]) -> None:
    """Say before an activation is drawn that it will not survive a reinstall; ask nothing."""
    for name in products:
        click.echo(f"Warning: {error('client/not-lasting', product=name).what}", err=True)


def readout_lines(found: Readout) -> list[str]:
    """An installation ID in rows to read out."""
    return [
        f"Installation ID of {found.product} with the key {found.key}:",
        "",
        *(f"  {row}" for row in format_rows(found.installation_id.split("-")).splitlines()),
        "",
        "Read the rows to the publisher, or send them. Then: muster client confirm DIGITS",
        *lasting_lines(found),
    ]


def lasting_lines(found: Readout) -> list[str]:
    """What is said of an ID that does not survive a reinstall."""
    if found.survives_reinstall:
        return []
    return [
        "Warning: no permanent hardware fact can be read; this ID does not survive a reinstall."
    ]


def report_activations(done: Activations) -> None:
    """Print the outcome of tries; the worst of them decides the exit code."""
    emit(done, [line for one in done.products for line in _activation_lines(one)])
    failed = [one.error for one in done.products if one.error is not None]
    if failed:
        if not wants_json():
            for fault in failed:
                print_error(fault)
        click.get_current_context().exit(max(map(exit_code, failed)))


def _activation_lines(one: ProductActivation) -> list[str]:
    return [*(f"{each.what} {each.fix}" for each in one.told), *_outcome(one)]


def _outcome(one: ProductActivation) -> Sequence[str]:
    name, state = one.product, one.state_text
    if one.renewed and not one.tried:
        until = " permanently" if one.until is None else f", until {when(one.until)}"
        return [f"{name} is activated{until}. License Status: {state}"]
    if not one.due and one.licensed and one.until is None:
        return [f"{name} is activated permanently; nothing was changed."]
    if not one.tried and one.error is None and one.licensed:
        return [f"{name}: {state}. Nothing was changed."]
    if one.renewed:
        return [f"{name} is licensed until {when(one.until)}, by {one.tried[-1].host}."]
    if not one.due:
        at = when(one.next_attempt or 0)
        return [f"{name}: {state}. Nothing is due before {at}; nothing was changed."]
    until = "" if one.until is None else f" until {when(one.until)}"
    lines = [f"{name} got no new licence. License Status: {state}{until}"]
    if one.next_attempt is not None:
        lines.append(f"The next try is due at {when(one.next_attempt)}.")
    return lines
