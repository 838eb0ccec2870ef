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
        f"  {one.how} {one.what} {one.id}" + (f": {', '.join(one.fields)}" if one.fields else "")
        for one in changes
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
        done = publish(office, draft.content)
    lines = [
        f"Catalogue version {done.catalogue} was published."
        if done.changed
        else f"Catalogue version {done.catalogue} is already published; nothing was changed.",
        *_change_lines(done.changes),
    ]
    emit(done, lines)


@catalogue.command("diff")
@store_option
@click.argument("file", type=FILE)
def catalogue_diff(store: Path | None, file: Path) -> None:
    """Show what publishing a TOML file would change; signs nothing."""
    from muster.publisher import look

    draft = read_draft(file)
    with open_office(store) as office:
        found = look.difference(office, draft.content)
    lines = [
        f"Compared with catalogue version {found.catalogue}:"
        if found.changes
        else "Nothing would change.",
        *_change_lines(found.changes),
    ]
    emit(found, lines)


@catalogue.command("show")
@store_option
def catalogue_show(store: Path | None) -> None:
    """Show the newest catalogue."""
    from muster.publisher import look

    with open_office(store) as office:
        found = look.catalogue(office)
    lines = [
        f"Catalogue version {found.catalogue}, signed {when(found.issued_at)}",
        "",
        *table(
            ("KEY GROUP", "NUMBER", "COVERS", "LONGEST LEASE", "TERMS"),
            [
                (one.id, str(one.number), ", ".join(one.covers), span(one.max_lease), one.terms)
                for one in found.groups
            ],
        ),
        "",
        *table(
            ("PRODUCT", "NEED", "APPLICATION", "KEY GROUP"),
            [(one.id, str(one.need), one.application, one.group) for one in found.products],
        ),
    ]
    if found.revocations:
        lines += [
            "",
            *table(
                ("REVOKED", "SINCE"),
                [
                    (f"key {one.key}" if one.key else f"grant {one.grant}", day(one.day))
                    for one in found.revocations
                ],
            ),
        ]
    emit(found, lines)
