"""`muster publisher catalogue …`: publish, compare, show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli.options import store_option
from muster.cli.output import LazyGroup, emit
from muster.cli.publisher.files import read_draft
from muster.cli.publisher.options import FILE, Phrases, open_admin, passphrase_options
from muster.cli.publisher.product import product_data
from muster.cli.publisher.words import day, span, table, when

if TYPE_CHECKING:
    from muster.core.products import KeyGroup
    from muster.publisher.model import Change


@click.group(cls=LazyGroup)
def catalogue() -> None:
    """Catalogues: publish the next one, show, compare."""


def _change_data(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [
        {"what": one.what, "id": one.id, "how": one.how, "fields": list(one.fields)}
        for one in changes
    ]


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

    Products and groups may be added; a group record, and the application, group and need of a
    product, never change.
    """
    draft = read_draft(file)
    with open_admin(store, phrases) as admin:
        found = admin.publish(draft.content)
    data = {
        "changed": found.changed,
        "catalogue": found.version,
        "changes": _change_data(found.changes),
    }
    lines = [
        f"Catalogue version {found.version} is published."
        if found.changed
        else f"Catalogue version {found.version} says just that; nothing was changed.",
        *_change_lines(found.changes),
    ]
    emit(data, lines)


@catalogue.command("diff")
@store_option
@click.argument("file", type=FILE)
def catalogue_diff(store: Path | None, file: Path) -> None:
    """Tell what publishing a TOML file would change; signs nothing."""
    draft = read_draft(file)
    with open_admin(store) as admin:
        changes = admin.difference(draft.content)
        version = admin.catalogue().version
    lines = [
        f"Against catalogue version {version}:" if changes else "Nothing would change.",
        *_change_lines(changes),
    ]
    emit({"catalogue": version, "changes": _change_data(changes)}, lines)


def _group_data(one: KeyGroup) -> dict[str, Any]:
    return {
        "number": one.number,
        "id": one.id,
        "covers": list(one.covers),
        "max_lease": one.max_lease,
        "terms": one.terms,
    }


@catalogue.command("show")
@store_option
def catalogue_show(store: Path | None) -> None:
    """Show the newest catalogue."""
    with open_admin(store) as admin:
        found = admin.catalogue()
    data = {
        "catalogue": found.version,
        "iat": found.iat,
        "signer": found.kid,
        "applications": [{"id": one.id, "name": one.name} for one in found.applications],
        "groups": [_group_data(one) for one in found.groups],
        "products": [product_data(one) for one in found.products],
        "conversions": [
            {"source": one.source, "target": one.target, "rule": one.rule, "way": one.way}
            for one in found.conversions
        ],
        "revocations": [
            {"jti": one.jti, "key": one.key, "day": one.at} for one in found.revocations
        ],
    }
    lines = [
        f"Catalogue version {found.version}, signed {when(found.iat)}",
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
                    (f"key {one.key}" if one.key else f"grant {one.jti}", day(one.at))
                    for one in found.revocations
                ],
            ),
        ]
    emit(data, lines)
