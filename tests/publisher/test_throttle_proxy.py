"""A publisher behind a proxy: one who guesses there locks nobody else out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.net.exposition import series

from muster.core.keys import Kind
from muster.net.http import HTTPClient
from muster.net.peers import networks
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.publisher.throttle import SPACE_FAILURES
from muster.wire import routes
from muster.wire.problem import decode_problem
from muster.wire.publisher import ConfirmRequest

from .conftest import Shop


class Street:
    """People who ask through one proxy on the publisher's own machine."""

    def __init__(self, shop: Shop, url: str) -> None:
        key = shop.admin().issue_pool_keys(Kind.MAK, "client-volume", 20)[0].key
        machine = shop.machines(key, 1)[0]
        self.good = machine.digits()
        self.wrong = replace(machine, proof=b"guessed" * 4 + b"four").digits()
        self._url = url + routes.ACTIVATIONS.path
        self._http = HTTPClient(timeout=60, limit=1 << 20)

    def ask(self, digits: str, **headers: str) -> str:
        """The code of the answer, "" for a licence."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        found = self._http.request(
            "POST",
            self._url,
            ConfirmRequest(digits).encode(),
            {"Content-Type": "application/json", **fields},
        )
        if found.status == 200:
            return ""
        return decode_problem(found.status, found.body, "publisher").code


def street(shop: Shop, trusted: Sequence[str]) -> tuple[ThreadServer, PublisherAPI]:
    api = PublisherAPI(shop.service(), networks(trusted))
    return ThreadServer(api.router()), api


def test_ten_wrong_ids_behind_a_local_proxy_lock_nobody_out(shop: Shop) -> None:
    server, _ = street(shop, [])
    with server:
        people = Street(shop, server.url)
        # The header is a stranger's word here.
        codes = [people.ask(people.wrong, X_Forwarded_For="192.0.2.66") for _ in range(15)]
        assert set(codes) == {"id/proof"}
        assert people.ask(people.good) == ""


def test_what_is_guessed_in_a_key_space_stays_bounded(shop: Shop) -> None:
    server, _ = street(shop, [])
    with server:
        people = Street(shop, server.url)
        codes = [people.ask(people.wrong) for _ in range(SPACE_FAILURES + 5)]
        assert codes[:SPACE_FAILURES] == ["id/proof"] * SPACE_FAILURES
        assert codes[-1] == "publisher/too-many"


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded"])
def test_behind_a_trusted_proxy_each_source_is_one(shop: Shop, header: str) -> None:
    def by(address: str) -> dict[str, str]:
        return {header: f"for={address}" if header == "Forwarded" else address}

    server, _ = street(shop, ["127.0.0.1/32"])
    with server:
        people = Street(shop, server.url)
        codes = [people.ask(people.wrong, **by("192.0.2.66")) for _ in range(12)]
        assert codes == ["id/proof"] * 10 + ["publisher/too-many"] * 2
        assert people.ask(people.good, **by("192.0.2.66")) == "publisher/too-many"
        # What he writes before his own address changes nothing; others are served.
        claimed = by("198.51.100.1")[header] + ", " + by("192.0.2.66")[header]
        assert people.ask(people.good, **{header: claimed}) == "publisher/too-many"
        assert people.ask(people.good, **by("192.0.2.7")) == ""
        assert people.ask(people.good) == ""


def test_another_peer_is_not_believed(shop: Shop) -> None:
    """The proxy that is trusted is another one: a guesser does not change his address by a word."""
    api = PublisherAPI(shop.service(), networks(["10.9.0.1/32"]))
    with ThreadServer(api.router(), address="127.0.0.1") as server:
        people = Street(shop, server.url)
        for number in range(SPACE_FAILURES):
            people.ask(people.wrong, X_Forwarded_For=f"192.0.2.{number}")
        # One try a minute is left for each source, and all of these are one.
        codes = [people.ask(people.wrong, X_Forwarded_For=f"192.0.2.{n}") for n in (200, 201, 202)]
        assert codes == ["id/proof", "publisher/too-many", "publisher/too-many"]


def test_guesses_leave_few_lines_and_no_audit(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Every one is counted; the log has some of them, the audit none."""
    caplog.set_level(logging.INFO, "muster.publisher")
    server, api = street(shop, [])
    with server, ThreadServer(api.operation()) as monitor:
        people = Street(shop, server.url)
        before = shop.admin().audit(0, 10_000)
        for _ in range(60):
            people.ask(people.wrong)
        for _ in range(60):
            people.ask(people.good)
        text = HTTPClient(timeout=20).request("GET", monitor.url + "/metrics").body.decode()
        for outcome, count in (("id/proof", 60), ("again", 59)):
            assert series(text, "muster_publisher_activations_total", outcome=outcome) == count
        # One draw, and no more than ten of what anybody can repeat.
        lines = [one for one in caplog.records if "activated" in one.message]
        assert len(lines) == 11
        assert len(shop.admin().audit(0, 10_000)) == len(before) + 1
        shop.clock.seconds += 61
        people.ask(people.wrong)
    assert "109 more requests of 127.0.0.1 are not listed" in caplog.text
