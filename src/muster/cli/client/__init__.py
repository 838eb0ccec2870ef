"""`muster client …`: one machine and its products (docs/client.md).

A command parses options, calls one act or one look of `muster.client`, and prints what that
returns. A second run changes nothing and says so.
"""

from __future__ import annotations

import click

from muster.cli.output import LazyGroup

_HERE = "muster.cli.client"
COMMANDS = {
    "activate": f"{_HERE}.activate:activate",
    "agent": f"{_HERE}.agent:agent",
    "catalogue": f"{_HERE}.offline:catalogue",
    "clear-domain": f"{_HERE}.settings:clear_domain",
    "clear-host": f"{_HERE}.settings:clear_host",
    "clear-publisher": f"{_HERE}.settings:clear_publisher",
    "confirm": f"{_HERE}.offline:confirm",
    "discover": f"{_HERE}.discover:discover",
    "facts": f"{_HERE}.machine:facts",
    "history": f"{_HERE}.look:history",
    "host-caching": f"{_HERE}.settings:host_caching",
    "host-tls": f"{_HERE}.settings:host_tls",
    "identity": f"{_HERE}.machine:identity",
    "install-key": f"{_HERE}.key:install_key",
    "installation-id": f"{_HERE}.offline:installation_id",
    "licence": f"{_HERE}.look:licence",
    "product": f"{_HERE}.product:product",
    "release": f"{_HERE}.activate:release",
    "reset-clock-mark": f"{_HERE}.machine:reset_clock_mark",
    "set-domain": f"{_HERE}.settings:set_domain",
    "set-host": f"{_HERE}.settings:set_host",
    "set-publisher": f"{_HERE}.settings:set_publisher",
    "status": f"{_HERE}.look:status",
    "uninstall-key": f"{_HERE}.key:uninstall_key",
    "wait": f"{_HERE}.activate:wait",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def client() -> None:
    """A machine: its products, product keys, licences, and how it finds hosts.

    Start with 'muster client product add FILE' and 'muster client activate'.
    """
