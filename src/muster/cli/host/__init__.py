"""`muster host …`: what an administrator of a host types (docs/host.md).

A command parses options, calls one act or one look of `muster.host`, and prints what that returns.
A second run changes nothing and says so.
"""

from __future__ import annotations

import click

from muster.cli.output import LazyGroup

_HERE = "muster.cli.host"
COMMANDS = {
    "activate": f"{_HERE}.activate:activate",
    "backup": f"{_HERE}.backup:backup",
    "catalogue": f"{_HERE}.documents:catalogue",
    "check": f"{_HERE}.backup:check",
    "client-config": f"{_HERE}.site:client_config",
    "clients": f"{_HERE}.machines:clients",
    "firewall": f"{_HERE}.firewall:firewall",
    "init": f"{_HERE}.enrol:init",
    "install-key": f"{_HERE}.enrol:install_key",
    "log": f"{_HERE}.log:show_log",
    "publish-dns": f"{_HERE}.dns:publish_dns",
    "remove-key": f"{_HERE}.enrol:remove_key",
    "remove-publisher": f"{_HERE}.enrol:remove_publisher",
    "restore": f"{_HERE}.backup:restore",
    "serve": f"{_HERE}.serve:serve",
    "set": f"{_HERE}.settings:set_",
    "status": f"{_HERE}.look:status",
    "terms": f"{_HERE}.documents:terms",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def host() -> None:
    """The service that counts machines of a network and licenses them.

    Start with 'muster host init --publisher FILE'; docs/host.md walks through the rest.
    """
