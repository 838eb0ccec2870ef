"""`muster host serve`: answer machines until the stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import DNSFlags, dns_options, publisher_service
from muster.cli.options import store_option
from muster.cli.output import MusterCommand, announce, wants_json

if TYPE_CHECKING:
    from muster.host.open import OpenHost
    from muster.host.publish import ZoneResult


@click.command(cls=MusterCommand)
@store_option
@click.option("--port", type=int, help="Port for machines (16880); 0 chooses a free one.")
@click.option("--bind", help="Address to listen on (0.0.0.0, all).")
@click.option(
    "--operation-address",
    metavar="ADDRESS:PORT",
    help="Where /readyz and /metrics are answered (127.0.0.1:16881), or off.",
)
@click.option("--no-dns", is_flag=True, help="Do not publish SRV records.")
@click.option(
    "--withdraw-on-stop", is_flag=True, help="Remove the SRV records when the host stops."
)
@dns_options
def serve(
    dns: DNSFlags,
    store: Path | None,
    port: int | None,
    bind: str | None,
    operation_address: str | None,
    no_dns: bool,
    withdraw_on_stop: bool,
) -> None:
    """Answer machines until SIGTERM or Ctrl-C; requests accepted by then are answered."""
    from muster.cli.lifecycle import lifecycle, listeners
    from muster.core.records import encode
    from muster.host import look
    from muster.host.publish import signer_of
    from muster.host.results import HostServing
    from muster.host.server import DNSOptions
    from muster.net import operation
    from muster.net.certificate import certificate_of
    from muster.net.dnsupdate import load as load_updates
    from muster.net.http import peer_text
    from muster.net.process import Place
    from muster.net.serve import bind as bind_socket
    from muster.net.serve import serve_forever
    from muster.system import log
    from muster.system.control import ControlSocket, ServerLock
    from muster.system.service_manager import ServiceManager

    flags = {
        "port": port,
        "bind": bind,
        **dns.flags(),
        "operation_address": operation_address,
        "publish_dns": False if no_dns else None,
        "withdraw_dns": True if withdraw_on_stop else None,
    }
    manager = ServiceManager()
    settings = compose.host_settings(flags)
    log.configure(settings.text("log_format"), settings.text("log_level"))
    file_settings, overrides = compose.host_layers(settings)
    folder, since = compose.host_folder(store), compose.clock().now()
    with compose.serving_database(store) as database, ServerLock(folder, since) as lock:
        opened = compose.host_on(store, database, file_settings, overrides)
        values = look.settings(opened)
        if values.flag("publish_dns"):
            load_updates()
        tsig = signer_of(values.values())
        certificate = certificate_of(
            values.text("tls_certificate"),
            values.text("tls_key"),
            compose.clock().now,
        )
        handed = manager.sockets("machines")
        socks = handed or [bind_socket(values.text("bind"), values.integer("port"))]
        monitor = operation.listen(values.text("operation_address"))
        manager.close_others()
        with compose.host_server(store, database, file_settings, overrides, certificate) as server:
            options = DNSOptions(compose.host_name(), tsig, _paste)
            address, number = socks[0].getsockname()[:2]
            told_at = None if monitor is None else operation.place_of(monitor)
            place = Place(address, number, certificate is not None, told_at, since)
            talking = ControlSocket(folder, lambda: encode(server.process(place)))

            def status() -> str:
                return f"Answers machines at {peer_text(address, number)}."

            def follow(opened: OpenHost) -> None:
                server.follow_news(opened, lambda known: publisher_service(known, None))

            def reload() -> tuple[str, ...]:
                settings = compose.host_settings(flags)
                file_settings, overrides = compose.host_layers(settings)
                renewed = compose.host_on(store, database, file_settings, overrides)
                tsig = signer_of(look.settings(renewed).values())
                log.configure(settings.text("log_format"), settings.text("log_level"))
                options = DNSOptions(compose.host_name(), tsig, _paste)
                waiting = server.reload(file_settings, overrides, options)
                follow(renewed)
                return waiting

            def ready() -> None:
                server.publish_dns(number, options)
                follow(opened)
                talking.start()
                lock.listens(peer_text(address, number))
                manager.ready(status())
                serving = HostServing(address, number, place.tls, told_at)
                by = " over TLS" if serving.tls else ""
                line = f"The host listens on {address} port {number}{by}."
                said = json.dumps(encode(serving)) if wants_json() else line
                announce(lambda: click.echo(said))

            listening = listeners(server.router, socks, certificate, values, handed=bool(handed))
            if monitor is not None:
                listening.append(operation.listener(server.operation, monitor))
            try:
                told = lifecycle(manager, reload, status)
                serve_forever(listening, ready=ready, lifecycle=told)
            finally:
                talking.stop()


def _paste(result: ZoneResult, text: str) -> None:
    """Say what an administrator can paste where an update was refused."""
    assert result.error is not None
    act = "remove these records from" if result.withdrawn else "add these records to"
    click.echo(
        f"{result.error.code}: {result.error.what} {result.error.fix}\n"
        f"Until then, {act} the zone {result.zone} by hand:\n{text}",
        err=True,
    )
