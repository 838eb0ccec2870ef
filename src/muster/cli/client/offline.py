"""Activating without a network: `muster client installation-id`, `confirm`, `catalogue import`."""

from __future__ import annotations

from pathlib import Path

import click

from muster.cli import compose
from muster.cli.client.options import FILE, machine_options, product_option
from muster.cli.client.words import readout_lines, report_activations
from muster.cli.options import check_code, code_lines
from muster.cli.output import LazyGroup, MusterCommand, emit


@click.command("installation-id", cls=MusterCommand)
@product_option
@click.option("--qr", "qr_file", type=FILE, help="Write a QR code: a .png or .svg file.")
@click.option("--show-qr", is_flag=True, help="Draw the QR code in the terminal.")
@machine_options
def installation_id(
    product: str | None, qr_file: Path | None, show_qr: bool, machine: compose.Machine
) -> None:
    """Show the ID to read out, or to show as a QR code, to activate without a network."""
    from muster.client.act import offline
    from muster.client.results import CodeWritten
    from muster.core.records import widened

    check_code(qr_file, show=show_qr)
    readout = offline.installation_id(machine.parts(), product)
    lines = readout_lines(readout)
    lines += code_lines(readout.request.encode(), qr_file, show=show_qr)
    if qr_file is not None:
        readout = widened(CodeWritten, readout, qr=str(qr_file))
    emit(readout, lines)


@click.command(cls=MusterCommand)
@click.argument("digits", nargs=-1, required=True, metavar="DIGITS...")
@product_option
@machine_options
def confirm(digits: tuple[str, ...], product: str | None, machine: compose.Machine) -> None:
    """Enter the confirmation ID from the publisher; with several keys, the one that verifies."""
    from muster.client.act import offline

    report_activations(offline.confirm(machine.parts(), " ".join(digits), product))


@click.group(cls=LazyGroup)
def catalogue() -> None:
    """Trust and catalogue of the publisher, for machines without a network."""


@catalogue.command("import")
@click.argument("file", type=FILE)
@machine_options
def catalogue_import(file: Path, machine: compose.Machine) -> None:
    """Import trust and catalogue from a publisher file."""
    from muster.client.act import offline
    from muster.system.textfile import read_text
    from muster.wire.exchange import FILE_LIMITS

    data = read_text(file, FILE_LIMITS.bytes)
    imported = offline.import_publisher_file(machine.parts(), data)
    verb = "now" if imported.changed else "already"
    emit(
        imported,
        [f"Trust is at version {imported.trust}, the catalogue at {imported.catalogue}, {verb}."],
    )
