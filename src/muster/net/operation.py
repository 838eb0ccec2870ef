"""The address of its own at which a server tells its administrators how it is.

Decides what is there: `/healthz`, `/readyz` and `/metrics`, and nothing that machines need.
The server's other port answers anybody, this one answers whoever is on the machine, unless an
administrator names another address. Refuses to keep a server from its work: where it cannot
listen, that is told and the server runs without. Obeys docs/spec/08-http.md, section 8.2.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.settings import split_listen
from muster.lease.strict import JSONValue, canonical
from muster.net.certificate import Certificate
from muster.net.exposition import head
from muster.net.http import peer_text
from muster.net.peers import address_of
from muster.net.router import (
    RETRY_AFTER_SECONDS,
    Answer,
    AsyncHandler,
    BoundRoute,
    Request,
    Router,
)
from muster.net.serve import Listener, bind
from muster.wire import routes
from muster.wire.problem import encode_problem

CONNECTIONS = 64
"""Connections at once; a few monitors need no more."""
_log = logging.getLogger("muster.net.operation")


def operation_router(readyz: AsyncHandler, metrics: AsyncHandler) -> Router:
    """The ASGI application for administrators; what answers there waits for nothing."""
    return Router(
        [
            BoundRoute(routes.HEALTHZ, healthz, prompt=True),
            BoundRoute(routes.READYZ, readyz, prompt=True),
            BoundRoute(routes.METRICS, metrics, prompt=True),
        ],
        guard=_check_name,
    )


async def healthz(request: Request) -> Answer:
    """The answer of `/healthz`: the process lives and its loop turns. It waits for nothing."""
    del request
    return Answer(200, canonical({"status": "ok"}))


def unready(problems: Sequence[JSONValue]) -> Answer:
    """The answer of `/readyz` of a server that cannot do its work, with what is known of why.

    Args:
        problems: as of a `Condition`.
    Raises: `wire/unavailable` where nothing is known.
    """
    if not problems:
        raise error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS)
    status, text = encode_problem(error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS))
    body = {**json.loads(text), "problems": list(problems)}
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
    return Answer(status, canonical(body), routes.PROBLEM, headers)


def ready(certificate: Certificate | None, problems: Sequence[JSONValue] = ()) -> Answer:
    """The answer of `/readyz` of a server that can do its work, as far as its certificate goes.

    A renewed certificate that cannot be used is named while the one before still serves; one that
    is out of date keeps clients away. `problems` that keep it from a part of its work are named.
    Raises: `wire/unavailable`.
    """
    body: dict[str, JSONValue] = {"status": "ready"}
    if problems:
        body["problems"] = list(problems)
    if certificate is not None:
        if not certificate.good:
            raise error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS)
        body["certificate"] = {
            "ends_at": certificate.refreshed().ends_at,
            "problem": None if certificate.fault is None else certificate.fault.what,
        }
    return Answer(200, canonical(body))


def certificate_lines(prefix: str, certificate: Certificate | None) -> list[str]:
    """How it stands with TLS, as Prometheus text; nothing where none is spoken."""
    if certificate is None:
        return []
    shown, fault = certificate.refreshed(), certificate.fault
    name = f"{prefix}_certificate_end_timestamp_seconds"
    series = head(name, "gauge", "When the certificate ends.")
    series.append(f"{name} {shown.ends_at}")
    name = f"{prefix}_certificate_problem"
    series += head(name, "gauge", "1 while the files hold none that can be used.")
    series.append(f"{name} {int(fault is not None)}")
    name = f"{prefix}_tls_failures_total"
    series += [
        *head(name, "counter", "Connections without TLS, or that failed in it."),
    ]
    for kind in ("handshake", "plain"):
        series.append(f'{name}{{kind="{kind}"}} {certificate.failures[kind]}')
    return series


def _check_name(client: str, headers: Mapping[str, str]) -> None:
    """Whether somebody on this machine asks for this machine [a page in a browser could let a name
    of its own point here and read what stands here]."""
    peer = address_of(client)
    if peer is None or not peer.is_loopback:
        return
    given = headers.get("host", "")
    try:
        name = urlsplit(f"//{given}").hostname or ""
    except ValueError:
        name = ""
    here = address_of(name)
    if name.removesuffix(".") != "localhost" and (here is None or not here.is_loopback):
        shown = "".join(name for name in given if name.isascii() and name.isprintable())[:80]
        raise error("wire/host-name", name=shown or "(none)")


def listen(text: str) -> socket.socket | None:
    """Listen at the address of the setting `operation_address`.

    Returns:
        None for `off`, and where the address cannot be had: that is logged with what to do, and
        is no reason not to serve.
    """
    listen = split_listen(text)
    if listen is None:
        return None
    address, port = listen
    try:
        sock = bind(address, port)
    except MusterError as fault:
        _log.warning(
            "/readyz and /metrics are not answered: %s Set operation_address to another address"
            " and port, or to off.",
            fault.what,
        )
        return None
    if not ipaddress.ip_address(address).is_loopback:
        _log.warning(
            "/readyz and /metrics are answered at %s without a login: check who can reach it",
            place_of(sock),
        )
    return sock


def listener(router: Router, sock: socket.socket) -> Listener:
    """The router at its socket."""
    return Listener(router, sock, connections=CONNECTIONS)


def place_of(sock: socket.socket) -> str:
    """`address:port` where a socket listens."""
    address, port = sock.getsockname()[:2]
    return peer_text(str(address), int(port))
