"""What a shell completes beside commands and options: settings and products.

Decides what is offered where. A shell that asks must get no error and no question: where nothing
can be looked up, nothing is offered. Each is a `shell_complete` of click, which gives the context,
the parameter and what was typed of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completion = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def offered(rows: Iterable[tuple[str, str]], typed: str) -> list[CompletionItem]:
    """Those of some words, each with what it means, that begin as was typed."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(name, help=text) for name, text in rows if name.startswith(typed)]


def settings_of(role: str) -> Completion:
    """The names of a role's settings, as commands print them."""

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
        from muster.core import settings

        dashed = typed.replace("_", "-").lower()
        rows = ((row.name.replace("_", "-"), row.help) for row in settings.of_role(role))
        return offered(rows, dashed)

    return complete


def values_of(role: str) -> Completion:
    """The words that a setting may be, after its name in the parameter `name`."""

    def complete(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
        from muster.core import settings

        wanted = str(ctx.params.get("name")).replace("-", "_").lower()
        for row in settings.of_role(role):
            if row.name == wanted:
                words = ("true", "false") if row.type is settings.Type.BOOLEAN else row.choices
                return offered(((word, "") for word in words), typed)
        return []

    return complete


def products_here(ctx: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """The products that are set up on this machine; with `PUBLISHER/` where that was typed."""
    from muster.cli import compose
    from muster.client import look
    from muster.core.errors import MusterError

    try:
        listing = look.product_list(compose.Machine(_store(ctx), ctx.params.get("facts")).parts())
    except (MusterError, OSError):
        return []
    rows = [
        (f"{row.publisher}/{row.product}" if "/" in typed else row.product, row.name)
        for row in listing.products
    ]
    return offered(rows, typed)


def products_of_publisher(
    ctx: click.Context, _: click.Parameter, typed: str
) -> list[CompletionItem]:
    """The products in the catalogue of the publisher of the store."""
    from muster.cli.publisher.options import open_office
    from muster.core.errors import MusterError
    from muster.publisher import look

    try:
        with open_office(_store(ctx)) as office:
            listing = look.products(office)
    except (MusterError, OSError):
        return []
    return offered(((row.id, row.name) for row in listing.products), typed)


def _store(ctx: click.Context) -> Path | None:
    store: Path | None = ctx.params.get("store")
    return store
