"""Activations and batches over a real server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.net.exposition import series

from muster.core.keys import Kind, ProductKey
from muster.net.http import HTTPClient, Response
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.wire import routes
from muster.wire.problem import decode_problem
from muster.wire.publisher import (
    BATCH_ROWS,
    BatchAnswer,
    BatchRequest,
    ConfirmRequest,
    decode_batch_answer,
    decode_confirm_answer,
)

from .conftest import Shop

JSON = {"Content-Type": "application/json"}


class Asker:
    """Speaks to one publisher over HTTP."""

    def __init__(self, shop: Shop, url: str) -> None:
        self.shop = shop
        self._url = url
        self.operation = ""
        self.look: Callable[[], None] = lambda: None
        self._client = HTTPClient(timeout=60, limit=32 * 1024 * 1024)

    def post(self, route: routes.Route, body: bytes) -> Response:
        return self._client.request("POST", self._url + route.path, body, JSON)

    def one(self, digits: str) -> Response:
        return self.post(routes.ACTIVATIONS, ConfirmRequest(digits).encode())

    def batch(self, *digits: str) -> BatchAnswer:
        response = self.post(routes.ACTIVATIONS_BATCH, BatchRequest(digits).encode())
        assert response.status == 200, response.body
        return decode_batch_answer(response.body, "publisher")

    def metrics(self) -> str:
        self.look()
        return self._client.request("GET", self.operation + "/metrics").body.decode("ascii")

    def key(self, pool: int = 10) -> ProductKey:
        return self.shop.admin().issue_pool_keys(Kind.MAK, "client-volume", pool)[0].key


@pytest.fixture
def asker(shop: Shop) -> Iterator[Asker]:
    api = PublisherAPI(shop.service())
    with ThreadServer(api.router()) as server, ThreadServer(api.operation()) as operation:
        found = Asker(shop, server.url)
        found.operation = operation.url
        found.look = api.known.look
        yield found


def test_one_machine_and_a_batch_get_the_same(asker: Asker) -> None:
    one, two, three = asker.shop.machines(asker.key(2), 3)
    response = asker.one(one.digits())
    assert response.status == 200
    answer = decode_confirm_answer(response.body, "publisher")
    batch = asker.batch(one.digits(), two.digits(), three.digits())
    assert [row.good for row in batch.rows] == [True, True, False]
    assert batch.rows[0].grant == answer.grant
    assert batch.rows[0].confirmation_id == answer.confirmation_id
    assert batch.rows[2].code == "publisher/pool-used-up"
    assert batch.rows[2].fix
    assert batch.catalogue == answer.catalogue
    refused = asker.one(three.digits())
    problem = decode_problem(refused.status, refused.body, "publisher")
    assert (problem.status, problem.code, problem.field_code) == (
        409,
        "publisher/pool-used-up",
        "0xC004C020",
    )
    found = asker.metrics()
    for outcome, count in (("granted", 2), ("again", 1), ("publisher/pool-used-up", 2)):
        assert series(found, "muster_publisher_activations_total", outcome=outcome) == count
    assert series(found, "muster_publisher_pool_drawn") == 2
    assert series(found, "muster_publisher_pools_used_up") == 1


def test_an_installation_id_of_a_host_is_sent_to_its_own_door(asker: Asker) -> None:
    host = asker.shop.host(asker.shop.admin().issue_host_keys("server-c")[0].key)
    response = asker.one(host.digits())
    problem = decode_problem(response.status, response.body, "publisher")
    assert (problem.status, problem.code) == (403, "publisher/not-machine-key")
    (machine,) = asker.shop.machines(asker.key(), 1)
    response = asker.post(routes.HOSTS_ACTIVATE, ConfirmRequest(machine.digits()).encode())
    problem = decode_problem(response.status, response.body, "publisher")
    assert (problem.status, problem.code) == (403, "publisher/not-host-key")


def test_the_largest_batch_fits_and_one_row_more_does_not(asker: Asker) -> None:
    """All rows but one are the same machine: the size of the message is what is tried."""
    one, two = asker.shop.machines(asker.key(), 2)
    rows = [one.digits()] * (BATCH_ROWS - 1) + [two.digits()]
    found = asker.batch(*rows)
    assert len(found.rows) == BATCH_ROWS
    assert all(row.good for row in found.rows)
    assert asker.shop.admin().keys(Kind.MAK)[0].drawn == 2
    response = asker.post(routes.ACTIVATIONS_BATCH, BatchRequest((*rows, two.digits())).encode())
    problem = decode_problem(response.status, response.body, "publisher")
    assert (problem.status, problem.code) == (400, "wire/bad-request")
    response = asker.post(routes.ACTIVATIONS_BATCH, BatchRequest(()).encode())
    assert response.status == 400


def test_mistyped_rows_slow_nobody_down(asker: Asker) -> None:
    """Digits that do not fit each other guess nothing: a long list has some."""
    machines = asker.shop.machines(asker.key(60), 60)
    rows = [one.digits() for one in machines]
    mistyped = [
        one[:-1] + str((int(one[-1]) + 1) % 10) if place % 2 else one
        for place, one in enumerate(rows)
    ]
    found = asker.batch(*mistyped)
    assert [row.code for row in found.rows] == ["", "digits/group"] * 30
    assert all(row.good for row in asker.batch(*rows).rows)
