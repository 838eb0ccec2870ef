"""`muster host activate`: online, by file and by telephone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import (
    FILE,
    NEVER,
    key_data,
    known_publisher,
    masked,
    moment,
    publisher_option,
    publisher_service,
    read_file,
)
from muster.cli.options import show_code, store_option
from muster.cli.output import MusterCommand, emit
from muster.core.catalogue import error

if TYPE_CHECKING:
    from muster.host.enrol import HostAdmin
    from muster.host.model import Activated, HostKey, HostView


@click.command(cls=MusterCommand)
@store_option
@publisher_option
@click.option("--key", metavar="LAST5", help="Only this host key, by its last group.")
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
@click.option("--request", "request_file", type=FILE, help="Write a request file instead.")
@click.option("--name", default="", help="A name of this host that the publisher may see.")
@click.option("--reply", "reply_file", type=FILE, help="Take the publisher's reply file.")
@click.option("--telephone", is_flag=True, help="Show the installation ID to read out.")
@click.option("--confirmation-id", metavar="DIGITS", help="The digits that were read back.")
@click.option("--qr", "qr_file", type=FILE, help="With --telephone: a QR code, .png or .svg.")
@click.option("--show-qr", is_flag=True, help="With --telephone: draw the QR code here.")
def activate(
    store: Path | None,
    publisher: str | None,
    key: str | None,
    publisher_url: str | None,
    request_file: Path | None,
    name: str,
    reply_file: Path | None,
    telephone: bool,
    confirmation_id: str | None,
    qr_file: Path | None,
    show_qr: bool,
) -> None:
    """Activate the installed host keys with their publisher.

    Online by default. Without a network: --request FILE, carry it, --reply FILE; or --telephone
    and --confirmation-id.
    """
    doors = [publisher_url, request_file, reply_file, telephone or None, confirmation_id]
    if sum(one is not None for one in doors) > 1:
        raise click.UsageError(
            "Give one of --publisher-url, --request, --reply, --telephone, --confirmation-id."
        )
    if (qr_file or show_qr) and not telephone:
        raise click.UsageError("--qr and --show-qr go with --telephone.")
    if name and (reply_file or telephone or confirmation_id):
        raise click.UsageError("--name goes with the online way and with --request.")
    _check_name(name)
    with compose.host_database(store) as database:
        admin = compose.host_admin(store, database)
        chosen = known_publisher(admin.view(), publisher)
        if reply_file is not None:
            _took(admin, [_reply(admin, reply_file)])
        elif confirmation_id is not None:
            _took(admin, [admin.confirm(confirmation_id, chosen)])
        elif request_file is not None:
            _write_request(admin, chosen, key, request_file, name)
        elif telephone:
            _read_out(admin, chosen, key, qr_file, show_qr=show_qr)
        else:
            _online(admin, chosen, key, publisher_url, name)


def _check_name(name: str) -> None:
    """Refuse a name that could not be sent as it was typed."""
    from muster.wire.codec import NAME_POINTS, name_for_people

    if name != name_for_people(name):
        raise click.UsageError(
            f"--name takes at most {NAME_POINTS} characters, none of them a control character."
        )


def _reply(admin: HostAdmin, path: Path) -> Activated:
    from muster.wire.exchange import ConfirmationFile, read_reply

    found = read_reply(read_file(path))
    if isinstance(found, ConfirmationFile):
        return admin.confirm(found.confirmation_id, found.publisher)
    return admin.accept_reply(found)


def _waiting(admin: HostAdmin, publisher: str | None, key: str | None) -> list[HostKey]:
    """Keys that wait; an unknown --key and a host without keys are refused."""
    view = admin.view()
    if key is not None:
        admin.find_key(key)
    if not any(one.keys for one in view.publishers.values() if publisher in (None, one.publisher)):
        raise error("host/no-key")
    return admin.pending(publisher, key)


def _online(
    admin: HostAdmin, publisher: str | None, key: str | None, url: str | None, name: str
) -> None:
    view = admin.view()
    done = []
    for one in _waiting(admin, publisher, key):
        known = view.publishers[one.publisher]
        answer = publisher_service(known, url).activate(admin.installation_id(one), name)
        done.append(admin.accept(one.publisher, answer))
    _took(admin, done)


def _took(admin: HostAdmin, done: Sequence[Activated]) -> None:
    view = admin.view()
    data = {
        "changed": any(one.changed for one in done),
        "activated": [
            {
                **key_data(one.key),
                "changed": one.changed,
                "label": view.publishers[one.key.publisher].label,
                "group": one.grant.group,
                "covers": list(one.grant.covers),
                "expires_at": one.grant.exp,
            }
            for one in done
        ],
    }
    lines = []
    for one in done:
        label = view.publishers[one.key.publisher].label
        end = NEVER if one.grant.exp is None else f"ends {moment(one.grant.exp)}"
        state = "is activated" if one.changed else "was activated already; nothing was changed"
        lines.append(f"Host key {masked(one.key)} of {label} {state}.")
        lines.append(f"  It licenses {', '.join(one.grant.covers)}; the grant {end}.")
        if _lacks_terms(view, one):
            lines.append("  Its key group requires terms: now import the publisher's reply file.")
    emit(data, lines or ["All host keys are activated; nothing was changed."])


def _lacks_terms(view: HostView, one: Activated) -> bool:
    catalogue = view.publishers[one.key.publisher].catalogue
    groups = () if catalogue is None else catalogue.groups
    required = any(each.id == one.grant.group and each.terms == "required" for each in groups)
    return required and one.key.terms is None


def _write_request(
    admin: HostAdmin, publisher: str | None, key: str | None, path: Path, name: str
) -> None:
    from muster.host.enrol import only
    from muster.system.files import write_atomic

    waiting = _waiting(admin, publisher, key)
    if not waiting and key is None:
        emit({"changed": False, "file": None}, ["All host keys are activated; nothing to ask."])
        return
    chosen = only(waiting or [admin.find_key(key or "")])
    data = admin.request_file(chosen, name).encode()
    changed = not path.exists() or read_file(path) != data
    if changed:
        write_atomic(path, data, 0o644)
    emit(
        {"changed": changed, "file": str(path), **key_data(chosen)},
        [
            f"Request of host key {masked(chosen)}: {path}"
            + ("" if changed else " (nothing was changed)"),
            "Carry it to the publisher, then: muster host activate --reply FILE",
        ],
    )


def _read_out(
    admin: HostAdmin,
    publisher: str | None,
    key: str | None,
    qr_file: Path | None,
    *,
    show_qr: bool,
) -> None:
    from muster.core.digits import format_rows
    from muster.host.enrol import only

    waiting = _waiting(admin, publisher, key)
    if not waiting and key is None:
        emit(
            {"changed": False, "installation_id": None},
            ["All host keys are activated; nothing to ask."],
        )
        return
    chosen = only(waiting or [admin.find_key(key or "")])
    digits = admin.installation_id(chosen)
    data = {"changed": False, "installation_id": digits, **key_data(chosen)}
    lines = [
        f"Installation ID of host key {masked(chosen)}; read it row by row:",
        format_rows(digits.split("-")),
        "Then: muster host activate --confirmation-id DIGITS",
    ]
    show_code(admin.request_file(chosen).encode(), qr_file, data, lines, show=show_qr)
    emit(data, lines)
