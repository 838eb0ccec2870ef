"""What a shell completes after `muster slmgr`: its words, and products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muster.cli.completion import offered, products_here
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.host import HOST

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def words_of_slmgr(
    ctx: click.Context, parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """The words of slmgr, with `/` or `-` before them as typed; after one, products."""
    tables = {"client": (CLIENT,), "host": (HOST,)}
    words = dict[str, str]()
    takes = dict[str, str]()
    for table in tables.get(str(ctx.params.get("role")), (CLIENT, HOST)):
        for word, (values, text, _) in table.items():
            words.setdefault(word, text)
            takes.setdefault(word, values)
    given = ctx.params.get("words") or ()
    if not given:
        sign = "-" if typed.startswith("-") else "/"
        rows = [(sign + word[1:], text) for word, text in words.items()]
        return offered(rows, typed.lower())
    after = takes.get("/" + str(given[0]).lower().lstrip("/-"), "")
    if len(given) > 1 or "ID" not in after:
        return []
    every = offered([("All", "every product")], typed) if "All" in after else []
    return [*products_here(ctx, parameter, typed), *every]
