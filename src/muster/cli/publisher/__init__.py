"""`muster publisher …`: what an engineer of a publisher types (docs/publisher.md).

Each command opens the store, does one act of `muster.publisher.act` or asks one question of
`muster.publisher.look`, or of the service, and says what came of it. One file a noun.
"""

from __future__ import annotations

import click

from muster.cli.output import LazyGroup

_COMMANDS = {
    "init": "muster.cli.publisher.setup:init",
    "serve": "muster.cli.publisher.setup:serve",
    "status": "muster.cli.publisher.look:status",
    "firewall": "muster.cli.publisher.firewall:firewall",
    "export": "muster.cli.publisher.setup:export",
    "product": "muster.cli.publisher.product:product",
    "descriptor": "muster.cli.publisher.product:descriptor",
    "key": "muster.cli.publisher.key:key",
    "activation": "muster.cli.publisher.activation:activation",
    "host": "muster.cli.publisher.host:host",
    "backup": "muster.cli.publisher.backup:backup",
    "restore": "muster.cli.publisher.backup:restore",
    "resume": "muster.cli.publisher.backup:resume",
    "check": "muster.cli.publisher.backup:check",
    "confirm": "muster.cli.publisher.desk:confirm",
    "catalogue": "muster.cli.publisher.catalogue:catalogue",
    "clock": "muster.cli.publisher.clock:clock",
    "trust": "muster.cli.publisher.trust:trust",
    "audit": "muster.cli.publisher.audit:audit",
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
def publisher() -> None:
    """The vendor's side: products, product keys, trust, activation of hosts.

    Start with 'muster publisher init'; docs/publisher.md walks through the rest.
    """
