"""`muster host client-config`: a signed file that tells machines their hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from muster.cli import compose
from muster.cli.host.options import FILE, moment, publisher_option, read_file
from muster.cli.options import gathered, store_option, write_public
from muster.cli.output import MusterCommand, emit
from muster.core.values import dataclass, replace

if TYPE_CHECKING:
    from muster.host.results import ClientConfig


@dataclass(frozen=True, slots=True)
class SiteFlags:
    """What is typed of a site file; each field is called as in `muster.host.act.site.SiteWish`."""

    hosts: tuple[str, ...]
    tls: bool | None
    suffixes: tuple[str, ...]
    days: int


@click.command("client-config", cls=MusterCommand)
@store_option
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Host that machines ask; may be given several times. By default this one.",
)
@click.option(
    "--tls/--no-tls",
    default=None,
    help="Whether these hosts are asked over TLS only; by default as this host serves.",
)
@click.option("--ca", type=FILE, help="PEM file with authorities that sign their certificates.")
@click.option(
    "--suffix",
    "suffixes",
    multiple=True,
    metavar="DOMAIN",
    help="Domain that machines look in where no host of the file answers; may be repeated.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=730,
    show_default=True,
    help="How long the file counts.",
)
@publisher_option
@click.option("--out", type=FILE, help="Write to this file in place of the standard output.")
@gathered(SiteFlags)
def client_config(
    flags: SiteFlags, store: Path | None, ca: Path | None, publisher: str | None, out: Path | None
) -> None:
    """Sign a site file: which hosts machines ask, for /etc/muster/site.d on each of them.

    Machines read it before DNS. It holds nothing secret.
    """
    from muster.core.settings import Role, check, lookup
    from muster.host.act import site as act
    from muster.net.authorities import read_authorities

    check(lookup(Role.CLIENT, "suffixes"), list(flags.suffixes))
    wish = act.SiteWish(
        compose.host_name(),
        flags.hosts,
        flags.tls,
        flags.suffixes,
        () if ca is None else read_authorities(read_file(ca), ca),
        flags.days,
        publisher,
    )
    with compose.open_host(store) as opened:
        config = act.client_config(opened, wish)
    if out is None:
        emit(config, [config.text])
        return
    write_public(out, f"{config.text}\n".encode())
    emit(replace(config, file=str(out)), _lines(config, out))


def _lines(config: ClientConfig, out: Path) -> list[str]:
    over = " over TLS" if config.tls else ""
    return [
        f"Written: {out}",
        f"Machines of {', '.join(config.publishers)} ask {', '.join(config.hosts)}{over}, until"
        f" {moment(config.until)}.",
        "Put it into /etc/muster/site.d on each machine, as root, mode 0644.",
    ]
