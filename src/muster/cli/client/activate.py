"""`muster client activate`, `wait` and `release`: asking for a licence, and giving it back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.client.options import FILE, machine_options, product_option
from muster.cli.client.words import lasting_lines, report_activations, warn_not_lasting, when
from muster.cli.output import MusterCommand, emit

if TYPE_CHECKING:
    from muster.client.stores import Parts


@click.command(cls=MusterCommand)
@product_option
@click.option(
    "--if-due", is_flag=True, help="Ask only if the schedule says that it is time; for timers."
)
@click.option(
    "--publisher-url",
    default="",
    metavar="URL",
    help="Address of the publisher's service, for keys that activate this machine once.",
)
@click.option("--request", "request_file", type=FILE, help="Write a request file instead.")
@click.option("--reply", "reply_file", type=FILE, help="Import a reply file.")
@machine_options
def activate(
    product: str | None,
    if_due: bool,
    publisher_url: str,
    request_file: Path | None,
    reply_file: Path | None,
    machine: compose.Machine,
) -> None:
    """Ask for a licence now, for one product or for all: a host, or the publisher.

    The installed key decides which. Without a network: --request FILE, take it there,
    --reply FILE; or 'installation-id' and 'confirm'.
    """
    from muster.client import look
    from muster.client.act import leases

    if sum(map(bool, (publisher_url, request_file, reply_file, if_due))) > 1:
        raise click.UsageError("Give one of --if-due, --publisher-url, --request, --reply.")
    parts = machine.parts()
    machine.warn_store()
    if request_file is not None:
        _write_request(parts, request_file, product)
    elif reply_file is not None:
        _apply_reply(parts, reply_file, product)
    else:
        warn_not_lasting(look.not_lasting(parts, product).products)
        activations = leases.activate(parts, product, typed=not if_due, publisher_url=publisher_url)
        report_activations(activations)


def _write_request(parts: Parts, path: Path, product: str | None) -> None:
    from muster.client.act.offline import write_request

    written = write_request(parts, path, product)
    how = "written" if written.changed else "already exists"
    emit(
        written,
        [
            f"Request for {written.product} {how}: {path}",
            "Take it to the publisher. Then: muster client activate --reply FILE",
            *lasting_lines(written),
        ],
    )


def _apply_reply(parts: Parts, path: Path, product: str | None) -> None:
    from muster.client.act.offline import accept_reply
    from muster.system.textfile import read_text
    from muster.wire.exchange import FILE_LIMITS

    data = read_text(path, FILE_LIMITS.bytes)
    report_activations(accept_reply(parts, data, product))


@click.command(cls=MusterCommand)
@product_option
@click.option(
    "--timeout",
    type=click.IntRange(0, 30 * 86_400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@machine_options
def wait(product: str | None, timeout: int, machine: compose.Machine) -> None:
    """Wait until a product is licensed, asking hosts whenever an attempt is due."""
    from muster.client.act import leases

    waited = leases.wait(machine.parts(), product, timeout, time.sleep)
    emit(waited, [f"{waited.product} is licensed until {when(waited.until)}."])


@click.command(cls=MusterCommand)
@product_option
@machine_options
def release(product: str | None, machine: compose.Machine) -> None:
    """Release the lease of a product at its host.

    The product is then unlicensed, until 'muster client activate' is run.
    """
    from muster.client.act import release as act

    released = act.release(machine.parts(), product)
    emit(released, [f"The lease of {released.product} was released at {released.host}."])
