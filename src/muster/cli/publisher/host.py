"""`muster publisher host …`: hosts of customers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.files import read_request, write_public, written
from muster.cli.publisher.options import FILE, Phrases, TokenCommand, open_admin, passphrase_options
from muster.cli.publisher.words import day, emit_revoked, span, table

if TYPE_CHECKING:
    from muster.publisher.look import HostRow


@click.group(cls=LazyGroup)
def host() -> None:
    """Hosts of customers: list, release, revoke, activate by file."""


def host_data(one: HostRow) -> dict[str, Any]:
    grant = one.grant
    return {
        "jti": grant.jti,
        "key": grant.key,
        "group": one.key.group,
        "customer": one.key.customer,
        "name": grant.name,
        "hw": grant.hw,
        "binding": grant.binding,
        "day": grant.day,
        "term_days": grant.term * 30,
        "first_at": grant.first_at,
        "last_at": grant.last_at,
        "revoked_day": grant.revoked,
        "activations": one.seat.activations,
        "released_at": one.seat.released_at,
    }


def host_lines(hosts: Sequence[HostRow]) -> list[str]:
    return table(
        ("GRANT", "KEY ID", "HARDWARE", "NAME", "CUSTOMER", "ACTIVATIONS", "FIRST", "STATE"),
        [
            (
                one.grant.jti,
                one.grant.key,
                one.grant.hw,
                json.dumps(one.grant.name, ensure_ascii=False) if one.grant.name else "-",
                one.key.customer or "-",
                f"{one.seat.activations}/{one.key.activation_limit}",
                day(one.grant.day),
                _host_state(one),
            )
            for one in hosts
        ],
    )


def _host_state(one: HostRow) -> str:
    if one.grant.revoked is not None:
        word = "released" if one.seat.released_at is not None else "revoked"
        return f"{word} {day(one.grant.revoked)}"
    if one.key.revoked is not None:
        return f"key revoked {day(one.key.revoked)}"
    return "good"


@host.command("list")
@store_option
@click.option("--key", "key_id", help="Only hosts of this host key (key id).")
def host_list(store: Path | None, key_id: str | None) -> None:
    """List the hosts that were activated."""
    with open_admin(store) as admin:
        found = admin.hosts(admin.find_key(key_id).key_id.text if key_id else None)
    emit({"hosts": [host_data(one) for one in found]}, host_lines(found))


@host.command("revoke", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@passphrase_options
def host_revoke(store: Path | None, host_id: str, phrases: Phrases) -> None:
    """Revoke a host (its grant or hardware id) in a new catalogue; its seat stays taken."""
    with open_admin(store, phrases) as admin:
        found = admin.revoke_host(host_id)
    emit_revoked(found, f"Host {host_id} is revoked")


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
    help="Days that a lease under the ceiling lasts at most: so long a machine that vanished"
    " keeps its seat. Without it, as long as the product's leases.",
)
@click.option("--out", "file", type=FILE, help="Reply file with the terms, for a host offline.")
@passphrase_options
def host_terms(
    store: Path | None,
    host_id: str,
    limit: int,
    over: str,
    agreement: str,
    customer: str,
    max_lease_days: int | None,
    file: Path | None,
    phrases: Phrases,
) -> None:
    """Put a ceiling on a host: how many machines it may lease to.

    The host takes the terms with 'muster host terms fetch', or by file with 'muster host terms
    import'.
    """
    with open_admin(store, phrases) as admin:
        made, reply = admin.issue_terms(
            host_id,
            limit=limit,
            over=over,
            agreement=agreement,
            customer=customer,
            max_lease=None if max_lease_days is None else max_lease_days * 86_400,
        )
    data: dict[str, Any] = {
        "grant": made.jti,
        "version": made.version,
        "limit": made.limit,
        "over": made.over,
        "agreement": made.agreement,
        "customer": made.customer,
        "max_lease": made.max_lease,
    }
    above = "refused" if made.over == "refuse" else "reported"
    lines = [
        f"Terms version {made.version} of the grant {made.jti}: {made.limit} machines,"
        f" more are {above}."
    ]
    if made.max_lease is not None:
        lines.append(f"Leases under it last {span(made.max_lease)} at most.")
    if file is not None:
        data["file"] = str(file)
        data["written"] = write_public(file, reply.encode())
        lines.append(written(file, data["written"]))
    emit(data, lines)


@host.command("release", cls=TokenCommand)
@store_option
@click.argument("host_id", metavar="HOST")
@passphrase_options
def host_release(store: Path | None, host_id: str, phrases: Phrases) -> None:
    """Free the seat of a host that is gone, and revoke it in a new catalogue."""
    with open_admin(store, phrases) as admin:
        found = admin.release_host(host_id)
    emit_revoked(found, f"Host {found.hw} is released from key {found.key}")


@host.command("activate")
@store_option
@click.option("--request", type=FILE, help="Request file of the host.")
@click.option("--reply", type=FILE, help="Reply file to write for it.")
@click.option("--installation-id", help="The host's 15 groups of digits, in place of a file.")
@passphrase_options
def host_activate(
    store: Path | None,
    request: Path | None,
    reply: Path | None,
    installation_id: str | None,
    phrases: Phrases,
) -> None:
    """Activate a host that is offline: by file, or by its installation ID.

    The same host gets the same answer again, through whichever door, and draws nothing.
    """
    from muster.wire.exchange import ReplyFile
    from muster.wire.publisher import ConfirmRequest

    if (request is None) == (installation_id is None) or (request is None) != (reply is None):
        raise click.UsageError("Give --request FILE and --reply FILE, or --installation-id DIGITS.")
    service = compose.publisher_service(store, phrases.work)
    try:
        own = service.publisher.id
        door = "desk" if request is None else "file"
        if request is not None:
            asked = read_request(request, own)
        else:
            assert installation_id is not None
            asked = ConfirmRequest(installation_id)
        found = service.activate_host(asked.installation_id, door, name=asked.name)
    finally:
        service.close()
    grant = found.grant
    data: dict[str, Any] = {
        "changed": found.drawn,
        "grant": grant.jti,
        "key": grant.key,
        "hw": grant.hw,
        "day": grant.day,
        "term_days": grant.term * 30,
        "confirmation_id": grant.confirmation,
    }
    lines = [
        f"Host {grant.hw} is activated with the key {grant.key} (grant {grant.jti})."
        if found.drawn
        else f"Host {grant.hw} has its grant {grant.jti} already; nothing was drawn."
    ]
    if reply is not None:
        data["file"] = str(reply)
        data["written"] = write_public(reply, ReplyFile(own, found.answer).encode())
        lines.append(written(reply, data["written"]))
    else:
        from muster.core.digits import format_rows

        lines += ["Confirmation ID:", format_rows(tuple(grant.confirmation.split("-")))]
    emit(data, lines)
