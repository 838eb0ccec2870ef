"""`muster publisher init`, `serve`, `export`: a publisher is made, runs, and tells of itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.options import gathered, store_option, write_public
from muster.cli.output import MusterCommand, announce, emit
from muster.cli.publisher.files import checked_publisher_file, read_draft, written
from muster.cli.publisher.options import FILE, Phrases, kdf_options, open_office, passphrase_options
from muster.core.catalogue import error
from muster.core.values import dataclass

if TYPE_CHECKING:
    from muster.system.keyfile import KDF


@dataclass(frozen=True, slots=True)
class _New:
    """What is typed of a publisher that is made."""

    label: str | None
    name: str | None
    reserve_root: Path
    catalogue: Path | None
    sample: bool


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
@click.option("--sample", is_flag=True, help="Start with the shipped sample, publisher Contoso.")
@passphrase_options
@kdf_options
@gathered(_New)
def init(new: _New, store: Path | None, phrases: Phrases, kdf: KDF) -> None:
    """Create a publisher: keys, trust version 1, catalogue version 1.

    A second run changes nothing and says so.
    """
    from muster.publisher.act.setup import NewPublisher

    if (new.catalogue is not None) == new.sample:
        raise click.UsageError("Give either --catalogue FILE or --sample.")
    draft = read_draft(new.catalogue)
    label = new.label or draft.label
    name = new.name or draft.name or label
    if not label or not name:
        raise error("publisher/label", field="name" if label else "label")
    phrases.confirm = True
    wanted = NewPublisher(label, name, draft.content, new.reserve_root)
    publisher = compose.publisher_init(store, phrases.work, phrases.root, kdf, wanted)
    who = f"Publisher {publisher.name} (label {publisher.label}, id {publisher.publisher})"
    if not publisher.changed:
        lines = [
            f"{who} already exists; nothing was changed.",
            f"Trust version {publisher.trust}, catalogue version {publisher.catalogue}.",
        ]
        emit(publisher, lines)
        return
    lines = [
        f"{who} was created.",
        f"Store: {publisher.store}",
        "Trust version 1 and catalogue version 1 are signed.",
        f"Reserve root: {publisher.reserve_root}",
        "  Lock this file away now: without it, a lost working root cannot be replaced.",
        f"Working root: {publisher.root}",
        "  'publisher serve' never needs it. Move it to another machine before you serve.",
    ]
    if publisher.unfinished:
        lines.append(
            f"Key files of an init that did not finish were moved to {publisher.unfinished}."
        )
    emit(publisher, lines)


@click.command(cls=MusterCommand)
@store_option
@click.option("--bind", help="Address to listen on (127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (16882); 0 chooses a free one.")
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
    """Activate hosts over HTTP, and serve catalogue and trust.

    Opens the grant key only. Runs until SIGTERM or Ctrl-C.
    """
    from muster.cli.lifecycle import lifecycle, listeners
    from muster.core.records import encode
    from muster.net import operation
    from muster.net.certificate import certificate_of
    from muster.net.http import peer_text
    from muster.net.process import Place
    from muster.net.serve import bind as bind_socket
    from muster.net.serve import serve_forever, url_of
    from muster.publisher.results import PublisherServing
    from muster.system import log
    from muster.system.control import ControlSocket, ServerLock
    from muster.system.service_manager import ServiceManager

    manager = ServiceManager()
    flags = {"bind": bind, "port": port, "operation_address": operation_address}
    settings = compose.publisher_settings(flags)
    log.configure(settings.text("log_format"), settings.text("log_level"))
    phrases.leave_environment(roots=False)
    with contextlib.ExitStack() as stack:
        service = compose.publisher_service(store, phrases.work)
        stack.callback(compose.close_in_time, service.close)
        folder, since = compose.publisher_folder(store), compose.clock().now()
        lock = stack.enter_context(ServerLock(folder, since))
        opened = service.open_grant_keys()
        service.warn_of_roots()
        certificate = certificate_of(
            settings.text("tls_certificate"), settings.text("tls_key"), compose.clock().now
        )
        api = compose.publisher_api(service, settings, certificate)
        handed = manager.sockets("hosts")
        socks = handed or [bind_socket(settings.text("bind"), settings.integer("port"))]
        manager.close_others()
        monitor = operation.listen(settings.text("operation_address"))
        url = url_of(socks[0], tls=certificate is not None)
        who = service.publisher
        listening = listeners(api.router(), socks, certificate, settings, handed=bool(handed))
        if monitor is not None:
            listening.append(operation.listener(api.operation(), monitor))

        address, number = socks[0].getsockname()[:2]
        told_at = None if monitor is None else operation.place_of(monitor)
        place = Place(address, number, certificate is not None, told_at, since)
        talking = ControlSocket(folder, lambda: encode(api.process(place)))
        stack.callback(talking.stop)

        def status() -> str:
            return f"Publisher {who.label} answers at {url}."

        def reload() -> tuple[str, ...]:
            renewed = compose.publisher_settings(flags)
            log.configure(renewed.text("log_format"), renewed.text("log_level"))
            service.open_grant_keys()
            if certificate is not None:
                certificate.look_now()
            before, after = dict(settings.items()), dict(renewed.items())
            waiting = {name for name in before if before[name] != after.get(name)}
            return tuple(sorted(waiting - {"log_format", "log_level"}))

        def ready() -> None:
            talking.start()
            lock.listens(peer_text(address, number))
            manager.ready(status())
            serving = PublisherServing(who.id, who.label, url, opened, told_at)
            line = f"Publisher {who.name} ({who.label}) listens at {url}."
            announce(lambda: emit(serving, [line]))

        stack.enter_context(api)
        serve_forever(listening, ready=ready, lifecycle=lifecycle(manager, reload, status))


@click.command(cls=MusterCommand)
@store_option
@click.argument("file", type=FILE)
@click.option("--url", help="Where this publisher's service can be reached.")
def export(store: Path | None, file: Path, url: str | None) -> None:
    """Write the publisher file: trust and catalogue, for hosts and offline sites."""
    from muster.publisher import look
    from muster.publisher.results import Exported

    url = url or compose.publisher_settings({}).text("url") or None
    with open_office(store) as office:
        file_text = look.export(office, url)
    changed = write_public(file, checked_publisher_file(file_text.file.encode(), url))
    exported = Exported(
        changed,
        str(file),
        file_text.file.publisher,
        file_text.trust,
        file_text.catalogue,
        file_text.file.url,
    )
    versions = f"Trust version {exported.trust}, catalogue version {exported.catalogue}."
    emit(exported, [written(file, changed), versions])
