"""Enrolment of a host: publishers and host keys, `muster host init`, `install-key`, `remove-…`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import (
    FILE,
    masked,
    publisher_option,
    read_file,
    update_line,
)
from muster.cli.keys import key_argument
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit

if TYPE_CHECKING:
    from muster.host.results import KeyInstallation


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
    """Create a host, or add a publisher to it.

    The file must come over a channel that you trust: everything else is verified from it. For a
    publisher that is already known, newer versions in the file are imported.
    """
    from muster.host.act import enrol as act
    from muster.wire.exchange import read_publisher_file

    read = [read_publisher_file(read_file(path)) for path in files]
    with compose.open_host(store, create=True) as opened:
        created = act.pin(opened, read)
    emit(
        created,
        [
            f"Host store: {created.store}",
            *(update_line(publisher) for publisher in created.publishers),
        ],
    )


@click.command("install-key", cls=MusterCommand)
@store_option
@publisher_option
@key_argument("KEY")
@click.option("--facts", type=FILE, help="Facts file of this machine; by default its hardware.")
def install_key(
    store: Path | None, publisher: str | None, key_text: str, facts: Path | None
) -> None:
    """Install a host key; a host can have several keys and publishers."""
    from muster.core.facts import clean_facts
    from muster.core.keys import parse_product_key
    from muster.host.act import enrol as act
    from muster.host.keys import check_kind
    from muster.system.facts import read_facts

    check_kind(parse_product_key(key_text))
    with compose.open_host(store) as opened:
        installation = act.install_key(opened, key_text, clean_facts(read_facts(facts)), publisher)
    emit(installation, installation_lines(installation))


def installation_lines(installation: KeyInstallation) -> list[str]:
    """What is said of a host key that was installed."""
    shown = f"Host key {masked(installation)} of {installation.label}"
    lines = [
        f"{shown} was installed." if installation.changed else f"{shown}: nothing was changed."
    ]
    if not installation.survives_reinstall:
        lines.append(
            "This machine has no hardware fact: its hardware id does not survive a reinstall."
        )
    if not installation.activated:
        lines.append("Next: muster host activate")
    return lines


@click.command("remove-key", cls=MusterCommand)
@store_option
@click.argument("key")
def remove_key(store: Path | None, key: str) -> None:
    """Remove a host key with its grant, by its last group or key id; other keys stay in use."""
    from muster.host.act import enrol as act

    with compose.open_host(store) as opened:
        removal = act.remove_key(opened, key)
    emit(removal, [f"Host key {masked(removal)} was removed."])


@click.command("remove-publisher", cls=MusterCommand)
@store_option
@click.argument("publisher")
def remove_publisher(store: Path | None, publisher: str) -> None:
    """Remove a publisher with its keys and grants; other publishers stay in use."""
    from muster.host.act import enrol as act

    with compose.open_host(store) as opened:
        removal = act.remove_publisher(opened, publisher)
    emit(removal, [f"Publisher {publisher} was removed."])
