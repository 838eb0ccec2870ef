"""`muster host publish-dns` against a real, small DNS server."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from tests.cli.host.conftest import Desk, dns_words

from muster.net.dns import Resolver
from muster.testing.kdc import Realm
from muster.testing.named import Named, PartMissingError
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


def test_a_keytab_signs_as_active_directory_wants_it(
    active: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        try:
            realm = stack.enter_context(Realm())
            named = Named(
                "corp.test",
                records=["kms1 IN A 127.0.0.1"],
                policy='grant "muster/kms1@CORP.TEST" zonesub ANY;',
            )
        except PartMissingError as fault:
            pytest.skip(str(fault))
        keytab = realm.principal("muster/kms1")
        named.keytab, named.environ = realm.principal("DNS/ns.corp.test"), realm.environ
        stack.enter_context(named)
        for name, value in realm.environ.items():
            monkeypatch.setenv(name, value)
        active.data("set", "dns-keytab", str(keytab))
        words = (
            *("publish-dns", "--dns-server", named.server, "--dns-zone", "corp.test"),
            *("--advertise", "kms1.corp.test", "--port", "16880"),
        )
        assert active.data(*words)["changed"]
        assert not active.data(*words)["changed"]
        found = Resolver((named.server,)).srv("_contoso._sub._muster._tcp.corp.test")
        assert [record.target for record in found] == ["kms1.corp.test"]
        active.data("set", "dns-principal", "muster/kms2@CORP.TEST")
        assert active.error(*words, code=2) == "dns/keytab"
        active.data("set", "dns-principal", "--unset")
        keytab.chmod(0o644)
        assert active.error(*words, code=1) == "keyfile/rights"
        keytab.chmod(0o600)
        assert active.data(*words, "--withdraw")["withdrawn"]
        realm.stop()
        assert active.error(*words, code=3) == "dns/kerberos-kdc"
