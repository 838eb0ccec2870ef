"""`muster publisher catalogue …`: publish, compare, show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.files import read_draft
from muster.cli.publisher.options import FILE, Phrases, open_office, passphrase_options
from muster.cli.publisher.words import day, span, table, when

if TYPE_CHECKING:
    from muster.publisher.model import Change


@click.group(cls=LazyGroup)
def catalogue() -> None:
    """Catalogues: publish the next one, show, compare."""


def _change_lines(changes: Sequence[Change]) -> list[str]:
    return [
        f"  {change.how} {change.what} {change.id}"
        + (f": {', '.join(change.fields)}" if change.fields else "")
        for change in changes
    ]


@catalogue.command("publish")
@store_option
@click.argument("file", type=FILE)
@passphrase_options
def catalogue_publish(store: Path | None, file: Path, phrases: Phrases) -> None:
    """Sign the next catalogue from a TOML file.

    Products and groups may be added; a group record, and the application, group and threshold of a
    product, never change.
    """
    from muster.publisher.act.catalogue import publish

    draft = read_draft(file)
    with open_office(store, phrases) as office:
        published = publish(office, draft.content)
    lines = [
        f"Catalogue version {published.catalogue} was published."
        if published.changed
        else f"Catalogue version {published.catalogue} is already published; nothing was changed.",
        *_change_lines(published.changes),
    ]
    emit(published, lines)


@catalogue.command("diff")
@store_option
@click.argument("file", type=FILE)
def catalogue_diff(store: Path | None, file: Path) -> None:
    """Show what publishing a TOML file would change; signs nothing."""
    from muster.publisher import look

    draft = read_draft(file)
    with open_office(store) as office:
        difference = look.difference(office, draft.content)
    lines = [
        f"Compared with catalogue version {difference.catalogue}:"
        if difference.changes
        else "Nothing would change.",
        *_change_lines(difference.changes),
    ]
    emit(difference, lines)


@catalogue.command("show")
@store_option
def catalogue_show(store: Path | None) -> None:
    """Show the newest catalogue."""
    from muster.publisher import look

    with open_office(store) as office:
        shown = look.catalogue(office)
    lines = [
        f"Catalogue version {shown.catalogue}, signed {when(shown.issued_at)}",
        "",
        *table(
            ("KEY GROUP", "NUMBER", "COVERS", "LONGEST LEASE", "TERMS"),
            [
                (
                    group.id,
                    str(group.number),
                    ", ".join(group.covers),
                    span(group.max_lease),
                    group.terms,
                )
                for group in shown.groups
            ],
        ),
        "",
        *table(
            ("PRODUCT", "NEED", "APPLICATION", "KEY GROUP"),
            [
                (product.id, str(product.need), product.application, product.group)
                for product in shown.products
            ],
        ),
    ]
    if shown.revocations:
        lines += [
            "",
            *table(
                ("REVOKED", "SINCE"),
                [
                    (
                        f"key {revocation.key}" if revocation.key else f"grant {revocation.grant}",
                        day(revocation.day),
                    )
                    for revocation in shown.revocations
                ],
            ),
        ]
    emit(shown, lines)
