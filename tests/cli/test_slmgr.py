"""`muster slmgr`: the words and field names that administrators know, on a client and on a host."""

from __future__ import annotations

import pytest
from tests.cli.slmgr.conftest import CMID_FIELD, PRODUCT, Desk, desk, host

from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.host import HOST
from muster.cli.slmgr.words import REFUSED
from muster.testing.tiny_publisher import TinyPublisher

__all__ = ["desk", "host"]

ALL_OF_SLMGR = (
    "/ipk /ato /dli /dlv /xpr /upk /cpky /ilc /rilc /rearm /rearm-app /rearm-sku /dti /atp /skms"
    " /ckms /skms-domain /ckms-domain /skhc /ckhc /sprt /sai /sri /sdns /cdns /spri /cpri"
    " /act-type /lil /ril /ltc /fta /stao /ctao /ad-activation-online /ad-activation-get-iid"
    " /ad-activation-apply-cid /ao-list /del-ao"
)


@pytest.mark.real
def test_the_way_of_an_administrator(desk: Desk) -> None:
    address = desk.served.address.text
    assert "successfully" in desk.slmgr("/ipk", desk.setup_key)
    before = desk.fields("/dlv")
    assert before["License Status"] == "Initial grace period"
    assert before["Time remaining"].endswith("(30 day(s))")
    assert before["KMS machine name from DNS"].startswith("not")
    assert "successfully" in desk.slmgr("/skms", address)
    assert desk.fields("/dlv")["Registered KMS machine name"] == address
    assert "is licensed until" in desk.slmgr("/ato")
    shown = desk.fields("/dlv")
    assert shown["Name"] == "Desktop Pro, Test edition"
    assert shown["Description"].endswith("VOLUME_KMSCLIENT channel")
    assert shown["Partial Product Key"] == desk.setup_key[-5:]
    assert shown["License Status"] == "Licensed"
    assert shown["Volume activation expiration"].endswith(" minute(s) (180 day(s))")
    assert len(shown[CMID_FIELD]) == 36
    assert shown["Registered KMS machine name"] == address
    assert shown["KMS machine IP address"] == "127.0.0.1"
    assert shown["Activation interval"] == "120 minutes"
    assert shown["Renewal interval"] == "10080 minutes"
    assert "KMS host caching is enabled" in desk.slmgr("/dlv")
    assert desk.setup_key not in desk.slmgr("/dlv")

    assert "successfully" in desk.slmgr("/ckms")
    assert desk.fields("/dlv")["KMS machine name from DNS"] == address
    assert "Volume activation will expire 20" in desk.slmgr("/xpr")
    short = desk.fields("/dli")
    assert set(short) == {
        "Name",
        "Description",
        "Partial Product Key",
        "License Status",
        "Volume activation expiration",
    }
    assert "nothing to clear" in desk.slmgr("/cpky")
    assert desk.fields("/dlv")["License Status"] == "Licensed"
    assert "successfully" in desk.slmgr("/upk")
    assert "not found" in desk.slmgr("/upk")
    assert "This license is not in use." in desk.slmgr("/dlv")
    assert "unlicensed" in desk.slmgr("/xpr")


@pytest.mark.real
def test_a_refusal_has_the_number_that_administrators_look_for(desk: Desk) -> None:
    desk.served.host.forget()
    desk.slmgr("/skms", desk.served.address.text)
    done = desk.run("slmgr", "/ato", code=1)
    assert "0xC004F038" in done.stderr
    assert desk.fields("/dlv")["Notification Reason"].startswith("0xC004F038")
    (product,) = desk.data("/dlv")["products"]
    assert product["state"] == 2
    assert product["fields"]["License Status"] == "Initial grace period"


@pytest.mark.parametrize("word", ["/DLV", "-dlv", "/Dlv", "-DLV"])
def test_words_are_typed_in_any_case(desk: Desk, word: str) -> None:
    assert desk.fields(word)["License Status"] == "Initial grace period"


def test_every_word_of_slmgr_is_understood_or_refused_with_a_hint(desk: Desk) -> None:
    assert set(ALL_OF_SLMGR.split()) == set(CLIENT) | set(HOST) | set(REFUSED)
    assert not (set(CLIENT) | set(HOST)) & set(REFUSED)
    for word in REFUSED:
        found = desk.data(word, code=2)["error"]
        assert found["code"] == "client/slmgr-word"
        assert found["params"]["word"] == word
        assert found["why"]
        assert found["fix"]


@pytest.mark.parametrize(
    "words", [(), ("/what",), ("/ipk",), ("/dlv", "a", "b"), ("/ckms", "x"), ("--wrong",)]
)
def test_what_is_not_understood_is_said(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.data(*words, code=2)["error"]["code"] == "client/slmgr-usage"


def test_cscript_and_types_of_activation_are_understood_on_both(
    host: tuple[Desk, TinyPublisher],
) -> None:
    desk, _ = host
    assert "not in use" in desk.slmgr("//nologo", "/dlv")
    assert "not in use" in desk.slmgr("//Nologo", "//T:10", "/DLV")
    for role in ((), ("--client",), ("--host",)):
        assert desk.data("/act-type", "2", *role) == {"type": 2, "changed": False}
        assert desk.data("/act-type", *role) == {"type": 0, "changed": False}
        assert desk.data("/act-type", "1", *role, code=2)["error"]["code"] == "client/slmgr-word"
        assert desk.data("/act-type", "7", *role, code=2)["error"]["code"] == "client/slmgr-usage"
    elsewhere = desk.data("kms2.corp.test", "/dlv", code=2)["error"]
    assert elsewhere["params"]["word"] == "kms2.corp.test"


def test_a_machine_that_is_client_and_host_asks_which_is_meant(
    host: tuple[Desk, TinyPublisher],
) -> None:
    desk, publisher = host
    descriptor = desk.folder / "descriptor.json"
    descriptor.write_bytes(publisher.descriptor(PRODUCT))
    descriptor.chmod(0o644)
    desk.run("client", "product", "add", str(descriptor))
    for word in ("/dlv", "/dli", "/ato", "/xpr", "/upk", "/dti", "/cpky"):
        assert desk.data(word, code=2)["error"]["code"] == "client/slmgr-role"
    assert desk.fields("/dlv", "--client")["Description"].endswith("VOLUME_KMSCLIENT channel")
    assert "no host key" in desk.slmgr("/dlv", "--host")
    # What only one of them has needs no choice, nor does a key, which says what it is for.
    assert desk.data("/ckhc")["changed"] is True
    assert desk.data("/sprt", "1700")["changed"] is True
    assert "Host key" in desk.slmgr("/ipk", publisher.host_key("server").text)
    setup = publisher.catalogue.product(PRODUCT).setup_key
    assert desk.data("/ipk", setup)["product"] == PRODUCT
    assert desk.data("/skhc", "--host", code=2)["error"]["code"] == "client/slmgr-word"
    assert desk.data("/sprt", "1", "--client", code=2)["error"]["code"] == "client/slmgr-word"
