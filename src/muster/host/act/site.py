"""Sign a site file, which names hosts to machines (docs/spec/15-site-files.md, section 15.6).

Decides what a host says of itself and for which publishers. Refuses to know where the file goes:
who puts it onto machines decides whose hosts they ask.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from muster.core import grammar, reach
from muster.core import settings as table
from muster.core.audit import Event
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.core.settings import Role, Value, split_host_port
from muster.core.text import instant_text
from muster.core.values import dataclass, replace
from muster.host import rules
from muster.host.model import HostView, PublisherView
from muster.host.open import OpenHost
from muster.host.publish import check_name
from muster.host.results import ClientConfig
from muster.host.tables import audit
from muster.host.view import publisher_id
from muster.lease.site import (
    MAX_HOSTS,
    MAX_PARTS,
    MAX_TRUST,
    SiteClaims,
    SiteHost,
    SitePart,
    encode_site_file,
    make_site,
    read_site_file,
    verify_site,
)

DAYS = 730
"""How long a site file counts unless told otherwise."""
MAX_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class SiteWish:
    """What a site file should say.

    `name` is the host's own full name, for what settings do not tell. `hosts` as typed,
    `name[:port]`: none is this host by its settings. `tls` None: as the settings of this host say.
    `suffixes`: none takes the domains of the settings. `authorities` certificates in DER. `days`
    from 1 to MAX_DAYS. `publisher` an id or label, None for all.
    """

    name: str
    hosts: Sequence[str] = ()
    tls: bool | None = None
    suffixes: Sequence[str] = ()
    authorities: tuple[bytes, ...] = ()
    days: int = DAYS
    publisher: str | None = None


def client_config(host: OpenHost, wish: SiteWish) -> ClientConfig:
    """Sign a site file for the machines of all publishers that this host can serve now.

    Raises: why nobody is served (`host/no-key`, `host/grant-…`, …), `host/site-size`,
        `host/site-name`, `host/dns-target`, `host/unknown-publisher`, `settings/…`.
    """
    now, process = host.clock.now(), host.process()
    with host.database.transaction() as tx:
        view, values = host.view(tx), host.values(tx)
        port = process.port if process is not None and process.port else _default(values, "port")
        assert isinstance(port, int)
        hosts = _hosts(wish, values, port)
        served = _served(view, wish.publisher, now)
        suffixes = tuple(wish.suffixes) or _default(values, "dns_domains")
        assert isinstance(suffixes, tuple)
        claims = SiteClaims(
            publisher="",
            iat=now,
            exp=now + wish.days * DAY,
            hosts=hosts,
            suffixes=tuple(dict.fromkeys(name.lower().strip(".") for name in suffixes)),
            authorities=wish.authorities,
        )
        parts = [_part(known, claims, now) for known in served]
        data = _fitting(parts)
        until = min(_end(known, claims, now) for known in served)
        listed = ", ".join(_shown(named) for named in hosts)
        detail = f"{listed}; until {instant_text(until)}"
        labels = ", ".join(known.label for known in served)
        audit.write(tx, now, host.actor, Event.HOST_SITE_SIGN, "", labels, detail)
    return ClientConfig(
        changed=True,
        text=data.decode("utf-8").rstrip("\n"),
        hosts=tuple(map(_shown, hosts)),
        tls=any(named.tls for named in hosts),
        suffixes=claims.suffixes,
        publishers=tuple(known.label for known in served),
        authorities=len(wish.authorities),
        until=until,
    )


def _default(values: Mapping[str, Value], name: str) -> Value:
    return values.get(name, table.lookup(Role.HOST, name).default)


def _hosts(wish: SiteWish, values: Mapping[str, Value], port: int) -> tuple[SiteHost, ...]:
    tls = bool(values.get("tls_certificate")) if wish.tls is None else wish.tls
    if not wish.hosts:
        name = (str(_default(values, "dns_target")) or wish.name).lower().rstrip(".")
        check_name(name)
        priority, weight = _default(values, "dns_priority"), _default(values, "dns_weight")
        assert isinstance(priority, int)
        assert isinstance(weight, int)
        return (SiteHost(name, port, priority, weight, tls),)
    hosts = {}
    for typed in wish.hosts:
        name, chosen = split_host_port(typed.strip(" \t\r\n"), port)
        reach.check_host(name, typed)
        if not grammar.SITE_HOST.fullmatch(name) or reach.only_here(name):
            raise error("host/site-name", name=typed[:260])
        hosts[name, chosen] = SiteHost(name, chosen, tls=tls)
    if len(hosts) > MAX_HOSTS:
        raise error("host/site-size", what=f"{len(hosts)} hosts", limit=f"{MAX_HOSTS} hosts")
    return tuple(hosts.values())


def _shown(host: SiteHost) -> str:
    name = host.host
    try:
        six = ipaddress.ip_address(name).version == 6
    except ValueError:
        six = False
    return f"[{name}]:{host.port}" if six else f"{name}:{host.port}"


def _served(view: HostView, publisher: str | None, now: int) -> list[PublisherView]:
    chosen = publisher_id(view, publisher)
    asked = [known for known in view.publishers.values() if chosen in (None, known.publisher)]
    served = [known for known in asked if rules.serves(known, now)]
    if not served:
        reasons = (known.key_fault or rules.unserved(known, now) for known in asked)
        raise next(filter(None, reasons), None) or error("host/no-key")
    if len(served) > MAX_PARTS:
        number = f"{len(served)} publishers"
        raise error("host/site-size", what=number, limit=f"{MAX_PARTS} publishers")
    return served


def _end(known: PublisherView, claims: SiteClaims, now: int) -> int:
    """When the part of a publisher ends: with the grant of the host at the latest."""
    end = rules.longest_grant(known, now).grant.exp
    return claims.exp if end is None else min(claims.exp, end)


def _part(known: PublisherView, claims: SiteClaims, now: int) -> SitePart:
    assert known.signer is not None
    held = rules.longest_grant(known, now)
    exp = _end(known, claims, now)
    site = make_site(replace(claims, publisher=known.publisher, exp=exp), known.signer)
    trust = tuple(step.text for step in known.line[1:][-MAX_TRUST:])
    part = SitePart(known.publisher, site, held.grant.text, known.signer.public, trust)
    verify_site(part, known.line[0], known.catalogue, now)
    return part


def _fitting(parts: Sequence[SitePart]) -> bytes:
    """The file, with as many of the newest trust objects as a reader takes."""
    for number in (MAX_TRUST, 4, 1, 0):
        data = encode_site_file(
            [replace(part, trust=part.trust[::-1][:number][::-1]) for part in parts]
        )
        try:
            read_site_file(data)
        except MusterError:
            continue
        return data
    raise error("host/site-size", what="what was asked for", limit="262,144 bytes")
