"""`muster publisher trust …`: show, rotate, recover."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli.options import gathered, store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.options import FILE, Phrases, kdf_options, open_office, passphrase_options
from muster.cli.publisher.words import day, table, when
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.publisher.results import TrustKeyRow, TrustSigned, TrustVersion
    from muster.system.keyfile import KDF


@click.group(cls=LazyGroup)
def trust() -> None:
    """Trust: show, rotate keys, recover with the reserve root."""


def _trust_lines(version: TrustVersion) -> list[str]:
    return [
        f"Trust version {version.version}, signed {when(version.issued_at)}",
        *table(
            ("ROLE", "KEY", "STATE"),
            [
                ("working root", version.roots[0], "in use"),
                ("reserve root", version.roots[1], "locked away"),
                *(_key_line(entry) for entry in version.keys),
            ],
        ),
    ]


def _key_line(entry: TrustKeyRow) -> tuple[str, str, str]:
    role = entry.role if entry.index is None else f"{entry.role} {entry.index}"
    state = "in use" if entry.until_day is None else f"retired, valid until {day(entry.until_day)}"
    return role, entry.kid, state


@trust.command("show")
@store_option
@click.option("--all", "every", is_flag=True, help="Every version, not only the newest.")
def trust_show(store: Path | None, every: bool) -> None:
    """Show the roots and working keys."""
    from muster.publisher import look

    with open_office(store) as office:
        listing = look.trust(office, every=every)
    lines = [f"{listing.name} (label {listing.label}, id {listing.publisher})"]
    for version in listing.trust:
        lines += ["", *_trust_lines(version)]
    emit(listing, lines)


_ROLE = click.Choice(["grant", "catalogue"])


@dataclass(frozen=True, slots=True)
class _Rotation:
    """What is typed of a rotation."""

    roles: Sequence[str]
    keep_days: int
    withdraw: bool
    withdraw_retired: bool
    root: Path | None


@dataclass(frozen=True, slots=True)
class _Recovery:
    """What is typed of a recovery."""

    reserve_root: Path
    version: int | None
    roles: Sequence[str]
    withdraw: bool
    new_root: bool
    new_reserve_root: Path | None


@trust.command("rotate")
@store_option
@click.option("--role", "roles", type=_ROLE, multiple=True, help="Key to renew; both by default.")
@click.option(
    "--keep-days",
    type=click.IntRange(0, 3660),
    default=0,
    help="Days that the old key may still sign, for hosts that do not update at once (0).",
)
@click.option(
    "--withdraw",
    is_flag=True,
    help="Withdraw the old key (it was stolen): all that it signed is refused.",
)
@click.option(
    "--withdraw-retired", is_flag=True, help="Also withdraw the keys that were retired before."
)
@click.option("--root", type=FILE, help="File of the working root, if it is not in the store.")
@passphrase_options
@kdf_options
@gathered(_Rotation)
def trust_rotate(wanted: _Rotation, store: Path | None, phrases: Phrases, kdf: KDF) -> None:
    """Sign the next trust version with the working root: new working keys."""
    from muster.publisher.act import trust as act

    if wanted.withdraw and wanted.keep_days:
        raise click.UsageError("--withdraw and --keep-days contradict each other.")
    with open_office(store, phrases, kdf) as office:
        signed = act.rotate(
            office,
            sorted(set(wanted.roles)) or ["catalogue", "grant"],
            keep_days=wanted.keep_days,
            withdraw=wanted.withdraw,
            withdraw_retired=wanted.withdraw_retired,
            root=wanted.root,
        )
    _emit_signed(signed)


@trust.command("recover")
@store_option
@click.option("--reserve-root", type=FILE, required=True, help="File of the reserve root.")
@click.option(
    "--version",
    type=click.IntRange(2),
    help="Version to sign: above any that an attacker may have published. The next one by default.",
)
@click.option("--role", "roles", type=_ROLE, multiple=True, help="Working key to renew as well.")
@click.option("--withdraw", is_flag=True, help="Withdraw the old keys of these roles.")
@click.option("--new-root", is_flag=True, help="Create a new working root.")
@click.option(
    "--new-reserve-root", type=FILE, help="Also create a new reserve root; needs --new-root."
)
@passphrase_options
@kdf_options
@gathered(_Recovery)
def trust_recover(wanted: _Recovery, store: Path | None, phrases: Phrases, kdf: KDF) -> None:
    """Sign a higher trust version with the reserve root.

    For the day on which the working root is lost or stolen. The new version supersedes whatever an
    attacker signed with it; with --new-root the stolen root signs nothing more.
    """
    from muster.publisher.act import trust as act

    if wanted.new_reserve_root is not None and not wanted.new_root:
        raise click.UsageError("--new-reserve-root needs --new-root.")
    if wanted.withdraw and not wanted.roles:
        raise click.UsageError("--withdraw needs the --role whose keys are withdrawn.")
    with open_office(store, phrases, kdf) as office:
        signed = act.recover(
            office,
            wanted.reserve_root,
            wanted.version,
            roles=sorted(set(wanted.roles)),
            withdraw=wanted.withdraw,
            new_root=wanted.new_root,
            new_reserve=wanted.new_reserve_root,
        )
    _emit_signed(signed)


def _emit_signed(signed: TrustSigned) -> None:
    lines = [*_trust_lines(signed.trust), f"Catalogue version {signed.catalogue}."]
    if signed.activate_again:
        lines.append(
            f"{signed.activate_again} grants of hosts and machines were signed by a key that is"
            " withdrawn now. They activate again, which uses no activation."
        )
    lines.append("Hosts and machines update by themselves; export it for sites that are offline.")
    emit(signed, lines)
