"""`muster host …`: what an administrator of a host types (docs/host.md).

Each command opens the store, does one act of `muster.host.enrol` or of its service, and says what
it did. A second run changes nothing and says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muster.cli import compose
from muster.cli.options import Command, show_code, store_option
from muster.cli.output import LazyGroup, emit, wants_json
from muster.core.catalogue import error

if TYPE_CHECKING:
    from muster.core.settings import Value
    from muster.db.engine import Database
    from muster.host.enrol import HostAdmin
    from muster.host.model import Activated, HostKey, HostView, LogRow, PublisherView
    from muster.host.online import PublisherClient
    from muster.host.publish import ZoneResult
    from muster.host.results import (
        AuditList,
        ClientStatus,
        DNSChange,
        HostStatus,
        KeyStatus,
        KeyTerms,
        PublisherUpdate,
        RequestList,
        SettingChange,
        TermsNews,
        TermsStatus,
        TLSStatus,
        ZoneRecords,
    )
    from muster.host.store import AuditRow

_FILE = click.Path(path_type=Path, dir_okay=False)
_FILE_LIMIT = 16 * 1024 * 1024
_NEVER = "does not end"
_BY_PRODUCT = "as each product says"
_INTERVALS = ("retry_interval", "renewal_interval")


@click.group(cls=LazyGroup)
def host() -> None:
    """The service that counts machines of a network and licenses them.

    Begin with 'muster host init --publisher FILE'; docs/host.md walks through the rest.
    """


def publisher_option(command: Command) -> Command:
    """`--publisher ID`, where several publishers may be meant."""
    return click.option(
        "--publisher", metavar="ID", help="Publisher id or label, where several are known."
    )(command)


def dns_options(command: Command) -> Command:
    """The options of DNS publishing; each wins over what 'muster host set' has set."""
    for option in (
        click.option("--dns-server", metavar="IP[:PORT]", help="Server that takes updates."),
        click.option("--dns-zone", metavar="ZONE", help="Zone that is updated."),
        click.option(
            "--tsig-key", "tsig_key_file", metavar="FILE", help="Key file of 'tsig-keygen'."
        ),
        click.option(
            "--advertise", metavar="NAME", help="Name that the records point to; this machine's."
        ),
    ):
        command = option(command)
    return command


def _moment(instant: int | None) -> str:
    from muster.core.text import instant_text

    return "-" if instant is None else instant_text(instant)


def _day(instant: int) -> str:
    from muster.core.text import day_text

    return day_text(instant)


def _publisher_id(view: HostView, name: str | None) -> str | None:
    """A publisher's id from its id or label; None stays None."""
    from muster.host.view import publisher_id

    return publisher_id(view, name)


def _read(path: Path) -> bytes:
    from muster.system.textfile import read_text

    return read_text(path, _FILE_LIMIT)


# Enrolment.


@host.command()
@store_option
@click.option(
    "--publisher",
    "files",
    type=_FILE,
    multiple=True,
    required=True,
    help="Publisher file, as 'muster publisher export' writes it; its anchor is pinned.",
)
def init(store: Path | None, files: tuple[Path, ...]) -> None:
    """Make a host, or add a publisher to it.

    The file must come by a way that you trust: everything else is checked from it. For a publisher
    that is known already, what the file has newer is taken.
    """
    from muster.core.records import encode
    from muster.host.results import publisher_update
    from muster.wire.exchange import read_publisher_file

    read = [read_publisher_file(_read(path)) for path in files]
    with compose.host_database(store, create=True) as database:
        admin = compose.host_admin(store, database)
        updates = [publisher_update(admin.add_publisher(one)) for one in read]
    data = {
        "changed": any(one.changed for one in updates),
        "store": str(compose.host_folder(store)),
        "publishers": [encode(one) for one in updates],
    }
    emit(data, [f"Host store: {data['store']}", *(_update_line(one) for one in updates)])


def _update_line(one: PublisherUpdate) -> str:
    versions = f"trust version {one.trust}, catalogue version {one.catalogue}"
    if one.added:
        return f"Publisher {one.label} ({one.publisher}) is pinned: {versions}."
    if one.changed:
        return f"Publisher {one.label} ({one.publisher}) is updated: {versions}."
    return f"Publisher {one.label} ({one.publisher}): {versions}; nothing was changed."


@host.command("install-key")
@store_option
@publisher_option
@click.argument("key")
@click.option("--facts", type=_FILE, help="Facts file of this machine; by default its hardware.")
def install_key(store: Path | None, publisher: str | None, key: str, facts: Path | None) -> None:
    """Install a host key; several keys and publishers live side by side."""
    from muster.core.facts import clean_facts
    from muster.core.keys import parse_product_key
    from muster.host.enrol import check_kind
    from muster.system.facts import read_facts

    check_kind(parse_product_key(key))
    with compose.host_database(store) as database:
        admin = compose.host_admin(store, database)
        chosen = _publisher_id(admin.view(), publisher)
        done = admin.install_key(key, clean_facts(read_facts(facts)), chosen)
        label = admin.view().publishers[done.key.publisher].label
    data = {"changed": done.changed, "label": label, **_key_data(done.key)}
    data["survives_reinstall"] = done.survives
    shown = f"Host key {_masked(done.key)} of {label}"
    lines = [f"{shown} is installed." if done.changed else f"{shown}: nothing was changed."]
    if not done.survives:
        lines.append(
            "This machine shows no hardware fact: its hardware id does not survive a reinstall."
        )
    if done.key.grant is None:
        lines.append("Next: muster host activate")
    emit(data, lines)


def _masked(key: HostKey) -> str:
    return f"XXXXX-XXXXX-XXXXX-XXXXX-{key.partial}"


def _key_data(key: HostKey) -> dict[str, Any]:
    return {
        "publisher": key.publisher,
        "key": key.key_id,
        "partial": key.partial,
        "hardware": key.hw,
        "hardware_fact": key.primary,
        "activated": key.grant is not None,
    }


@host.command("remove-key")
@store_option
@click.argument("key")
def remove_key(store: Path | None, key: str) -> None:
    """Remove a host key with its grant, by its last group or key id; the others go on."""
    with compose.host_database(store) as database:
        gone = compose.host_admin(store, database).remove_key(key)
    emit({"changed": True, **_key_data(gone)}, [f"Host key {_masked(gone)} is removed."])


@host.command("remove-publisher")
@store_option
@click.argument("publisher")
def remove_publisher(store: Path | None, publisher: str) -> None:
    """Forget a publisher with its keys and grants; the others go on."""
    with compose.host_database(store) as database:
        admin = compose.host_admin(store, database)
        found = _publisher_id(admin.view(), publisher)
        assert found is not None
        admin.remove_publisher(found)
    emit({"changed": True, "publisher": found}, [f"Publisher {publisher} is removed."])


@host.command()
@store_option
@publisher_option
@click.option("--key", metavar="LAST5", help="Only this host key, by its last group.")
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
@click.option("--request", "request_file", type=_FILE, help="Write a request file instead.")
@click.option("--name", default="", help="A name of this host that the publisher may see.")
@click.option("--reply", "reply_file", type=_FILE, help="Take the publisher's reply file.")
@click.option("--telephone", is_flag=True, help="Show the installation ID to read out.")
@click.option("--confirmation-id", metavar="DIGITS", help="The digits that were read back.")
@click.option("--qr", "qr_file", type=_FILE, help="With --telephone: a QR code, .png or .svg.")
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
        chosen = _publisher_id(admin.view(), publisher)
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

    found = read_reply(_read(path))
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
        answer = _service(known, url).activate(admin.installation_id(one), name)
        done.append(admin.accept(one.publisher, answer))
    _took(admin, done)


def _service(known: PublisherView, url: str | None) -> PublisherClient:
    """The service of a publisher at the address given, or else at its own.

    Raises: `host/no-url`.
    """
    address = url or known.url
    if address is None:
        raise error("host/no-url", label=known.label)
    return compose.host_publisher_client(address)


def _took(admin: HostAdmin, done: Sequence[Activated]) -> None:
    view = admin.view()
    data = {
        "changed": any(one.changed for one in done),
        "activated": [
            {
                **_key_data(one.key),
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
        end = _NEVER if one.grant.exp is None else f"ends {_moment(one.grant.exp)}"
        state = "is activated" if one.changed else "was activated already; nothing was changed"
        lines.append(f"Host key {_masked(one.key)} of {label} {state}.")
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
    changed = not path.exists() or _read(path) != data
    if changed:
        write_atomic(path, data, 0o644)
    emit(
        {"changed": changed, "file": str(path), **_key_data(chosen)},
        [
            f"Request of host key {_masked(chosen)}: {path}"
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
    data = {"changed": False, "installation_id": digits, **_key_data(chosen)}
    lines = [
        f"Installation ID of host key {_masked(chosen)}; read it row by row:",
        format_rows(digits.split("-")),
        "Then: muster host activate --confirmation-id DIGITS",
    ]
    show_code(admin.request_file(chosen).encode(), qr_file, data, lines, show=show_qr)
    emit(data, lines)


@host.group(cls=LazyGroup)
def catalogue() -> None:
    """Products that this host knows, and what is revoked."""


@catalogue.command("import")
@store_option
@click.argument("file", type=_FILE)
def catalogue_import(store: Path | None, file: Path) -> None:
    """Take the newer trust and catalogue out of a publisher file."""
    from muster.host.act.news import import_catalogue
    from muster.wire.exchange import read_publisher_file

    read = read_publisher_file(_read(file))
    with compose.open_host(store) as opened:
        done = import_catalogue(opened, read)
    emit(done, [_update_line(done)])


@catalogue.command("fetch")
@store_option
@publisher_option
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
def catalogue_fetch(store: Path | None, publisher: str | None, publisher_url: str | None) -> None:
    """Fetch newer trust and catalogue from the publishers' services."""
    from muster.host.act.news import fetch_catalogues

    with compose.open_host(store) as opened:
        done = fetch_catalogues(opened, lambda known: _service(known, publisher_url), publisher)
    lines = [_update_line(update) for update in done.publishers]
    emit(done, lines or ["No publisher is known."])


@host.group(cls=LazyGroup)
def terms() -> None:
    """Ceilings that publishers put on this host."""


@terms.command("import")
@store_option
@click.argument("file", type=_FILE)
def terms_import(store: Path | None, file: Path) -> None:
    """Take terms out of a reply file of the publisher."""
    from muster.host.act.news import import_terms
    from muster.wire.exchange import read_reply_file

    read = read_reply_file(_read(file))
    if read.answer.terms is None:
        raise error("host/no-terms", path=str(file))
    with compose.open_host(store) as opened:
        _told_terms(import_terms(opened, read))


@terms.command("fetch")
@store_option
@publisher_option
@click.option("--publisher-url", metavar="URL", help="Address of the publisher's service.")
def terms_fetch(store: Path | None, publisher: str | None, publisher_url: str | None) -> None:
    """Ask the publishers' services for newer terms; draws nothing."""
    from muster.host.act.news import fetch_terms

    with compose.open_host(store) as opened:
        done = fetch_terms(opened, lambda known: _service(known, publisher_url), publisher)
    _told_terms(done)


def _told_terms(news: TermsNews) -> None:
    lines = [_terms_line(key) for key in news.keys]
    emit(news, lines or ["No host key is activated; nothing was changed."])


def _terms_line(key: KeyTerms) -> str:
    name, terms = f"Host key XXXXX-XXXXX-XXXXX-XXXXX-{key.partial}", key.terms
    if terms is None:
        return f"{name} has no terms."
    over = "refused" if terms.over == "refuse" else "reported"
    line = f"{name} has terms version {terms.version}: {terms.limit} machines, more are {over}."
    return line if key.changed else f"{line} Nothing was changed."


# Serving.


@host.command()
@store_option
@click.option("--port", type=int, help="Port for machines (16880); 0 takes a free one.")
@click.option("--bind", help="Address to answer at (0.0.0.0, all).")
@dns_options
@click.option(
    "--operation-address",
    metavar="ADDRESS:PORT",
    help="Where /readyz and /metrics are answered (127.0.0.1:16881), or off.",
)
@click.option("--no-dns", is_flag=True, help="Do not publish SRV records.")
@click.option("--withdraw-on-stop", is_flag=True, help="Remove the SRV records at the stop.")
def serve(
    store: Path | None,
    port: int | None,
    bind: str | None,
    dns_server: str | None,
    dns_zone: str | None,
    tsig_key_file: str | None,
    advertise: str | None,
    operation_address: str | None,
    no_dns: bool,
    withdraw_on_stop: bool,
) -> None:
    """Answer machines until SIGTERM or Ctrl-C; what was accepted by then is answered."""
    from muster.host.publish import tsig_key
    from muster.host.server import DNSOptions
    from muster.net import operation
    from muster.net.certificate import certificate_of
    from muster.net.peers import networks
    from muster.net.serve import Listener, serve_forever
    from muster.net.serve import bind as bind_socket
    from muster.system import log

    flags = {
        "port": port,
        "bind": bind,
        "dns_server": dns_server,
        "dns_zone": dns_zone,
        "tsig_key_file": tsig_key_file,
        "dns_target": advertise,
        "operation_address": operation_address,
        "publish_dns": False if no_dns else None,
        "withdraw_dns": True if withdraw_on_stop else None,
    }
    settings = compose.host_settings(flags)
    log.configure(settings.text("log_format"), settings.text("log_level"))
    below, above = compose.host_layers(settings)
    with compose.host_database(store) as database:
        values = _values(database, below, above)
        tsig = tsig_key(values)
        certificate = certificate_of(
            str(_value(values, "tls_certificate")),
            str(_value(values, "tls_key")),
            compose.clock().now,
        )
        sock = bind_socket(str(_value(values, "bind")), int(_value(values, "port")))
        monitor = operation.listen(str(_value(values, "operation_address")))
        with compose.host_server(store, database, below, above, certificate) as server:
            server.listens(sock)
            options = DNSOptions(compose.host_name(), tsig, _paste)

            def ready() -> None:
                if _value(values, "publish_dns"):
                    server.publish_dns(sock, options)
                address, number = sock.getsockname()[:2]
                place = None if monitor is None else operation.place_of(monitor)
                tls = certificate is not None
                said = {"address": address, "port": number, "tls": tls, "operation": place}
                if wants_json():
                    click.echo(json.dumps(said))
                else:
                    by = " by TLS" if tls else ""
                    click.echo(f"The host answers at {address} port {number}{by}.")

            per_source = int(_value(values, "connections_per_source"))
            trusted = networks(_value(values, "trusted_proxies"))
            listeners = [
                Listener(server.door, sock, certificate, per_source=per_source, shared=trusted)
            ]
            if monitor is not None:
                listeners.append(operation.listener(server.operation, monitor))
            serve_forever(listeners, ready=ready)


def _paste(result: ZoneResult, text: str) -> None:
    """Say what an administrator can paste where an update was refused."""
    assert result.error is not None
    act = "take these records out of" if result.withdrawn else "write these records into"
    click.echo(
        f"{result.error.code}: {result.error.what} {result.error.fix}\n"
        f"Until then, {act} the zone {result.zone} by hand:\n{text}",
        err=True,
    )


def _values(
    database: Database, below: Mapping[str, Value], above: Mapping[str, Value]
) -> dict[str, Value]:
    from muster.host import store as tables
    from muster.host.view import effective

    with database.snapshot() as reader:
        return effective(tables.settings(reader), below, above)


def _value(values: Mapping[str, Value], name: str) -> Any:
    from muster.core.settings import Role, lookup

    return values.get(name, lookup(Role.HOST, name).default)


@host.command("publish-dns")
@store_option
@dns_options
@click.option("--port", type=int, help="Port in the records; by default where 'serve' listens.")
@click.option("--withdraw", is_flag=True, help="Remove this host's records.")
@click.option("--print", "print_only", is_flag=True, help="Only print what to write by hand.")
def publish_dns(
    store: Path | None,
    port: int | None,
    dns_server: str | None,
    dns_zone: str | None,
    tsig_key_file: str | None,
    advertise: str | None,
    withdraw: bool,
    print_only: bool,
) -> None:
    """Publish the SRV records of this host now, withdraw them, or print them."""
    from muster.host import look
    from muster.host.act import dns as act
    from muster.host.publish import DNSPlace

    flags = {
        "dns_server": dns_server,
        "dns_zone": dns_zone,
        "tsig_key_file": tsig_key_file,
        "dns_target": advertise,
    }
    place = DNSPlace(compose.host_name(), _by_hand, port)
    with compose.open_host(store, flags) as opened:
        if print_only:
            found = look.dns_records(opened, place)
            served = any(zone.records for zone in found.zones)
            lines = [_zone_text(zone) for zone in found.zones]
            emit(found, lines if served else ["This host serves nobody yet."])
            return
        done = act.withdraw(opened, place) if withdraw else act.publish(opened, place)
    emit(done, _dns_lines(done))


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


# Looking.


@host.command()
@store_option
def status(store: Path | None) -> None:
    """Show publishers, keys, grants, counts and settings."""
    from muster.host import look

    with compose.open_host(store) as opened:
        found = look.status(opened)
    emit(found, _status_lines(found))


def _row(text: str, value: object, depth: int = 0) -> str:
    return f"{'  ' * depth + text + ':':<29}{value}"


def _status_lines(status: HostStatus) -> list[str]:
    lines = [_row("Host store", status.store)]
    for known in status.publishers:
        old = " (older than 400 days: fetch a newer one)" if known.catalogue_old else ""
        lines += [
            "",
            _row("Publisher", f"{known.name} ({known.label}, {known.publisher})"),
            _row("State", "serving" if known.serving else "NOT SERVING", 1),
            _row("Trust version", known.trust, 1),
            _row("Catalogue version", f"{known.catalogue}{old}", 1),
        ]
        for key in known.keys:
            lines += _key_lines(key)
        if not known.keys:
            lines.append(_row("Host key", "none installed", 1))
        lines += [_row("Left out, not verified", code, 1) for code in known.broken]
        if known.clones:
            of = "one machine" if known.clones == 1 else f"{known.clones} machines"
            told = f"found of {of} in 30 days; see 'muster host clients'"
            lines.append(_row("CLONES", told, 1))
    for app in status.applications:
        lines += [
            "",
            _row("Application", f"{app.application} ({app.label})"),
            _row("Current count", app.count, 1),
            _row("Distinct addresses", app.addresses, 1),
        ]
        for product in app.products:
            reached = "reached" if product.met else "not reached"
            lines.append(_row("Needed", f"{product.need} for {product.product}, {reached}", 1))
    return [*lines, "", *_service_lines(status)]


def _key_lines(key: KeyStatus) -> list[str]:
    lines = [
        _row("Host key", f"XXXXX-XXXXX-XXXXX-XXXXX-{key.partial} ({key.key})", 1),
        _row("Hardware id", f"{key.hardware}, from {key.hardware_fact}", 2),
    ]
    grant = key.grant
    if grant is None:
        return [*lines, _row("Grant", "none; run 'muster host activate'", 2)]
    end = _NEVER if grant.expires_at is None else f"ends {_moment(grant.expires_at)}"
    lines.append(_row("Grant", f"licenses {', '.join(grant.covers)}; {end}", 2))
    if grant.code:
        lines.append(_row("NOT USED", grant.code, 2))
    return lines if key.terms is None else [*lines, *_terms_lines(key.terms)]


def _terms_lines(terms: TermsStatus) -> list[str]:
    from muster.core.text import exact_span_text

    over = "refused" if terms.over == "refuse" else "reported"
    lines = [_row("Terms", f"{terms.seats} of {terms.limit} seats taken; more are {over}", 2)]
    if terms.max_lease is not None:
        lines.append(_row("Leases under it", f"{exact_span_text(terms.max_lease)} at most", 2))
    if terms.silent:
        back = f"the first comes back {_moment(terms.silent_until)}"
        lines.append(_row("Seats of silent machines", f"{terms.silent}; {back}", 2))
    return lines


def _service_lines(status: HostStatus) -> list[str]:
    from muster.core.states import STATES, LicenceState

    listening = status.listening
    publishing = "enabled" if status.settings["publish_dns"].value else "disabled"
    lines = [
        _row("Listening on port", "not served yet" if listening is None else listening.port),
        _row("DNS publishing", publishing),
    ]
    for zone in status.dns:
        word = zone.detail if not zone.code else f"{zone.code}: {zone.detail}"
        lines.append(f"  {zone.zone}, {_moment(zone.at)}: {word}")
    lines += _tls_lines(status.tls)
    for name, text in zip(_INTERVALS, ("Activation interval", "Renewal interval"), strict=True):
        interval = status.settings[name]
        lines.append(_row(text, f"{interval.value} s" if interval.set else _BY_PRODUCT))
    lines += [
        _row("Total requests", status.requests.total),
        _row("Failed requests", status.requests.failed),
    ]
    by_state = status.requests.by_state
    lines += [_row(STATES[state].text, by_state[str(int(state))], 1) for state in LicenceState]
    return lines


def _tls_lines(tls: TLSStatus | None) -> list[str]:
    if tls is None:
        return []
    if tls.ends_at is None:
        return [_row("TLS", "NOT USABLE"), _row("Certificate", tls.problem, 1)]
    lines = [_row("TLS", f"for {', '.join(tls.names)}, until {_moment(tls.ends_at)}")]
    return lines if tls.problem is None else [*lines, _row("Problem", tls.problem, 1)]


@host.command()
@store_option
@click.argument("action", required=False, type=click.Choice(["remove"]))
@click.argument("cmid", required=False)
@publisher_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option("--silent", is_flag=True, help="Only machines that have been silent, longest first.")
def clients(
    store: Path | None,
    action: str | None,
    cmid: str | None,
    publisher: str | None,
    limit: int,
    silent: bool,
) -> None:
    """List the machines that asked, or remove one: 'muster host clients remove CMID'.

    A removed machine gives its seats and its place in the count back, and its id may be taken by
    another machine.
    """
    from muster.host import look

    if action == "remove":
        _remove(store, publisher, cmid)
        return
    with compose.open_host(store) as opened:
        found = look.clients(opened, limit, publisher=publisher, silent=silent)
    nobody = "No machine is silent." if silent else "No machine has asked yet."
    emit(found, [_client_line(row) for row in found.clients] or [nobody])


def _remove(store: Path | None, publisher: str | None, cmid: str | None) -> None:
    from muster.host.act.machines import remove_machine

    if cmid is None:
        raise click.UsageError("Name the machine: muster host clients remove CMID")
    with compose.open_host(store) as opened:
        done = remove_machine(opened, cmid, publisher)
    line = f"Machine {cmid} is removed: {done.given_back} leases and counts given back."
    if not done.changed:
        line = f"Machine {cmid} was removed already; nothing was changed."
    emit(done, [line])


def _quoted(name: str) -> str:
    """A stranger's word, so that nobody takes it for ours: in quotes, quotes in it escaped."""
    return json.dumps(name, ensure_ascii=False)


def _client_line(client: ClientStatus) -> str:
    counted = [name for name, counts in client.applications.items() if counts]
    live = [
        f"{lease.product} until {_day(lease.expires_at)}" for lease in client.leases if lease.live
    ]
    parts = [
        client.cmid,
        *([_quoted(client.name)] if client.name else []),
        client.address,
        f"seen {_moment(client.last_seen)}",
        f"counted for {', '.join(counted)}" if counted else "not counted",
        "; ".join(live) or "no licence",
    ]
    if client.silent:
        parts.append(f"SILENT for {client.silent_days} days")
    if client.seat_until is not None:
        parts.append(f"seat until {_day(client.seat_until)}")
    if client.cloned_at:
        last = client.clone_address
        if client.clone_name:
            last = f"{_quoted(client.clone_name)} at {last}"
        parts.append(
            f"CLONES have its store, {client.duplicates} requests refused"
            + (f", last of {last}" if last else "")
        )
    return "  ".join(parts)


@host.command("log")
@store_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True)
@click.option("--cmid", help="Only requests of this machine.")
@click.option("--audit", is_flag=True, help="What administrators did, in place of requests.")
def show_log(store: Path | None, limit: int, cmid: str | None, audit: bool) -> None:
    """Show the newest requests, oldest first, with the fields of event 12290.

    Time, then: code, need, address, CMID, client's time, virtual, licence state, minutes that its
    licence runs, product, and in quotes the name that the machine gave itself.
    """
    from muster.host import look

    found: AuditList | RequestList
    with compose.open_host(store) as opened:
        if audit:
            found = look.audit(opened, limit)
            lines = [_audit_line(row) for row in found.audit]
        else:
            found = look.requests(opened, limit, cmid)
            lines = [_log_line(row) for row in found.requests]
    emit(found, lines or ["Nothing yet."])


def _audit_line(row: AuditRow) -> str:
    return f"{_moment(row.at)}  {row.event}  {row.subject}  {row.detail}".rstrip()


def _log_line(row: LogRow) -> str:
    from muster.host.model import MORE

    if row.code == MORE:
        what = f"{row.count} more requests of {row.address}"
        return f"{_moment(row.at)}  {what}, refused or repeated, are counted and not listed"
    fields = [
        row.field_code or ("0" if not row.code else row.code),
        row.need,
        row.address,
        row.cmid,
        _moment(row.client_time),
        {None: "?", True: 1, False: 0}[row.virtual],
        row.state,
        row.minutes,
        row.product,
        _quoted(row.name) if row.name else "",
    ]
    return f"{_moment(row.at)}  {','.join(str(field) for field in fields)}"


# Settings.


@host.command("set")
@store_option
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.option("--unset", is_flag=True, help="Go back to the default.")
def set_(store: Path | None, name: str | None, value: str | None, unset: bool) -> None:
    """Show the settings, or set one; a running host follows within seconds.

    Port and addresses take effect at the next start. Spans are whole seconds; lists have commas.
    """
    from muster.host import look
    from muster.host.act import settings as act

    with compose.open_host(store) as opened:
        if name is None:
            found = look.settings(opened)
            rows = found.settings.items()
            emit(found, [_setting_line(each, row.value, row.set) for each, row in rows])
        elif value is None and not unset:
            one = look.setting(opened, name)
            emit(one, [_setting_line(one.name, one.value, one.set)])
        else:
            done = act.unset(opened, name) if unset else act.set_setting(opened, name, value or "")
            emit(done, setting_change_lines(done, given=not unset))


def _setting_line(name: str, value: Value, given: bool) -> str:
    from muster.host.act.settings import value_text

    if given:
        return f"{name} = {value_text(value)}"
    if name in _INTERVALS:
        return f"{name} is not set: {_BY_PRODUCT}"
    return (
        f"{name} = {value_text(value)} (default)" if value not in ("", ()) else f"{name} is not set"
    )


def setting_change_lines(change: SettingChange, *, given: bool) -> list[str]:
    """What is said of a setting that was set (`given`), or that went back to its default."""
    from muster.core.settings import Role, lookup

    shown = _setting_line(change.name, change.value, given)
    lines = [shown if change.changed else f"{shown}; nothing was changed."]
    if change.warning is not None:
        lines.append(f"Warning: {change.warning}")
    if change.overridden:
        env = lookup(Role.HOST, change.name).env
        lines.append(f"Now {env} in the environment wins over it.")
    return lines
