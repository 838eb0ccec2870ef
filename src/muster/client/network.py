"""DNS and HTTP as a client uses them; both are imported when the first question is asked.

Decides how a host's name becomes addresses: the DNS servers of the settings where there are any,
else the system's resolver, so that /etc/hosts counts. Each address of a name is tried before the
host counts as silent. Obeys docs/spec/07-discovery.md and 08-http.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from muster.client.discovery import Address, Record
from muster.client.driver import Reply
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.wire.routes import PROBLEM, Route

if TYPE_CHECKING:
    from muster.net.dns import Resolver
    from muster.net.http import HTTPClient

_TRIED = 4
"""Addresses of one host that are tried at most."""


class SystemNetwork:
    """Keeps the protocol `muster.client.driver.Network`.

    Args:
        nameservers: `ip`, `ip:port` or `[ip]:port`; none takes the system's.
        timeout: seconds for one exchange with a host, all its addresses together.
        ca_file: authorities that are trusted for TLS besides the system's.
        host_tls: hosts are asked over TLS only.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        timeout: float = 10.0,
        *,
        ca_file: str = "",
        host_tls: bool = False,
    ) -> None:
        self._nameservers = tuple(nameservers)
        self._timeout = timeout
        self._ca_file = ca_file or None
        self._host_tls = host_tls
        self._resolver: Resolver | None = None
        self._http: dict[tuple[bytes, ...], HTTPClient] = {}
        self._answered: dict[str, str] = {}

    def records(self, name: str) -> tuple[Record, ...]:
        """The SRV records of a name, empty where there are none."""
        return tuple(
            Record(record.priority, record.weight, record.port, record.target)
            for record in self._dns().srv(name)
        )

    def call(
        self,
        address: Address,
        route: Route,
        path: str,
        body: bytes | None,
        seconds: float | None = None,
    ) -> Reply:
        """Send one request to a host, at each of its addresses until one takes the connection."""
        whole = self._timeout if seconds is None else min(self._timeout, seconds)
        end = time.monotonic() + whole
        ips = self._in_order(address, self._dns().addresses(address.host, whole))[:_TRIED]
        if not ips:
            raise error("net/name", name=address.host)
        fault: MusterError | None = None
        scheme = "http" if address.tls is None and not self._host_tls else "https"
        client = self._client(address.tls or ())
        for index, ip in enumerate(ips):
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                response = client.request(
                    route.method,
                    f"{scheme}://{address.text}{path}",
                    body,
                    _headers(route, body),
                    connect_to=(ip, address.port),
                    timeout=left / (len(ips) - index),
                    limit=route.answer_limit,
                )
            except MusterError as failure:
                fault = failure
                # A machine that asks twice counts once, so that asking at another address is safe.
                if failure.code not in ("net/refused", "net/unreachable", "net/timeout"):
                    raise
                continue
            self._answered[address.text] = ip
            return Reply(response.status, response.body, ip, response.date)
        raise fault or error("net/timeout", peer=address.text, seconds=f"{whole:g}")

    def _in_order(self, address: Address, ips: Sequence[str]) -> list[str]:
        """The address that answered last is asked first: what a host says holds for that host,
        whatever order DNS gives its name's addresses in."""
        last = self._answered.get(address.text)
        return sorted(ips, key=lambda ip: ip != last)

    def ask(self, url: str, route: Route, path: str, body: bytes | None) -> Reply:
        """Send one request to the publisher's service, by the proxies of the environment."""
        from muster.net.http import HTTPClient

        client = HTTPClient(timeout=self._timeout, ca_file=self._ca_file, proxies=True)
        response = client.request(
            route.method,
            url.rstrip("/") + path,
            body,
            _headers(route, body),
            limit=route.answer_limit,
        )
        return Reply(response.status, response.body, date=response.date)

    def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of a host, none where it has none or DNS fails."""
        try:
            return self._dns().addresses(host)
        except MusterError:
            return ()

    def _dns(self) -> Resolver:
        if self._resolver is None:
            from muster.net.dns import Resolver

            self._resolver = Resolver(self._nameservers or None, timeout=min(self._timeout, 4.0))
        return self._resolver

    def _client(self, authorities: tuple[bytes, ...]) -> HTTPClient:
        """Who asks hosts whose certificates these authorities may sign, too."""
        if authorities not in self._http:
            from muster.net.http import HTTPClient

            self._http[authorities] = HTTPClient(
                timeout=self._timeout, ca_file=self._ca_file, authorities=authorities
            )
        return self._http[authorities]


def _headers(route: Route, body: bytes | None) -> dict[str, str]:
    accept = {"Accept": f"{route.media_type}, {PROBLEM}"}
    return accept if body is None else {**accept, "Content-Type": route.media_type}
