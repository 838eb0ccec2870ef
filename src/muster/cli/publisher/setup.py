"""`muster publisher init`, `serve`, `export`: a publisher is made, runs, and tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, emit
from muster.cli.publisher.files import checked_publisher_file, read_draft, write_public, written
from muster.cli.publisher.options import FILE, Phrases, kdf_options, open_admin, passphrase_options
from muster.core.catalogue import error

if TYPE_CHECKING:
    from muster.system.keyfile import KDF


@click.command(cls=MusterCommand)
@store_option
@click.option("--label", help="Short name for DNS, a-z 0-9 -, at most 20; it never changes.")
@click.option("--name", help="Name for people.")
@click.option(
    "--reserve-root",
    type=FILE,
    required=True,
    help="New file for the reserve root, on a medium that is then locked away.",
)
@click.option("--catalogue", type=FILE, help="TOML file of the first catalogue.")
@click.option("--sample", is_flag=True, help="Begin with the shipped sample, publisher Contoso.")
@passphrase_options
@kdf_options
def init(
    store: Path | None,
    label: str | None,
    name: str | None,
    reserve_root: Path,
    catalogue: Path | None,
    sample: bool,
    phrases: Phrases,
    kdf: KDF,
) -> None:
    """Make a publisher: keys, trust version 1, catalogue version 1.

    A second run changes nothing and says so.
    """
    if (catalogue is not None) == sample:
        raise click.UsageError("Give either --catalogue FILE or --sample.")
    draft = read_draft(catalogue)
    label, name = label or draft.label, name or draft.name or label
    if not label or not name:
        raise error("publisher/label", field="name" if label else "label")
    phrases.confirm = True
    made = compose.publisher_init(
        store,
        phrases.work,
        phrases.root,
        kdf,
        label=label,
        name=name,
        content=draft.content,
        reserve=reserve_root,
    )
    found = made.publisher
    data = {
        "changed": made.changed,
        "publisher": found.id,
        "label": found.label,
        "name": found.name,
        "trust": made.trust,
        "catalogue": made.catalogue,
        "store": str(made.keys_folder.parent),
        "keys": str(made.keys_folder),
        "root": str(made.root) if made.root else None,
        "reserve_root": str(made.reserve) if made.reserve else None,
        "unfinished": str(made.unfinished) if made.unfinished else None,
    }
    who = f"Publisher {found.name} (label {found.label}, id {found.id})"
    if not made.changed:
        lines = [
            f"{who} is there already; nothing was changed.",
            f"Trust version {made.trust}, catalogue version {made.catalogue}.",
        ]
        emit(data, lines)
        return
    lines = [
        f"{who} is made.",
        f"Store: {made.keys_folder.parent}",
        "Trust version 1 and catalogue version 1 are signed.",
        f"Reserve root: {made.reserve}",
        "  Lock this file away now: it is the only way back when the working root is lost.",
        f"Working root: {made.root}",
        "  'publisher serve' never needs it. Move it to another machine before you serve.",
    ]
    if made.unfinished:
        lines.append(f"Key files of an init that did not end were moved to {made.unfinished}.")
    emit(data, lines)


@click.command(cls=MusterCommand)
@store_option
@click.option("--bind", help="Address to listen at (127.0.0.1).")
@click.option("--port", type=int, help="Port to listen at (16882); 0 takes a free one.")
@click.option(
    "--operation-address",
    metavar="ADDRESS:PORT",
    help="Where /readyz and /metrics are answered (127.0.0.1:16884), or off.",
)
@passphrase_options
def serve(
    store: Path | None,
    bind: str | None,
    port: int | None,
    operation_address: str | None,
    phrases: Phrases,
) -> None:
    """Activate hosts over HTTP, and give catalogue and trust.

    Opens the grant key only. Runs until SIGTERM or Ctrl-C.
    """
    from muster.net import operation
    from muster.net.certificate import certificate_of
    from muster.net.peers import networks
    from muster.net.serve import Listener, serve_forever, url_of
    from muster.net.serve import bind as bind_socket
    from muster.system import log

    settings = compose.publisher_settings(
        {"bind": bind, "port": port, "operation_address": operation_address}
    )
    log.configure(settings.text("log_format"), settings.text("log_level"))
    service = compose.publisher_service(store, phrases.work)
    try:
        opened = service.open_grant_keys()
        certificate = certificate_of(
            settings.text("tls_certificate"), settings.text("tls_key"), compose.clock().now
        )
        door, operation_door = compose.publisher_doors(service, settings, certificate)
        sock = bind_socket(settings.text("bind"), settings.integer("port"))
        monitor = operation.listen(settings.text("operation_address"))
        url = url_of(sock, tls=certificate is not None)
        who = service.publisher
        per_source = settings.integer("connections_per_source")
        shared = networks(settings.texts("trusted_proxies"))
        listeners = [Listener(door, sock, certificate, per_source=per_source, shared=shared)]
        if monitor is not None:
            listeners.append(operation.listener(operation_door, monitor))

        def ready() -> None:
            data = {"publisher": who.id, "label": who.label, "url": url, "grant_keys": opened}
            data["operation"] = None if monitor is None else operation.place_of(monitor)
            emit(data, [f"Publisher {who.name} ({who.label}) listens at {url}."])

        serve_forever(listeners, ready=ready)
    finally:
        service.close()


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE)
@click.option("--url", help="Where this publisher's service can be reached.")
def export(store: Path | None, file: Path, url: str | None) -> None:
    """Write the publisher file: trust and catalogue, for hosts and for offline sites."""
    url = url or compose.publisher_settings({}).text("url") or None
    with open_admin(store) as admin:
        found = admin.export(url)
        trust, catalogue = admin.trust().version, admin.catalogue().version
    changed = write_public(file, checked_publisher_file(found.encode(), url))
    data = {
        "changed": changed,
        "file": str(file),
        "publisher": found.publisher,
        "trust": trust,
        "catalogue": catalogue,
        "url": url,
    }
    emit(data, [written(file, changed), f"Trust version {trust}, catalogue version {catalogue}."])
