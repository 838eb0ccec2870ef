"""`muster host publish-dns` against a real, small DNS server."""

from __future__ import annotations

import pytest
from tests.cli.host.conftest import Desk, dns_words

from muster.testing.nanodns import NanoDNS, Trouble

pytestmark = pytest.mark.real


def test_publishing_by_hand(active: Desk, zone: NanoDNS) -> None:
    words = ("publish-dns", *dns_words(active, zone))
    assert active.error(*words, code=1) == "host/not-running"
    assert active.data(*words, "--print")["zones"][0]["records"]
    words = (*words, "--port", "16880")
    done = active.data(*words)
    assert done["changed"]
    assert done["zones"][0]["added"] == 2
    assert not active.data(*words)["changed"]
    assert zone.records("_muster._tcp.example.test", "SRV") == ["0 0 16880 host.example.test."]
    printed = active.data(*words, "--print")
    assert printed["zones"][0]["records"] == done["zones"][0]["records"]
    assert "update add" in active.text(*words, "--print")
    assert active.data(*words, "--withdraw")["changed"]
    assert not active.data(*words, "--withdraw")["changed"]
    assert zone.records("_muster._tcp.example.test", "SRV") == []
    zone.trouble(Trouble.REFUSED)
    assert active.error(*words, code=1) == "dns/refused"
    assert "IN SRV 0 0 16880" in active.text(*words, code=1)
    assert "dns/refused" in active.text("status")


def test_who_serves_nobody_publishes_nothing(made: Desk, zone: NanoDNS) -> None:
    words = ("publish-dns", *dns_words(made, zone), "--port", "16880")
    assert made.error(*words, code=2) == "host/no-key"
    assert "does not serve anybody" in made.text("publish-dns", *dns_words(made, zone), "--print")
