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
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.extras import brought_by
from muster.core.settings import split_listen
from muster.lease.strict import JSONValue, canonical
from muster.net.certificate import Certificate
from muster.net.exposition import Family, Labels, gauge
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


def operation_router(
    role: str, readyz: AsyncHandler, families: Callable[[], Iterable[Family]]
) -> Router:
    """The ASGI application for administrators; what answers there waits for nothing.

    Args:
        role: "host" or "publisher": what its metrics begin with, and the extra that brings them.
        readyz: answers `/readyz`.
        families: what `/metrics` tells beside version and process.
    Raises: `command/extra`.
    """
    with brought_by(role, "What a server measures"):
        from muster.net.page import Page
    page = Page(role, families)

    async def metrics(request: Request) -> Answer:
        del request
        return Answer(200, page.encode(), routes.TEXT)

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


def certificate_families(certificate: Certificate | None) -> list[Family]:
    """How it stands with TLS, for Prometheus; nothing where none is spoken."""
    if certificate is None:
        return []
    shown, fault = certificate.refreshed(), certificate.fault
    text = "1 while the files hold none that can be used."
    failures: dict[Labels, int] = {
        (kind,): certificate.failures[kind] for kind in ("handshake", "plain")
    }
    return [
        gauge("certificate_end_timestamp_seconds", "When the certificate ends.", shown.ends_at),
        gauge("certificate_problem", text, int(fault is not None)),
        Family(
            "tls_failures_total",
            "counter",
            "Connections without TLS, or that failed in it.",
            ("kind",),
            failures,
        ),
    ]


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
