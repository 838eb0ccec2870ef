"""A publisher whose disk is really full: machines come back later, and it goes on by itself."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.mounts import file_system

from muster.net import known
from muster.net.http import HTTPClient, Response
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.wire import routes
from muster.wire.problem import decode_problem

from .conftest import Shop

pytestmark = pytest.mark.real


@pytest.fixture
def small(tmp_path: Path, freshly_made: Callable[[str], Path]) -> Iterator[Shop]:
    """The publisher Contoso on a file system of 1 MiB."""
    with file_system(tmp_path / "small", "1m") as folder:
        made = freshly_made("contoso")
        shutil.copytree(made / "store", folder / "store")
        shop = Shop(folder / "store", made / "reserve.key")
        yield shop
        for opened in shop.opened:
            opened.close()


def test_a_full_disk(
    small: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "QUIET_SECONDS", 0.0)
    ballast = small.folder.parent / "ballast"
    host = small.host(small.admin().issue_host_keys("server-c")[0].key)
    api = PublisherAPI(small.service())
    with ThreadServer(api.router()) as server, ThreadServer(api.operation()) as operation:
        http = HTTPClient(timeout=30, limit=1024 * 1024)

        def ask() -> Response:
            body = json.dumps({"v": 1, "installation_id": host.digits()}).encode()
            url = server.url + routes.HOSTS_ACTIVATE.path
            return http.request("POST", url, body, {"Content-Type": "application/json"})

        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 1024)
        caplog.clear()
        answer = ask()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        problem = decode_problem(answer.status, answer.body, "the publisher")
        assert problem.code == "wire/unavailable"
        assert b"publisher.db" not in answer.body
        told = [one for one in caplog.records if one.name == "muster.publisher"]
        # Once that the database is full, and once that a request was refused for it.
        texts = [one.getMessage().partition("db/full")[0] for one in told]
        assert texts == ["", "a request was refused: "]
        assert not any(one.exc_info for one in told)
        found = http.request("GET", operation.url + "/readyz")
        assert (found.status, json.loads(found.body)["problems"][0]["code"]) == (503, "db/full")
        assert not any(one.name.startswith("muster.net") for one in caplog.records)
        # What only reads goes on.
        assert http.request("GET", server.url + "/v1/catalogue").status == 200
        ballast.unlink()
        assert ask().status == 200
        api.known.look()
        assert http.request("GET", operation.url + "/readyz").status == 200
