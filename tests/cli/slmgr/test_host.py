"""The words of slmgr on a host."""

from __future__ import annotations

from tests.cli.slmgr.conftest import Desk

from muster.testing.tiny_publisher import TinyPublisher
from muster.wire.exchange import read_request_file


def test_a_host_is_set_up_and_shown_by_the_old_words(host: tuple[Desk, TinyPublisher]) -> None:
    desk, publisher = host
    assert "not in use" in desk.slmgr("/dlv")
    key = publisher.host_key("server")
    desk.slmgr("/ipk", key.text)
    waiting = desk.fields("/dlv")
    assert waiting["License Status"] == "Unlicensed"
    assert "Current count" not in waiting

    request, reply = desk.folder / "request.json", desk.folder / "reply.json"
    desk.run("host", "activate", "--request", str(request))
    answer = publisher.reply(read_request_file(request.read_bytes()))
    reply.write_bytes(answer.encode())
    desk.run("host", "activate", "--reply", str(reply))

    shown = desk.fields("/dlv")
    assert shown["Description"].endswith("VOLUME_KMS channel")
    assert shown["Partial Product Key"] == key.text[-5:]
    assert shown["License Status"] == "Licensed"
    assert shown["Current count"] == "0"
    assert shown["Listening on Port"] == "not running"
    assert shown["Total requests received"] == "0"
    assert shown["Requests with License Status Unlicensed"] == "0"
    text = desk.slmgr("/dlv")
    assert "Key Management Service is NOT RUNNING on this machine" in text
    assert "DNS publishing not running" in text
    assert desk.data("/dlv")["fields"][0]["Current count"] == "0"
    assert "Current count" not in desk.slmgr("/dli")

    desk.slmgr("/sprt", "1700")
    desk.slmgr("/cdns")
    desk.slmgr("/sai", "30")
    desk.slmgr("/sri", "1440")
    shown = desk.fields("/dlv")
    assert shown["Listening on Port"] == "not running"
    assert shown["Activation interval"] == "30 minutes"
    assert shown["Renewal interval"] == "1440 minutes"
    assert "DNS publishing not running" in desk.slmgr("/dlv")
    desk.slmgr("/sdns")
    for minutes in ("x", "5", "43201"):
        refusal = desk.data("/sai", minutes, code=2)["error"]
        assert refusal["code"] == "client/slmgr-usage"
        assert "from 15 to 43200" in refusal["what"] + refusal["why"]


def test_words_of_a_client_are_refused_on_a_host(host: tuple[Desk, TinyPublisher]) -> None:
    desk, _ = host
    for word in ("/skms", "/skhc", "/rearm", "/spri"):
        assert desk.data(word, code=2)["error"]["code"] == "client/slmgr-word"
        assert desk.data("--host", word, code=2)["error"]["code"] == "client/slmgr-word"
    assert desk.data("/what", code=2)["error"]["code"] == "client/slmgr-usage"


def test_a_telephone_activation_of_a_host_by_the_old_words(
    host: tuple[Desk, TinyPublisher],
) -> None:
    desk, publisher = host
    desk.slmgr("/ipk", publisher.host_key("server").text)
    digits = str(desk.data("/dti")["installation_id"])
    answer = publisher.confirm(digits)
    desk.slmgr("/atp", answer.confirmation_id)
    assert desk.fields("/dlv")["License Status"] == "Licensed"
