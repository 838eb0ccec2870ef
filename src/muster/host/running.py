"""What a running host says of itself, as records: the answer at its control socket.

Members that a newer version added are passed over. Refuses to know how it is asked
(`muster.host.open`) and what a host holds in its store (`muster.host.look`). Obeys
docs/spec/09-files.md, section 9.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.core.records import Instant, record_of
from muster.core.values import dataclass
from muster.health.process import ServerProcess, read_problems
from muster.host.model import PublisherNews


@dataclass(frozen=True, slots=True)
class ZonePublished:
    """How the last publishing in a zone went; `code` "" is success. `records` as lines of a zone
    file are what the zone has by then."""

    zone: str
    at: Instant
    code: str
    detail: str
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DNSPublishing:
    """Whether a running host publishes SRV records, and if not, what keeps it from that; `target`
    the name that they point to, `domains` those in which they are, "" and none before the first
    publishing."""

    enabled: bool
    detail: str
    zones: tuple[ZonePublished, ...]
    target: str = ""
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostProcess(ServerProcess):
    """The process that serves a host's store. `serving` are the publishers that machines are
    answered for."""

    serving: tuple[str, ...] = ()
    dns: DNSPublishing | None = None
    news: tuple[PublisherNews, ...] = ()


def read_process(members: Mapping[str, Any]) -> HostProcess:
    """The record of an answer. Raises: TypeError, ValueError, KeyError for what is none."""
    dns = members.get("dns")
    return record_of(
        HostProcess,
        members,
        serving=tuple(map(str, members.get("serving", ()))),
        problems=read_problems(members),
        dns=None if dns is None else _dns(dns),
        news=tuple(record_of(PublisherNews, item) for item in members.get("news", ())),
    )


def _dns(members: Mapping[str, Any]) -> DNSPublishing:
    zones = tuple(
        record_of(ZonePublished, item, records=tuple(map(str, item["records"])))
        for item in members["zones"]
    )
    domains = tuple(map(str, members.get("domains", ())))
    return record_of(DNSPublishing, members, zones=zones, domains=domains)
