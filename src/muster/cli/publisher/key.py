"""`muster publisher key …`: product keys are listed, shown, changed and revoked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli.keys import key_argument
from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.host import host_lines
from muster.cli.publisher.options import Phrases, open_office, passphrase_options
from muster.cli.publisher.words import day, emit_revoked, table, when

if TYPE_CHECKING:
    from muster.publisher.results import KeyRow, PoolStatus


@click.group(cls=LazyGroup, lazy={"issue": "muster.cli.publisher.issue:key_issue"})
def key() -> None:
    """Product keys: issue, list, show, revoke."""


@key.command("list")
@store_option
@click.option(
    "--kind",
    type=click.Choice(["host", "mak", "setup", "evaluation", "retail"]),
    help="Only this kind.",
)
def key_list(store: Path | None, kind: str | None) -> None:
    """List issued product keys, masked."""
    from muster.core.keys import Kind
    from muster.publisher import look

    with open_office(store) as office:
        listing = look.keys(office, Kind.of(kind) if kind else None)
    lines = table(
        ("KEY ID", "KIND", "KEY", "FOR", "USED", "TERM", "STATE", "CUSTOMER"),
        [
            (
                row.id,
                row.kind,
                row.masked,
                row.product or row.group,
                _used(row),
                f"{row.term_days} d" if row.term_days else "-",
                f"revoked {day(row.revoked_day)}" if row.revoked_day is not None else "good",
                row.customer or "-",
            )
            for row in listing.keys
        ],
    )
    emit(listing, lines)


def _used(row: KeyRow) -> str:
    """Hosts or machines that a key has activated, of how many."""
    pool = row.pool
    if pool is not None:
        return f"{pool.drawn}/{pool.size + pool.corrected}"
    return f"{row.hosts}/{row.host_limit}" if row.product is None else "-"


@key.command("show")
@store_option
@key_argument("KEY")
def key_show(store: Path | None, key_text: str) -> None:
    """Show a product key, by its key id or by the key itself."""
    from muster.core.keys import Kind
    from muster.publisher import look

    with open_office(store) as office:
        shown = look.key(office, key_text)
    key = shown.key
    lines = [
        f"{key.masked} ({key.id})",
        f"  Kind:     {key.kind}, "
        + (f"product {key.product}" if key.product else f"key group {key.group}"),
        f"  Issued:   {when(key.issued_at)}" + (f" for {key.customer}" if key.customer else ""),
        f"  Term:     {f'{key.term_days} days from activation' if key.term_days else 'no end'}",
        "  State:    "
        + (f"revoked on {day(key.revoked_day)}" if key.revoked_day is not None else "good"),
    ]
    if key.kind == Kind.HOST.text:
        lines += _limit_lines(key)
        lines += [f"    {line}" for line in host_lines(key.grants)]
    lines += _pool_lines(key.pool)
    lines += [
        f"    {activation.grant}  since {day(activation.first_day)}"
        + (f"  revoked {day(activation.revoked_day)}" if activation.revoked_day is not None else "")
        for activation in key.activations
    ]
    emit(shown, lines)


def _limit_lines(key: KeyRow) -> list[str]:
    return [f"  Hosts:    {key.hosts} of {key.host_limit}, {key.activation_limit} activations each"]


def _pool_lines(pool: PoolStatus | None) -> list[str]:
    if pool is None:
        return []
    given = f", {pool.corrected} of them given back by staff" if pool.corrected else ""
    return [
        f"  Pool:     {pool.drawn} of {pool.size + pool.corrected} used{given}; {pool.left} left",
        f"            staff may give back {pool.correction_limit - pool.corrected} more",
    ]


@key.command("correct")
@store_option
@key_argument("KEY")
@click.option("--add", "count", type=click.IntRange(1), required=True, help="Activations.")
@click.option("--reason", required=True, help="For the audit log.")
def key_correct(store: Path | None, key_text: str, count: int, reason: str) -> None:
    """Give activations back to a pool after a mistake; limited, and audited."""
    from muster.publisher.act.pools import correct_pool

    with open_office(store) as office:
        change = correct_pool(office, key_text, count, reason)
    given = f"{count} given back to the pool of {change.key.id}."
    emit(change, [given, *_pool_lines(change.key.pool)])


@key.command("extend")
@store_option
@key_argument("KEY")
@click.option("--pool", type=click.IntRange(1, 10_000_000), required=True, help="The new size.")
def key_extend(store: Path | None, key_text: str, pool: int) -> None:
    """Change the size of a pool, as a changed agreement says."""
    from muster.publisher.act.pools import extend_pool

    with open_office(store) as office:
        change = extend_pool(office, key_text, pool)
    verb = "is now" if change.changed else "was already"
    lines = [f"The pool of {change.key.id} {verb} {pool}.", *_pool_lines(change.key.pool)]
    emit(change, lines)


@key.command("limit")
@store_option
@key_argument("KEY")
@click.option("--hosts", type=click.IntRange(1, 10_000), help="Hosts that the key enrols.")
@click.option(
    "--activations",
    type=click.IntRange(1, 10_000),
    help="Activations on each host: its first one, and one for each new host signing key.",
)
@click.option("--reason", required=True, help="For the audit log.")
def key_limit(
    store: Path | None, key_text: str, hosts: int | None, activations: int | None, reason: str
) -> None:
    """Allow a host key more hosts, or more activations on each of them; audited."""
    from muster.publisher.act.keys import limit_key

    with open_office(store) as office:
        change = limit_key(office, key_text, hosts, activations, reason)
    verb = "are now" if change.changed else "were already"
    emit(change, [f"The limits of {change.key.id} {verb}:", *_limit_lines(change.key)])


@key.command("revoke")
@store_option
@key_argument("KEY-ID")
@passphrase_options
def key_revoke(store: Path | None, key_text: str, phrases: Phrases) -> None:
    """Revoke a product key and all its grants, in a new catalogue."""
    from muster.publisher.act.keys import revoke_key

    with open_office(store, phrases) as office:
        outcome = revoke_key(office, key_text)
    emit_revoked(outcome, f"Key {outcome.key} is revoked")
