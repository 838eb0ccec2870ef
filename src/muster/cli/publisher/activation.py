"""`muster publisher activation …`: activations of single machines."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup
from muster.cli.publisher.options import Phrases, TokenCommand, open_office, passphrase_options
from muster.cli.publisher.words import emit_revoked


@click.group(cls=LazyGroup)
def activation() -> None:
    """Activations of single machines."""


@activation.command("revoke", cls=TokenCommand)
@store_option
@click.argument("jti", metavar="LICENCE-ID")
@passphrase_options
def activation_revoke(store: Path | None, jti: str, phrases: Phrases) -> None:
    """Revoke the activation of one machine, in a new catalogue; it stays used."""
    from muster.publisher.act.pools import revoke_activation

    with open_office(store, phrases) as office:
        outcome = revoke_activation(office, jti)
    emit_revoked(outcome, f"Activation {jti} is revoked")
