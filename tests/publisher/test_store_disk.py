"""A publisher whose disk is really full: machines come back later, and it goes on by itself."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.mounts import file_system

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


def test_a_full_disk(small: Shop, caplog: pytest.LogCaptureFixture) -> None:
    ballast = small.folder.parent / "ballast"
    host = small.host(small.admin().issue_host_keys("server-c")[0].key)
    api = PublisherAPI(small.service())
    with ThreadServer(api.router()) as server:
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
        assert [("db/full" in one.getMessage(), one.exc_info) for one in told] == [(True, None)]
        assert not any(one.name.startswith("muster.net") for one in caplog.records)
        # What only reads goes on.
        assert http.request("GET", server.url + "/v1/catalogue").status == 200
        ballast.unlink()
        assert ask().status == 200
