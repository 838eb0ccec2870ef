"""`muster host log`: what a host was asked and answered, and what administrators did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import moment, quoted
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit, print_csv

if TYPE_CHECKING:
    from muster.host.model import AuditRow, LogRow
    from muster.host.results import AuditList, RequestList


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
        quoted(row.name) if row.name else "",
    ]
    return f"{moment(row.at)}  {','.join(str(field) for field in fields)}"
