"""`muster publisher confirm`: the telephone desk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from muster.cli import compose
from muster.cli.options import code_lines, store_option
from muster.cli.output import MusterCommand, emit, interactive, wants_json
from muster.cli.publisher.files import read_request, write_public, written
from muster.cli.publisher.options import FILE, Phrases, passphrase_options


@click.command(cls=MusterCommand)
@store_option
@click.argument("digits", nargs=-1, metavar="[INSTALLATION-ID]")
@click.option("--request", type=FILE, help="Request file, or the content of its QR code.")
@click.option("--reply", type=FILE, help="Reply file to write.")
@click.option("--qr", "qr_file", type=FILE, help="Write the answer as QR code: .png or .svg.")
@click.option("--show-qr", is_flag=True, help="Draw the answer as QR code in the terminal.")
@passphrase_options
def confirm(
    store: Path | None,
    digits: tuple[str, ...],
    request: Path | None,
    reply: Path | None,
    qr_file: Path | None,
    show_qr: bool,
    phrases: Phrases,
) -> None:
    """Answer an installation ID, of a machine or a host, with its confirmation ID.

    By digits, by --request FILE, or, on a terminal without either, group by group as somebody
    reads them: a wrong group is told at once. The same ID gets the same answer again and draws
    nothing, whichever door it comes through.
    """
    from muster.cli import desk
    from muster.publisher.results import Confirmed
    from muster.wire.exchange import ConfirmationFile, ReplyFile

    if digits and request is not None:
        raise click.UsageError("Give the digits or --request FILE, not both.")
    asked = not digits and request is None
    if asked and (wants_json() or not interactive()):
        raise click.UsageError("Give the installation ID, or --request FILE.")
    service = compose.publisher_service(store, phrases.work)
    try:
        own = service.publisher.id
        if asked:
            text, door = desk.take(service.check), "desk"
        elif request is not None:
            text, door = read_request(request, own).installation_id, "file"
        else:
            text, door = " ".join(digits), "desk"
        answer = service.activate(text, door)
    finally:
        service.close()
    short = ConfirmationFile(own, answer.confirmation_id).encode()
    done = Confirmed(own, answer.confirmation_id, qr=None if qr_file is None else str(qr_file))
    lines: list[str] = []
    if reply is not None:
        new = write_public(reply, ReplyFile(own, answer).encode())
        done = replace(done, file=str(reply), written=new)
        lines.append(written(reply, new))
    lines += code_lines(short, qr_file, show=show_qr)
    if asked:
        for line in lines:
            click.echo(line)
        desk.give(answer.confirmation_id, short)
        return
    lines += ["Confirmation ID, as a text:", answer.confirmation_id, "", "To read out:"]
    lines += desk.lines(answer.confirmation_id)
    emit(done, lines)
