"""`muster publisher key …`: product keys are listed, shown, corrected, extended and revoked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.host import host_data, host_lines
from muster.cli.publisher.options import Phrases, open_admin, passphrase_options
from muster.cli.publisher.words import day, emit_revoked, table, when

if TYPE_CHECKING:
    from muster.publisher.model import IssuedKey, MachineGrant


@click.group(cls=LazyGroup, lazy={"issue": "muster.cli.publisher.issue:key_issue"})
def key() -> None:
    """Product keys: issue, list, show, revoke."""


def key_data(one: IssuedKey) -> dict[str, Any]:
    return {
        "id": one.key_id.text,
        "kind": one.key_id.kind.text,
        "group": one.group,
        "masked": one.masked,
        "product": one.product,
        "term_days": one.term * 30,
        "customer": one.customer,
        "issued_at": one.issued_at,
        "revoked_day": one.revoked,
        "hosts": one.hosts,
        "host_limit": one.host_limit,
        "activation_limit": one.activation_limit,
        "pool": _pool_data(one),
    }


def _pool_data(one: IssuedKey) -> dict[str, Any] | None:
    """The pool of a key that activates machines; None for other keys."""
    if not one.pool:
        return None
    return {
        "size": one.pool,
        "drawn": one.drawn,
        "left": one.left,
        "corrected": one.corrected,
        "correction_limit": one.correction_limit,
        "alerts": list(one.alerts),
    }


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

    with open_admin(store) as admin:
        found = admin.keys(Kind.of(kind) if kind else None)
    lines = table(
        ("KEY ID", "KIND", "KEY", "FOR", "USED", "TERM", "STATE", "CUSTOMER"),
        [
            (
                one.key_id.text,
                one.key_id.kind.text,
                one.masked,
                one.product or one.group,
                _used(one),
                f"{one.term * 30} d" if one.term else "-",
                f"revoked {day(one.revoked)}" if one.revoked is not None else "good",
                one.customer or "-",
            )
            for one in found
        ],
    )
    emit({"keys": [key_data(one) for one in found]}, lines)


def _used(one: IssuedKey) -> str:
    """Hosts or machines that a key has activated, of how many."""
    if one.pool:
        return f"{one.drawn}/{one.pool + one.corrected}"
    return f"{one.hosts}/{one.host_limit}" if one.product is None else "-"


@key.command("show")
@store_option
@click.argument("key_text", metavar="KEY")
def key_show(store: Path | None, key_text: str) -> None:
    """Show what is known of a product key, by its key id or by the key as typed."""
    from muster.core.keys import Kind

    with open_admin(store) as admin:
        found = admin.find_key(key_text)
        hosts = admin.hosts(found.key_id.text) if found.key_id.kind is Kind.HOST else ()
        machines = admin.machines(found.key_id.text) if found.pool else ()
    lines = [
        f"{found.masked} ({found.key_id.text})",
        f"  Kind:     {found.key_id.kind.text}, "
        + (f"product {found.product}" if found.product else f"key group {found.group}"),
        f"  Issued:   {when(found.issued_at)}"
        + (f" for {found.customer}" if found.customer else ""),
        f"  Term:     {f'{found.term * 30} days from activation' if found.term else 'no end'}",
        "  State:    "
        + (f"revoked on {day(found.revoked)}" if found.revoked is not None else "good"),
    ]
    if found.key_id.kind is Kind.HOST:
        lines.append(f"  Hosts:    {found.hosts} of {found.host_limit}")
        lines += [f"    {line}" for line in host_lines(hosts)]
    if found.pool:
        lines += _pool_lines(found)
        lines += [
            f"    {one.jti}  since {day(one.day)}"
            + (f"  revoked {day(one.revoked)}" if one.revoked is not None else "")
            for one in machines
        ]
    data = {
        **key_data(found),
        "grants": [host_data(one) for one in hosts],
        "activations": [_machine_data(one) for one in machines],
    }
    emit({"key": data}, lines)


def _pool_lines(one: IssuedKey) -> list[str]:
    given = f", {one.corrected} of them given back by staff" if one.corrected else ""
    return [
        f"  Pool:     {one.drawn} of {one.pool + one.corrected} drawn{given}; {one.left} left",
        f"            staff may give back {one.correction_limit - one.corrected} more",
    ]


def _machine_data(one: MachineGrant) -> dict[str, Any]:
    return {
        "jti": one.jti,
        "binding": one.binding,
        "first_day": one.day,
        "term_days": one.term * 30,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "revoked_day": one.revoked,
    }


@key.command("correct")
@store_option
@click.argument("key_text", metavar="KEY")
@click.option("--add", "count", type=click.IntRange(1), required=True, help="Activations.")
@click.option("--reason", required=True, help="For the audit log.")
def key_correct(store: Path | None, key_text: str, count: int, reason: str) -> None:
    """Give activations back to a pool after a mistake; limited, and audited."""
    with open_admin(store) as admin:
        found = admin.correct_pool(key_text, count, reason)
    lines = [f"{count} given back to the pool of {found.key_id.text}.", *_pool_lines(found)]
    emit({"changed": True, "key": key_data(found)}, lines)


@key.command("extend")
@store_option
@click.argument("key_text", metavar="KEY")
@click.option("--pool", type=click.IntRange(1, 10_000_000), required=True, help="The new size.")
def key_extend(store: Path | None, key_text: str, pool: int) -> None:
    """Give a pool another size, as a changed agreement says."""
    with open_admin(store) as admin:
        found, changed = admin.extend_pool(key_text, pool)
    said = "is now" if changed else "was already"
    lines = [f"The pool of {found.key_id.text} {said} {pool}.", *_pool_lines(found)]
    emit({"changed": changed, "key": key_data(found)}, lines)


@key.command("revoke")
@store_option
@click.argument("key_text", metavar="KEY-ID")
@passphrase_options
def key_revoke(store: Path | None, key_text: str, phrases: Phrases) -> None:
    """Revoke a product key and all its grants, in a new catalogue."""
    with open_admin(store, phrases) as admin:
        found = admin.revoke_key(key_text)
    emit_revoked(found, f"Key {found.key} is revoked")
