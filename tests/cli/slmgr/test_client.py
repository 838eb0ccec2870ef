"""The words of slmgr on a client."""

from __future__ import annotations

from tests.cli.slmgr.conftest import Desk

from muster.core.keys import Kind


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
