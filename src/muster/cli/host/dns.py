"""`muster host publish-dns`: the SRV records of a host, now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import DNSFlags, dns_options
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit, wants_json

if TYPE_CHECKING:
    from muster.host.publish import ZoneResult
    from muster.host.results import DNSChange, ZoneRecords


@click.command("publish-dns", cls=MusterCommand)
@store_option
@click.option(
    "--port", type=int, help="Port in the records; by default where the running host listens."
)
@click.option("--withdraw", is_flag=True, help="Remove this host's records.")
@click.option("--print", "print_only", is_flag=True, help="Only print what to write by hand.")
@dns_options
def publish_dns(
    dns: DNSFlags, store: Path | None, port: int | None, withdraw: bool, print_only: bool
) -> None:
    """Publish the SRV records of this host now, withdraw them, or print them."""
    from muster.host import look
    from muster.host.act import dns as act
    from muster.host.publish import DNSPlace

    publishes = not (withdraw or print_only)
    place = DNSPlace(compose.host_name(), _by_hand, port, running=publishes)
    with compose.open_host(store, dns.flags()) as opened:
        if print_only:
            records = look.dns_records(opened, place)
            served = any(zone.records for zone in records.zones)
            lines = [_zone_text(zone) for zone in records.zones]
            emit(records, lines if served else ["This host does not serve anybody yet."])
            return
        change = act.withdraw(opened, place) if withdraw else act.publish(opened, place)
    emit(change, _dns_lines(change))


def _by_hand(_: ZoneResult, text: str) -> None:
    if not wants_json():
        click.echo(text, nl=False)


def _dns_lines(change: DNSChange) -> list[str]:
    word = "withdrawn" if change.withdrawn else "published"
    lines = []
    for zone in change.zones:
        changes = f"{zone.added} added, {zone.removed} removed"
        if not (zone.added or zone.removed):
            changes = "nothing was changed"
        lines.append(f"Records in {zone.zone} are {word}: {changes}.")
        lines += [f"  {line}" for line in zone.records]
    return lines


def _zone_text(zone: ZoneRecords) -> str:
    from muster.host.publish import paste_text

    lines = "".join(f"{line}\n" for line in zone.records)
    return paste_text(lines, zone.nsupdate).rstrip("\n")
