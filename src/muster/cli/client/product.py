"""`muster client product …`: the products on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import completion, compose
from muster.cli.client.options import FILE, MODES, machine_options
from muster.cli.client.words import warned
from muster.cli.output import LazyGroup, emit


@click.group(cls=LazyGroup)
def product() -> None:
    """The products on this machine."""


@product.command("add")
@click.argument("file", type=FILE)
@click.option(
    "--identity",
    type=click.Choice(MODES),
    help="How this machine identifies itself to the publisher; machine by default.",
)
@click.option("--id", "given", default="", metavar="TEXT", help="The id of mode explicit.")
@click.option("--without-key", is_flag=True, help="Do not install the product's setup key.")
@click.option(
    "--trust-file", is_flag=True, help="Accept the file whoever may write it, at your own risk."
)
@machine_options
def product_add(
    file: Path,
    identity: str | None,
    given: str,
    without_key: bool,
    trust_file: bool,
    machine: compose.Machine,
) -> None:
    """Set a product up on this machine from its descriptor FILE.

    All trust starts with the descriptor: it must belong, with its folders, to root or to you,
    and nobody else may be able to write it.
    """
    from muster.client.act.products import add_product
    from muster.lease.strict import DESCRIPTOR
    from muster.system.textfile import read_text_anchor

    data = read_text_anchor(file, DESCRIPTOR.bytes, trusted=trust_file)
    machine.warn_store()
    added = add_product(
        machine.parts(), data, identity=identity, given=given, with_key=not without_key
    )
    first = (
        f"{added.product} of {added.label} is set up."
        if added.changed
        else f"{added.product} of {added.label} was already set up; nothing was changed."
    )
    key = f"Product key: {added.key}" if added.key else "No product key is installed."
    emit(added, [first, f"{key}  License Status: {added.state.text}", *warned(added.warnings)])


@product.command("list")
@machine_options
def product_list(machine: compose.Machine) -> None:
    """List the products on this machine."""
    from muster.client import look

    listing = look.product_list(machine.parts())
    emit(
        listing,
        [
            f"{row.publisher}/{row.product}  {row.state_text}  {row.name}"
            for row in listing.products
        ],
    )


@product.command("remove")
@click.argument("product_id", metavar="PRODUCT", shell_complete=completion.products_here)
@machine_options
def product_remove(product_id: str, machine: compose.Machine) -> None:
    """Remove a product: its key, its licence and its descriptor.

    This does not release a valid lease; 'muster client release' does.
    """
    from muster.client.act.products import remove_product

    removed = remove_product(machine.parts(), product_id)
    emit(removed, [f"{removed.product} was removed from this machine."])
