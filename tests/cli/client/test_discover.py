"""`muster client discover`."""

from __future__ import annotations

import pytest
from tests.cli.client.conftest import Desk

pytestmark = pytest.mark.real


def test_finding_hosts(ready: Desk) -> None:
    found = ready.data("discover")
    assert found["set_host"] == ready.served.address.text
    (host,) = found["hosts"]
    assert host["serves"]["groups"] == ["desktop", "server"]
    assert "serves desktop, server" in ready.client("discover")
    assert ready.data("clear-host")["changed"] is True
    assert ready.data("clear-host")["changed"] is False
    assert ready.data("set-domain", "corp.test", "b.test")["suffixes"] == ["corp.test", "b.test"]
    assert ready.data("status")["products"][0]["suffixes"] == ["corp.test", "b.test"]
    assert ready.data("clear-domain")["changed"] is True
    assert ready.data("host-caching", "off")["changed"] is True
    assert ready.data("status")["products"][0]["host_caching"] is False
    assert ready.data("host-caching", "off")["changed"] is False
    assert ready.error("set-host", "a b", code=2) == "settings/value"


def test_what_nothing_can_be_reached_by_is_refused_when_it_is_set(ready: Desk) -> None:
    for place in ("0.0.0.0", "[::]:16880", "fe80::1", "224.0.0.1:16880"):
        assert ready.error("set-host", place, code=2) == "settings/nowhere"
    assert ready.error("set-publisher", "http://0.0.0.0:16882", code=2) == "settings/nowhere"
    assert ready.data("set-host", "127.0.0.1:1")["changed"] is True


def test_a_machine_without_a_domain_and_hosts_says_how_to_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.client("product", "add", str(desk.descriptor))
    monkeypatch.setenv("MUSTER_CLIENT_SUFFIXES", "corp.invalid")
    monkeypatch.setenv("MUSTER_CLIENT_NAMESERVER", "127.0.0.1:1")
    monkeypatch.setenv("MUSTER_CLIENT_TIMEOUT", "1")
    done = desk.data("activate", code=3)
    assert done["error"]["code"].startswith("net/dns-")
    found = desk.data("discover", code=3)
    assert found["hosts"] == []
    assert found["names"][0]["label"] == "_contoso._sub._muster._tcp.corp.invalid"
