"""`muster publisher backup`, `restore`, `resume` and `check`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.options import Command, store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.options import FILE, open_office
from muster.cli.publisher.words import when

if TYPE_CHECKING:
    from muster.db.aside import Start
    from muster.publisher.chain import Head
    from muster.publisher.office import Office
    from muster.publisher.results import Restored, Resumed


def _resumed_lines(resumed: Restored | Resumed, *, changed: bool) -> list[str]:
    if resumed.waiting:
        return [
            "New activations are on hold: the audit log of the backup ends at"
            f" {resumed.audit_head}.",
            "Compare that with the head kept elsewhere, then: muster publisher resume "
            "--audit-head SEQ:HASH, or --accept-loss.",
        ]
    if not changed:
        return ["Activations are not on hold; nothing was changed."]
    return [
        "Activations resume; what was activated after the backup is lost, as you accepted."
        if resumed.lost
        else "Activations resume; nothing is lost."
    ]


def loss_options(command: Command) -> Command:
    """What says that draws may go on after a restore; gives `head` and `accept_loss`."""

    @click.option(
        "--audit-head",
        "head_text",
        metavar="SEQ:HASH",
        help="The audit head that you kept elsewhere; if it is the backup's, nothing is lost.",
    )
    @click.option(
        "--accept-loss",
        is_flag=True,
        help="Accept that activations after the backup are lost and can be used again; audited.",
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

    Copy the key files in the store's folder 'keys', and the reserve root, separately.
    """
    from muster.publisher.act.backup import write_backup

    with open_office(store) as office:
        written = write_backup(office, file)
    emit(
        written,
        [
            f"Written: {file}, {written.rows} rows.",
            f"Audit head: {written.audit_head}",
            "Keep the newest head in another place than the backup ('muster publisher audit "
            "verify' prints it): after a restore it shows what is missing. Copy the folder 'keys' "
            "too.",
        ],
    )


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE, required=False)
@click.option("--replace", is_flag=True, help="Move the SQLite database that is there aside first.")
@click.option(
    "--in-place",
    is_flag=True,
    help="No FILE: go on with the SQLite database in the store, though it is refused.",
)
@loss_options
def restore(
    store: Path | None,
    file: Path | None,
    replace: bool,
    in_place: bool,
    head: Head | None,
    accept_loss: bool,
) -> None:
    """Fill an empty database from a backup, or one that an option says. The service must not run.

    Afterwards new activations are on hold until the audit head kept elsewhere is given and is
    the backup's, or the loss of what came after the backup is accepted.
    """
    if (file is None) != in_place or (replace and in_place):
        raise click.UsageError("Name the backup FILE, or --in-place without one.")
    if (replace or in_place) and compose.publisher_database():
        raise click.UsageError("--replace and --in-place are for the SQLite file in the store.")
    if file is None:
        restored = _adopt(store, accept_loss=accept_loss)
        first = f"Publisher {restored.publisher} goes on with the database that is in its store."
    else:
        restored = _fill(store, file, head, accept_loss=accept_loss, replace=replace)
        first = (
            f"Restored {restored.rows} rows of publisher {restored.publisher}, as of"
            f" {when(restored.made_at)}."
        )
    lines = [first, *_resumed_lines(restored, changed=True)]
    if restored.aside is not None:
        lines.append(f"The files that were there are in {restored.aside}.")
    emit(restored, lines)


def _adopt(store: Path | None, *, accept_loss: bool) -> Restored:
    from muster.db.aside import Start
    from muster.publisher.act import backup as act

    put = functools.partial(act.adopt, accept_loss=accept_loss)
    return _exchanged(store, Start.TAKEN, put, keep=True)


def _fill(
    store: Path | None, file: Path, head: Head | None, *, accept_loss: bool, replace: bool
) -> Restored:
    from muster.db.aside import Start
    from muster.publisher.act import backup as act
    from muster.system.linefile import LineFile

    with LineFile(file) as opened:

        def put(office: Office) -> Restored:
            return act.restore(office, opened, head=head, accept_loss=accept_loss)

        if compose.publisher_database():
            folder = compose.publisher_folder(store)
            with compose.made_folder(folder), open_office(store, restored=folder) as office:
                return put(office)
        start = Start.EMPTY if replace else Start.COPY
        return _exchanged(store, start, put, keep=replace)


def _exchanged(
    store: Path | None, start: Start, put: Callable[[Office], Restored], *, keep: bool
) -> Restored:
    """Make the new state beside the old one, and let it take its place."""
    from muster.core import values
    from muster.db.aside import exchange
    from muster.publisher.store import DATABASE_FILE

    home = compose.made_folder(compose.publisher_folder(store))
    with home as folder, exchange(folder / DATABASE_FILE, start) as made:
        with open_office(store, restored=made.folder) as office:
            restored = put(office)
        aside = made.put_in_place(keep=keep)
    return values.replace(restored, aside=None if aside is None else str(aside))


@click.command(cls=MusterCommand)
@store_option
@loss_options
def resume(store: Path | None, head: Head | None, accept_loss: bool) -> None:
    """Resume new activations after a restore."""
    from muster.publisher.act import backup as act

    with open_office(store) as office:
        resumed = act.resume(office, head=head, accept_loss=accept_loss)
    emit(resumed, _resumed_lines(resumed, changed=resumed.changed))


@click.command(cls=MusterCommand)
@store_option
def check(store: Path | None) -> None:
    """Read the whole database, while the service runs, and say whether it is in order."""
    from muster.publisher import look

    with open_office(store) as office:
        checked = look.check_database(office)
    emit(
        checked,
        [
            f"The database {checked.database} is whole.",
            f"The audit chain is intact; its head is {checked.audit_head}.",
        ],
    )
