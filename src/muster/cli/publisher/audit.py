"""`muster publisher audit …`: the chain of what was done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.options import FILE, open_admin
from muster.cli.publisher.words import table, when

if TYPE_CHECKING:
    pass


class _AuditGroup(LazyGroup):
    """A group that lists where no sub-command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_AuditGroup)
def audit() -> None:
    """Who changed and drew what, as a chain of hashes; lists it where no more is said."""


@audit.command("list")
@store_option
@click.option("--after", type=click.IntRange(0), default=0, help="Only rows above this number.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
def audit_list(store: Path | None, after: int, limit: int) -> None:
    """List who changed and drew what, oldest first."""
    with open_admin(store) as admin:
        rows = admin.audit(after, limit)
    data = {
        "audit": [
            {
                "seq": one.seq,
                "at": one.at,
                "actor": one.actor,
                "event": one.event,
                "subject": one.subject,
                "detail": json.loads(one.detail),
            }
            for one in rows
        ]
    }
    lines = table(
        ("SEQ", "WHEN", "ACTOR", "EVENT", "SUBJECT", "DETAIL"),
        [
            (str(one.seq), when(one.at), one.actor, one.event, one.subject, one.detail)
            for one in rows
        ],
    )
    emit(data, lines)


@audit.command("verify")
@store_option
@click.option(
    "--head",
    "head_text",
    metavar="SEQ:HASH",
    help="A head that you kept elsewhere; the log must contain it.",
)
@click.option("--file", type=FILE, help="Verify an export instead of the store; needs no store.")
def audit_verify(store: Path | None, head_text: str | None, file: Path | None) -> None:
    """Check that no row was changed, left out or put in; print the head.

    Keep the head where those who can write to the store cannot. Only with --head is a log that
    was cut at its end, or written anew from some row on, told from a whole one.
    """
    from muster.publisher.audit_file import check_audit_file
    from muster.publisher.chain import Head

    wanted = Head.parse(head_text) if head_text is not None else None
    if file is not None:
        head = check_audit_file(file, wanted)
    else:
        with open_admin(store) as admin:
            head = admin.check_audit(wanted)
    data = {"rows": head.seq, "head": head.text, "contains": wanted.text if wanted else None}
    lines = [f"{head.seq} rows hold together.", f"Head: {head.text}"]
    if wanted is not None:
        lines.append(f"The log contains the given head, row {wanted.seq}.")
    emit(data, lines)


@audit.command("export")
@store_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
def audit_export(store: Path | None, file: Path) -> None:
    """Write the whole log as JSON lines to a new FILE, or to standard output with '-'."""
    from muster.publisher.audit_file import export_audit

    with open_admin(store) as admin:
        if str(file) == "-":
            admin.export_audit(lambda line: click.echo(line, nl=False))
            return
        head = export_audit(admin.export_audit, file)
    data = {"changed": True, "file": str(file), "rows": head.seq, "head": head.text}
    emit(data, [f"Written: {file}, {head.seq} rows.", f"Head: {head.text}"])
