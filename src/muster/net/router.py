"""The HTTP router of every server: from a table of routes to a raw ASGI application.

Decides what reaches a handler: a request of a known address, method and media type, whole, within
the route's bounds and within time. It refuses to know what a route does. A `MusterError` of a
handler becomes a problem document; any other exception is a defect, is logged, and is answered as
`wire/internal` without its cause (docs/spec/08-http.md, sections 2 and 8).
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, unquote_to_bytes

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass, field
from muster.net.workers import LateError, Workers
from muster.wire import routes
from muster.wire.problem import encode_problem
from muster.wire.routes import Route

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

RETRY_AFTER_SECONDS = 5
"""Retry-After of an answer 503 that names no time of its own."""
_BYTES_A_SECOND = 10_240
"""Of a request's body: a batch of many rows has the more time the more it brings."""
_CLOSE_SECONDS = 1.0
"""For threads whose answers nobody waits for any more."""
_MAX_QUERY = 2048
_log = logging.getLogger("muster.net.router")


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler gets.

    `params` are the parts of the path that the route names in braces; `query` the query string's
    members (the last of several counts); `headers` have lower-case names, repeated ones joined by
    ", "; `client` is the address of the peer as the kernel says it, never a header's word.
    """

    body: bytes
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    client: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives. Content-Length, ETag and the like are added by the router."""

    status: int
    body: bytes
    media_type: str = routes.JSON
    headers: Mapping[str, str] = field(default_factory=dict)


SyncHandler = Callable[[Request], Answer]
AsyncHandler = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class BoundRoute:
    """A route and who answers it. A plain function runs in a thread, a coroutine on the loop.

    `prompt`: a coroutine that waits for nothing; it is answered before its turn.
    """

    route: Route
    handler: SyncHandler | AsyncHandler
    prompt: bool = False


Guard = Callable[[str, Mapping[str, str]], None]
"""Judges who asks, by peer and headers, before anything else; raises what they are answered."""

Refused = Callable[[str, MusterError, str, Mapping[str, str]], None]
"""Told of what is refused: name of the route (or ""), error, peer, headers."""

Observer = Callable[[str, int, float], None]
"""Told of every answer: name of the route (or ""), status, seconds."""


@dataclass(frozen=True, slots=True)
class RouterLimits:
    """How much a router takes at once.

    `body_seconds` for a request's body to arrive; `threads` plain handlers run at once; `waiting`
    more may wait for a thread, beyond that the answer is 503; so it is when one has waited for
    `turn_seconds`, or has had no answer for `answer_seconds` and more for a long body.
    """

    body_seconds: float = 10.0
    threads: int = 8
    waiting: int = 512
    turn_seconds: float = 4.0
    answer_seconds: float = 9.0


_LIMITS = RouterLimits()


class Router:
    """A raw ASGI application over a table of routes.

    Args:
        bound: the routes; two that match the same method and path are a bug (ValueError).
        allowed_hosts: names, without port, under which the server answers; None for any [a page
            in a browser could otherwise reach a console by a name of its own].
        limits: how much it takes at once.
        guard: judges who asks, whatever they ask for; must not wait.
        refused: told of what is refused, and logs it; must not raise and must not wait.
        observer: told of every answer; must not raise and must not wait.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        bound: Sequence[BoundRoute],
        *,
        allowed_hosts: Iterable[str] | None = None,
        limits: RouterLimits = _LIMITS,
        guard: Guard | None = None,
        refused: Refused | None = None,
        observer: Observer | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = _Table(bound)
        self._allowed = (
            None if allowed_hosts is None else frozenset(name.lower() for name in allowed_hosts)
        )
        self._body_seconds = limits.body_seconds
        self._most_pending = limits.threads + limits.waiting
        self._pending = 0
        self._answer_seconds = limits.answer_seconds
        self._workers = Workers(limits.threads, limits.turn_seconds)
        self._guard = guard
        self._refused = refused
        self._observer = observer
        self._monotonic = monotonic

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes that this router answers."""
        return self._table.routes

    def body_limit(self, method: str, path: bytes) -> int:
        """Bytes that the route of a request takes as its body; 0 where there is none."""
        try:
            return self._table.find(method, path)[0].route.request_limit
        except MusterError:
            return 0

    def is_prompt(self, method: str, path: bytes) -> bool:
        """Whether a request is answered before its turn, because its answer waits for nothing."""
        try:
            return self._table.find(method, path)[0].prompt
        except MusterError:
            return False

    def close(self) -> None:
        """End the threads; those that still work are waited for, for a moment."""
        if not self._workers.close(_CLOSE_SECONDS):
            _log.warning("requests whose time was over are still at work")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's lifespan."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        started = self._monotonic()
        name, outcome = await self._outcome(scope, receive)
        if outcome is None:
            return
        await _send(scope, send, outcome)
        if self._observer is not None:
            self._observer(name, outcome.answer.status, self._monotonic() - started)

    async def _outcome(self, scope: Scope, receive: Receive) -> tuple[str, _Outcome | None]:
        name = ""
        headers = _headers(scope)
        # A connection whose request was not read to its end cannot be used again.
        unread = "content-length" in headers or "transfer-encoding" in headers
        try:
            if self._guard is not None:
                self._guard(_client(scope), headers)
            self._check_host(headers)
            compiled, params = self._table.find(scope["method"], _raw_path(scope))
            name = compiled.route.name
            if compiled.route.method not in ("GET", "HEAD"):
                _check_media_type(headers)
            body = await self._read_body(headers, compiled.route.request_limit, receive)
            unread = False
            request = Request(
                body=body,
                params=params,
                query=_query(scope),
                headers=headers,
                client=_client(scope),
            )
            answer = await self._call(compiled, request)
            if len(answer.body) > compiled.route.answer_limit:
                _log.error("the answer of %s has %d bytes", name, len(answer.body))
                return name, _problem(error("wire/internal"))
            return name, _conditional(compiled.route, headers, answer)
        except _DisconnectedError:
            return name, None
        except MusterError as refusal:
            if self._refused is not None:
                self._refused(name, refusal, _client(scope), headers)
            elif refusal.row.http >= 500:
                _log.warning("%s: %s", name or "-", refusal, exc_info=refusal.__cause__)
            return name, _problem(refusal, close=unread)
        except Exception:  # noqa: BLE001 - any defect of a handler ends here, logged
            _log.exception("a defect while answering %s", name or "-")
            return name, _problem(error("wire/internal"))

    def _check_host(self, headers: Mapping[str, str]) -> None:
        if self._allowed is None:
            return
        given = headers.get("host", "").lower()
        name = given.rpartition(":")[0] if _has_port(given) else given
        if name.removesuffix(".") not in self._allowed:
            shown = "".join(name for name in given if name.isascii() and name.isprintable())[:80]
            raise error("wire/host-name", name=shown or "(none)")

    async def _read_body(self, headers: Mapping[str, str], limit: int, receive: Receive) -> bytes:
        announced = headers.get("content-length")
        if announced is not None and announced.isdecimal() and int(announced) > limit:
            raise error("wire/too-large", limit=limit)
        whole = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _DisconnectedError
                    piece: bytes = message.get("body", b"")
                    if len(whole) + len(piece) > limit:
                        raise error("wire/too-large", limit=limit)
                    if not whole and not message.get("more_body", False):
                        return piece
                    whole += piece
                    if not message.get("more_body", False):
                        return bytes(whole)
        except TimeoutError:
            raise error("wire/slow", seconds=f"{self._body_seconds:g}") from None

    async def _call(self, compiled: _Compiled, request: Request) -> Answer:
        if compiled.is_async:
            return await cast("AsyncHandler", compiled.handler)(request)
        if self._pending >= self._most_pending:
            raise error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS)
        self._pending += 1
        seconds = self._answer_seconds + len(request.body) / _BYTES_A_SECOND
        try:
            handler = cast("SyncHandler", compiled.handler)
            return await self._workers.run(functools.partial(handler, request), seconds)
        except LateError:
            raise error("wire/unavailable", retry_after=RETRY_AFTER_SECONDS) from None
        finally:
            self._pending -= 1


class _DisconnectedError(Exception):
    """The peer went away before its request was whole."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    route: Route
    handler: SyncHandler | AsyncHandler
    is_async: bool
    prompt: bool


def _is_async(handler: SyncHandler | AsyncHandler) -> bool:
    call = getattr(handler, "__call__", None)  # noqa: B004 - an object may have an async __call__
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)


@dataclass(frozen=True, slots=True)
class _Outcome:
    answer: Answer
    close: bool = False


_Key = tuple[str | None, ...]


class _Table:
    """Routes by path: literal segments as they are, parameters as None."""

    def __init__(self, bound: Sequence[BoundRoute]) -> None:
        self.routes = tuple(entry.route for entry in bound)
        self._names: dict[_Key, dict[str, tuple[str, ...]]] = {}
        self._found: dict[_Key, dict[str, _Compiled]] = {}
        self._shapes: list[_Key] = []
        for entry in bound:
            self._add(entry)
        # The shape with literals further to the front wins.
        self._shapes.sort(key=lambda shape: [segment is None for segment in shape])

    def _add(self, bound: BoundRoute) -> None:
        segments = bound.route.path.split("/")[1:]
        key: _Key = tuple(None if part.startswith("{") else part for part in segments)
        names = tuple(part[1:-1] for part in segments if part.startswith("{"))
        methods = self._found.setdefault(key, {})
        if bound.route.method in methods:
            raise ValueError(f"{bound.route.method} {bound.route.path} appears twice")
        methods[bound.route.method] = _Compiled(
            bound.route, bound.handler, _is_async(bound.handler), bound.prompt
        )
        self._names.setdefault(key, {})[bound.route.method] = names
        if None in key and key not in self._shapes:
            self._shapes.append(key)

    def find(self, method: str, path: bytes) -> tuple[_Compiled, Mapping[str, str]]:
        """The route of a request and its parameters. Raises: `wire/not-found`, `wire/method`."""
        segments = _segments(path)
        key = self._key(segments)
        methods = self._found[key]
        wanted = "GET" if method == "HEAD" and "HEAD" not in methods else method
        if wanted not in methods:
            allowed = sorted(methods.keys() | ({"HEAD"} if "GET" in methods else set()))
            shown = method if method.isascii() and method.isalpha() and len(method) < 17 else "This"
            raise error("wire/method", method=shown, allowed=", ".join(allowed))
        values = [value for value, part in zip(segments, key, strict=True) if part is None]
        return methods[wanted], dict(zip(self._names[key][wanted], values, strict=True))

    def _key(self, segments: tuple[str, ...]) -> _Key:
        if segments in self._found:
            return segments
        for shape in self._shapes:
            if len(shape) == len(segments) and all(
                part == segment or (part is None and segment)
                for part, segment in zip(shape, segments, strict=True)
            ):
                return shape
        raise error("wire/not-found")


def _segments(path: bytes) -> tuple[str, ...]:
    try:
        parts = [unquote_to_bytes(segment).decode("utf-8") for segment in path.split(b"/")[1:]]
    except UnicodeDecodeError:
        raise error("wire/not-found") from None
    if any(len(part) > 128 or not part.isprintable() or "/" in part for part in parts):
        raise error("wire/not-found")
    return tuple(parts)


def _raw_path(scope: Scope) -> bytes:
    raw = scope.get("raw_path")
    return raw if isinstance(raw, bytes) else str(scope["path"]).encode()


def _headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _query(scope: Scope) -> dict[str, str]:
    raw = scope.get("query_string", b"")
    if not raw:
        return {}
    try:
        if len(raw) > _MAX_QUERY:
            raise ValueError
        return dict(
            parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, max_num_fields=32, errors="strict"
            )
        )
    except ValueError:
        raise error("wire/bad-request", detail="the query string has another form") from None


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _has_port(host: str) -> bool:
    """Whether a Host header ends with a port; an IPv6 address in brackets has colons of its own."""
    if host.startswith("["):
        return "]:" in host
    return ":" in host


def _check_media_type(headers: Mapping[str, str]) -> None:
    given = headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind != routes.JSON:
        shown = "".join(part for part in kind if part.isascii() and part.isprintable())[:80]
        raise error("wire/media-type", given=shown or "not given", wanted=routes.JSON)


def _problem(refusal: MusterError, *, close: bool = False) -> _Outcome:
    status, body = encode_problem(refusal)
    headers: dict[str, str] = {"cache-control": "no-store"}
    if status == 405:
        headers["allow"] = str(refusal.params["allowed"])
    if status in (429, 503):
        after = refusal.params.get("retry_after")
        headers["retry-after"] = str(after if isinstance(after, int) else RETRY_AFTER_SECONDS)
    return _Outcome(Answer(status, body, routes.PROBLEM, headers), close)


def _conditional(route: Route, headers: Mapping[str, str], answer: Answer) -> _Outcome:
    """Add caching headers; a GET whose document the asker has is answered by 304."""
    fields = {name.lower(): value for name, value in answer.headers.items()}
    if route.method != "GET" or answer.status != 200:
        fields.setdefault("cache-control", "no-store")
        return _Outcome(Answer(answer.status, answer.body, answer.media_type, fields))
    tag = fields.setdefault("etag", f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"')
    fields.setdefault("cache-control", "no-cache")
    if _matches(headers.get("if-none-match", ""), tag):
        return _Outcome(Answer(304, b"", answer.media_type, fields))
    return _Outcome(Answer(200, answer.body, answer.media_type, fields))


def _matches(asked: str, tag: str) -> bool:
    if not asked or len(asked) > 4096:
        return False
    if asked.strip() == "*":
        return True
    return any(candidate.strip().removeprefix("W/") == tag for candidate in asked.split(","))


async def _send(scope: Scope, send: Send, outcome: _Outcome) -> None:
    answer = outcome.answer
    fields = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.items()
    ]
    fields.append((b"x-content-type-options", b"nosniff"))
    if answer.status != 304:
        fields.append((b"content-type", answer.media_type.encode("latin-1")))
        fields.append((b"content-length", str(len(answer.body)).encode()))
    if outcome.close:
        fields.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return
