"""The host as a client of a publisher's service: activation, trust and catalogue over HTTP.

Decides what is asked and how an answer is read. Believes nothing of it: `muster.host.act`
verifies. Obeys docs/spec/08-http.md, sections 8.2 and 8.5.
"""

from __future__ import annotations

from collections.abc import Callable

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.text import shown_url
from muster.lease import strict
from muster.net.http import HTTPClient, Response
from muster.wire import routes
from muster.wire.peer import Peer
from muster.wire.problem import decode_problem
from muster.wire.publisher import (
    TRUST_STEPS,
    ConfirmAnswer,
    ConfirmRequest,
    decode_confirm_answer,
)
from muster.wire.routes import Route

TIMEOUT = 30.0
"""Seconds for one exchange."""


class PublisherClient:
    """Asks the service of one publisher.

    Args:
        url: its address, `http://…` or `https://…`.
        http: the client; proxies of the environment are used, as for any page outside.
    """

    def __init__(self, url: str, http: HTTPClient | None = None) -> None:
        self._url = url.rstrip("/")
        self._shown = shown_url(self._url)
        self._http = http or HTTPClient(TIMEOUT, proxies=True)
        self._left: Callable[[], float] | None = None

    def within(self, seconds: float, monotonic: Callable[[], float]) -> PublisherClient:
        """The same client for exchanges that together take no longer: `net/timeout` from then on.

        Args:
            monotonic: seconds of a clock that never goes back.
        """
        client = PublisherClient(self._url, self._http)
        end = monotonic() + seconds
        client._left = lambda: end - monotonic()
        return client

    def activate(self, installation_id: str, name: str = "") -> ConfirmAnswer:
        """Show an installation ID, and the host's name where one was given; take the answer.

        Raises: the publisher's refusal in our own words; `net/…`, `wire/bad-answer`.
        """
        route = routes.HOSTS_ACTIVATE
        body = ConfirmRequest(installation_id, name).encode()
        answer = self._ask(route, self._url + route.path, body)
        return decode_confirm_answer(answer.body, self._shown)

    def trust_above(self, version: int) -> list[str]:
        """The trust versions above one, lowest first, at most 64."""
        texts: list[str] = []
        for _ in range(TRUST_STEPS):
            try:
                text = self._document(routes.TRUST, routes.TRUST.fill(version=str(version + 1)))
            except MusterError as fault:
                if fault.code == "wire/not-found":
                    return texts
                raise
            texts.append(text)
            version = max(version + 1, _version_of(text, self._shown))
        return texts

    def catalogue(self) -> str:
        """The newest catalogue."""
        return self._document(routes.CATALOGUE, routes.CATALOGUE.path)

    def _document(self, route: Route, path: str) -> str:
        answer = self._ask(route, self._url + path, None)
        text = answer.body.decode("ascii", errors="replace").strip()
        if not grammar.COMPACT_JWS.fullmatch(text):
            raise error("wire/bad-answer", peer=self._shown, detail="it is not a signed object")
        return text

    def _ask(self, route: Route, url: str, body: bytes | None) -> Response:
        headers = {} if body is None else {"Content-Type": routes.JSON}
        seconds = self._http.timeout
        if self._left is not None:
            seconds = min(seconds, self._left())
            if seconds <= 0:
                raise error("net/timeout", peer=self._shown, seconds=0)
        answer = self._http.request(
            route.method,
            url,
            body,
            headers,
            timeout=seconds,
            limit=max(route.answer_limit, 64 * 1024),
        )
        if answer.status != 200:
            raise decode_problem(answer.status, answer.body, self._shown, Peer.PUBLISHER).error()
        return answer


def _version_of(text: str, peer: str) -> int:
    """The version that an unverified trust text names, so that asking goes on above it."""
    from muster.lease.claims import Claims
    from muster.lease.jws import parse

    try:
        payload = Claims(parse(text, strict.TRUST, "trust").payload, "trust")
        return payload.object("muster").integer("version")
    except MusterError:
        raise error("wire/bad-answer", peer=peer, detail="it is not a trust object") from None
