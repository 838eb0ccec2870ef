"""`muster client discover`: how hosts are found, and what each serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.client.options import machine_options, publisher_option
from muster.cli.output import MusterCommand, emit

if TYPE_CHECKING:
    from muster.client.results import DiscoveredHosts, FoundHost


@click.command(cls=MusterCommand)
@publisher_option
@click.option("--probe/--no-probe", default=True, help="Ask each host what it serves.")
@machine_options
def discover(publisher: str, probe: bool, machine: compose.Machine) -> None:
    """Show which hosts are found, in the order in which they are asked, and what each serves."""
    from muster.client import look

    found = look.discovered(machine.parts(), publisher, probe=probe)
    emit(found, _lines(found, probed=probe))
    if not found.hosts:
        click.get_current_context().exit(3)


def _lines(found: DiscoveredHosts, *, probed: bool) -> list[str]:
    lines = [f"Hosts for {found.label} ({found.publisher}):"]
    if found.set_host is not None:
        lines.append(
            "  Discovery is off: the host is set ('muster client clear-host' turns it on)."
        )
    elif found.last_host is not None and found.host_caching:
        lines.append(f"  First the last good one: {found.last_host}")
    for one in found.names:
        for name, records in ((one.label, one.label_records), (one.general, one.general_records)):
            lines.append(f"  {name}  {records} record{'' if records == 1 else 's'}")
    for number, host in enumerate(found.hosts, 1):
        lines.append(
            f"  {number}. {host.host}  {host.source}"
            f"  priority {host.priority} weight {host.weight}"
            f"{'  in doubt: asked last for a while' if host.in_doubt else ''}"
            f"{'  ' + _served(host) if probed else ''}"
        )
    for fault in found.errors:
        lines += [f"  {fault.code}: {fault.what}", f"    {fault.why}", f"    {fault.fix}"]
    return lines


def _served(host: FoundHost) -> str:
    if host.error is not None:
        return f"{host.error.code}: {host.error.what}"
    if host.serves is None:
        return "answers, but serves no product of this publisher"
    return f"serves {', '.join(host.serves.groups) or 'no key group'}"
