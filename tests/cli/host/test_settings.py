"""`muster host set`."""

from __future__ import annotations

import pytest
from tests.cli.host.conftest import Desk

pytestmark = pytest.mark.real


def test_settings(made: Desk) -> None:
    assert made.data("set", "renewal-interval")["value"] == 604_800
    assert "as each product says" in made.text("set", "renewal-interval")
    first = made.data("set", "renewal-interval", "2000000")
    assert first["changed"]
    assert "15 days" in first["warning"]
    assert not made.data("set", "renewal_interval", "2000000")["changed"]
    assert made.data("set", "retry_interval", "900")["warning"] is None
    for value in ("899", "2592001", "soon", ""):
        assert made.error("set", "retry_interval", value, code=2) == "settings/value"
    assert made.error("set", "retry", "900", code=2) == "settings/unknown"
    assert made.data("set", "allowed-networks", "10.0.0.0/8, 192.0.2.0/24")["changed"]
    assert made.error("set", "allowed-networks", "10.0.0.1/8", code=2) == "settings/value"
    assert made.data("set", "publish-dns", "off")["value"] is False
    assert made.data("set")["settings"]["publish_dns"] == {"value": False, "set": True}
    assert made.data("set", "publish-dns", "--unset")["changed"]
    assert not made.data("set", "publish-dns", "--unset")["changed"]
    assert "DNS publishing:              not running" in made.text("status")


def test_the_environment_wins_and_says_so(made: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_HOST_RETRY_INTERVAL", "1000")
    assert made.data("set", "retry_interval", "900")["overridden"]
    assert "MUSTER_HOST_RETRY_INTERVAL" in made.text("set", "retry_interval", "901")
    assert made.data("set", "retry_interval")["value"] == 1000
