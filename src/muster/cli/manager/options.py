"""Options and phrases that the commands of `muster manager` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from muster.cli.options import Command

_NAMED = 10
"""So many names are printed; `--json` has all."""


def terms_argument(*, required: bool) -> Callable[[Command], Command]:
    """Terms of a filter, as `muster.manager.filters` reads them."""
    return click.argument("terms", metavar="TERM...", nargs=-1, required=required)


def count_text(number: int) -> str:
    """A number of machines in words."""
    return "1 machine" if number == 1 else f"{number} machines"


def named(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    shown = ", ".join(names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
