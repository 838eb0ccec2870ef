"""`muster doctor`: what is wrong with licensing on this machine or host, and what to fix first.

Prints what `muster.client.doctor` and `muster.host.doctor` judged; asks nothing, changes nothing.
Exit code 0: healthy; 1: something needs fixing; 3: something could not be found out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit

if TYPE_CHECKING:
    from muster.health.report import Report


@click.command(cls=MusterCommand)
@store_option
@click.option(
    "--role",
    type=click.Choice(["client", "host", "publisher"]),
    help="Check as a machine, host or publisher; by default whichever the store belongs to.",
)
@click.option(
    "--facts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read hardware facts from this file; MUSTER_FACTS may name one of root's.",
)
@click.option(
    "--dns-server",
    "servers",
    multiple=True,
    metavar="IP[:PORT]",
    help="Ask this DNS server instead of the system's; may be repeated.",
)
def doctor(
    store: Path | None, role: str | None, facts: Path | None, servers: tuple[str, ...]
) -> None:
    """Find out what is wrong, on a machine, host or publisher, and say what to fix first.

    Checks DNS records, every host that they name, clocks, grants, catalogues and licences; reports
    each advertised host that cannot prove a grant; of a publisher service, database, clock, and
    what comes to an end. Changes nothing.
    """
    from muster.health.report import diagnosis

    machine = compose.Machine(store, facts)
    reports: list[Report] = []
    is_client, is_host, is_publisher = (role == name for name in ("client", "host", "publisher"))
    if role is None:
        is_client = machine.holds_products
        is_host = compose.holds_host(store, beside_client=is_client)
        is_publisher = _holds_publisher(store)
        is_client = is_client or not (is_host or is_publisher)
    if is_client:
        reports += machine.client(servers or None).doctor()
    if is_host:
        reports += compose.host_doctor(store, servers or None)
    if is_publisher:
        reports.append(_publisher(store))
    emit(diagnosis(reports), [line for report in reports for line in text(report)])
    code = exit_code(reports)
    if code:
        click.get_current_context().exit(code)


def _holds_publisher(store: Path | None) -> bool:
    """Whether a publisher was set up below the root of stores, as far as this user may see."""
    from muster.core.errors import MusterError
    from muster.system.files import is_there

    try:
        return is_there(compose.publisher_folder(store) / "keys")
    except MusterError:
        return False


def _publisher(store: Path | None) -> Report:
    from muster.cli.publisher.options import open_office
    from muster.core.errors import MusterError
    from muster.publisher import doctor, look
    from muster.publisher.office import process_of

    process, found, fault = None, None, None
    try:
        process = process_of(compose.publisher_folder(store))
        with open_office(store) as office:
            found = look.surroundings(office)
    except MusterError as caught:
        fault = caught
    return doctor.diagnose(process if found is None else found.status.process, found, fault)


def exit_code(reports: list[Report]) -> int:
    """0 healthy, 1 something to fix, 3 could not find out."""
    from muster.health.report import Mark

    marks = {check.mark for report in reports for check in report.checks}
    return 1 if Mark.FAIL in marks else 3 if Mark.UNKNOWN in marks else 0


def text(report: Report) -> list[str]:
    """A report for people; its last line names what to fix first."""
    from muster.health.report import Mark

    place = {"client": "this machine"}.get(report.role, f"this {report.role}")
    lines = [
        f"{report.label} ({report.publisher}), seen from {place}:"
        if report.label
        else f"Seen from {place}:"
    ]
    for check in report.checks:
        lines.append(f"  {check.mark.value:<8} {check.topic.value:<13} {check.what}")
        if check.mark in (Mark.FAIL, Mark.UNKNOWN, Mark.WARN) and check.fix:
            lines.append(f"  {'':<22} Fix: {check.fix}")
    next_fix = report.next_fix
    if next_fix is None:
        lines.append("Nothing needs fixing.")
    else:
        lines.append(f"Fix this first: {next_fix.what} {next_fix.fix}".rstrip())
    return lines
