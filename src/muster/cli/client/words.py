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
    from muster.client.results import Activations, OfflineRequest, ProductActivation


def when(instant: int | None) -> str:
    """An instant as text; None is no end."""
    from muster.core.text import instant_text

    return "no end" if instant is None else instant_text(instant)


def warned(warnings: Iterable[MusterError]) -> list[str]:
    """A line for each warning."""
    return [f"Warning: {warning.code}: {warning.what} {warning.fix}" for warning in warnings]


def warn_not_lasting(products: Iterable[str]) -> None:
    """Say before an activation is drawn that it will not survive a reinstall; ask nothing."""
    for name in products:
        click.echo(f"Warning: {error('client/not-lasting', product=name).what}", err=True)


def readout_lines(readout: OfflineRequest) -> list[str]:
    """An installation ID in rows to read out."""
    return [
        f"Installation ID of {readout.product} with the key {readout.key}:",
        "",
        *(f"  {row}" for row in format_rows(readout.installation_id.split("-")).splitlines()),
        "",
        "Read the rows to the publisher, or send them. Then: muster client confirm DIGITS",
        *lasting_lines(readout),
    ]


def lasting_lines(readout: OfflineRequest) -> list[str]:
    """What is said of an ID that does not survive a reinstall."""
    if readout.survives_reinstall:
        return []
    return [
        "Warning: no permanent hardware fact can be read; this ID does not survive a reinstall."
    ]


def report_activations(activations: Activations) -> None:
    """Print the outcome of tries; the worst of them decides the exit code."""
    emit(
        activations,
        [line for product in activations.products for line in _activation_lines(product)],
    )
    failed = [product.error for product in activations.products if product.error is not None]
    if failed:
        if not wants_json():
            for fault in failed:
                print_error(fault)
        click.get_current_context().exit(max(map(exit_code, failed)))


def _activation_lines(activation: ProductActivation) -> list[str]:
    return [*(f"{fault.what} {fault.fix}" for fault in activation.told), *_outcome(activation)]


def _outcome(activation: ProductActivation) -> Sequence[str]:
    name, state = activation.product, activation.state_text
    if activation.renewed and not activation.tried:
        until = " permanently" if activation.until is None else f", until {when(activation.until)}"
        return [f"{name} is activated{until}. License Status: {state}"]
    if activation.error is None and activation.licensed and activation.until is None:
        return [f"{name} is activated permanently; nothing was changed."]
    if not activation.tried and activation.error is None and activation.licensed:
        return [f"{name}: {state}. Nothing was changed."]
    if activation.renewed:
        return [
            f"{name} is licensed until {when(activation.until)}, by {activation.tried[-1].host}."
        ]
    if not activation.due:
        at = when(activation.next_attempt or 0)
        return [f"{name}: {state}. Nothing is due before {at}; nothing was changed."]
    until = "" if activation.until is None else f" until {when(activation.until)}"
    lines = [f"{name} got no new licence. License Status: {state}{until}"]
    if activation.next_attempt is not None:
        lines.append(f"The next try is due at {when(activation.next_attempt)}.")
    return lines
