"""Options that the commands of `muster client` share."""

from __future__ import annotations

import functools
from functools import partial
from pathlib import Path
from typing import Any

import click

from muster.cli import completion, compose, options
from muster.cli.options import Command

FILE = click.Path(path_type=Path, dir_okay=False)
"""A file on the command line."""
MODES = ("machine", "device", "node", "explicit")
"""Identity modes."""

_store_option = partial(options.store_option, subject="the stores are")


def machine_options(command: Command) -> Command:
    """`--store` and `--facts`; gives the command `machine`."""

    @_store_option
    @click.option(
        "--facts",
        type=FILE,
        help="Facts file in place of this machine's hardware; MUSTER_FACTS may name one of root's.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, store: Path | None, facts: Path | None, **kwargs: Any) -> Any:
        kwargs["machine"] = compose.Machine(store, facts)
        return command(*args, **kwargs)

    return wrapped


def product_option(command: Command) -> Command:
    """`--product`."""
    return click.option(
        "--product",
        metavar="ID",
        help="A product id, or PUBLISHER/ID.",
        shell_complete=completion.products_here,
    )(command)


def publisher_option(command: Command) -> Command:
    """`--publisher`."""
    return click.option(
        "--publisher", default="", metavar="ID", help="A publisher id; by default the only one."
    )(command)
