"""Settings of how hosts are found, as commands write them: `muster client set-host` and others."""

from __future__ import annotations

import click

from muster.cli import compose
from muster.cli.client.options import machine_options, publisher_option
from muster.cli.output import MusterCommand, emit, emit_done

_ON_OFF = click.Choice(["on", "off"])


@click.command("set-host", cls=MusterCommand)
@click.argument("host", metavar="HOST[:PORT]")
@publisher_option
@machine_options
def set_host(host: str, publisher: str, machine: compose.Machine) -> None:
    """Ask one host only; this turns discovery off."""
    from muster.client.act import settings

    setting = settings.set_host(machine.parts(), host, publisher)
    emit_done(
        setting,
        f"This machine asks {host} and no other host now.",
        f"{host} was already set; nothing was changed.",
    )


@click.command("clear-host", cls=MusterCommand)
@publisher_option
@machine_options
def clear_host(publisher: str, machine: compose.Machine) -> None:
    """Find hosts by DNS again."""
    from muster.client.act import settings

    setting = settings.set_host(machine.parts(), None, publisher)
    emit_done(
        setting,
        "Hosts are found by DNS again.",
        "No host was set by a command; nothing was changed.",
    )


@click.command("set-domain", cls=MusterCommand)
@click.argument("domains", metavar="DOMAIN...", nargs=-1, required=True)
@publisher_option
@machine_options
def set_domain(domains: tuple[str, ...], publisher: str, machine: compose.Machine) -> None:
    """Look for hosts in these domains only."""
    from muster.client.act import settings

    setting = settings.set_domains(machine.parts(), domains, publisher)
    emit_done(
        setting,
        f"Hosts are looked for in {', '.join(domains)} now.",
        "These domains were already set; nothing was changed.",
    )


@click.command("clear-domain", cls=MusterCommand)
@publisher_option
@machine_options
def clear_domain(publisher: str, machine: compose.Machine) -> None:
    """Look for hosts in the machine's own domain and search list again."""
    from muster.client.act import settings

    setting = settings.set_domains(machine.parts(), None, publisher)
    emit_done(
        setting,
        "Hosts are looked for in the machine's own domain and search list again.",
        "No domain was set by a command; nothing was changed.",
    )


@click.command("host-tls", cls=MusterCommand)
@click.argument("value", type=_ON_OFF)
@machine_options
def host_tls(value: str, machine: compose.Machine) -> None:
    """Ask hosts over TLS only: on or off (off by default)."""
    from muster.client.act import settings

    setting = settings.set_tls(machine.parts(), value == "on")
    emit(setting, [f"Hosts are asked {'over TLS' if setting.host_tls else 'without TLS'}."])


@click.command("host-caching", cls=MusterCommand)
@click.argument("value", type=_ON_OFF)
@publisher_option
@machine_options
def host_caching(value: str, publisher: str, machine: compose.Machine) -> None:
    """Ask the host that answered last first (on), or DNS each time (off)."""
    from muster.client.act import settings

    setting = settings.set_caching(machine.parts(), value == "on", publisher)
    suffix = "" if setting.changed else " already"
    emit(setting, [f"Host caching {'is' if setting.changed else 'was'} {value}{suffix}."])


@click.command("set-publisher", cls=MusterCommand)
@click.argument("url", metavar="URL")
@publisher_option
@machine_options
def set_publisher(url: str, publisher: str, machine: compose.Machine) -> None:
    """Set the address of the publisher's service, for keys that activate this machine once."""
    from muster.client.act import settings

    setting = settings.set_publisher(machine.parts(), url, publisher)
    verb = "is" if setting.changed else "was already"
    emit(setting, [f"The publisher's address {verb} {url}."])


@click.command("clear-publisher", cls=MusterCommand)
@publisher_option
@machine_options
def clear_publisher(publisher: str, machine: compose.Machine) -> None:
    """Remove the address of the publisher's service."""
    from muster.client.act import settings

    setting = settings.set_publisher(machine.parts(), None, publisher)
    emit_done(
        setting,
        "The publisher's address was removed.",
        "No address was set by a command; nothing was changed.",
    )
