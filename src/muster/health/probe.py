"""How the doctor looks at one advertised host, or at the publisher.

Decides what is asked, by the anonymous addresses that any machine may ask. Looking goes through a
function that the caller gives, and nothing that is shown is believed (`muster.health.rules`).
Refuses to know stores, DNS and settings. Obeys docs/doctor.md; the documents are those of
docs/spec/08-http.md, section 7.
"""

from __future__ import annotations

from collections.abc import Callable

from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease.trust import parse_trust
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.routes import (
    CATALOGUE,
    HOST_CATALOGUE,
    HOST_TRUST,
    PUBLISHER_GRANTS,
    PUBLISHERS,
    TRUST,
    Route,
)
from muster.wire.status import HostGrant, ServedPublisher, decode_grants, decode_publishers

TRUST_STEPS = 64
"""Trust versions that are asked of one host at most."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP; `date` is the peer's time in Unix seconds, None where it told none."""

    status: int
    body: bytes
    date: int | None = None


Call = Callable[[Route, str], Reply]
"""Sends one request to the host that is looked at. Raises: `net/…`."""


@dataclass(frozen=True, slots=True)
class Advertised:
    """A host that a machine would ask, and why; `ours`: a record of the publisher's own label or
    a setting names it, not only the general record."""

    address: str
    found: str
    ours: bool


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one host said.

    `asked_at` is the caller's time; `served` what the host says it serves of the publisher, None
    for nothing; `others` labels of other publishers that it serves; `trust` and `catalogue` texts
    that nobody has verified yet.
    """

    host: Advertised
    asked_at: int
    date: int | None = None
    fault: MusterError | None = None
    served: ServedPublisher | None = None
    others: tuple[str, ...] = ()
    grants: tuple[HostGrant, ...] = ()
    trust: tuple[str, ...] = ()
    catalogue: str = ""


def probe_host(host: Advertised, call: Call, publisher: str, trust: int, now: int) -> ProbeResult:
    """Ask a host what it serves, what proves it, and for newer documents.

    Args:
        host: whom.
        call: asks it.
        publisher: id.
        trust: the version that the caller holds; newer ones are asked for.
        now: Unix seconds.
    Returns:
        What it said, whatever happened.
    """
    date: int | None = None
    try:
        heard = call(PUBLISHERS, PUBLISHERS.path)
        date = heard.date
        listed = decode_publishers(_body(heard, host, Peer.HOST), host.address)
    except MusterError as fault:
        return ProbeResult(host, now, date, fault)
    served = next(
        (
            served_publisher
            for served_publisher in listed
            if served_publisher.publisher == publisher
        ),
        None,
    )
    return ProbeResult(
        host=host,
        asked_at=now,
        date=date,
        served=served,
        others=tuple(
            served_publisher.label
            for served_publisher in listed
            if served_publisher.publisher != publisher
        ),
        grants=_grants(host, call, publisher),
        trust=_line(call, HOST_TRUST, trust, publisher=publisher),
        catalogue=_text(call, HOST_CATALOGUE, HOST_CATALOGUE.fill(publisher=publisher)),
    )


def _body(heard: Reply, host: Advertised, role: Peer) -> bytes:
    if heard.status != 200:
        raise decode_problem(heard.status, heard.body, host.address, role).error()
    return heard.body


def _grants(host: Advertised, call: Call, publisher: str) -> tuple[HostGrant, ...]:
    """The grants that it shows; a host that does not know the publisher shows none."""
    try:
        heard = call(PUBLISHER_GRANTS, PUBLISHER_GRANTS.fill(publisher=publisher))
        return decode_grants(_body(heard, host, Peer.HOST), host.address)
    except MusterError:
        return ()


def probe_publisher(host: Advertised, call: Call, trust: int, now: int) -> ProbeResult:
    """Ask the publisher's own service for its newest documents; arguments as those of `look`."""
    try:
        heard = call(CATALOGUE, CATALOGUE.path)
        body = _body(heard, host, Peer.PUBLISHER)
    except MusterError as fault:
        return ProbeResult(host, now, fault=fault)
    line = _line(call, TRUST, trust)
    text = body.decode("ascii", "replace").strip()
    return ProbeResult(host, now, heard.date, trust=line, catalogue=text)


def _line(call: Call, route: Route, version: int, **names: str) -> tuple[str, ...]:
    texts: list[str] = []
    for _ in range(TRUST_STEPS):
        text = _text(call, route, route.fill(**names, version=str(version + 1)))
        step = trust_version(text)
        if step <= version:
            break
        texts.append(text)
        version = step
    return tuple(texts)


def _text(call: Call, route: Route, path: str) -> str:
    try:
        heard = call(route, path)
    except MusterError:
        return ""
    return heard.body.decode("ascii", "replace").strip() if heard.status == 200 else ""


def trust_version(text: str) -> int:
    """The version that a trust object says it has, unverified; 0 for what is none."""
    try:
        return parse_trust(text).version
    except MusterError:
        return 0
