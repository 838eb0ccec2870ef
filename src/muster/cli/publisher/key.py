"""`muster publisher key …`: product keys are listed, shown, corrected, extended and revoked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

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
        found = look.keys(office, Kind.of(kind) if kind else None)
    lines = table(
        ("KEY ID", "KIND", "KEY", "FOR", "USED", "TERM", "STATE", "CUSTOMER"),
        [
            (
                one.id,
                one.kind,
                one.masked,
                one.product or one.group,
                _used(one),
                f"{one.term_days} d" if one.term_days else "-",
                f"revoked {day(one.revoked_day)}" if one.revoked_day is not None else "good",
                one.customer or "-",
            )
            for one in found.keys
        ],
    )
    emit(found, lines)


def _used(one: KeyRow) -> str:
    """Hosts or machines that a key has activated, of how many."""
    pool = one.pool
    if pool is not None:
        return f"{pool.drawn}/{pool.size + pool.corrected}"
    return f"{one.hosts}/{one.host_limit}" if one.product is None else "-"


@key.command("show")
@store_option
@click.argument("key_text", metavar="KEY")
def key_show(store: Path | None, key_text: str) -> None:
    """Show a product key, by its key id or by the key itself."""
    from muster.core.keys import Kind
    from muster.publisher import look

    with open_office(store) as office:
        shown = look.key(office, key_text)
    found = shown.key
    lines = [
        f"{found.masked} ({found.id})",
        f"  Kind:     {found.kind}, "
        + (f"product {found.product}" if found.product else f"key group {found.group}"),
        f"  Issued:   {when(found.issued_at)}"
        + (f" for {found.customer}" if found.customer else ""),
        f"  Term:     {f'{found.term_days} days from activation' if found.term_days else 'no end'}",
        "  State:    "
        + (f"revoked on {day(found.revoked_day)}" if found.revoked_day is not None else "good"),
    ]
    if found.kind == Kind.HOST.text:
        lines.append(f"  Hosts:    {found.hosts} of {found.host_limit}")
        lines += [f"    {line}" for line in host_lines(found.grants)]
    lines += _pool_lines(found.pool)
    lines += [
        f"    {one.grant}  since {day(one.first_day)}"
        + (f"  revoked {day(one.revoked_day)}" if one.revoked_day is not None else "")
        for one in found.activations
    ]
    emit(shown, lines)


def _pool_lines(one: PoolStatus | None) -> list[str]:
    if one is None:
        return []
    given = f", {one.corrected} of them given back by staff" if one.corrected else ""
    return [
        f"  Pool:     {one.drawn} of {one.size + one.corrected} used{given}; {one.left} left",
        f"            staff may give back {one.correction_limit - one.corrected} more",
    ]


@key.command("correct")
@store_option
@click.argument("key_text", metavar="KEY")
@click.option("--add", "count", type=click.IntRange(1), required=True, help="Activations.")
@click.option("--reason", required=True, help="For the audit log.")
def key_correct(store: Path | None, key_text: str, count: int, reason: str) -> None:
    """Give activations back to a pool after a mistake; limited, and audited."""
    from muster.publisher.act.pools import correct_pool

    with open_office(store) as office:
        done = correct_pool(office, key_text, count, reason)
    given = f"{count} given back to the pool of {done.key.id}."
    emit(done, [given, *_pool_lines(done.key.pool)])


@key.command("extend")
@store_option
@click.argument("key_text", metavar="KEY")
@click.option("--pool", type=click.IntRange(1, 10_000_000), required=True, help="The new size.")
def key_extend(store: Path | None, key_text: str, pool: int) -> None:
    """Change the size of a pool, as a changed agreement says."""
    from muster.publisher.act.pools import extend_pool

    with open_office(store) as office:
        done = extend_pool(office, key_text, pool)
    said = "is now" if done.changed else "was already"
    lines = [f"The pool of {done.key.id} {said} {pool}.", *_pool_lines(done.key.pool)]
    emit(done, lines)


@key.command("revoke")
@store_option
@click.argument("key_text", metavar="KEY-ID")
@passphrase_options
def key_revoke(store: Path | None, key_text: str, phrases: Phrases) -> None:
    """Revoke a product key and all its grants, in a new catalogue."""
    from muster.publisher.act.keys import revoke_key

    with open_office(store, phrases) as office:
        found = revoke_key(office, key_text)
    emit_revoked(found, f"Key {found.key} is revoked")
