"""GSS-TSIG against a real KDC and BIND: what is published, and each failure by its own name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.errors import MusterError
from muster.host.publish import signer_of
from muster.net.dns import Resolver
from muster.net.dnsupdate import DynamicUpdate, SRVRecord, general_name
from muster.net.kerberos import Kerberos, keytab_principals
from muster.testing.kdc import Realm
from muster.testing.named import Named, PartMissingError

ZONE = "corp.test"
HOST = "host/kms1.corp.test"
NAME = general_name(ZONE)
RECORD = SRVRecord(NAME, 16880, f"kms1.{ZONE}")


class Domain:
    """A realm and the name server of its zone, which trusts the host's principal."""

    def __init__(self, stack: ExitStack, ahead: int = 0) -> None:
        self.realm = stack.enter_context(Realm(ahead=ahead))
        self.keytab = self.realm.principal(HOST, "host/other.corp.test")
        dns = self.realm.principal(f"DNS/ns.{ZONE}")
        self.named = Named(
            ZONE,
            records=["kms1 IN A 127.0.0.1"],
            policy=f'grant "{HOST}@{self.realm.name}" zonesub ANY;',
        )
        self.named.keytab, self.named.environ = dns, self.realm.environ
        stack.enter_context(self.named)

    def update(self, principal: str = "", keytab: Path | None = None) -> DynamicUpdate:
        values = {"dns_keytab": str(keytab or self.keytab), "dns_principal": principal}
        return DynamicUpdate(self.named.server, ZONE, signer_of(values))

    def refused(self, principal: str = "", keytab: Path | None = None) -> MusterError:
        with pytest.raises(MusterError) as caught:
            self.update(principal, keytab).publish([RECORD])
        return caught.value

    def shown(self) -> list[str]:
        found = Resolver((self.named.server,)).srv(NAME)
        return [f"{one.priority} {one.weight} {one.port} {one.target}" for one in found]


@pytest.fixture(scope="module")
def domain() -> Iterator[Domain]:
    with ExitStack() as stack:
        try:
            made = Domain(stack)
        except PartMissingError as fault:
            pytest.skip(str(fault))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in made.realm.environ.items():
                patch.setenv(name, value)
            yield made


pytestmark = [pytest.mark.real, pytest.mark.xdist_group("kerberos")]


def test_records_are_published_replaced_and_withdrawn(domain: Domain) -> None:
    update = domain.update()
    assert update.publish([RECORD]).added == {NAME: ("0 0 16880 kms1.corp.test.",)}
    assert not update.publish([RECORD]).changed
    moved = SRVRecord(NAME, 16980, f"kms1.{ZONE}", priority=5)
    assert update.publish([moved]).removed == {NAME: ("0 0 16880 kms1.corp.test.",)}
    assert domain.shown() == ["5 0 16980 kms1.corp.test"]
    assert update.withdraw([RECORD]).changed
    assert domain.shown() == []
    # Each update got a ticket of its own.
    log = domain.realm.log().splitlines()
    assert len([line for line in log if "AS_REQ" in line and "ISSUE" in line]) >= 4


def test_the_principal_is_the_setting_else_the_first(domain: Domain) -> None:
    assert domain.update("host/kms1.corp.test").publish([RECORD])
    assert domain.update("host/kms1.corp.test@CORP.TEST").publish([RECORD])
    other = domain.refused("host/other.corp.test")
    assert other.code == "dns/refused"
    assert "host/other.corp.test@CORP.TEST" in other.fix
    assert f"{NAME} SRV" in other.fix
    missing = domain.refused("host/kms9.corp.test")
    assert missing.code == "dns/keytab"
    assert HOST in missing.what


def test_a_key_that_changed_and_a_principal_that_went(domain: Domain) -> None:
    changed, gone = (domain.realm.principal(f"host/{name}.corp.test") for name in ("c", "g"))
    domain.realm.change_key("host/c.corp.test")
    domain.realm.delete("host/g.corp.test")
    for keytab in (changed, gone):
        assert domain.refused(keytab=keytab).code == "dns/kerberos-principal"


def test_a_server_that_the_realm_does_not_know(domain: Domain) -> None:
    with Named("lab.test", records=["kms1 IN A 127.0.0.1"]) as stranger:
        values = {"dns_keytab": str(domain.keytab)}
        update = DynamicUpdate(stranger.server, "lab.test", signer_of(values))
        with pytest.raises(MusterError) as caught:
            update.publish([SRVRecord(general_name("lab.test"), 1, "kms1.lab.test")])
    assert caught.value.code == "dns/kerberos-server"


def test_a_keytab_is_judged_as_key_files_are(domain: Domain, tmp_path: Path) -> None:
    copy = tmp_path / "host.keytab"
    copy.write_bytes(domain.keytab.read_bytes())
    copy.chmod(0o640)
    with pytest.raises(MusterError) as caught:
        signer_of({"dns_keytab": str(copy)})
    assert caught.value.code == "keyfile/rights"
    # Rights that change later are seen at the next update, and so is another content.
    copy.chmod(0o600)
    signer = signer_of({"dns_keytab": str(copy)})
    copy.chmod(0o604)
    with pytest.raises(MusterError) as caught:
        DynamicUpdate(domain.named.server, ZONE, signer).publish([RECORD])
    assert caught.value.code == "keyfile/rights"
    for data in (b"", b"\x05\x01", domain.keytab.read_bytes()[:-3], b"\x05\x02"):
        copy.chmod(0o600)
        copy.write_bytes(data)
        with pytest.raises(MusterError) as caught:
            signer_of({"dns_keytab": str(copy)})
        assert caught.value.code == "dns/keytab"


def test_programs_that_are_missing_are_named(
    domain: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kinit").symlink_to("/bin/true")
    monkeypatch.setattr("muster.net.kerberos._SBIN", "/nonexistent")
    for path, program in (("/nonexistent", "kinit"), (str(tmp_path), "nsupdate")):
        monkeypatch.setenv("PATH", path)
        fault = domain.refused()
        assert (fault.code, fault.params["program"]) == ("dns/kerberos-program", program)


def test_a_clock_that_differs_is_said(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        ahead = Domain(stack, ahead=3600)
        for name, value in ahead.realm.environ.items():
            monkeypatch.setenv(name, value)
        fault = ahead.refused()
    assert fault.code == "dns/kerberos-clock", fault.what


def test_a_realm_that_is_silent_comes_last(domain: Domain) -> None:
    domain.realm.stop()
    assert domain.refused().code == "dns/kerberos-kdc"


def test_no_keytab_breaks_the_reader() -> None:
    with pytest.raises(ValueError, match="no keytab"):
        keytab_principals(b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_keytab_or_none(data: bytes) -> None:
    signer = Kerberos("/x", lambda: b"\x05\x02" + data)
    try:
        assert "@" in signer.checked().principal
    except MusterError as fault:
        assert fault.code == "dns/keytab"
    assert os.sep in signer.keytab
