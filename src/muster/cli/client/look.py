"""`muster client status`, `licence` and `history`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.client.options import FILE, machine_options, product_option, publisher_option
from muster.cli.client.words import warned, when
from muster.cli.options import write_public
from muster.cli.output import MusterCommand, emit
from muster.core.values import replace

if TYPE_CHECKING:
    from muster.client.agent_state import AgentStatus
    from muster.client.results import HistoryLine, ProductStatus


@click.command(cls=MusterCommand)
@product_option
@click.option("--check", is_flag=True, help="Exit with 1 if a product is not licensed.")
@machine_options
def status(product: str | None, check: bool, machine: compose.Machine) -> None:
    """Show what is licensed here, until when, and why not."""
    from muster.client import agent, look
    from muster.client.agent_results import MachineStatus
    from muster.core.records import widened

    machine.warn_store()
    listing = look.status_list(machine.parts(), product)
    keeper = agent.status(store=machine.root)
    lines = [line for row in listing.products for line in (*_status_lines(row), "")]
    lines = lines[:-1] if keeper is None else [*lines, *_agent_lines(keeper)]
    emit(widened(MachineStatus, listing, agent=keeper), lines)
    if check and not all(row.licensed for row in listing.products):
        click.get_current_context().exit(1)


def _status_lines(row: ProductStatus) -> list[str]:
    licence = row.licence
    fields: list[tuple[str, str]] = [
        ("Product", f"{row.name} ({row.product})"),
        ("Publisher", f"{row.publisher_name} ({row.publisher})"),
        ("License Status", f"{int(row.state)} {row.state_text}"),
    ]
    if row.until is not None or licence is not None:
        fields.append(("Until", when(row.until)))
    if row.cmid is not None:
        fields.append(("Product key", row.key or "none"))
        fields.append(("Machine (CMID)", f"{row.cmid} ({row.identity})"))
    if licence is not None:
        fields.append(("Licensed since", when(licence.issued_at)))
        if licence.kind == "lease":
            fields.append(("Count then", f"{licence.count} (the threshold is {licence.need})"))
        else:
            fields.append(("Activated by", f"{licence.kind} key {licence.host_key}"))
    if row.last_host is not None:
        ip = f" ({row.last_ip})" if row.last_ip else ""
        file = f", named by {row.last_host_file}" if row.last_host_file else ""
        fields.append(("Host", f"{row.last_host}{ip}{file}"))
    if row.next_attempt is not None:
        fields.append(("Next try", when(row.next_attempt)))
    if row.key_kind in ("", "setup"):
        fields.append(("Hosts are found", _found_by(row)))
    else:
        fields.append(("Publisher at", row.publisher_url or "not known"))
    catalogue = "none" if row.catalogue is None else f"{row.catalogue}"
    fields.append(("Trust, catalogue", f"version {row.trust}, {catalogue}"))
    fields.append(("Store", row.store))
    lines = [f"{name + ':':<18}{value}" for name, value in fields]
    if row.why is not None:
        number = f" ({row.why.row.field_code})" if row.why.row.field_code else ""
        lines += [
            f"Not licensed: {row.why.code}{number}",
            f"  What: {row.why.what}",
            f"  Why:  {row.why.why}",
            f"  Fix:  {row.why.fix}",
        ]
    if row.last_refusal is not None and (row.why is None or row.why.code != row.last_refusal.code):
        refusal = row.last_refusal
        lines += [
            f"The last try brought no licence: {refusal.code}",
            f"  What: {refusal.what}",
            f"  Fix:  {refusal.fix}",
        ]
    return [*lines, *warned(row.warnings), *warned(row.site_errors)]


def _agent_lines(agent: AgentStatus) -> list[str]:
    state = f"runs since {when(agent.since)}" if agent.running else "does not run"
    fields = [("Agent", state)]
    if agent.running and agent.next_attempt is not None:
        fields.append(("It asks next", when(agent.next_attempt)))
    if agent.last_try is not None:
        fault = agent.last_try.error
        fields.append(("It last asked", when(agent.last_try.at)))
        if fault is not None:
            fields.append(("", f"{fault.code}: {fault.what}"))
    return [f"{name + ':' if name else '':<18}{value}" for name, value in fields]


def _found_by(row: ProductStatus) -> str:
    if row.set_host is not None:
        return f"by setting: {row.set_host}"
    dns = f"by DNS: {', '.join(row.suffixes) or 'no domain known'}"
    if not row.sites:
        return dns
    files = "; ".join(f"{site.file} ({', '.join(site.hosts)})" for site in row.sites)
    return f"by site file: {files}; then {dns}"


@click.command(cls=MusterCommand)
@product_option
@click.option("--out", type=FILE, help="Write the licence to this file, for 'muster verify'.")
@machine_options
def licence(product: str | None, out: Path | None, machine: compose.Machine) -> None:
    """Show the licence of a product: the bundle that anybody can verify offline."""
    from muster.client import look

    bundle = look.licence(machine.parts(), product)
    line = bundle.licence
    if out is not None:
        changed = write_public(out, bundle.licence.encode("utf-8") + b"\n")
        bundle = replace(bundle, file=str(out), changed=changed)
        line = f"The licence of {bundle.product} is written to {out}."
    emit(bundle, [line])


@click.command(cls=MusterCommand)
@publisher_option
@machine_options
def history(publisher: str, machine: compose.Machine) -> None:
    """Show what was changed on this machine: keys, licences, identity, settings."""
    from muster.client import look

    listing = look.history(machine.parts(), publisher)
    emit(listing, map(_history_line, listing.history))


def _history_line(line: HistoryLine) -> str:
    detail = f"  {line.detail}" if line.detail else ""
    return f"{when(line.at)}  {line.event.value:<26} {line.product or line.publisher}{detail}"
