"""`muster manager …`: what an administrator of many machines types (docs/manager.md).

A command parses options, calls one act or one look of `muster.manager`, and prints what that
returns. A second run changes nothing and says so.
"""

from __future__ import annotations

import click

from muster.cli.output import LazyGroup

_HERE = "muster.cli.manager"
COMMANDS = {
    "add": f"{_HERE}.discover:add",
    "discover": f"{_HERE}.discover:discover",
    "filter": f"{_HERE}.filters:filter_",
    "log": f"{_HERE}.log:show_log",
    "machines": f"{_HERE}.machines:machines",
    "remove": f"{_HERE}.machines:remove",
    "tag": f"{_HERE}.machines:tag",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def manager() -> None:
    """An inventory of many machines.

    Start with 'muster manager discover FILE'; docs/manager.md walks through the rest.
    """
