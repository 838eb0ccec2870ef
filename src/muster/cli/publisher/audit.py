"""`muster publisher audit …`: the chain of what was done."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.options import FILE, open_office
from muster.cli.publisher.words import table, when


class _AuditGroup(LazyGroup):
    """A group that lists where no sub-command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_AuditGroup)
def audit() -> None:
    """Who changed and activated what, as a chain of hashes; without a subcommand, list it."""


@audit.command("list")
@store_option
@click.option(
    "--after",
    type=click.IntRange(0),
    help="The first rows above this number, to read the log on from there; else the newest.",
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
def audit_list(store: Path | None, after: int | None, limit: int) -> None:
    """List who changed and activated what: the newest rows, oldest of them first."""
    from muster.lease.strict import canonical
    from muster.publisher import look

    with open_office(store) as office:
        listing = look.audit(office, after, limit)
    lines = table(
        ("SEQ", "WHEN", "ACTOR", "EVENT", "SUBJECT", "DETAIL"),
        [
            (
                str(entry.seq),
                when(entry.at),
                entry.actor,
                entry.event,
                entry.subject,
                canonical(entry.detail).decode(),
            )
            for entry in listing.audit
        ],
    )
    emit(listing, lines)


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
    """Check that no row was changed, removed or inserted; print the head.

    Keep the head where those who can write to the store cannot change it. Only --head detects a
    log that was cut at its end, or rewritten from some row on.
    """
    from muster.publisher import look
    from muster.publisher.audit_file import check_audit_file
    from muster.publisher.chain import Head
    from muster.publisher.results import AuditVerified

    wanted = Head.parse(head_text) if head_text is not None else None
    if file is not None:
        head = check_audit_file(file, wanted)
    else:
        with open_office(store) as office:
            head = look.check_audit(office, wanted)
    verified = AuditVerified(head.seq, head.text, None if wanted is None else wanted.text)
    lines = [f"The audit chain is intact: {verified.rows} rows.", f"Head: {verified.head}"]
    if wanted is not None:
        lines.append(f"The log contains the given head, row {wanted.seq}.")
    emit(verified, lines)


@audit.command("export")
@store_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
def audit_export(store: Path | None, file: Path) -> None:
    """Write the whole log as JSON lines to a new FILE, or to standard output with '-'."""
    from functools import partial

    from muster.publisher import look
    from muster.publisher.audit_file import export_audit
    from muster.publisher.results import AuditExported

    with open_office(store) as office:
        if str(file) == "-":
            look.export_audit(office, lambda line: click.echo(line, nl=False))
            return
        head = export_audit(partial(look.export_audit, office), file)
    exported = AuditExported(True, str(file), head.seq, head.text)
    emit(exported, [f"Written: {file}, {exported.rows} rows.", f"Head: {exported.head}"])
