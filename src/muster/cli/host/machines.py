"""`muster host clients`: the machines that asked a host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import day, moment, publisher_option, quoted
from muster.cli.options import gathered, store_option
from muster.cli.output import MusterCommand, emit, print_csv
from muster.core.text import parse_span
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.host.results import ClientStatus


_LATE = "late"
"""What stands for a span where none is named: later than the machine renews."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is typed of a list."""

    publisher: str | None
    limit: int
    silent: str | None
    name: str | None
    duplicates: bool
    as_csv: bool


@click.command(cls=MusterCommand)
@store_option
@click.argument("action", required=False, type=click.Choice(["remove"]))
@click.argument("cmid", required=False)
@publisher_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option(
    "--silent",
    is_flag=False,
    flag_value=_LATE,
    metavar="[SPAN]",
    help="Only machines that have been silent, longest first: later than they renew, or for 30d.",
)
@click.option("--name", help="Only machines that call themselves so.")
@click.option("--duplicates", is_flag=True, help="Only machines whose store was copied (30 days).")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@gathered(_Wanted)
def clients(wanted: _Wanted, store: Path | None, action: str | None, cmid: str | None) -> None:
    """List the machines that asked, or remove one: 'muster host clients remove CMID'.

    Its seats and its place in the count are released, and another machine may then use its
    id.
    """
    from muster.host import look

    if action == "remove":
        _remove(store, wanted.publisher, cmid)
        return
    late = wanted.silent == _LATE
    span = None if late or wanted.silent is None else _span(wanted.silent)
    with compose.look_at_host(store) as opened:
        listing = look.clients(
            opened,
            wanted.limit,
            publisher=wanted.publisher,
            silent=late,
            silent_for=span,
            name=wanted.name,
            duplicates=wanted.duplicates,
        )
    if wanted.as_csv:
        print_csv(_COLUMNS, map(_client_cells, listing.clients))
        return
    nobody = "No machine has asked yet."
    if wanted.silent is not None:
        nobody = "No machine is silent."
    elif wanted.name is not None or wanted.duplicates:
        nobody = "No machine is like that."
    emit(listing, [_client_line(row) for row in listing.clients] or [nobody])


def _span(text: str) -> int:
    seconds = parse_span(text)
    if seconds is None:
        raise click.UsageError(f"--silent takes a span such as 30d or 12h, not {text!r}.")
    return seconds


_COLUMNS = (
    *("publisher", "cmid", "name", "address", "os", "version", "first_seen", "last_seen"),
    *("silent", "silent_days", "duplicates", "counted_for", "licences", "licensed_until"),
)


def _client_cells(client: ClientStatus) -> tuple[object, ...]:
    live = [lease for lease in client.leases if lease.live]
    until = max((lease.expires_at for lease in live), default=None)
    return (
        *(client.publisher, client.cmid, client.name, client.address, client.os, client.version),
        *(moment(client.first_seen), moment(client.last_seen)),
        *("yes" if client.silent else "no", client.silent_days, client.duplicates),
        " ".join(name for name, counts in client.applications.items() if counts),
        " ".join(lease.product for lease in live),
        "" if until is None else moment(until),
    )


def _remove(store: Path | None, publisher: str | None, cmid: str | None) -> None:
    from muster.host.act.machines import remove_machine

    if cmid is None:
        raise click.UsageError("Name the machine: muster host clients remove CMID")
    with compose.open_host(store) as opened:
        removal = remove_machine(opened, cmid, publisher)
    line = f"Machine {cmid} was removed: {removal.given_back} leases and counts released."
    if not removal.changed:
        line = f"Machine {cmid} was already removed; nothing was changed."
    emit(removal, [line])


def _client_line(client: ClientStatus) -> str:
    counted = [name for name, counts in client.applications.items() if counts]
    live = [
        f"{lease.product} until {day(lease.expires_at)}" for lease in client.leases if lease.live
    ]
    parts = [
        client.cmid,
        *([quoted(client.name)] if client.name else []),
        client.address,
        f"seen {moment(client.last_seen)}",
        f"counted for {', '.join(counted)}" if counted else "not counted",
        "; ".join(live) or "no licence",
    ]
    if client.silent:
        parts.append(f"SILENT for {client.silent_days} days")
    if client.seat_until is not None:
        parts.append(f"seat until {day(client.seat_until)}")
    if client.cloned_at:
        last = client.clone_address
        if client.clone_name:
            last = f"{quoted(client.clone_name)} at {last}"
        parts.append(
            f"CLONES use its store, {client.duplicates} requests refused"
            + (f", last of {last}" if last else "")
        )
    return "  ".join(parts)
