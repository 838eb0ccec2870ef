"""The publisher's router over a real server on loopback, and its OpenAPI document."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.lease.trees import tree
from tests.net.exposition import check_metrics, series

from muster.core.errors import Retry
from muster.core.keys import ProductKey
from muster.core.products import day_start
from muster.core.records import encode
from muster.health.process import read_process
from muster.lease.catalogue import read_catalogue
from muster.lease.trust import anchor, walk
from muster.net.http import HTTPClient, Response
from muster.net.openapi import ANSWERS, PROBLEM_SCHEMA, REQUESTS, document
from muster.net.process import Place
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.wire import routes
from muster.wire.peer import Peer, hear
from muster.wire.problem import Problem, decode_problem
from muster.wire.publisher import ConfirmRequest, decode_confirm_answer

from .conftest import Shop

JSON = {"Content-Type": "application/json"}


class Asker:
    """Speaks to one publisher over HTTP."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop = shop
        self.url = url
        self.operation = ""
        self.look: Callable[[], None] = lambda: None
        self._client = HTTPClient(timeout=20, limit=8 * 1024 * 1024)

    def told(self, path: str) -> Response:
        """What administrators get, at the address of its own, when the database was read again."""
        self.look()
        return self._client.request("GET", self.operation + path)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Response:
        return self._client.request("GET", self.url + path, None, headers or {})

    def post(self, body: bytes, headers: dict[str, str] | None = None) -> Response:
        url = self.url + routes.HOSTS_ACTIVATE.path
        return self._client.request("POST", url, body, JSON if headers is None else headers)

    def problem(self, response: Response) -> Problem:
        assert response.headers["content-type"] == routes.PROBLEM
        check(json.loads(response.body), tree(PROBLEM_SCHEMA))
        return decode_problem(response.status, response.body, "publisher")

    def key(self) -> ProductKey:
        return self.shop.admin().issue_host_keys("server-c")[0].key


@pytest.fixture
def asker(shop: Shop) -> Iterator[Asker]:
    api = PublisherAPI(shop.service())
    with ThreadServer(api.router()) as server, ThreadServer(api.operation()) as operation:
        found = Asker(shop, server.url)
        found.operation = operation.url
        found.look = api.known.look
        yield found


def check(value: Any, schema: dict[str, Any]) -> None:
    """The part of JSON Schema that our document uses."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = {
        dict: "object",
        list: "array",
        str: "string",
        bool: "boolean",
        int: "integer",
        type(None): "null",
    }
    assert names[type(value)] in kinds
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys()
        for name, item in value.items():
            if name in schema.get("properties", {}):
                check(item, schema["properties"][name])
    elif isinstance(value, list):
        assert len(value) <= schema.get("maxItems", len(value))
        for item in value:
            check(item, schema["items"])
    elif isinstance(value, str):
        assert re.search(schema.get("pattern", ""), value)
        assert value in schema.get("enum", [value])
    elif type(value) is int:
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value)


def test_a_host_is_activated_and_asks_again(asker: Asker) -> None:
    host = asker.shop.host(asker.key())
    body = ConfirmRequest(host.digits()).encode()
    check(json.loads(body), tree(REQUESTS["hosts-activate"]))
    first = asker.post(body)
    assert (first.status, first.headers["content-type"]) == (200, routes.JSON)
    check(json.loads(first.body), tree(ANSWERS["hosts-activate"]))
    answer = decode_confirm_answer(first.body, "publisher")
    assert read_catalogue(answer.catalogue, asker.shop.admin().trust()).version == 1
    assert asker.post(body).body == first.body


def test_refusals_are_problem_documents_that_name_the_newest_versions(asker: Asker) -> None:
    asker.shop.admin().rotate(["catalogue"])
    key = asker.key()
    unissued = ProductKey(
        key.version, key.kind, key.prefix, key.group, key.tag, (key.serial + 1) % 24**5
    )
    found = asker.problem(asker.post(ConfirmRequest(asker.shop.host(unissued).digits()).encode()))
    assert (found.status, found.code, found.field_code) == (
        403,
        "publisher/unknown-key",
        "0xC004C001",
    )
    assert (found.trust, found.catalogue) == (2, 2)
    assert found.retry is Retry.AFTER_FIX
    digits = asker.shop.host(key).digits()
    wrong = ConfirmRequest(digits[:-1] + str((int(digits[-1]) + 1) % 10)).encode()
    found = asker.problem(asker.post(wrong))
    assert (found.status, found.code, found.number("group")) == (400, "digits/group", 15)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "wire/bad-request"),
        (b"{}", "wire/bad-request"),
        (b"[]", "wire/bad-request"),
        (b'{"v":1,"installation_id":1}', "wire/bad-request"),
        (b'{"v":1,"installation_id":"\\"}{"}', "wire/bad-request"),
        (b'{"v":1,"v":1,"installation_id":"1"}', "wire/bad-request"),
        (b'{"v":1,"installation_id":"' + b"1" * 401 + b'"}', "wire/bad-request"),
        (b'{"v":2,"installation_id":"1"}', "wire/version"),
        (b'{"v":1,"installation_id":"1"}', "digits/length"),
        (b'{"v":1.0,"installation_id":"1"}', "wire/bad-request"),
        (b"\xff" * 100, "wire/bad-request"),
        (b'{"a":' * 1000, "wire/bad-request"),
    ],
    ids=range(12),
)
def test_bodies_that_are_no_request(asker: Asker, body: bytes, code: str) -> None:
    found = asker.problem(asker.post(body))
    assert (found.status, found.code) == (400, code)
    assert asker.shop.admin().hosts() == ()


def test_oversized_bodies_and_other_media_types(asker: Asker) -> None:
    big = b'{"v":1,"installation_id":"' + b"1" * (64 * 1024) + b'"}'
    assert asker.problem(asker.post(big)).code == "wire/too-large"
    found = asker.problem(asker.post(b"{}", {"Content-Type": "text/plain"}))
    assert (found.status, found.code) == (415, "wire/media-type")
    client = HTTPClient(timeout=20, limit=65536)
    response = client.request("DELETE", asker.url + "/v1/catalogue", None, {})
    assert asker.problem(response).code == "wire/method"
    assert asker.problem(asker.get("/v1/nothing")).code == "wire/not-found"


def test_catalogue_and_trust_with_etags(asker: Asker) -> None:
    admin = asker.shop.admin()
    first = asker.get("/v1/catalogue")
    assert first.headers["content-type"] == routes.JOSE
    assert first.body.decode() == admin.catalogue().text
    tag = first.headers["etag"]
    assert asker.get("/v1/catalogue", {"If-None-Match": tag}).status == 304
    admin.rotate(["catalogue"])
    second = asker.get("/v1/catalogue", {"If-None-Match": tag})
    assert second.status == 200
    assert second.body.decode() == admin.catalogue().text


def test_the_lowest_trust_version_at_or_above(asker: Asker) -> None:
    admin = asker.shop.admin()
    admin.recover(asker.shop.reserve, 5)
    admin.rotate(["grant"])
    line = [one.text for one in admin.trusts()]

    def trust(version: str) -> str:
        return asker.get(f"/v1/trust/{version}").body.decode()

    assert [trust(one) for one in ("1", "2", "4", "5", "6")] == [
        line[0],
        line[1],
        line[1],
        line[1],
        line[2],
    ]
    for wrong in ("0", "7", "-1", "01", "x", "1e3", "9" * 40, "%22%7B"):
        found = asker.problem(asker.get(f"/v1/trust/{wrong}"))
        assert (found.status, found.code, found.trust) == (404, "wire/not-found", 6)
    assert walk(anchor(trust("1")), [trust("2"), trust("6")]) == admin.trust()


def test_jwks_lists_the_keys_in_use(asker: Asker) -> None:
    admin = asker.shop.admin()
    admin.rotate(["grant"], withdraw=True)
    response = asker.get("/.well-known/jwks.json")
    assert response.headers["content-type"] == "application/jwk-set+json"
    keys = json.loads(response.body)["keys"]
    assert {one["kid"] for one in keys} == {one.key.kid for one in admin.trust().keys}
    assert all(one["alg"] == "EdDSA" and one["use"] == "sig" and "d" not in one for one in keys)


def test_health_readiness_and_metrics(asker: Asker) -> None:
    # Strangers ask at another address, and learn there that the publisher lives.
    assert [asker.get(path).status for path in ("/metrics", "/readyz")] == [404, 404]
    assert asker.get("/healthz").body == asker.told("/healthz").body
    assert asker.told("/v1/catalogue").status == 404
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        response = asker.told(path)
        assert (response.status, json.loads(response.body)) == (200, {"status": status})
    key = asker.key()
    digits = asker.shop.host(key).digits()
    asker.post(ConfirmRequest(digits).encode())
    asker.post(ConfirmRequest(digits).encode())
    asker.post(b'{"v":1,"installation_id":"1"}')
    text = asker.told("/metrics").body.decode()
    for outcome in ("granted", "again", "digits/length"):
        assert series(text, "muster_publisher_host_activations_total", outcome=outcome) == 1
    signed = asker.shop.admin().trust().iat
    for name, expected in (
        ("host_keys", 1),
        ("hosts", 1),
        ("host_grants", 1),
        ("host_grants_revoked", 0),
        ("trust_version", 1),
        ("trust_signed_timestamp_seconds", signed),
        ("catalogue_version", 1),
        ("catalogue_signed_timestamp_seconds", signed),
    ):
        assert series(text, f"muster_publisher_{name}") == expected
    check_metrics(text)
    asker.shop.clock.days(-10)
    found = asker.problem(asker.told("/readyz"))
    assert (found.status, found.code) == (503, "wire/unavailable")
    assert "clock" not in found.what
    assert asker.get("/healthz").status == 200


def test_a_fault_tells_the_peer_nothing_of_its_cause(asker: Asker) -> None:
    host = asker.shop.host(asker.key())
    host.trust = 2
    asker.shop.admin().rotate(["grant"])
    for path in (asker.shop.folder / "keys").glob("grant-*.key"):
        path.write_bytes(b"x")
    found = asker.problem(asker.post(ConfirmRequest(host.digits()).encode()))
    assert (found.status, found.code, found.params) == (500, "wire/internal", {})
    assert str(asker.shop.folder) not in found.what + found.why + found.fix
    assert asker.shop.admin().hosts() == ()


def test_a_clock_in_doubt_is_told_to_peers_as_nothing_that_they_can_mend(asker: Asker) -> None:
    host = asker.shop.host(asker.key())
    asker.shop.clock.seconds = day_start(65_536)
    found = asker.problem(asker.post(ConfirmRequest(host.digits()).encode()))
    assert (found.status, found.code) == (503, "publisher/not-signing")
    heard = hear(Peer.PUBLISHER, "the publisher", found.code, found.params, "", "")
    assert "(not said)" not in heard.what + heard.why + heard.fix
    assert "clock confirm" not in heard.fix


def test_a_key_that_cannot_be_read_is_told_by_log_status_and_readiness_alike(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    api = PublisherAPI(shop.service())
    place = Place("127.0.0.1", 16882, tls=False, operation=None, since=shop.clock.seconds)
    assert (api.process(place).ready, api.process(place).problems) == (True, ())
    shop.admin().rotate(["grant"])
    (file,) = (shop.folder / "keys").glob("grant-1-*.key")
    kept = file.read_bytes()
    file.write_bytes(b"x")
    for _ in range(2):
        api.known.look()
    told = api.process(place)
    assert read_process(json.loads(json.dumps(encode(told)))) == told
    (problem,) = told.problems
    assert (told.ready, problem.area, problem.code) == (False, "signing", "keyfile/malformed")
    assert str(file) in problem.what
    assert [record.message.split(":")[0] for record in caplog.records] == ["keyfile/malformed"]
    with ThreadServer(api.operation()) as operation:
        client = HTTPClient(timeout=20, limit=1024 * 1024)
        answer = client.request("GET", operation.url + "/readyz")
        (shown,) = json.loads(answer.body)["problems"]
        assert (answer.status, shown["code"]) == (503, "keyfile/malformed")
        metrics = client.request("GET", operation.url + "/metrics").body.decode()
        told_of = {"area": "signing", "code": "keyfile/malformed"}
        assert series(metrics, "muster_publisher_problems", **told_of) == 1
    file.write_bytes(kept)
    api.known.look()
    assert (api.process(place).ready, api.process(place).problems) == (True, ())


def test_a_key_file_that_is_gone_while_its_key_is_in_memory_is_told(shop: Shop) -> None:
    """The service goes on; its next start would not."""
    service = shop.service()
    service.open_grant_keys()
    api = PublisherAPI(service)
    place = Place("127.0.0.1", 16882, tls=False, operation=None, since=shop.clock.seconds)
    (file,) = (shop.folder / "keys").glob("grant-0-*.key")
    for change, code in (
        (lambda: file.write_bytes(b"x"), "keyfile/malformed"),
        (file.unlink, "publisher/key-away"),
    ):
        kept = file.read_bytes()
        change()
        api.known.look()
        told = api.process(place)
        (problem,) = told.problems
        assert (told.ready, problem.area, problem.code) == (True, "keys", code)
        with ThreadServer(api.operation()) as operation:
            answer = HTTPClient(timeout=20).request("GET", operation.url + "/readyz")
        (shown,) = json.loads(answer.body)["problems"]
        assert (answer.status, shown["code"]) == (200, code)
        file.write_bytes(kept)
        file.chmod(0o600)
        api.known.look()
        assert api.process(place).problems == ()


def test_sixteen_hosts_at_once_get_no_more_than_six(asker: Asker) -> None:
    key = asker.key()
    bodies = [ConfirmRequest(asker.shop.host(key).digits()).encode() for _ in range(16)]
    statuses: list[int] = []

    def post(body: bytes) -> None:
        statuses.append(asker.post(body).status)

    threads = [threading.Thread(target=post, args=(one,)) for one in bodies]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(statuses) == [200] * 6 + [409] * 10


# OpenAPI.


def test_the_document_describes_every_route_and_status(asker: Asker) -> None:
    response = asker.get("/openapi.json")
    found = json.loads(response.body)
    assert found["openapi"].startswith("3.1")
    described = {
        (method.upper(), path): set(operation["responses"])
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {
        (one.method, one.path): {str(status) for status in one.statuses}
        for one in routes.PUBLISHER_ROUTES
    }
    names = [
        operation["operationId"]
        for methods in found["paths"].values()
        for operation in methods.values()
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("table", [routes.HOST_ROUTES, routes.PUBLISHER_ROUTES])
def test_every_operation_is_whole(table: tuple[routes.Route, ...]) -> None:
    found = tree(document(table, title="t", description="d", version="1"))
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            named = {one["name"] for one in operation.get("parameters", [])}
            assert named == set(re.findall(r"\{([a-z]+)\}", path))
            assert ("requestBody" in operation) == (method == "post")
            for status, response in operation["responses"].items():
                assert response["description"]
                media = set(response.get("content", {}))
                if int(status) >= 400:
                    assert media == {routes.PROBLEM}
                elif status == "304":
                    assert not media
    for route in table:
        if route.request_limit:
            assert route.name in REQUESTS
        if route.media_type == routes.JSON:
            assert route.name in ANSWERS


def test_the_same_table_gives_the_same_bytes(asker: Asker) -> None:
    assert asker.get("/openapi.json").body == asker.get("/openapi.json").body
