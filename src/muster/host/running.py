"""What a running host says of itself, as records: the answer at its control socket.

Members that a newer version added are passed over. Refuses to know how it is asked
(`muster.host.open`) and what a host holds in its store (`muster.host.look`). Obeys
docs/spec/09-files.md, section 9.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from muster.core.records import Instant
from muster.core.values import dataclass, field_names
from muster.health.problem import Problem
from muster.host.model import PublisherNews

_Record = TypeVar("_Record")


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
    """Whether a running host publishes SRV records, and if not, what keeps it from that."""

    enabled: bool
    detail: str
    zones: tuple[ZonePublished, ...]


@dataclass(frozen=True, slots=True)
class HostProcess:
    """The process that serves a host's store: its `pid`, and since when.

    Where it did not answer in time, `answers` is False, and the members behind it are those of
    nothing. `operation` is the address of its pages for administrators, None where they are off;
    `ready` what `/readyz` says, `serving` the publishers that machines are answered for, `problems`
    what is wrong.
    """

    pid: int
    since: Instant
    answers: bool
    version: str = ""
    address: str = ""
    port: int = 0
    tls: bool = False
    operation: str | None = None
    ready: bool = False
    serving: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    dns: DNSPublishing | None = None
    news: tuple[PublisherNews, ...] = ()


def read_process(members: Mapping[str, Any]) -> HostProcess:
    """The record of an answer. Raises: TypeError, ValueError, KeyError for what is none."""
    dns = members.get("dns")
    return _record(
        HostProcess,
        members,
        serving=tuple(map(str, members.get("serving", ()))),
        problems=tuple(_record(Problem, item) for item in members.get("problems", ())),
        dns=None if dns is None else _dns(dns),
        news=tuple(_record(PublisherNews, item) for item in members.get("news", ())),
    )


def _dns(members: Mapping[str, Any]) -> DNSPublishing:
    zones = tuple(
        _record(ZonePublished, item, records=tuple(map(str, item["records"])))
        for item in members["zones"]
    )
    return _record(DNSPublishing, members, zones=zones)


def _record(kind: type[_Record], members: Mapping[str, Any], **more: object) -> _Record:
    """A record of the members that it has; others are a newer version's."""
    names = field_names(kind) or ()
    return kind(**{**{name: members[name] for name in names if name in members}, **more})
