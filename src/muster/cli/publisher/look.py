"""`muster publisher status`: a publisher, its clock, and the process that serves it."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.options import open_office
from muster.cli.running import problem_lines, row, service_lines


@click.command(cls=MusterCommand)
@store_option
def status(store: Path | None) -> None:
    """Show the publisher, whether its service runs, where, and what is wrong with it.

    Asks the process that serves the store; only root and the owner of the store may.
    """
    from muster.publisher import look

    with open_office(store) as office:
        shown = look.status(office)
    lines = [
        row("Publisher", f"{shown.name} ({shown.label}, {shown.publisher})"),
        row("Store", shown.store),
        row("Trust version", shown.trust),
        row("Catalogue version", shown.catalogue),
        row("Clock", "believed" if shown.clock is None else "NOT BELIEVED"),
    ]
    if shown.clock is not None:
        lines.append(row("Why", f"{shown.clock} See 'muster publisher clock show'.", 1))
    lines += [*service_lines(shown.process), *problem_lines(shown.process)]
    emit(shown, lines)
