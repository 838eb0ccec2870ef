"""`muster publisher firewall`: the lines that let hosts and machines through a firewall."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.firewall import show_rules, tool_option
from muster.cli.options import store_option
from muster.cli.output import MusterCommand
from muster.cli.publisher.options import open_office


@click.command(cls=MusterCommand)
@store_option
@tool_option
def firewall(store: Path | None, tool: str | None) -> None:
    """Print what opens the service's port in nftables, ufw and firewalld; changes nothing."""
    from muster.publisher import look

    settings = compose.publisher_settings({})
    with open_office(store) as office:
        rules = look.firewall(office, settings.integer("port"), settings.text("bind"))
    show_rules(rules, tool)
