"""The door: what reaches a handler, and what all others are told. In process, without sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.catalogue import error
from muster.core.values import replace
from muster.net.router import Answer, BoundRoute, Request, Router, RouterLimits
from muster.wire import routes
from muster.wire.routes import Route

POST = Route("post", "POST", "/v1/things", "", request_limit=100, answer_limit=1000)
GET = Route("get", "GET", "/v1/things/{thing}", "", answer_limit=1000)
PART = Route("part", "GET", "/v1/things/{thing}/parts/{part}", "", media_type="text/x")
FIXED = Route("fixed", "GET", "/v1/things/special", "")
JSON = {"content-type": "application/json"}


@dataclass
class Result:
    """What the application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


def ask(
    router: Router,
    method: str,
    path: str,
    body: bytes | list[bytes] = b"",
    headers: dict[str, str] | None = None,
    *,
    receive: Callable[[], Any] | None = None,
    query: bytes = b"",
) -> Result:
    """One request, in process."""
    result = Result()
    pieces = list(body) if isinstance(body, list) else [body]
    fields = [(k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()]
    if any(pieces):
        fields.append((b"transfer-encoding", b"chunked"))

    async def pull() -> MutableMapping[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def push(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            result.status = message["status"]
            result.headers = {k.decode(): v.decode("latin-1") for k, v in message["headers"]}
        else:
            result.body += message.get("body", b"")
            result.whole = not message.get("more_body", False)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": fields,
        "client": ("192.0.2.1", 50000),
    }
    asyncio.run(router(scope, receive or pull, push))
    return result


def echo(request: Request) -> Answer:
    return Answer(200, request.body)


async def show(request: Request) -> Answer:
    return Answer(200, json.dumps([request.params, request.query, request.client]).encode())


@pytest.fixture
def router() -> Router:
    return Router([BoundRoute(POST, echo), BoundRoute(GET, show), BoundRoute(PART, show)])


def test_a_post(router: Router) -> None:
    found = ask(router, "POST", "/v1/things", b'{"a":1}', JSON)
    assert (found.status, found.body) == (200, b'{"a":1}')
    assert found.headers["content-type"] == "application/json"
    assert found.headers["content-length"] == "7"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "etag" not in found.headers
    pieces = [b"a" * 10] * 10
    assert ask(router, "POST", "/v1/things", pieces, JSON).body == b"a" * 100


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_media_types(router: Router, kind: str) -> None:
    assert ask(router, "POST", "/v1/things", b"{}", {"Content-Type": kind}).status == 200


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/jsonx", "a\xffb"])
def test_other_media_types(router: Router, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    found = ask(router, "POST", "/v1/things", b"{}", headers)
    assert found.status == 415
    assert found.problem["code"] == "wire/media-type"
    assert found.headers["connection"] == "close"


def test_parameters_query_and_client(router: Router) -> None:
    found = ask(router, "GET", "/v1/things/a%20%C3%BC", query=b"x=1&y=&x=2")
    assert json.loads(found.body) == [{"thing": "a ü"}, {"x": "2", "y": ""}, "192.0.2.1"]
    found = ask(router, "GET", "/v1/things/a/parts/b")
    assert json.loads(found.body)[0] == {"thing": "a", "part": "b"}
    assert found.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v1",
        "/v1/things/",
        "/v1/things/a/",
        "/v1//things/a",
        "/v1/things/a/parts",
        "/v1/things/a%2Fb",
        "/v1/things/%00",
        "/v1/things/%0a",
        "/v1/things/%ff",
        "/v1/things/" + "x" * 129,
        "/V1/things/a",
        "/v1/things/../things/a",
        "//v1/things/a",
    ],
)
def test_paths_that_are_none(router: Router, path: str) -> None:
    found = ask(router, "GET", path)
    assert found.status == 404
    assert found.problem["code"] == "wire/not-found"


def test_a_fixed_path_goes_before_a_parameter() -> None:
    router = Router([BoundRoute(GET, show), BoundRoute(FIXED, lambda _: Answer(200, b"special"))])
    assert ask(router, "GET", "/v1/things/special").body == b"special"
    assert ask(router, "GET", "/v1/things/other").body != b"special"


def test_a_route_that_stands_twice_is_a_bug() -> None:
    with pytest.raises(ValueError, match="twice"):
        Router([BoundRoute(POST, echo), BoundRoute(POST, show)])


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/things", "POST"),
        ("HEAD", "/v1/things", "POST"),
        ("POST", "/v1/things/a", "GET, HEAD"),
        ("DELETE", "/v1/things/a", "GET, HEAD"),
        ("OPTIONS", "/v1/things/a", "GET, HEAD"),
        ("get", "/v1/things/a", "GET, HEAD"),
        ("X" * 50, "/v1/things/a", "GET, HEAD"),
    ],
)
def test_other_methods(router: Router, method: str, path: str, allow: str) -> None:
    found = ask(router, method, path)
    assert (found.status, found.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert found.problem["code"] == "wire/method"


# Bounds of a request.


def test_too_large_by_its_own_word(router: Router) -> None:
    async def drained() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    headers = JSON | {"Content-Length": "101"}
    found = ask(router, "POST", "/v1/things", b"", headers, receive=drained)
    assert found.status == 413
    assert found.problem["params"] == {"limit": 100}
    assert found.headers["connection"] == "close"
    assert found.whole


def test_too_large_piece_by_piece(router: Router) -> None:
    pulled = 0

    async def endless() -> MutableMapping[str, Any]:
        nonlocal pulled
        pulled += 1
        return {"type": "http.request", "body": b"x" * 60_000, "more_body": True}

    found = ask(router, "POST", "/v1/things", [b"x"], JSON, receive=endless)
    assert found.status == 413
    assert found.headers["connection"] == "close"
    # One piece was read to know; what came after was thrown away, within bounds.
    assert pulled < 100


def test_a_body_where_none_belongs(router: Router) -> None:
    assert ask(router, "GET", "/v1/things/a", b"x").status == 413


def test_slow_bodies_time_out() -> None:
    router = Router([BoundRoute(POST, echo)], limits=RouterLimits(body_seconds=0.05))

    async def drip() -> MutableMapping[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"", "more_body": True}

    found = ask(router, "POST", "/v1/things", [b"x"], JSON, receive=drip)
    assert found.status == 408
    assert found.problem["code"] == "wire/slow"
    assert found.headers["connection"] == "close"


def test_a_peer_that_goes_away_is_not_answered(router: Router) -> None:
    async def gone() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    found = ask(router, "POST", "/v1/things", [b"x"], JSON, receive=gone)
    assert found == Result()


@pytest.mark.parametrize(
    "query", [b"a=%ff", b"&".join([b"a=b"] * 40), b"a=" + b"x" * 3000, b"\xff"]
)
def test_odd_queries(router: Router, query: bytes) -> None:
    found = ask(router, "GET", "/v1/things/a", query=query)
    assert found.status == 400
    assert found.problem["code"] == "wire/bad-request"


# Names of the server.


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:16881", 200),
        ("localhost.", 200),
        ("127.0.0.1:16881", 200),
        ("[::1]:16881", 200),
        ("[::1]", 200),
        ("evil.test", 421),
        ("evil.test:16881", 421),
        ("localhost.evil.test", 421),
        ("localhost, evil.test", 421),
        ("localhost@evil.test", 421),
        ("[::2]", 421),
        ("", 421),
        ("\xff", 421),
        (None, 421),
    ],
)
def test_names_of_the_server(host: str | None, status: int) -> None:
    router = Router([BoundRoute(GET, show)], allowed_hosts=["localhost", "127.0.0.1", "[::1]"])
    headers = {} if host is None else {"Host": host}
    found = ask(router, "GET", "/v1/things/a", b"", headers)
    assert found.status == status
    if status == 421:
        assert found.problem["code"] == "wire/host-name"


# Handlers.


def test_a_refusal_becomes_a_problem() -> None:
    def refuse(request: Request) -> Answer:
        raise error("wire/version", version=2, known=1)

    found = ask(Router([BoundRoute(POST, refuse)]), "POST", "/v1/things", b"{}", JSON)
    assert found.status == 400
    assert found.problem["code"] == "wire/version"
    assert found.problem["params"] == {"version": 2, "known": 1}
    assert "connection" not in found.headers


@pytest.mark.parametrize("sync", [True, False])
def test_a_defect_is_logged_and_hidden(sync: bool, caplog: pytest.LogCaptureFixture) -> None:
    def fails(request: Request) -> Answer:
        raise RuntimeError("the password is swordfish")

    async def fails_too(request: Request) -> Answer:
        raise RuntimeError("the password is swordfish")

    router = Router([BoundRoute(POST, fails if sync else fails_too)])
    with caplog.at_level(logging.ERROR):
        found = ask(router, "POST", "/v1/things", b"{}", JSON)
    assert found.status == 500
    assert found.problem["code"] == "wire/internal"
    assert b"swordfish" not in found.body
    assert "swordfish" in caplog.text


def test_a_fault_hides_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    def full(request: Request) -> Answer:
        raise error("db/full", path="/var/lib/secret-place/x.db") from OSError("inner")

    with caplog.at_level(logging.WARNING):
        found = ask(Router([BoundRoute(POST, full)]), "POST", "/v1/things", b"{}", JSON)
    assert found.status == 507
    assert "params" not in found.problem
    assert "inner" in caplog.text


def test_busy_says_when_to_come_again() -> None:
    def busy(request: Request) -> Answer:
        raise error("db/busy", path="/x", holder="x", seconds="5", retry_after=7)

    found = ask(Router([BoundRoute(POST, busy)]), "POST", "/v1/things", b"{}", JSON)
    assert (found.status, found.headers["retry-after"]) == (503, "7")


def test_an_answer_above_its_limit_is_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    router = Router([BoundRoute(POST, lambda _: Answer(200, b"x" * 1001))])
    assert ask(router, "POST", "/v1/things", b"{}", JSON).problem["code"] == "wire/internal"
    assert "1001" in caplog.text


def test_an_object_that_is_called_asynchronously() -> None:
    class Handler:
        async def __call__(self, request: Request) -> Answer:
            return Answer(201, b"made", headers={"Location": "/x"})

    found = ask(Router([BoundRoute(POST, Handler())]), "POST", "/v1/things", b"{}", JSON)
    assert (found.status, found.headers["location"]) == (201, "/x")


def test_plain_handlers_do_not_hold_the_loop_and_are_bounded() -> None:
    """Two threads, one may wait: of five at once two are told to come again."""
    release = threading.Event()
    entered = threading.Semaphore(0)

    def slow(request: Request) -> Answer:
        entered.release()
        release.wait(30)
        return Answer(200, b"")

    async def main() -> list[int]:
        router = Router(
            [BoundRoute(POST, slow), BoundRoute(GET, show)],
            limits=RouterLimits(threads=2, waiting=1),
        )
        statuses: list[int] = []

        async def one(method: str, path: str) -> int:
            status = 0

            async def pull() -> MutableMapping[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def push(message: MutableMapping[str, Any]) -> None:
                nonlocal status
                status = message.get("status", status)

            scope = {
                "type": "http",
                "method": method,
                "path": path,
                "headers": [(b"content-type", b"application/json")],
            }
            await router(scope, pull, push)
            statuses.append(status)
            return status

        tasks = [asyncio.create_task(one("POST", "/v1/things")) for _ in range(5)]
        while len(statuses) < 2:
            await asyncio.sleep(0)
        assert statuses == [503, 503]
        assert await one("GET", "/v1/things/a") == 200
        release.set()
        await asyncio.gather(*tasks)
        await asyncio.to_thread(router.close)
        return sorted(statuses)

    assert asyncio.run(main()) == [200, 200, 200, 200, 503, 503]


def test_a_thread_that_is_held_holds_neither_the_loop_nor_who_waits() -> None:
    release = threading.Event()

    def silent(request: Request) -> Answer:
        release.wait(60)
        return Answer(200, b"")

    limits = RouterLimits(threads=1, turn_seconds=0.05, answer_seconds=0.05)
    router = Router([BoundRoute(POST, silent), BoundRoute(GET, show)], limits=limits)
    for _ in range(3):
        found = ask(router, "POST", "/v1/things", b"{}", JSON)
        assert (found.status, found.headers["retry-after"]) == (503, "5")
    assert ask(router, "GET", "/v1/things/a").status == 200
    release.set()


def test_a_long_body_has_more_time() -> None:
    entered = threading.Event()

    def slow(request: Request) -> Answer:
        entered.wait(0.2)
        return Answer(200, b"")

    post = replace(POST, request_limit=1_000_000)
    router = Router([BoundRoute(post, slow)], limits=RouterLimits(answer_seconds=0.02))
    assert ask(router, "POST", "/v1/things", b"{}", JSON).status == 503
    assert ask(router, "POST", "/v1/things", b"x" * 900_000, JSON).status == 200


def test_what_waits_for_nothing_is_known_by_its_route() -> None:
    router = Router([BoundRoute(POST, show), BoundRoute(GET, show, prompt=True)])
    assert router.is_prompt("GET", b"/v1/things/a")
    assert not router.is_prompt("POST", b"/v1/things")
    assert not router.is_prompt("GET", b"/nowhere")


def test_observer() -> None:
    seen: list[tuple[str, int, float]] = []
    ticks = iter([1.0, 3.5, 10.0, 10.25])
    router = Router(
        [BoundRoute(GET, show)],
        observer=lambda *one: seen.append(one),
        monotonic=lambda: next(ticks),
    )
    ask(router, "GET", "/v1/things/a")
    ask(router, "GET", "/nowhere")
    assert seen == [("get", 200, 2.5), ("", 404, 0.25)]


# Documents.


def test_documents_have_tags(router: Router) -> None:
    first = ask(router, "GET", "/v1/things/a")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for asked in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        found = ask(router, "GET", "/v1/things/a", b"", {"If-None-Match": asked})
        assert (found.status, found.body) == (304, b"")
        assert found.headers["etag"] == tag
        assert "content-length" not in found.headers
    for asked in ('"x"', tag.strip('"'), "", "," * 5000):
        assert ask(router, "GET", "/v1/things/a", b"", {"If-None-Match": asked}).status == 200
    assert ask(router, "GET", "/v1/things/b").headers["etag"] != tag


def test_a_handler_may_bring_its_own_tag() -> None:
    answer = Answer(200, b"x", headers={"ETag": '"7"', "Cache-Control": "max-age=5"})
    router = Router([BoundRoute(GET, lambda _: answer)])
    found = ask(router, "GET", "/v1/things/a")
    assert (found.headers["etag"], found.headers["cache-control"]) == ('"7"', "max-age=5")
    assert ask(router, "GET", "/v1/things/a", b"", {"If-None-Match": '"7"'}).status == 304


def test_head(router: Router) -> None:
    whole = ask(router, "GET", "/v1/things/a")
    found = ask(router, "HEAD", "/v1/things/a")
    assert found.body == b""
    assert found.headers == whole.headers


def test_lifespan_and_other_scopes(router: Router) -> None:
    sent: list[str] = []
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def pull() -> MutableMapping[str, Any]:
        return dict(waiting.pop(0))

    async def push(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(router({"type": "lifespan"}, pull, push))
    asyncio.run(router({"type": "websocket"}, pull, push))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert router.routes == (POST, GET, PART)


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", ""]),
    path=st.text(max_size=60).map(lambda tail: "/" + tail),
    body=st.binary(max_size=200),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "host", "if-none-match", "content-length"]),
        st.text(st.characters(max_codepoint=255), max_size=30),
    ),
    query=st.binary(max_size=60),
)
def test_any_request_is_answered(
    method: str, path: str, body: bytes, headers: dict[str, str], query: bytes
) -> None:
    router = Router([BoundRoute(POST, show), BoundRoute(GET, show), BoundRoute(PART, show)])
    found = ask(router, method, path, body, headers, query=query)
    assert found.whole
    assert found.status in {200, 304, 400, 404, 405, 413, 415}
    router.close()


def test_every_error_of_the_door_stands_in_the_table_of_routes() -> None:
    """What the router may answer by itself is documented for each route that takes a body."""
    for route in (routes.ACTIVATE, routes.HOSTS_ACTIVATE, routes.RELEASE):
        assert {400, 408, 413, 415, 421, 500, 503} <= set(route.statuses)
