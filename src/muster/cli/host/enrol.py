"""Enrolment of a host: publishers and host keys, `muster host init`, `install-key`, `remove-…`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.host.options import (
    FILE,
    key_data,
    known_publisher,
    masked,
    publisher_option,
    read_file,
    update_line,
)
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit


@click.command(cls=MusterCommand)
@store_option
@click.option(
    "--publisher",
    "files",
    type=FILE,
    multiple=True,
    required=True,
    help="Publisher file, as 'muster publisher export' writes it; its anchor is pinned.",
)
def init(store: Path | None, files: tuple[Path, ...]) -> None:
    """Make a host, or add a publisher to it.

    The file must come by a way that you trust: everything else is checked from it. For a publisher
    that is known already, what the file has newer is taken.
    """
    from muster.core.records import encode
    from muster.host.results import publisher_update
    from muster.wire.exchange import read_publisher_file

    read = [read_publisher_file(read_file(path)) for path in files]
    with compose.host_database(store, create=True) as database:
        admin = compose.host_admin(store, database)
        updates = [publisher_update(admin.add_publisher(one)) for one in read]
    data = {
        "changed": any(one.changed for one in updates),
        "store": str(compose.host_folder(store)),
        "publishers": [encode(one) for one in updates],
    }
    emit(data, [f"Host store: {data['store']}", *(update_line(one) for one in updates)])


@click.command("install-key", cls=MusterCommand)
@store_option
@publisher_option
@click.argument("key")
@click.option("--facts", type=FILE, help="Facts file of this machine; by default its hardware.")
def install_key(store: Path | None, publisher: str | None, key: str, facts: Path | None) -> None:
    """Install a host key; several keys and publishers live side by side."""
    from muster.core.facts import clean_facts
    from muster.core.keys import parse_product_key
    from muster.host.enrol import check_kind
    from muster.system.facts import read_facts

    check_kind(parse_product_key(key))
    with compose.host_database(store) as database:
        admin = compose.host_admin(store, database)
        chosen = known_publisher(admin.view(), publisher)
        done = admin.install_key(key, clean_facts(read_facts(facts)), chosen)
        label = admin.view().publishers[done.key.publisher].label
    data = {"changed": done.changed, "label": label, **key_data(done.key)}
    data["survives_reinstall"] = done.survives
    shown = f"Host key {masked(done.key)} of {label}"
    lines = [f"{shown} is installed." if done.changed else f"{shown}: nothing was changed."]
    if not done.survives:
        lines.append(
            "This machine shows no hardware fact: its hardware id does not survive a reinstall."
        )
    if done.key.grant is None:
        lines.append("Next: muster host activate")
    emit(data, lines)


@click.command("remove-key", cls=MusterCommand)
@store_option
@click.argument("key")
def remove_key(store: Path | None, key: str) -> None:
    """Remove a host key with its grant, by its last group or key id; the others go on."""
    with compose.host_database(store) as database:
        gone = compose.host_admin(store, database).remove_key(key)
    emit({"changed": True, **key_data(gone)}, [f"Host key {masked(gone)} is removed."])


@click.command("remove-publisher", cls=MusterCommand)
@store_option
@click.argument("publisher")
def remove_publisher(store: Path | None, publisher: str) -> None:
    """Forget a publisher with its keys and grants; the others go on."""
    with compose.host_database(store) as database:
        admin = compose.host_admin(store, database)
        found = known_publisher(admin.view(), publisher)
        assert found is not None
        admin.remove_publisher(found)
    emit({"changed": True, "publisher": found}, [f"Publisher {publisher} is removed."])
