"""`muster manager machines`, `tag` and `remove`: the inventory by filters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.manager.options import count_text, named, terms_argument
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit, print_csv
from muster.core.text import instant_text

if TYPE_CHECKING:
    from muster.manager.results import MachineStatus

_COLUMNS = (
    *("name", "address", "port", "account", "groups", "tags", "sources"),
    *("added_at", "last_listed_at"),
)


@click.command(cls=MusterCommand)
@store_option
@terms_argument(required=False)
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def machines(store: Path | None, terms: tuple[str, ...], limit: int, as_csv: bool) -> None:
    """List machines that a filter finds, or all.

    Terms: web*, name=web*, group=servers, tag=pilot, address=10.1.0.0/16, source=hosts.csv, @saved;
    with ! in front the contrary. A machine must fulfil all of them.
    """
    from muster.manager import look

    with compose.look_at_manager(store) as opened:
        listing = look.machines(opened, terms, limit)
    if as_csv:
        print_csv(_COLUMNS, map(_cells, listing.machines))
        return
    lines = [_line(machine) for machine in listing.machines]
    if listing.total > len(listing.machines):
        lines.append(f"{listing.total} machines are found; --limit shows more of them.")
    emit(listing, lines or ["No machine is found."])


def _line(machine: MachineStatus) -> str:
    parts = [machine.name]
    if machine.address or machine.port:
        port = f":{machine.port}" if machine.port else ""
        parts.append(f"at {machine.address or machine.name}{port}")
    if machine.account:
        parts.append(f"as {machine.account}")
    if machine.groups:
        parts.append(f"groups {', '.join(machine.groups)}")
    if machine.tags:
        parts.append(f"tags {', '.join(machine.tags)}")
    return "  ".join(parts)


def _cells(machine: MachineStatus) -> tuple[object, ...]:
    return (
        *(machine.name, machine.address, machine.port or "", machine.account),
        *(" ".join(machine.groups), " ".join(machine.tags), " ".join(machine.sources)),
        *(instant_text(machine.added_at), instant_text(machine.last_listed_at)),
    )


@click.command(cls=MusterCommand)
@store_option
@click.argument("name", metavar="TAG")
@terms_argument(required=True)
@click.option("--remove", is_flag=True, help="Take the tag from them.")
def tag(store: Path | None, name: str, terms: tuple[str, ...], remove: bool) -> None:
    """Give machines that a filter finds a tag, or take it from them."""
    from muster.manager.act import machines as act

    with compose.open_manager(store) as opened:
        done = act.tag(opened, name, terms, remove=remove)
    verb = "lost" if remove else "got"
    line = f"{count_text(len(done.machines))} {verb} the tag {name}: {named(done.machines)}"
    same = f"{count_text(done.found)} found; nothing was changed."
    emit(done, [line if done.changed else same])


@click.command(cls=MusterCommand)
@store_option
@terms_argument(required=True)
def remove(store: Path | None, terms: tuple[str, ...]) -> None:
    """Remove machines that a filter finds from the inventory; the machines are not touched."""
    from muster.manager.act import machines as act

    with compose.open_manager(store) as opened:
        done = act.remove_machines(opened, terms)
    line = f"{count_text(len(done.machines))} removed: {named(done.machines)}"
    emit(done, [line if done.changed else "No machine is found; nothing was changed."])
