"""`muster host terms` and `catalogue`."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.cli.host.conftest import Desk

from muster.core.products import Revocation, day_of
from muster.net.serve import ThreadServer
from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.exchange import read_request_file

pytestmark = pytest.mark.real


def test_terms_are_asked_for_after_the_telephone(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("limited").text)
    digits = made.data("activate", "--telephone")["installation_id"]
    answer = made.publisher.confirm(digits)
    assert "terms" in made.text("activate", "--confirmation-id", answer.confirmation_id)
    status = made.data("status")["publishers"][0]
    assert status["keys"][0]["grant"]["code"] == "host/terms-required"
    request, reply = made.folder / "request", made.folder / "reply"
    last = status["keys"][0]["partial"]
    made.data("activate", "--request", str(request), "--key", last)
    asked = read_request_file(request.read_bytes())
    reply.write_bytes(made.publisher.reply(asked, limit=7).encode())
    assert made.data("activate", "--reply", str(reply))["changed"]
    status = made.data("status")["publishers"][0]
    assert (status["able"], status["serving"]) == (True, False)
    assert status["keys"][0]["terms"]["limit"] == 7
    assert "0 of 7 seats taken" in made.text("status")


def test_catalogues_by_file_and_fetched(active: Desk) -> None:
    publisher = active.publisher
    publisher.rotate()
    publisher.publish([publisher.new_product("desktop-8")])
    active.file.write_bytes(publisher.file().encode())
    done = active.data("catalogue", "import", str(active.file))
    assert (done["changed"], done["trust"], done["catalogue"]) == (True, 2, 2)
    assert not active.data("catalogue", "import", str(active.file))["changed"]
    assert re.search(r"News: +last 20[0-9: -]+ UTC; not asked now", active.text("status"))
    for words in (("catalogue", "fetch"), ("terms", "fetch")):
        told = active.data(*words, code=2)["error"]
        assert (told["code"], f"{words[0]} import FILE" in told["fix"]) == ("host/no-url", True)
    for _ in range(3):
        publisher.rotate()
    publisher.publish()
    with ThreadServer(publisher.router()) as server:
        done = active.data("catalogue", "fetch", "--publisher-url", server.url)
        assert done["changed"]
        assert (done["publishers"][0]["trust"], done["publishers"][0]["catalogue"]) == (5, 3)
        again = active.data("catalogue", "fetch", "--publisher-url", server.url)
        assert not again["changed"]
    stranger = TinyPublisher("fabrikam", now=publisher.now)
    active.file.write_bytes(stranger.file().encode())
    found = active.error("catalogue", "import", str(active.file), code=2)
    assert found == "host/unknown-publisher"


@pytest.mark.parametrize(
    ("answer", "code"), [(502, "wire/gateway"), (302, "wire/redirected"), (500, "wire/bad-answer")]
)
def test_a_proxy_that_reaches_no_publisher_is_told_as_one(
    active: Desk, answer: int, code: str
) -> None:
    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer)
            self.send_header("Location", "https://login.example/")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{proxy.server_port}"
            fetch = ("catalogue", "fetch", "--publisher-url", url)
            shown = active.type(*fetch, code=3).output
        finally:
            proxy.shutdown()
            thread.join()
    assert code in shown
    assert str(answer) in shown


def test_what_is_refused_is_told_beside_what_came(active: Desk) -> None:
    publisher = active.publisher
    active.data("install-key", publisher.host_key("limited").text)
    with ThreadServer(publisher.router()) as server:
        url = ("--publisher-url", server.url)
        active.data("activate", *url)
        first, second = active.data("status")["publishers"][0]["keys"]
        day = day_of(publisher.now)
        publisher.publish(revocations=[Revocation(jti=None, key=first["key"], at=day)])
        found = active.data("terms", "fetch", *url, code=1)
        assert [key["key"] for key in found["keys"]] == [second["key"]]
        assert [key["key"] for key in found["refused"]] == [first["key"]]
        assert found["refused"][0]["error"]["code"] == "publisher/key-revoked"
        said = active.type("terms", "fetch", *url, code=1)
        assert "has no terms, and its key group requires them" in said.stdout
        assert found["keys"][0]["lacks_terms"] is True
        assert "publisher/key-revoked" in said.stderr
        assert first["partial"] in said.stderr
