"""`muster publisher host …`: hosts of customers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli.options import gathered, store_option, write_public
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.files import read_request, written
from muster.cli.publisher.options import (
    FILE,
    Phrases,
    TokenCommand,
    open_office,
    passphrase_options,
)
from muster.cli.publisher.words import day, emit_revoked, span, table
from muster.core.values import dataclass, replace

if TYPE_CHECKING:
    from muster.publisher.results import HostRow


@click.group(cls=LazyGroup)
def host() -> None:
    """Hosts of customers: list, release, revoke, activate by file."""


def host_lines(hosts: Sequence[HostRow]) -> list[str]:
    return table(
        ("GRANT", "KEY ID", "HARDWARE", "NAME", "CUSTOMER", "ACTIVATIONS", "FIRST", "STATE"),
        [
            (
                host_row.grant,
                host_row.key,
                host_row.hardware,
                json.dumps(host_row.name, ensure_ascii=False) if host_row.name else "-",
                host_row.customer or "-",
                f"{host_row.activations}/{host_row.activation_limit}",
                day(host_row.day),
                _host_state(host_row),
            )
            for host_row in hosts
        ],
    )


def _host_state(row: HostRow) -> str:
    if row.revoked_day is not None:
        word = "released" if row.released_at is not None else "revoked"
        return f"{word} {day(row.revoked_day)}"
    if row.key_revoked_day is not None:
        return f"key revoked {day(row.key_revoked_day)}"
    return "good"


@host.command("list")
@store_option
@click.option("--key", "key_id", help="Only hosts of this host key (key id).")
def host_list(store: Path | None, key_id: str | None) -> None:
    """List the hosts that were activated."""
    from muster.publisher import look

    with open_office(store) as office:
        listing = look.hosts(office, key_id)
    emit(listing, host_lines(listing.hosts))


@host.command("revoke", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@passphrase_options
def host_revoke(store: Path | None, host_id: str, phrases: Phrases) -> None:
    """Revoke a host (its grant or hardware id) in a new catalogue; its seat stays taken."""
    from muster.publisher.act.hosts import revoke_host

    with open_office(store, phrases) as office:
        outcome = revoke_host(office, host_id)
    emit_revoked(outcome, f"Host {host_id} is revoked")


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is typed of terms."""

    limit: int
    over: str
    agreement: str
    customer: str
    max_lease_days: int | None


@host.command("terms", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@click.option("--limit", type=click.IntRange(0, 10_000_000), required=True, help="Machines.")
@click.option(
    "--over",
    type=click.Choice(["refuse", "report"]),
    default="refuse",
    show_default=True,
    help="What the host does above the limit.",
)
@click.option("--agreement", required=True, help="Name or number of the contract.")
@click.option("--customer", default="", help="Shown on the host.")
@click.option(
    "--max-lease",
    "max_lease_days",
    type=click.IntRange(1, 24_855),
    metavar="DAYS",
    help="Days that a lease under the limit lasts at most: so long a machine that vanished"
    " keeps its seat. Without it, as long as the product's leases.",
)
@click.option("--out", "file", type=FILE, help="Reply file with the terms, for a host offline.")
@passphrase_options
@gathered(_Terms)
def host_terms(
    wish: _Terms, store: Path | None, host_id: str, file: Path | None, phrases: Phrases
) -> None:
    """Limit how many machines a host may lease to.

    The host imports the terms with 'muster host terms fetch', or by file with 'muster host terms
    import'.
    """
    from muster.lease.terms import Ceiling
    from muster.publisher.act.hosts import issue_terms

    longest = None if wish.max_lease_days is None else wish.max_lease_days * 86_400
    ceiling = Ceiling(wish.limit, wish.over, wish.agreement, wish.customer, longest)
    with open_office(store, phrases) as office:
        issued = issue_terms(office, host_id, ceiling)
    terms = issued.shown
    above = "refused" if terms.over == "refuse" else "reported"
    lines = [
        f"Terms version {terms.version} of the grant {terms.grant}: {terms.limit} machines,"
        f" more are {above}."
    ]
    if terms.max_lease is not None:
        lines.append(f"Leases under it last {span(terms.max_lease)} at most.")
    if file is not None:
        new = write_public(file, issued.reply.encode())
        terms = replace(terms, file=str(file), written=new)
        lines.append(written(file, new))
    emit(terms, lines)


@host.command("release", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@passphrase_options
def host_release(store: Path | None, host_id: str, phrases: Phrases) -> None:
    """Free the seat of a host that is no longer used, and revoke it in a new catalogue."""
    from muster.publisher.act.hosts import release_host

    with open_office(store, phrases) as office:
        outcome = release_host(office, host_id)
    emit_revoked(outcome, f"Host {outcome.hardware} is released from key {outcome.key}")


@host.command("activate")
@store_option
@click.option("--request", type=FILE, help="Request file of the host.")
@click.option("--reply", type=FILE, help="Reply file to write for it.")
@click.option("--installation-id", help="The host's 15 groups of digits, instead of a file.")
@passphrase_options
def host_activate(
    store: Path | None,
    request: Path | None,
    reply: Path | None,
    installation_id: str | None,
    phrases: Phrases,
) -> None:
    """Activate a host that is offline: by file, or by its installation ID.

    The same host gets the same answer again, whichever way it asks, and uses no other seat.
    """
    from muster.publisher.act.activation import activate_host
    from muster.wire.publisher import ConfirmRequest

    if (request is None) == (installation_id is None) or (request is None) != (reply is None):
        raise click.UsageError("Give --request FILE and --reply FILE, or --installation-id DIGITS.")
    with open_office(store, phrases) as office:
        if request is not None:
            answer = activate_host(office, read_request(request, office.publisher.id), "file")
        else:
            assert installation_id is not None
            answer = activate_host(office, ConfirmRequest(installation_id), "desk")
    activated = answer.shown
    lines = [
        f"Host {activated.hardware} is activated with the key {activated.key}"
        f" (grant {activated.grant})."
        if activated.changed
        else f"Host {activated.hardware} already has its grant {activated.grant};"
        " no activation was used."
    ]
    if reply is not None:
        new = write_public(reply, answer.reply.encode())
        activated = replace(activated, file=str(reply), written=new)
        lines.append(written(reply, new))
    else:
        from muster.core.digits import format_rows

        lines += ["Confirmation ID:", format_rows(tuple(activated.confirmation_id.split("-")))]
    emit(activated, lines)
