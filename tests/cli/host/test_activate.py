"""`muster host activate`: online, by file, by telephone."""

from __future__ import annotations

import pytest
from tests.cli.host.conftest import Desk

from muster.net.serve import ThreadServer
from muster.wire.exchange import read_request_file

pytestmark = pytest.mark.real


def test_online_activation_twice(made: Desk) -> None:
    key = made.publisher.host_key("server").text
    assert made.data("install-key", key)["changed"]
    assert not made.data("install-key", key.lower().replace("-", " "))["changed"]
    assert made.error("activate", code=2) == "host/no-url"
    with ThreadServer(made.publisher.router()) as server:
        done = made.data("activate", "--publisher-url", server.url)
        assert done["changed"]
        assert done["activated"][0]["covers"] == ["desktop", "server"]
        assert not made.data("activate", "--publisher-url", server.url)["changed"]
    assert "nothing was changed" in made.text("activate")
    assert made.data("status")["publishers"][0]["able"]


def test_the_publishers_refusal_is_shown_as_it_words_it(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    made.publisher._issued.clear()
    with ThreadServer(made.publisher.router()) as server:
        assert made.error("activate", "--publisher-url", server.url, code=1) == "key/tag"
    assert made.error("activate", "--publisher-url", server.url, code=3).startswith("net/")
    assert made.error("activate", "--publisher-url", "ftp://x", code=2).startswith("net/")


def test_activation_by_file(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    request, reply = made.folder / "request", made.folder / "reply"
    assert made.data("activate", "--request", str(request))["changed"]
    assert not made.data("activate", "--request", str(request))["changed"]
    asked = read_request_file(request.read_bytes())
    reply.write_bytes(made.publisher.reply(asked).encode())
    assert made.data("activate", "--reply", str(reply))["changed"]
    assert not made.data("activate", "--reply", str(reply))["changed"]
    nothing = made.data("activate", "--request", str(request))
    assert nothing.pop("changed") is False
    assert set(nothing.values()) == {None}
    reply.write_bytes(b"{}")
    assert made.error("activate", "--reply", str(reply), code=2) == "wire/not-exchange"


def test_activation_by_telephone(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    shown = made.text("activate", "--telephone")
    digits = made.data("activate", "--telephone")["installation_id"]
    assert all(group in shown for group in digits.split("-"))
    back = made.publisher.confirm(digits).confirmation_id
    wrong = back[:-1] + str((int(back[-1]) + 1) % 10)
    assert made.error("activate", "--confirmation-id", wrong, code=2) == "digits/group"
    assert made.data("activate", "--confirmation-id", back.replace("-", " "))["changed"]


def test_a_host_without_keys_and_one_with_several(made: Desk) -> None:
    assert made.error("activate", code=2) == "host/no-key"
    for group in ("server", "office"):
        made.data("install-key", made.publisher.host_key(group).text)
    request = str(made.folder / "request")
    assert made.error("activate", "--request", request, code=2) == "host/which-key"
    listed = made.data("status")["publishers"][0]["keys"]
    said = made.type("activate", "--request", request, code=2).stderr
    assert all(key["partial"] in said and key["key"] in said for key in listed)
    assert made.error("activate", "--telephone", "--key", "ABCDE", code=2) == "host/unknown-key"
    last = made.data("status")["publishers"][0]["keys"][1]["partial"]
    assert made.data("activate", "--request", request, "--key", last)["partial"] == last
    assert made.data("remove-key", last)["changed"]
    assert made.error("remove-key", last, code=2) == "host/unknown-key"
    assert made.type("activate", "--telephone", "--request", request, code=2)


@pytest.mark.parametrize("name", ["a\nb", "x" * 65, "\x1b[2J", " padded "])
def test_a_name_that_cannot_be_sent_is_refused_where_it_is_typed(made: Desk, name: str) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    assert made.type("activate", "--name", name, code=2)


def test_a_name_is_in_the_request_file_only_where_one_was_given(made: Desk) -> None:
    made.data("install-key", made.publisher.host_key("server").text)
    file = made.folder / "request"
    made.data("activate", "--request", str(file))
    assert read_request_file(file.read_bytes()).request.name == ""
    made.data("activate", "--request", str(file), "--name", "Main building")
    assert read_request_file(file.read_bytes()).request.name == "Main building"
