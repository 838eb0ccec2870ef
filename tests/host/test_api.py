"""The host's router through a real server on loopback: what machines send and what they get."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.conftest import Machine, World, body_meeting
from tests.net.exposition import check_metrics, series
from tests.profiles import examples

from muster.host.act import updates
from muster.host.server import HostServer
from muster.host.tables import host_settings, own
from muster.net.http import HTTPClient, Response
from muster.net.serve import ThreadServer
from muster.system.entropy import SeededDice
from muster.wire import routes
from muster.wire.activation import decode_answer, decode_notice
from muster.wire.problem import Problem, decode_problem
from muster.wire.status import decode_grants, decode_publishers

HEADERS = {"Content-Type": "application/json"}


class Asking:
    """A machine's side of the wire."""

    def __init__(self, url: str, world: World, server: HostServer) -> None:
        self.url = url
        self.world = world
        self.server = server
        self.http = HTTPClient(timeout=30, limit=8 << 20)
        self.operation = ""
        self.headers: dict[str, str] = {}

    def post(self, path: str, body: bytes) -> Response:
        return self.http.request("POST", self.url + path, body, HEADERS | self.headers)

    def get(self, path: str, **headers: str) -> Response:
        return self.http.request("GET", self.url + path, None, headers)

    def told(self, path: str) -> Response:
        """What administrators get, at the address of its own, when the database was read again."""
        self.server.known.look()
        return self.http.request("GET", self.operation + path)

    def activate(self, number: int, product: str = "desktop-pro", **changes: Any) -> Response:
        world = self.world
        machine = Machine(number)
        request = machine.request(world.id, product, world.clock.now(), **changes)
        answer = self.post("/v1/activate", request.body)
        key = changes.get("key", machine.key)
        again = body_meeting(request, key, answer.status, answer.body)
        return self.post("/v1/activate", again) if again else answer


def problem(answer: Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    return decode_problem(answer.status, answer.body, "the host")


@pytest.fixture
def asking(host: World) -> Iterator[Asking]:
    server = HostServer(host.database, host.keyring, host.clock, SeededDice("server"))
    with (
        server,
        ThreadServer(server.router) as listening,
        ThreadServer(server.operation) as operation,
    ):
        found = Asking(listening.url, host, server)
        found.operation = operation.url
        yield found


def test_from_refusal_to_licence(asking: Asking) -> None:
    for number in range(1, 25):
        answer = asking.activate(number)
        found = problem(answer)
        assert (answer.status, found.code) == (409, "host/insufficient-count")
        assert (found.number("count"), found.number("need")) == (number, 25)
        assert found.number("retry_after") == 7200
        assert (found.trust, found.catalogue) == (1, 1)
    answer = asking.activate(25)
    assert answer.status == 200
    assert len(answer.body) < routes.ACTIVATE.answer_limit
    read = decode_answer(answer.body, "the host")
    assert (read.count, read.need, read.trust, read.catalogue) == (25, 25, 1, 1)
    licence = asking.world.verify(25, "desktop-pro", read)
    assert licence.count == 25


def test_a_notice_travels_in_the_problem(asking: Asking) -> None:
    asking.activate(1)
    answer = asking.activate(2, key=Machine(1).key)
    found = problem(answer)
    assert (answer.status, found.code) == (409, "host/duplicate-cmid")
    assert found.notice is not None
    assert decode_notice(found.notice, "the host").notice.count(".") == 2


def test_a_release_over_the_wire(asking: Asking) -> None:
    for number in range(1, 6):
        answer = asking.activate(number, "server-standard")
    bundle = decode_answer(answer.body, "the host").bundle
    now = asking.world.clock.now()
    for later, released in ((1, True), (2, False)):
        asked = Machine(5).release(bundle, now + later)
        reply = asking.post("/v1/release", asked.body)
        met = body_meeting(asked, Machine(5).key, reply.status, reply.body)
        reply = asking.post("/v1/release", met)
        assert reply.status == 200
        assert json.loads(reply.body) == {"v": 1, "released": released}
    wrong = asking.post("/v1/release", Machine(4).release(bundle, now + 3).body)
    assert problem(wrong).code == "host/request-proof"
    assert asking.post("/v1/release", b"{}").status == 400


def test_trust_and_catalogue_are_served_with_tags(asking: Asking) -> None:
    world = asking.world
    for _ in range(3):
        world.publisher.rotate()
    world.publisher.publish()
    updates.add_publisher(world.opened, world.publisher.file())
    base = f"/v1/publishers/{world.id}"
    for asked, version in ((1, 1), (2, 2), (4, 4)):
        answer = asking.get(f"{base}/trust/{asked}")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/jose"
        assert answer.body.decode() == world.publisher.line[version - 1].text
    for wrong in ("0", "5", "01", "-1", "x", "99999999999999999999"):
        assert asking.get(f"{base}/trust/{wrong}").status == 404
    answer = asking.get(f"{base}/catalogue")
    assert answer.body.decode() == world.publisher.catalogue.text
    again = asking.get(f"{base}/catalogue", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert asking.get(f"/v1/publishers/{'a' * 16}/catalogue").status == 404
    assert asking.get("/v1/publishers/x/catalogue").status == 404
    (served,) = decode_publishers(asking.get("/v1/publishers").body, "the host")
    assert (served.publisher, served.label) == (world.id, "contoso")
    assert (served.trust, served.catalogue) == (4, 2)
    assert served.groups == ("desktop", "server")
    (grant,) = decode_grants(asking.get(f"{base}/grants").body, "the host")
    signer = world.keyring.load(world.id)
    assert signer is not None
    assert grant.signer == signer.public


def test_every_answer_names_the_newest_versions_at_once(asking: Asking) -> None:
    world = asking.world
    world.publisher.rotate()
    world.publisher.publish()
    updates.add_publisher(world.opened, world.publisher.file())
    found = problem(asking.activate(1))
    assert (found.trust, found.catalogue) == (2, 2)


def test_allowed_networks(asking: Asking) -> None:
    with asking.world.database.transaction() as tx:
        host_settings.put(tx, "allowed_networks", "192.0.2.0/24")
        own.touch(tx)
    asking.server.service.view()
    found = problem(asking.activate(1))
    assert (found.status, found.code) == (403, "host/network-not-allowed")
    with asking.world.database.transaction() as tx:
        host_settings.put(tx, "allowed_networks", "192.0.2.0/24,127.0.0.0/8")
        own.touch(tx)
    asking.server.service.view()
    assert problem(asking.activate(1)).number("count") == 1


def test_the_rate_of_new_machines_says_when_to_come_back(asking: Asking) -> None:
    with asking.world.database.transaction() as tx:
        host_settings.put(tx, "new_cmid_rate", "1")
        # Loopback itself is nobody in particular; behind a trusted proxy each source is one.
        host_settings.put(tx, "trusted_proxies", "127.0.0.1/32")
        own.touch(tx)
    asking.server.service.view()
    asking.headers = {"X-Forwarded-For": "192.0.2.7"}
    asking.activate(1)
    answer = asking.activate(2)
    assert answer.status == 429
    assert answer.headers["retry-after"] == "3601"


def test_health_readiness_metrics_and_openapi(asking: Asking) -> None:
    assert asking.get("/healthz").status == 200
    assert asking.told("/healthz").status == 200
    assert asking.told("/readyz").status == 200
    for number in range(1, 61):
        asking.activate(number, "server-standard")
    asking.activate(61, "desktop-pro", state=0)
    text = asking.told("/metrics").body.decode()
    publisher = asking.world.id
    whose = {"publisher": publisher}
    server = {"product": "server-standard", **whose}
    for outcome, count in (("host/insufficient-count", 4), ("leased", 56)):
        assert series(text, "muster_host_requests_total", outcome=outcome, **server) == count
    assert series(text, "muster_host_requests_by_state_total", state="0", **whose) == 1
    # Twice the largest need of the application, 25: the size of the fleet stays private.
    assert series(text, "muster_host_machines", application="os", **whose) == 50
    answered = {"route": "activate", "status": "409"}
    assert series(text, "muster_host_http_answers_total", **answered) == 4
    assert series(text, "muster_host_http_answer_seconds_count", route="activate") == 122
    view = asking.world.opened.current().publishers[publisher]
    assert view.catalogue is not None
    (held,) = view.grants
    whose["label"] = view.label
    signed = series(text, "muster_host_catalogue_signed_timestamp_seconds", **whose)
    assert signed == view.catalogue.iat
    ends = series(text, "muster_host_grant_end_timestamp_seconds", group=held.grant.group, **whose)
    assert ends == (math.inf if held.grant.exp is None else held.grant.exp)
    check_metrics(text)
    document = json.loads(asking.get("/openapi.json").body)
    assert set(document["paths"]) == {route.path for route in routes.HOST_ROUTES}


def test_a_refused_machine_leaves_one_line_in_the_log(
    asking: Asking, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "muster.host")
    assert asking.activate(1, "no-such-product").status == 404
    told = [vars(one) for one in caplog.records if one.name == "muster.host"]
    assert [(one["message"], one["code"], one["client"]) for one in told] == [
        ("a request was refused", "host/not-served", "127.0.0.1")
    ]


def test_a_host_that_serves_nobody_is_not_ready(world: World) -> None:
    server = HostServer(world.database, world.keyring, world.clock, SeededDice("server"))
    with (
        server,
        ThreadServer(server.router) as listening,
        ThreadServer(server.operation) as operation,
    ):
        asking = Asking(listening.url, world, server)
        asking.operation = operation.url
        assert asking.get("/healthz").status == 200
        assert asking.told("/readyz").status == 503
        assert decode_publishers(asking.get("/v1/publishers").body, "the host") == ()
        assert asking.get(f"/v1/publishers/{world.id}/grants").status == 200
        found = problem(asking.activate(1))
        assert (found.code, found.field_code) == ("host/not-activated", "0xC004F041")


NASTY = ('"', "{", "}", "{0}", "%s", "\\", "\u2028", "'; DROP TABLE sighting; --", "\x00", "é" * 70)


@pytest.mark.parametrize(
    "member", ["publisher", "product", "cmid", "nonce", "fingerprint", "identity", "client"]
)
def test_quotes_and_braces_in_every_member(asking: Asking, member: str) -> None:
    good = json.loads(Machine(1).request(asking.world.id, "desktop-pro", 0).body)
    for nasty in NASTY:
        value: Any = nasty
        if member == "fingerprint":
            value = [nasty]
        elif member == "client":
            value = {"version": nasty, "os": nasty, "virtual": None}
        answer = asking.post("/v1/activate", json.dumps({**good, member: value}).encode())
        found = problem(answer)
        assert answer.status in (400, 403), (member, nasty)
        assert found.code in ("wire/bad-request", "host/clock-skew")
    with asking.world.database.snapshot() as reader:
        row = reader.one("SELECT count(*) FROM sighting")
    assert row is not None
    assert row[0] == 0


@examples(60, shared=True)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_bad_request(asking: Asking, body: bytes) -> None:
    for path in ("/v1/activate", "/v1/release"):
        answer = asking.post(path, body)
        assert answer.status == 400
        assert problem(answer).code.startswith(("wire/", "licence/"))


def test_sizes_media_types_and_methods(asking: Asking) -> None:
    assert asking.post("/v1/activate", b" " * 4097).status == 413
    answer = asking.http.request("POST", asking.url + "/v1/activate", b"{}", {})
    assert answer.status == 415
    assert asking.get("/v1/activate").status == 405
    assert asking.get("/v1/nothing").status == 404
