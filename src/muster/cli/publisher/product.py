"""`muster publisher product …` and `descriptor`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import completion
from muster.cli.options import store_option, write_public
from muster.cli.output import LazyGroup, MusterCommand, emit
from muster.cli.publisher.files import descriptor_with_url, written
from muster.cli.publisher.options import FILE, Phrases, open_office, passphrase_options
from muster.cli.publisher.words import emit_revoked, span, table


@click.group(cls=LazyGroup)
def product() -> None:
    """Products of the newest catalogue."""


@product.command("list")
@store_option
def product_list(store: Path | None) -> None:
    """List the products."""
    from muster.publisher import look

    with open_office(store) as office:
        listing = look.products(office)
    lines = table(
        ("PRODUCT", "NEED", "APPLICATION", "KEY GROUP", "SETUP KEY"),
        [
            (row.id, str(row.need), row.application, row.group, row.setup_key or "-")
            for row in listing.products
        ],
    )
    emit(listing, lines)


@product.command("show")
@store_option
@click.argument("product_id", metavar="PRODUCT", shell_complete=completion.products_of_publisher)
def product_show(store: Path | None, product_id: str) -> None:
    """Show one product."""
    from muster.publisher import look

    with open_office(store) as office:
        shown = look.product(office, product_id)
    detail = shown.product
    spans = detail.spans
    lines = [
        f"{detail.name} ({detail.id})",
        f"  Edition:          {detail.edition or '-'}",
        f"  Counted in:       {detail.application}, threshold {detail.need}",
        f"  Key group:        {detail.group}",
        f"  Channel:          {detail.channel}",
        f"  Setup key:        {detail.setup_key or '-'}",
        f"  Identity modes:   {', '.join(detail.identity)}",
        f"  Features:         {', '.join(detail.features) or '-'}",
        f"  Lease:            {span(spans.lease)}, renewed after {span(spans.renew_after)}",
        f"  Asks again after: {span(spans.retry_after)}",
        f"  Grace:            {span(spans.initial_grace)} at first,"
        f" {span(spans.tolerance_grace)} out of tolerance",
    ]
    emit(shown, lines)


@product.command("revoke")
@store_option
@click.argument("product_id", metavar="PRODUCT", shell_complete=completion.products_of_publisher)
@passphrase_options
def product_revoke(store: Path | None, product_id: str, phrases: Phrases) -> None:
    """Revoke a product in a new catalogue: hosts refuse it, licences end within 30 days."""
    from muster.publisher.act.catalogue import revoke_product

    with open_office(store, phrases) as office:
        outcome = revoke_product(office, product_id)
    emit_revoked(outcome, f"Product {product_id} is revoked")


@click.command(cls=MusterCommand)
@store_option
@click.argument("product_id", metavar="PRODUCT", shell_complete=completion.products_of_publisher)
@click.option("--out", "file", type=FILE, required=True, help="File to write.")
@click.option("--trust-version", type=click.IntRange(1), help="Trust to pin; the newest one.")
@click.option("--url", help="Where machines with a multiple activation key ask; none by default.")
def descriptor(
    store: Path | None, product_id: str, file: Path, trust_version: int | None, url: str | None
) -> None:
    """Write a product descriptor, to be built into the product's program."""
    from muster.publisher import look
    from muster.publisher.results import DescriptorWritten

    with open_office(store) as office:
        pinned = look.descriptor(office, product_id, trust_version)
    data = descriptor_with_url(pinned.data, url) if url else pinned.data
    changed = write_public(file, data)
    descriptor_written = DescriptorWritten(changed, str(file), pinned.product, pinned.trust)
    emit(
        descriptor_written,
        [written(file, changed), f"Pins trust version {descriptor_written.trust}."],
    )
