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

    hosts = look.discovered(machine.parts(), publisher, probe=probe)
    emit(hosts, _lines(hosts, probed=probe))
    if not hosts.hosts:
        click.get_current_context().exit(3)


def _lines(hosts: DiscoveredHosts, *, probed: bool) -> list[str]:
    lines = [f"Hosts for {hosts.label} ({hosts.publisher}):"]
    if hosts.set_host is not None:
        lines.append(
            "  Discovery is off: the host is set ('muster client clear-host' turns it on)."
        )
    elif hosts.last_host is not None and hosts.host_caching:
        lines.append(f"  First the last good one: {hosts.last_host}")
    for asked_names in hosts.names:
        for name, records in (
            (asked_names.label, asked_names.label_records),
            (asked_names.general, asked_names.general_records),
        ):
            lines.append(f"  {name}  {records} record{'' if records == 1 else 's'}")
    for number, host in enumerate(hosts.hosts, 1):
        lines.append(
            f"  {number}. {host.host}  {host.source}{' ' + host.file if host.file else ''}"
            f"  priority {host.priority} weight {host.weight}"
            f"{'  in doubt: asked last for a while' if host.in_doubt else ''}"
            f"{'  ' + _served(host) if probed else ''}"
        )
    for fault in hosts.errors:
        lines += [f"  {fault.code}: {fault.what}", f"    {fault.why}", f"    {fault.fix}"]
    return lines


def _served(host: FoundHost) -> str:
    if host.error is not None:
        return f"{host.error.code}: {host.error.what}"
    if host.serves is None:
        return "answers, but serves no product of this publisher"
    return f"serves {', '.join(host.serves.groups) or 'no key group'}"
