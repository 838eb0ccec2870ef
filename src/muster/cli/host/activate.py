"""`muster host activate`: online, by file and by telephone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import (
    FILE,
    NEVER,
    masked,
    moment,
    publisher_option,
    publisher_service,
    read_file,
    report_refused,
)
from muster.cli.options import check_code, code_lines, gathered, store_option
from muster.cli.output import MusterCommand, emit
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.host.results import HostActivation, KeyRequest


@dataclass(frozen=True, slots=True)
class _Doors:
    """What is typed of the way that an activation takes."""

    publisher_url: str | None
    request_file: Path | None
    reply_file: Path | None
    telephone: bool
    confirmation_id: str | None
    qr_file: Path | None
    show_qr: bool


@click.command(cls=MusterCommand)
@store_option
@publisher_option
@click.option("--key", metavar="LAST5", help="Only this host key, by its last group.")
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
@click.option("--request", "request_file", type=FILE, help="Write a request file instead.")
@click.option("--name", default="", help="A name of this host that the publisher may see.")
@click.option("--reply", "reply_file", type=FILE, help="Import the publisher's reply file.")
@click.option("--telephone", is_flag=True, help="Show the installation ID to read out.")
@click.option("--confirmation-id", metavar="DIGITS", help="The digits that were read back.")
@click.option("--qr", "qr_file", type=FILE, help="With --telephone: a QR code, .png or .svg.")
@click.option("--show-qr", is_flag=True, help="With --telephone: draw the QR code here.")
@gathered(_Doors)
def activate(
    way: _Doors, store: Path | None, publisher: str | None, key: str | None, name: str
) -> None:
    """Activate the installed host keys with their publisher.

    Online by default. Without a network: --request FILE, take it there, --reply FILE; or
    --telephone and --confirmation-id.
    """
    from muster.host import look
    from muster.host.act import activate as act
    from muster.wire.exchange import read_reply

    channels = [
        way.publisher_url,
        way.request_file,
        way.reply_file,
        way.telephone or None,
        way.confirmation_id,
    ]
    if sum(channel is not None for channel in channels) > 1:
        raise click.UsageError(
            "Give one of --publisher-url, --request, --reply, --telephone, --confirmation-id."
        )
    if (way.qr_file or way.show_qr) and not way.telephone:
        raise click.UsageError("--qr and --show-qr go with --telephone.")
    check_code(way.qr_file, show=way.show_qr)
    if name and (way.reply_file or way.telephone or way.confirmation_id):
        raise click.UsageError("--name goes with online activation and with --request.")
    _check_name(name)
    with compose.open_host(store) as opened:
        if way.request_file is not None:
            _write_request(look.key_request(opened, publisher, key, name), way.request_file)
            return
        if way.telephone:
            read_out(look.key_request(opened, publisher, key), way.qr_file, show_qr=way.show_qr)
            return
        if way.reply_file is not None:
            activation = act.apply_reply(opened, read_reply(read_file(way.reply_file)))
        elif way.confirmation_id is not None:
            activation = act.confirm(opened, way.confirmation_id, publisher)
        else:
            activation = act.activate(
                opened,
                lambda known: publisher_service(known, way.publisher_url),
                publisher,
                key,
                name,
                one_address=way.publisher_url is not None,
            )
    emit(activation, activated_lines(activation))
    report_refused(activation.refused)


def _check_name(name: str) -> None:
    """Refuse a name that could not be sent as it was typed."""
    from muster.wire.codec import NAME_POINTS, name_for_people

    if name != name_for_people(name):
        raise click.UsageError(
            f"--name takes at most {NAME_POINTS} characters, none of them a control character."
        )


def activated_lines(activation: HostActivation) -> list[str]:
    """What is said of host keys that got their grants."""
    lines = []
    for key in activation.activated:
        end = NEVER if key.expires_at is None else f"ends {moment(key.expires_at)}"
        state = "is activated" if key.changed else "was already activated; nothing was changed"
        lines.append(f"Host key {masked(key)} of {key.label} {state}.")
        lines.append(f"  It licenses {', '.join(key.covers)}; the grant {end}.")
        if key.lacks_terms:
            lines.append(
                "  Its key group requires terms, which the publisher sets ('muster publisher host"
                " terms'): then 'muster host terms fetch', or import their file."
            )
    if activation.refused:
        return lines
    return lines or ["No host key waits for activation; nothing was changed."]


def _write_request(asked: KeyRequest | None, path: Path) -> None:
    from muster.host.results import RequestWritten, request_written
    from muster.system.files import write_atomic

    if asked is None:
        emit(RequestWritten(), ["All host keys are activated; nothing to ask."])
        return
    data = asked.file.encode()
    changed = not path.exists() or read_file(path) != data
    if changed:
        write_atomic(path, data, 0o644)
    written = request_written(asked, str(path), changed=changed)
    emit(
        written,
        [
            f"Request of host key {masked(asked)}: {path}"
            + ("" if changed else " (nothing was changed)"),
            "Take it to the publisher, then: muster host activate --reply FILE",
        ],
    )


def read_out(
    asked: KeyRequest | None, qr_file: Path | None = None, *, show_qr: bool = False
) -> None:
    """Print the installation ID of a host key, to be read out on the telephone."""
    from muster.core.digits import format_rows
    from muster.host.results import InstallationIdShown, installation_id_shown

    if asked is None:
        emit(InstallationIdShown(), ["All host keys are activated; nothing to ask."])
        return
    shown = installation_id_shown(asked, None if qr_file is None else str(qr_file))
    lines = [
        f"Installation ID of host key {masked(asked)}; read it row by row:",
        format_rows(asked.installation_id.split("-")),
        "Then: muster host activate --confirmation-id DIGITS",
        *code_lines(asked.file.encode(), qr_file, show=show_qr),
    ]
    emit(shown, lines)
