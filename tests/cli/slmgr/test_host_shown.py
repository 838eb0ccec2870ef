"""What slmgr shows of a host: `/dli`, `/dlv` and `/xpr`."""

from __future__ import annotations

from tests.cli.slmgr.conftest import Desk

from muster.testing.tiny_publisher import TinyPublisher


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


def test_a_key_whose_group_lacks_its_terms_is_not_said_to_be_activated(
    host: tuple[Desk, TinyPublisher],
) -> None:
    desk, publisher = host
    desk.slmgr("/ipk", publisher.host_key("limited").text)
    digits = str(desk.data("/dti")["installation_id"])
    assert "requires terms" in desk.slmgr("/atp", publisher.confirm(digits).confirmation_id)
    (row,) = desk.data("/xpr")["keys"]
    assert row["licensed"] is False
    assert desk.fields("/dlv")["Notification Reason"] == "host/terms-required"


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
    refusal = desk.data("/upk", code=2)["error"]
    assert refusal["code"] == "client/slmgr-usage"
    assert shown["Extended PID"] in refusal["what"] + refusal["why"]
    assert desk.data("/upk", shown["Activation ID"])["changed"] is True
    assert desk.slmgr("/dlv").count("Activation ID: ") == 1
    assert "nothing to clear" in desk.slmgr("/cpky")
