"""`muster publisher product …` and `descriptor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, MusterCommand, emit
from muster.cli.publisher.files import descriptor_with_url, write_public, written
from muster.cli.publisher.options import FILE, Phrases, open_admin, passphrase_options
from muster.cli.publisher.words import emit_revoked, span, table

if TYPE_CHECKING:
    from muster.core.products import Product


@click.group(cls=LazyGroup)
def product() -> None:
    """Products of the newest catalogue."""


def product_data(one: Product) -> dict[str, Any]:
    spans = one.spans
    return {
        "id": one.id,
        "name": one.name,
        "edition": one.edition,
        "application": one.application,
        "group": one.group,
        "need": one.need,
        "channel": one.channel,
        "identity": list(one.identity),
        "features": list(one.features),
        "setup_key": one.setup_key,
        "spans": {
            "lease": spans.lease,
            "renew_after": spans.renew_after,
            "retry_after": spans.retry_after,
            "initial_grace": spans.initial_grace,
            "tolerance_grace": spans.tolerance_grace,
        },
    }


@product.command("list")
@store_option
def product_list(store: Path | None) -> None:
    """List the products."""
    with open_admin(store) as admin:
        catalogue = admin.catalogue()
    data = {
        "catalogue": catalogue.version,
        "products": [product_data(one) for one in catalogue.products],
    }
    lines = table(
        ("PRODUCT", "NEED", "APPLICATION", "KEY GROUP", "SETUP KEY"),
        [
            (one.id, str(one.need), one.application, one.group, one.setup_key or "-")
            for one in catalogue.products
        ],
    )
    emit(data, lines)


@product.command("show")
@store_option
@click.argument("product_id", metavar="PRODUCT")
def product_show(store: Path | None, product_id: str) -> None:
    """Show one product."""
    with open_admin(store) as admin:
        found = admin.product(product_id)
    spans = found.spans
    lines = [
        f"{found.name} ({found.id})",
        f"  Edition:          {found.edition or '-'}",
        f"  Counted in:       {found.application}, need {found.need}",
        f"  Key group:        {found.group}",
        f"  Channel:          {found.channel}",
        f"  Setup key:        {found.setup_key or '-'}",
        f"  Identity modes:   {', '.join(found.identity)}",
        f"  Features:         {', '.join(found.features) or '-'}",
        f"  Lease:            {span(spans.lease)}, renewed after {span(spans.renew_after)}",
        f"  Asks again after: {span(spans.retry_after)}",
        f"  Grace:            {span(spans.initial_grace)} at first,"
        f" {span(spans.tolerance_grace)} out of tolerance",
    ]
    emit({"product": product_data(found)}, lines)


@product.command("revoke")
@store_option
@click.argument("product_id", metavar="PRODUCT")
@passphrase_options
def product_revoke(store: Path | None, product_id: str, phrases: Phrases) -> None:
    """Revoke a product in a new catalogue: hosts refuse it, licences end within 30 days."""
    with open_admin(store, phrases) as admin:
        found = admin.revoke_product(product_id)
    emit_revoked(found, f"Product {product_id} is revoked")


@click.command(cls=MusterCommand)
@store_option
@click.argument("product_id", metavar="PRODUCT")
@click.option("--out", "file", type=FILE, required=True, help="File to write.")
@click.option("--trust-version", type=click.IntRange(1), help="Trust to pin; the newest one.")
@click.option("--url", help="Where machines with a multiple activation key ask; none by default.")
def descriptor(
    store: Path | None, product_id: str, file: Path, trust_version: int | None, url: str | None
) -> None:
    """Write a product descriptor, to be built into the product's program."""
    with open_admin(store) as admin:
        data = admin.descriptor(product_id, trust_version)
        pinned = trust_version or admin.trust().version
    if url:
        data = descriptor_with_url(data, url)
    changed = write_public(file, data)
    emit(
        {"changed": changed, "file": str(file), "product": product_id, "trust": pinned},
        [written(file, changed), f"Pins trust version {pinned}."],
    )
