"""`muster host clients` and `muster host log`: who asked a host, and what was answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import day, moment, publisher_option
from muster.cli.options import gathered, store_option
from muster.cli.output import MusterCommand, emit, print_csv
from muster.core.text import parse_span
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.host.model import LogRow
    from muster.host.results import (
        AuditList,
        ClientStatus,
        RequestList,
    )
    from muster.host.tables.audit import AuditRow


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


def _quoted(name: str) -> str:
    """A stranger's word, so that nobody takes it for ours: in quotes, quotes in it escaped."""
    return json.dumps(name, ensure_ascii=False)


def _client_line(client: ClientStatus) -> str:
    counted = [name for name, counts in client.applications.items() if counts]
    live = [
        f"{lease.product} until {day(lease.expires_at)}" for lease in client.leases if lease.live
    ]
    parts = [
        client.cmid,
        *([_quoted(client.name)] if client.name else []),
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
            last = f"{_quoted(client.clone_name)} at {last}"
        parts.append(
            f"CLONES use its store, {client.duplicates} requests refused"
            + (f", last of {last}" if last else "")
        )
    return "  ".join(parts)


@click.command("log", cls=MusterCommand)
@store_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@click.option("--cmid", help="Only requests of this machine.")
@click.option("--audit", is_flag=True, help="Show what administrators did instead of requests.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def show_log(store: Path | None, limit: int, cmid: str | None, audit: bool, as_csv: bool) -> None:
    """Show the newest requests, oldest first, with the fields of event 12290.

    Time, then: code, threshold, address, CMID, client's time, virtual, licence state, minutes that
    its licence is valid, product, and in quotes the name that the machine gave itself.
    """
    from muster.host import look

    listing: AuditList | RequestList
    with compose.look_at_host(store) as opened:
        if audit:
            listing = look.audit(opened, limit)
            if as_csv:
                print_csv(_AUDIT_COLUMNS, map(_audit_cells, listing.audit))
                return
            lines = [_audit_line(row) for row in listing.audit]
        else:
            listing = look.requests(opened, limit, cmid)
            if as_csv:
                print_csv(_LOG_COLUMNS, map(_log_cells, listing.requests))
                return
            lines = [_log_line(row) for row in listing.requests]
    emit(listing, lines or ["Nothing yet."])


_LOG_COLUMNS = (
    *("at", "code", "publisher", "product", "cmid", "name", "address", "need", "count"),
    *("client_time", "state", "minutes", "os", "version"),
)


def _log_cells(row: LogRow) -> tuple[object, ...]:
    return (
        *(moment(row.at), row.code, row.publisher, row.product, row.cmid, row.name, row.address),
        *(row.need, row.count, moment(row.client_time), row.state, row.minutes),
        *(row.os, row.version),
    )


_AUDIT_COLUMNS = ("at", "actor", "sudo", "event", "publisher", "subject", "detail")


def _audit_cells(row: AuditRow) -> tuple[object, ...]:
    return (
        *(moment(row.at), row.actor, row.sudo, row.event, row.publisher, row.subject, row.detail),
    )


def _audit_line(row: AuditRow) -> str:
    who = f"{row.actor} (sudo by {row.sudo})" if row.sudo else row.actor
    return f"{moment(row.at)}  {who}  {row.event}  {row.subject}  {row.detail}".rstrip()


def _log_line(row: LogRow) -> str:
    from muster.host.model import MORE

    if row.code == MORE:
        what = f"{row.count} more requests of {row.address}"
        return f"{moment(row.at)}  {what}, refused or repeated, are counted and not listed"
    fields = [
        row.field_code or ("0" if not row.code else row.code),
        row.need,
        row.address,
        row.cmid,
        moment(row.client_time),
        {None: "?", True: 1, False: 0}[row.virtual],
        row.state,
        row.minutes,
        row.product,
        _quoted(row.name) if row.name else "",
    ]
    return f"{moment(row.at)}  {','.join(str(field) for field in fields)}"
