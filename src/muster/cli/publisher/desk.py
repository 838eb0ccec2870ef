"""`muster publisher confirm`: the telephone desk."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from muster.cli.options import check_code, code_lines, store_option, write_public
from muster.cli.output import MusterCommand, emit, interactive, wants_json
from muster.cli.publisher.files import read_request, written
from muster.cli.publisher.options import FILE, Phrases, open_office, passphrase_options
from muster.core.values import replace


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
    reads them: a wrong group is reported at once. The same ID gets the same answer again and uses
    no other activation, whichever way it comes.
    """
    from muster.cli import desk
    from muster.publisher.act import activation
    from muster.publisher.look import check_installation_id
    from muster.wire.exchange import ConfirmationFile

    if digits and request is not None:
        raise click.UsageError("Give the digits or --request FILE, not both.")
    asked = not digits and request is None
    if asked and (wants_json() or not interactive()):
        raise click.UsageError("Give the installation ID, or --request FILE.")
    check_code(qr_file, show=show_qr)
    if asked:
        phrases.leave_environment(roots=False)
    with open_office(store, phrases) as office:
        if asked:
            text, channel = desk.prompt(partial(check_installation_id, office)), "desk"
        elif request is not None:
            text, channel = read_request(request, office.publisher.id).installation_id, "file"
        else:
            text, channel = " ".join(digits), "desk"
        answer = activation.confirm(office, text, channel)
    confirmed = replace(answer.shown, qr=None if qr_file is None else str(qr_file))
    short = ConfirmationFile(confirmed.publisher, confirmed.confirmation_id).encode()
    lines: list[str] = []
    if reply is not None:
        new = write_public(reply, answer.reply.encode())
        confirmed = replace(confirmed, file=str(reply), written=new)
        lines.append(written(reply, new))
    lines += code_lines(short, qr_file, show=show_qr)
    if asked:
        for line in lines:
            click.echo(line)
        desk.give(confirmed.confirmation_id, short)
        return
    lines += ["Confirmation ID, as a text:", confirmed.confirmation_id, "", "To read out:"]
    lines += desk.lines(confirmed.confirmation_id)
    emit(confirmed, lines)
