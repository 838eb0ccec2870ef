"""`muster manager discover` and `add`: machines come into the inventory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.manager.options import count_text, named
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit

if TYPE_CHECKING:
    from muster.manager.results import Discovered

_FORMS = ("auto", "csv", "ansible-ini", "ansible-yaml", "ansible-list")
_FILE_LIMIT = 64 * 1024 * 1024


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--form",
    type=click.Choice(_FORMS),
    default="auto",
    show_default=True,
    help="Form of the file; auto goes by its name, or else its first line.",
)
@click.option(
    "--source", metavar="NAME", help="Name of the inventory; by default that of the file."
)
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
def discover(store: Path | None, file: Path, form: str, source: str | None, dry_run: bool) -> None:
    """Read an inventory file: CSV, or Ansible's INI, YAML or 'ansible-inventory --list'.

    Machines that the same inventory listed before and does not list now stay; remove them with
    'muster manager remove'.
    """
    from muster.manager import look
    from muster.manager.act import find
    from muster.manager.inventory import Form, read_inventory
    from muster.system.textfile import read_text

    inventory = read_inventory(read_text(file, _FILE_LIMIT), str(file), Form(form))
    name = source or file.name
    if not dry_run:
        with compose.open_manager(store, create=True) as opened:
            outcome = find.discover(opened, inventory, name)
    elif compose.holds_manager(store):
        with compose.look_at_manager(store) as opened:
            outcome = look.preview(opened, inventory, name)
    else:
        outcome = look.first_preview(inventory, name)
    emit(outcome, _lines(outcome))


@click.command(cls=MusterCommand)
@store_option
@click.argument("name")
@click.option("--address", default="", help="Name or IP address to reach it at; by default NAME.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of SSH; by default 22.")
@click.option("--account", default="", help="Account to log in as; by default yours.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be given several times.")
def add(
    store: Path | None,
    name: str,
    address: str,
    port: int | None,
    account: str,
    tags: tuple[str, ...],
) -> None:
    """Add a machine by hand, or change how it is reached."""
    from muster.manager.act import find
    from muster.manager.listing import typed

    machine = typed(name, address=address, port=port or 0, account=account)
    with compose.open_manager(store, create=True) as opened:
        outcome = find.add_machine(opened, machine, tags)
    emit(outcome, _lines(outcome))


def _lines(outcome: Discovered) -> list[str]:
    would = "would be " if outcome.preview else ""
    lines = [f"{outcome.source} lists {count_text(outcome.machines)}."]
    if outcome.added:
        lines.append(f"{count_text(len(outcome.added))} {would}added: {named(outcome.added)}")
    if outcome.updated:
        lines.append(f"{count_text(len(outcome.updated))} {would}changed: {named(outcome.updated)}")
    if not outcome.added and not outcome.updated:
        lines.append("Nothing would change." if outcome.preview else "Nothing was changed.")
    if outcome.unlisted:
        number = count_text(len(outcome.unlisted))
        lines.append(f"{number} not listed any more, and kept: {named(outcome.unlisted)}")
    for item in outcome.skipped:
        where = f"line {item.line}: " if item.line else ""
        lines.append(f"Skipped, {where}{item.text!r}: {item.reason}")
    return lines
