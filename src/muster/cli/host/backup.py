"""`muster host backup`, `restore` and `check`."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import moment
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.options import FILE, PASSPHRASE, Phrases
from muster.core.values import replace

if TYPE_CHECKING:
    from muster.host.open import OpenHost
    from muster.host.results import HostRestored

_SECRET = f"File whose first line seals the signing keys; else {PASSPHRASE}, else a prompt."


class How(enum.Enum):
    """Into which store a backup is put."""

    EMPTY = "empty"
    MERGE = "merge"
    REPLACE = "replace"
    IN_PLACE = "in-place"


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE)
@click.option("--with-keys", is_flag=True, help="Seal the signing keys into the file too.")
@click.option("--passphrase-file", type=FILE, help=_SECRET)
def backup(store: Path | None, file: Path, with_keys: bool, passphrase_file: Path | None) -> None:
    """Write a backup into a new file, while the host serves.

    Without --with-keys the signing keys are not in it: copy the folder 'keys' too, because the
    grants are bound to them.
    """
    from muster.host.act import backup as act

    phrases = Phrases(passphrase_file, None)
    phrases.confirm = True
    with compose.open_host(store) as opened:
        written = act.write_backup(opened, file, phrases.work if with_keys else None)
    keys = f"{len(written.keys)} signing keys, sealed" if with_keys else "no signing keys"
    lines = [f"Written: {file}, {written.rows} rows, {keys}."]
    if not with_keys:
        lines.append("Copy the folder 'keys' of the store too, or use --with-keys.")
    if written.not_audited:
        lines.append(
            f"The audit of the host does not say so: its database cannot be written "
            f"({written.not_audited}). Keep the file on another disk."
        )
    emit(written, lines)


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE, required=False)
@click.option(
    "--merge",
    "how",
    flag_value=How.MERGE.value,
    help="Add what the backup knows of machines to the database that is there; nothing is lowered.",
)
@click.option(
    "--replace",
    "how",
    flag_value=How.REPLACE.value,
    help="Move the database that is there aside first.",
)
@click.option(
    "--in-place",
    "how",
    flag_value=How.IN_PLACE.value,
    help="No FILE: go on with the database that is in the store, though it is refused.",
)
@click.option("--with-keys", is_flag=True, help="Restore the signing keys that are in the file.")
@click.option("--passphrase-file", type=FILE, help=_SECRET)
def restore(
    store: Path | None,
    file: Path | None,
    how: str | None,
    with_keys: bool,
    passphrase_file: Path | None,
) -> None:
    """Put a backup back: into an empty store, or as an option says. The host must not run.

    What was answered after the backup is not in it: these machines count again when they ask
    next, and keep their licences.
    """
    from muster.host.act import backup as act

    way = How(how or How.EMPTY.value)
    if (file is None) != (way is How.IN_PLACE):
        raise click.UsageError("Name the backup FILE, or --in-place without one.")
    if file is None:
        restored = _exchanged(store, way, act.adopt)
    else:
        secret = Phrases(passphrase_file, None).work if with_keys else None
        restored = _from_file(store, file, way, secret)
    lines = [
        f"Restored {restored.rows} rows of host {restored.host}, as of {moment(restored.made_at)}."
    ]
    if restored.merged:
        lines = [
            f"Merged {restored.rows} rows of {moment(restored.made_at)}; {restored.skipped}"
            " passed over. No count and no release was lowered."
        ]
    elif file is None:
        lines = [f"Host {restored.host} goes on with the database that is in its store."]
    else:
        lines.append(
            "What was answered after that is not in it: these machines count again when "
            "they ask next, and keep their licences."
        )
    if restored.aside:
        lines.append(f"The files that were there are in {restored.aside}.")
    lines += [
        f"The signing key for publisher {publisher} is not in the store: its grants are not used. "
        "Copy the folder 'keys' back (or add --merge --with-keys, if the file has the keys), or "
        "install the host key again and activate it."
        for publisher in restored.missing_keys
    ]
    emit(restored, lines)


def _from_file(
    store: Path | None, path: Path, way: How, secret: Callable[[], str] | None
) -> HostRestored:
    from muster.host import backup_file
    from muster.host.act import backup as act
    from muster.host.keyring import KeyRing
    from muster.system.linefile import LineFile

    with LineFile(path) as file:
        held = backup_file.read(file)
        keys = act.open_keys(KeyRing(compose.host_folder(store) / "keys"), path, held, secret)
        put = act.merge if way is How.MERGE else act.restore
        return _exchanged(store, way, lambda opened: put(opened, file, held, keys))


def _exchanged(
    store: Path | None, way: How, put: Callable[[OpenHost], HostRestored]
) -> HostRestored:
    """Make the new state beside the old one, and let it take its place."""
    from muster.db.aside import Start, exchange
    from muster.host.store import DATABASE

    start = {How.REPLACE: Start.EMPTY, How.IN_PLACE: Start.TAKEN}.get(way, Start.COPY)
    home = compose.made_folder(compose.host_folder(store))
    with home as folder, exchange(folder / DATABASE, start) as made:
        with compose.restored_host(store, made.folder) as opened:
            restored = put(opened)
        aside = made.put_in_place(keep=way in (How.REPLACE, How.IN_PLACE))
    return replace(restored, aside=None if aside is None else str(aside))


@click.command(cls=MusterCommand)
@store_option
def check(store: Path | None) -> None:
    """Read the whole database, while the host serves, and say whether it is in order."""
    from muster.host import look

    with compose.look_at_host(store) as opened:
        checked = look.check_database(opened)
    emit(checked, [f"The database {checked.database} is whole."])
