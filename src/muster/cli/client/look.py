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
    from muster.client.results import HistoryLine, ProductStatus


@click.command(cls=MusterCommand)
@product_option
@click.option("--check", is_flag=True, help="Exit with 1 if a product is not licensed.")
@machine_options
def status(product: str | None, check: bool, machine: compose.Machine) -> None:
    """Show what is licensed here, until when, and why not."""
    from muster.client import look

    machine.warn_store()
    found = look.status_list(machine.parts(), product)
    lines = [line for one in found.products for line in (*_status_lines(one), "")]
    emit(found, lines[:-1])
    if check and not all(one.licensed for one in found.products):
        click.get_current_context().exit(1)


def _status_lines(one: ProductStatus) -> list[str]:
    licence = one.licence
    fields: list[tuple[str, str]] = [
        ("Product", f"{one.name} ({one.product})"),
        ("Publisher", f"{one.publisher_name} ({one.publisher})"),
        ("License Status", f"{int(one.state)} {one.state_text}"),
    ]
    if one.until is not None or licence is not None:
        fields.append(("Until", when(one.until)))
    if one.cmid is not None:
        fields.append(("Product key", one.key or "none"))
        fields.append(("Machine (CMID)", f"{one.cmid} ({one.identity})"))
    if licence is not None:
        fields.append(("Licensed since", when(licence.issued_at)))
        if licence.kind == "lease":
            fields.append(("Count then", f"{licence.count} (the threshold is {licence.need})"))
        else:
            fields.append(("Activated by", f"{licence.kind} key {licence.host_key}"))
    if one.last_host is not None:
        ip = f" ({one.last_ip})" if one.last_ip else ""
        fields.append(("Host", f"{one.last_host}{ip}"))
    if one.next_attempt is not None:
        fields.append(("Next try", when(one.next_attempt)))
    if one.key_kind in ("", "setup"):
        fields.append(("Hosts are found", _found_by(one)))
    else:
        fields.append(("Publisher at", one.publisher_url or "not known"))
    catalogue = "none" if one.catalogue is None else f"{one.catalogue}"
    fields.append(("Trust, catalogue", f"version {one.trust}, {catalogue}"))
    fields.append(("Store", one.store))
    lines = [f"{name + ':':<18}{value}" for name, value in fields]
    if one.why is not None:
        number = f" ({one.why.row.field_code})" if one.why.row.field_code else ""
        lines += [
            f"Not licensed: {one.why.code}{number}",
            f"  What: {one.why.what}",
            f"  Why:  {one.why.why}",
            f"  Fix:  {one.why.fix}",
        ]
    return [*lines, *warned(one.warnings)]


def _found_by(one: ProductStatus) -> str:
    if one.set_host is not None:
        return f"by setting: {one.set_host}"
    return f"by DNS: {', '.join(one.suffixes) or 'no domain known'}"


@click.command(cls=MusterCommand)
@product_option
@click.option("--out", type=FILE, help="Write the licence to this file, for 'muster verify'.")
@machine_options
def licence(product: str | None, out: Path | None, machine: compose.Machine) -> None:
    """Show the licence of a product: the bundle that anybody can verify offline."""
    from muster.client import look

    found = look.licence(machine.parts(), product)
    line = found.licence
    if out is not None:
        changed = write_public(out, found.licence.encode("utf-8") + b"\n")
        found = replace(found, file=str(out), changed=changed)
        line = f"The licence of {found.product} is written to {out}."
    emit(found, [line])


@click.command(cls=MusterCommand)
@publisher_option
@machine_options
def history(publisher: str, machine: compose.Machine) -> None:
    """Show what was changed on this machine: keys, licences, identity, settings."""
    from muster.client import look

    found = look.history(machine.parts(), publisher)
    emit(found, map(_history_line, found.history))


def _history_line(line: HistoryLine) -> str:
    detail = f"  {line.detail}" if line.detail else ""
    return f"{when(line.at)}  {line.event.value:<26} {line.product or line.publisher}{detail}"
