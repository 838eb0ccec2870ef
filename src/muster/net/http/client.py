"""The entry: single requests, by which address, proxy and certificates they go."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urlsplit

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url
from muster.net.http.exchange import Exchange, Response, peer_text
from muster.net.proxy import Proxy, proxy_for
from muster.wire.routes import PROBLEM

if TYPE_CHECKING:
    import ssl

TLS_ALERT = b"\x15\x03"
"""How a port that uses TLS answers to what it cannot read."""

_FIELD = re.compile(r"[A-Za-z0-9-]{1,64}")
_VALUE = re.compile(r"[ -~]{0,8192}")
_PLACE = re.compile(r"(?:[^@]*@)?(?:\[[^\[\]@]+\]|[^:@\[\]]*)(?::[0-9]*)?")
"""What is between `//` and the path; the library reads over what follows a bracket."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


class HTTPClient:
    """Makes single requests.

    Args:
        timeout: seconds for one request as a whole.
        limit: bytes of the body of an answer.
        ca_file: certificates of authorities that are trusted for https, besides the system's.
        authorities: more of them, each in DER.
        proxies: use the proxies of the environment (HTTPS_PROXY, NO_PROXY, …). Off unless told:
            a host in the same network is never asked through a proxy.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        timeout: float = 10.0,
        limit: int = 64 * 1024,
        *,
        ca_file: str | None = None,
        authorities: Sequence[bytes] = (),
        proxies: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = timeout
        self._limit = limit
        self._ca_file = ca_file
        self._authorities = authorities
        self._proxies = proxies
        self._monotonic = monotonic
        self._tls: ssl.SSLContext | None = None

    @property
    def timeout(self) -> float:
        """Seconds for one request as a whole, where it says nothing else."""
        return self._timeout

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        connect_to: tuple[str, int] | None = None,
        timeout: float | None = None,
        limit: int | None = None,
    ) -> Response:
        """Send one request and read the whole answer, whatever its status.

        Args:
            method: GET, HEAD, POST, PUT or DELETE.
            url: `http://…` or `https://…`; an IPv6 address is in brackets.
            body: sent with its length; None sends none.
            headers: added to Host, Connection and Accept-Encoding.
            connect_to: address and port to connect to in place of what the URL's name resolves
                to, so that each address of a name can be tried; Host and certificate check keep
                the URL's name.
            timeout: in place of the client's.
            limit: in place of the client's.
        Raises:
            `net/url`, `net/name`, `net/refused`, `net/unreachable`, `net/timeout`, `net/reset`,
            `net/not-http`, `net/too-large`, `net/tls…`, `net/ca-file`, `net/proxy`,
            `net/proxy-unreachable`, `net/proxy-login`, `net/proxy-address`.
        """
        parts = _split(url)
        if method not in _METHODS:
            raise ValueError(f"{method} is not a method that this client sends")
        for name, value in (headers or {}).items():
            if not _FIELD.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"the header {name!r} cannot be sent")
        seconds = self._timeout if timeout is None else timeout
        end = self._monotonic() + seconds
        proxy = _proxy_of(parts) if self._proxies and connect_to is None else None
        exchange = Exchange(
            parts,
            timeout=seconds,
            limit=self._limit if limit is None else limit,
            monotonic=self._monotonic,
            connect_to=connect_to,
            proxy=proxy,
            tls=self._tls_context if parts.scheme == "https" else None,
        )
        plain = parts.scheme == "http" and proxy is None
        address = connect_to or (parts.hostname or "", parts.port or 80)
        try:
            response = exchange.run(method, body, headers or {})
        except MusterError as fault:
            if plain and exchange.first.startswith(TLS_ALERT):
                raise error("net/tls-wanted", peer=peer_text(*address)) from fault
            if plain and fault.code == "net/reset" and not exchange.first:
                self._refuse_tls(address, end)
            raise
        if plain and response.status == 400 and response.headers.get("content-type") != PROBLEM:
            self._refuse_tls(address, end)
        return response

    def _refuse_tls(self, address: tuple[str, int], end: float) -> None:
        """Say it where a port that gave no good answer uses TLS. Raises: `net/tls-wanted`."""
        from muster.net.tls import PROBE_SECONDS, speaks_tls

        left = min(PROBE_SECONDS, end - self._monotonic())
        if left > 0 and speaks_tls(address, left):
            raise error("net/tls-wanted", peer=peer_text(*address))

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            from muster.net.tls import client_context

            self._tls = client_context(self._ca_file, self._authorities)
        return self._tls


def _proxy_of(parts: SplitResult) -> Proxy | None:
    default = 443 if parts.scheme == "https" else 80
    return proxy_for(parts.scheme, cast("str", parts.hostname), parts.port or default)


def _split(url: str) -> SplitResult:
    def bad(detail: str) -> MusterError:
        return error("net/url", url=shown_url(url), detail=detail)

    if not url.isascii() or not url.isprintable() or " " in url:
        raise bad("it has characters that do not belong there")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The library's words hold parts of the address.
        raise bad("it cannot be taken apart") from None
    if not _PLACE.fullmatch(parts.netloc):
        raise bad("it cannot be taken apart")
    if parts.scheme not in ("http", "https"):
        raise bad("only http and https are offered")
    if parts.username is not None or parts.password is not None:
        raise bad("it holds a login")
    if not parts.hostname or len(parts.hostname) > 253:
        raise bad("it names no server")
    if port == 0:
        raise bad("the port is 0")
    if parts.fragment:
        raise bad("it has a fragment")
    return parts
