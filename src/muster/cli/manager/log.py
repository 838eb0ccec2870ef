"""`muster manager log`: who did what to the inventory."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit
from muster.core.text import instant_text


@click.command("log", cls=MusterCommand)
@store_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
def show_log(store: Path | None, limit: int) -> None:
    """Show who changed what, newest first."""
    from muster.manager import look

    with compose.look_at_manager(store) as opened:
        listing = look.audit(opened, limit)
    lines = [
        f"{instant_text(row.at)}  {row.actor}  {row.event}  {row.subject}"
        + (f"  {row.detail}" if row.detail else "")
        + (f"  (sudo {row.sudo})" if row.sudo else "")
        for row in listing.entries
    ]
    emit(listing, lines or ["Nothing was done yet."])
