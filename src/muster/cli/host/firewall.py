"""`muster host firewall`: the lines that let machines through a firewall."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.firewall import show_rules, tool_option
from muster.cli.options import store_option
from muster.cli.output import MusterCommand


@click.command(cls=MusterCommand)
@store_option
@tool_option
def firewall(store: Path | None, tool: str | None) -> None:
    """Print what opens the port for machines in nftables, ufw and firewalld; changes nothing.

    For the port of the running host, and the networks of 'allowed_networks'.
    """
    from muster.host import look

    with compose.open_host(store) as opened:
        show_rules(look.firewall(opened), tool)
