"""`muster slmgr`: the words and field names that administrators know, on a client and on a host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muster.cli.main import muster
from muster.cli.slmgr.client import CLIENT
from muster.cli.slmgr.host import HOST
from muster.cli.slmgr.words import REFUSED
from muster.core.keys import Kind
from muster.core.products import DAY
from muster.system.clock import SystemClock
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.tiny_publisher import TinyPublisher
from muster.testing.world import machine_facts
from muster.wire.exchange import read_request_file

PRODUCT = "desktop-pro"
CMID_FIELD = "Client Machine ID (CMID)"

ALL_OF_SLMGR = (
    "/ipk /ato /dli /dlv /xpr /upk /cpky /ilc /rilc /rearm /rearm-app /rearm-sku /dti /atp /skms"
    " /ckms /skms-domain /ckms-domain /skhc /ckhc /sprt /sai /sri /sdns /cdns /spri /cpri"
    " /act-type /lil /ril /ltc /fta /stao /ctao /ad-activation-online /ad-activation-get-iid"
    " /ad-activation-apply-cid /ao-list /del-ao"
)


class Desk:
    """Somebody who types slmgr's words."""

    def __init__(self, folder: Path, served: LoopbackHost) -> None:
        self.folder = folder
        self.served = served
        self.setup_key = served.publisher.catalogue.product(PRODUCT).setup_key

    def run(self, *words: str, code: int = 0) -> Result:
        if words[0] in ("client", "slmgr") and "--help" not in words:
            words = (*words, "--facts", str(self.folder / "facts.json"))
        done = CliRunner().invoke(muster, words, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    def slmgr(self, *words: str, code: int = 0) -> str:
        return self.run("slmgr", *words, code=code).stdout

    def data(self, *words: str, code: int = 0) -> dict[str, Any]:
        value = json.loads(self.run("slmgr", *words, "--json", code=code).stdout)
        assert isinstance(value, dict)
        return value

    def fields(self, *words: str) -> dict[str, str]:
        """The printed fields by name; the names are those at the start of lines."""
        pairs = [line.strip().partition(": ") for line in self.slmgr(*words).splitlines()]
        return {name: value for name, mark, value in pairs if mark}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A machine on which the product is set up."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(machine_facts("pc-1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with LoopbackHost() as served:
        found = Desk(tmp_path, served)
        descriptor = tmp_path / "descriptor.json"
        descriptor.write_bytes(served.publisher.descriptor(PRODUCT))
        descriptor.chmod(0o644)
        found.run("client", "product", "add", str(descriptor))
        yield found


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


def test_an_activation_id_chooses_the_product(desk: Desk) -> None:
    office = desk.folder / "office.json"
    office.write_bytes(desk.served.publisher.descriptor("office-suite"))
    office.chmod(0o600)
    desk.run("client", "product", "add", str(office))
    assert len(desk.data("/dlv")["products"]) == 2
    assert len(desk.data("/dlv", "all")["products"]) == 2
    for words in (
        ("/dlv", "office-suite"),
        ("/dlv", "--product", "office-suite"),
        ("/dlv", f"{desk.served.publisher.publisher}/office-suite"),
    ):
        (product,) = desk.data(*words)["products"]
        assert product["product"] == "office-suite"
    assert desk.data("/dlv", "none", code=1)["error"]["code"] == "client/not-added"


def test_settings_by_the_old_words(desk: Desk) -> None:
    desk.slmgr("/skms-domain", "corp.test")
    assert desk.fields("/dlv")["KMS lookup domain"] == "corp.test"
    desk.slmgr("/ckms-domain")
    assert desk.data("/ckhc")["changed"] is True
    assert "KMS host caching is disabled" in desk.slmgr("/dlv")
    assert desk.data("/skhc")["changed"] is True
    assert desk.data("/skhc")["changed"] is False
    assert desk.data("/skms", ":1688", code=2)["error"]["code"] == "client/slmgr-word"


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


# On a host.


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Desk, TinyPublisher]]:
    """A host's store that knows a publisher; no process runs."""
    facts = tmp_path / "facts.json"
    facts.write_bytes(facts_file(machine_facts("kms1")))
    facts.chmod(0o600)
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("HOME", str(tmp_path))
    publisher = TinyPublisher("contoso", now=SystemClock().now() - 2 * DAY)
    known = tmp_path / "contoso.json"
    known.write_bytes(publisher.file().encode())
    known.chmod(0o600)
    with LoopbackHost(publisher) as served:
        desk = Desk(tmp_path, served)
        desk.run("host", "init", "--publisher", str(known))
        yield desk, publisher


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
    assert desk.data("/sai", "x", code=2)["error"]["code"] == "client/slmgr-usage"


def test_each_host_key_shows_the_count_of_what_it_licenses(
    host: tuple[Desk, TinyPublisher],
) -> None:
    desk, publisher = host
    for group in ("server", "office"):
        desk.slmgr("/ipk", publisher.host_key(group).text)
        desk.slmgr(
            "/atp",
            publisher.confirm(str(desk.data("/dti")["installation_id"])).confirmation_id,
        )
    assert desk.slmgr("/dlv").count("Current count: 0\n") == 2
    assert [one["Current count"] for one in desk.data("/dlv")["fields"]] == ["0", "0"]


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


def test_a_host_shows_expiry_and_removes_keys_by_the_old_words(
    host: tuple[Desk, TinyPublisher],
) -> None:
    desk, publisher = host
    assert "no host key" in desk.slmgr("/xpr")
    assert desk.data("/upk") == {"changed": False}
    desk.slmgr("/ipk", publisher.host_key("server").text)
    assert "The machine is unlicensed" in desk.slmgr("/xpr")
    digits = str(desk.data("/dti")["installation_id"])
    desk.slmgr("/atp", publisher.confirm(digits).confirmation_id)
    assert "permanently activated" in desk.slmgr("/xpr")
    assert "already" in desk.slmgr("/ato") or "nothing" in desk.slmgr("/ato").lower()
    other = publisher.host_key("office").text
    desk.slmgr("/ipk", other)
    assert desk.slmgr("/dlv").count("Activation ID: ") == 2
    (shown,) = desk.data("/dlv", other[-5:].lower())["fields"]
    assert shown["Partial Product Key"] == other[-5:]
    (row,) = desk.data("/xpr", shown["Activation ID"])["keys"]
    assert (row["key"], row["licensed"]) == (shown["Extended PID"], False)
    assert desk.data("/dlv", "ABCDE", code=2)["error"]["code"] == "host/unknown-key"
    assert desk.data("/upk", code=2)["error"]["code"] == "client/slmgr-usage"
    assert desk.data("/upk", shown["Activation ID"])["changed"] is True
    assert desk.slmgr("/dlv").count("Activation ID: ") == 1
    assert "nothing to clear" in desk.slmgr("/cpky")


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


def test_words_of_a_host_are_refused_on_a_client(desk: Desk) -> None:
    for words in (("/sprt", "1700"), ("/sai", "30"), ("/sri", "30"), ("/sdns",), ("/cdns",)):
        found = desk.data(*words, code=2)["error"]
        assert found["code"] == "client/slmgr-word"
        assert "this machine is a client" in found["why"]


def test_one_time_keys_are_shown_by_their_own_channel(desk: Desk) -> None:
    publisher = desk.served.publisher
    desk.slmgr("/ipk", publisher.machine_key("desktop").text)
    assert desk.fields("/dlv")["Product Key Channel"].startswith("Volume:MAK")
    digits = str(desk.data("/dti")["installation_id"])
    desk.slmgr("/atp", publisher.confirm(digits).confirmation_id)
    shown = desk.fields("/dlv")
    assert shown["Description"].endswith("VOLUME_MAK channel")
    assert shown["Extended PID"].startswith("1-")
    assert "KMS machine IP address" not in shown
    assert "permanently activated" in desk.slmgr("/xpr")
    desk.slmgr("/upk")
    assert desk.fields("/dlv")["Product Key Channel"].startswith("none")


def test_an_evaluation_is_told_as_time_based(desk: Desk) -> None:
    publisher = desk.served.publisher
    key = publisher.machine_key("desktop", Kind.EVALUATION, 3)
    desk.slmgr("/ipk", key.text)
    digits = str(desk.data("/dti")["installation_id"])
    desk.slmgr("/atp", publisher.confirm(digits).confirmation_id)
    shown = desk.fields("/dlv")
    assert shown["Description"].endswith("EVALUATION channel")
    assert shown["Product Key Channel"].startswith("Evaluation")
    assert shown["Extended PID"] == key.key_id.text
    assert "Timebased activation expiration" in shown
    assert shown["Evaluation End Date"] in desk.slmgr("/xpr")
    assert "Timebased activation will expire 20" in desk.slmgr("/xpr")
