"""`muster publisher status`: a publisher, its clock, and the process that serves it."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit, wants_json
from muster.cli.publisher.options import open_office
from muster.cli.running import problem_lines, row, service_lines
from muster.core.errors import MusterError


@click.command(cls=MusterCommand)
@store_option
def status(store: Path | None) -> None:
    """Show the publisher, whether its service runs, where, and what is wrong with it.

    Asks the process that serves the store; only root and the owner of the store may.
    """
    from muster.publisher import look

    try:
        with open_office(store) as office:
            shown = look.status(office)
    except MusterError as fault:
        if fault.code.startswith("db/") and not wants_json():
            # The process is asked without the database: what it says is what is known.
            _say_process(compose.publisher_folder(store))
        raise
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


def _say_process(folder: Path) -> None:
    from muster.publisher.office import process_of

    process = process_of(folder)
    for line in (*service_lines(process), *problem_lines(process)):
        click.echo(line, err=True)
