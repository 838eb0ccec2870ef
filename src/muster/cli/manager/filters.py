"""`muster manager filter`: filters that are saved under names."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.manager.options import count_text, terms_argument
from muster.cli.options import store_option
from muster.cli.output import LazyGroup, MusterCommand, emit, emit_done


@click.group("filter", cls=LazyGroup)
def filter_() -> None:
    """Filters that are saved under names: '@NAME' is a term."""


@filter_.command("list", cls=MusterCommand)
@store_option
def list_(store: Path | None) -> None:
    """List saved filters, and how many machines each finds."""
    from muster.manager import look

    with compose.look_at_manager(store) as opened:
        listing = look.filters(opened)
    lines = [f"{row.name}: {row.terms}  ({count_text(row.machines)})" for row in listing.filters]
    emit(listing, lines or ["No filter is saved."])


@filter_.command(cls=MusterCommand)
@store_option
@click.argument("name")
@terms_argument(required=True)
def save(store: Path | None, name: str, terms: tuple[str, ...]) -> None:
    """Save a filter under a name, in place of the one that has it."""
    from muster.manager.act import filters as act

    with compose.open_manager(store, create=True) as opened:
        done = act.save(opened, name, terms)
    line = f"The filter {name} is saved: {done.terms}"
    emit_done(done, line, f"{line}; nothing was changed.")


@filter_.command(cls=MusterCommand)
@store_option
@click.argument("name")
def remove(store: Path | None, name: str) -> None:
    """Remove a saved filter."""
    from muster.manager.act import filters as act

    with compose.open_manager(store) as opened:
        done = act.remove(opened, name)
    emit(done, [f"The filter {name} is removed: {done.terms}"])
