"""`muster publisher backup`, `restore` and `resume`."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.options import Command, store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.options import FILE
from muster.cli.publisher.words import when

if TYPE_CHECKING:
    from muster.publisher.backup import Resumed
    from muster.publisher.chain import Head


def _resumed_lines(found: Resumed) -> list[str]:
    if found.waiting:
        return [
            f"New activations wait: the audit log of the backup ends at {found.head.text}.",
            "Compare that with the head kept elsewhere, then: muster publisher resume "
            "--audit-head SEQ:HASH, or --accept-loss.",
        ]
    if not found.changed:
        return ["Nothing waits; nothing was changed."]
    return [
        "Activations go on; what was drawn after the backup is lost, as you accepted."
        if found.lost
        else "Activations go on; nothing is lost."
    ]


def loss_options(command: Command) -> Command:
    """What says that draws may go on after a restore; gives `head` and `accept_loss`."""

    @click.option(
        "--audit-head",
        "head_text",
        metavar="SEQ:HASH",
        help="The audit head kept elsewhere: where it is the backup's, nothing is lost.",
    )
    @click.option(
        "--accept-loss",
        is_flag=True,
        help="What was drawn after the backup is lost, and may be drawn again; audited.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, head_text: str | None, **kwargs: Any) -> Any:
        from muster.publisher.chain import Head

        kwargs["head"] = None if head_text is None else Head.parse(head_text)
        return command(*args, **kwargs)

    return wrapped


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE)
def backup(store: Path | None, file: Path) -> None:
    """Write the publisher's tables into a new file, while the service runs.

    The key files in the store's folder 'keys', and the reserve root, are copied by themselves.
    """
    from muster.publisher.backup import write_backup

    with contextlib.closing(compose.publisher_tables(store)) as tables:
        found = write_backup(tables.database, file, compose.clock().now())
    emit(
        {
            "changed": True,
            "file": str(file),
            "publisher": found.publisher,
            "rows": found.rows,
            "audit_head": found.head.text,
        },
        [
            f"Written: {file}, {found.rows} rows.",
            f"Audit head: {found.head.text}",
            "Keep the newest head apart from the backup ('muster publisher audit verify' prints "
            "it): after a restore it tells what is missing. Copy the folder 'keys' too.",
        ],
    )


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE)
@loss_options
def restore(store: Path | None, file: Path, head: Head | None, accept_loss: bool) -> None:
    """Fill an empty database from a backup.

    New activations wait afterwards until the audit head kept elsewhere is given and is the
    backup's, or the loss of what came after the backup is accepted.
    """
    from muster.publisher import backup as backups

    with contextlib.closing(compose.publisher_tables(store, create=True)) as tables:
        found, done = backups.restore(
            tables,
            file,
            compose.clock(),
            compose.actor(),
            head=head,
            accept_loss=accept_loss,
        )
    emit(
        {
            "changed": True,
            "publisher": found.publisher,
            "rows": found.rows,
            "made_at": found.made_at,
            **_resumed_data(done),
        },
        [
            f"Restored {found.rows} rows of publisher {found.publisher}, "
            f"as of {when(found.made_at)}.",
            *_resumed_lines(done),
        ],
    )


def _resumed_data(found: Resumed) -> dict[str, Any]:
    return {"waiting": found.waiting, "lost": found.lost, "audit_head": found.head.text}


@click.command(cls=MusterCommand)
@store_option
@loss_options
def resume(store: Path | None, head: Head | None, accept_loss: bool) -> None:
    """Let new activations go on after a restore."""
    from muster.publisher import backup as backups

    with contextlib.closing(compose.publisher_tables(store)) as tables:
        done = backups.resume(
            tables, compose.clock(), compose.actor(), head=head, accept_loss=accept_loss
        )
    emit({"changed": done.changed, **_resumed_data(done)}, _resumed_lines(done))
