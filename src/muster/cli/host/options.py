"""Options and phrases that the commands of `muster host` share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.options import Command, gathered
from muster.cli.output import exit_code, print_error, wants_json
from muster.core.catalogue import error
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.host.model import PublisherView
    from muster.host.online import PublisherClient
    from muster.host.results import InstalledKey, PublisherUpdate, RefusedKey, RefusedPublisher


_FILE_LIMIT = 16 * 1024 * 1024
FILE = click.Path(path_type=Path, dir_okay=False)
"""A file on the command line."""
NEVER = "does not end"
BY_PRODUCT = "as each product says"
INTERVALS = ("retry_interval", "renewal_interval")
"""Settings that products decide while they are not set."""


def report_refused(refused: Sequence[RefusedKey | RefusedPublisher]) -> None:
    """Print why nothing came of keys or publishers beside others; the worst decides the exit
    code."""
    if not refused:
        return
    from muster.host.results import RefusedPublisher

    if not wants_json():
        for item in refused:
            name = item.label if isinstance(item, RefusedPublisher) else masked(item)
            click.echo(f"{name}:", err=True)
            print_error(item.error)
    click.get_current_context().exit(max(exit_code(item.error) for item in refused))


def publisher_option(command: Command) -> Command:
    """`--publisher ID`, where several publishers may be meant."""
    return click.option(
        "--publisher", metavar="ID", help="Publisher id or label, if this host knows several."
    )(command)


@dataclass(frozen=True, slots=True)
class DNSFlags:
    """What is typed of DNS publishing; each field is called as its setting, None where it is not
    typed."""

    dns_server: str | None
    dns_zone: str | None
    tsig_key_file: str | None
    dns_target: str | None

    def flags(self) -> dict[str, object]:
        """By the name of the setting."""
        return asdict(self)


def dns_options(command: Command) -> Command:
    """The options of DNS publishing, as `DNSFlags`; each wins over what 'muster host set' has
    set. Stands next to the function."""
    command = gathered(DNSFlags)(command)
    for option in (
        click.option("--dns-server", metavar="IP[:PORT]", help="Server that accepts updates."),
        click.option("--dns-zone", metavar="ZONE", help="Zone to update."),
        click.option(
            "--tsig-key", "tsig_key_file", metavar="FILE", help="Key file of 'tsig-keygen'."
        ),
        click.option(
            "--advertise",
            "dns_target",
            metavar="NAME",
            help="Name that the records point to; by default this machine's.",
        ),
    ):
        command = option(command)
    return command


def moment(instant: int | None) -> str:
    """An instant as text, or a dash."""
    from muster.core.text import instant_text

    return "-" if instant is None else instant_text(instant)


def day(instant: int) -> str:
    """The day of an instant as text."""
    from muster.core.text import day_text

    return day_text(instant)


def read_file(path: Path) -> bytes:
    """The text of a file that somebody carried here."""
    from muster.system.textfile import read_text

    return read_text(path, _FILE_LIMIT)


def update_line(update: PublisherUpdate) -> str:
    """What is said of news of a publisher."""
    versions = f"trust version {update.trust}, catalogue version {update.catalogue}"
    if update.added:
        return f"Publisher {update.label} ({update.publisher}) is pinned: {versions}."
    if update.changed:
        return f"Publisher {update.label} ({update.publisher}) is updated: {versions}."
    return f"Publisher {update.label} ({update.publisher}): {versions}; nothing was changed."


def publisher_service(known: PublisherView, url: str | None) -> PublisherClient:
    """The service of a publisher at the address given, or else at its own.

    Raises: `host/no-url`.
    """
    address = url or known.url
    if address is None:
        raise error("host/no-url", label=known.label)
    return compose.host_publisher_client(address)


def masked(key: InstalledKey) -> str:
    """A host key as people see it."""
    return f"XXXXX-XXXXX-XXXXX-XXXXX-{key.partial}"


def quoted(name: str) -> str:
    """A stranger's word, so that nobody takes it for ours: in quotes, quotes in it escaped."""
    return json.dumps(name, ensure_ascii=False)
