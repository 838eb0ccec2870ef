"""`muster client install-key` and `uninstall-key`."""

from __future__ import annotations

import click

from muster.cli import compose
from muster.cli.client.options import machine_options, product_option
from muster.cli.keys import key_argument
from muster.cli.output import MusterCommand, emit_done


@click.command("install-key", cls=MusterCommand)
@key_argument("KEY")
@product_option
@machine_options
def install_key(key_text: str, product: str | None, machine: compose.Machine) -> None:
    """Install a product key; it replaces the one that is there.

    A setup key makes this machine a client of hosts. A multiple activation, evaluation or retail
    key is activated by the publisher: 'activate', or 'installation-id' and 'confirm'.
    """
    from muster.client.act import keys

    change = keys.install_key(machine.parts(), key_text, product)
    emit_done(
        change,
        f"Installed {change.key} for {change.product}.",
        f"{change.key} is already installed for {change.product}; nothing was changed.",
    )


@click.command("uninstall-key", cls=MusterCommand)
@product_option
@machine_options
def uninstall_key(product: str | None, machine: compose.Machine) -> None:
    """Remove the product key; the product is then unlicensed."""
    from muster.client.act import keys

    change = keys.uninstall_key(machine.parts(), product)
    emit_done(
        change,
        f"Removed {change.key} of {change.product}; it is unlicensed now.",
        f"{change.product} has no product key; nothing was changed.",
    )
