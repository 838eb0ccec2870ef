"""A site that speaks TLS: a host process with a certificate of the site, found by SRV."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.host.processes import HostProcess, eventually, prepare

from muster.testing.authority import Authority
from muster.testing.nanodns import NanoDNS
from muster.testing.programs import Done, Printed, Programs
from muster.testing.site import simulated_facts

pytestmark = pytest.mark.real

ZONE = "corp.test"
NAME = f"kms1.{ZONE}"


class Corp:
    """A host that speaks TLS by settings, its zone, and one machine of programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority("Corp CA")
        self.ca_file = folder / "ca.pem"
        self.authority.write(self.ca_file)
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        self.renew()
        self.store = folder / "host"
        self.publisher = prepare(self.store)
        descriptor = folder / "product.json"
        descriptor.write_bytes(self.publisher.descriptor("server-standard"))
        self.environ = {
            "MUSTER_HOST_TLS_CERTIFICATE": str(self.certificate),
            "MUSTER_HOST_TLS_KEY": str(self.key),
            "MUSTER_HOST_OPERATION_ADDRESS": "127.0.0.1:0",
        }
        self.machines = 0
        self.programs: Programs | None = None

    def renew(self, ends: int = 90) -> int:
        issued = self.authority.issue(NAME, ends=ends)
        issued.write(self.certificate, self.key)
        return issued.serial

    def machine(self, dns: NanoDNS, **environment: str) -> tuple[Programs, list[str]]:
        """A machine that finds hosts in the zone; its program and the options of its store."""
        self.machines += 1
        place = self.folder / f"pc{self.machines}"
        place.mkdir()
        programs = Programs(
            place,
            {
                "MUSTER_CLIENT_NAMESERVER": dns.server,
                "MUSTER_CLIENT_SUFFIXES": ZONE,
                **environment,
            },
        )
        facts = programs.facts("pc", simulated_facts(place.name))
        options = ["--store", str(place / "store"), "--facts", str(facts)]
        words = ("client", "product", "add", str(self.folder / "product.json"), *options)
        programs.muster(*words)
        return programs, options

    def activate(self, dns: NanoDNS, **environment: str) -> Done:
        programs, options = self.machine(dns, **environment)
        return programs.run("client", "activate", *options)


@pytest.fixture
def corp(tmp_path: Path) -> Corp:
    return Corp(tmp_path)


@pytest.fixture
def dns() -> Iterator[NanoDNS]:
    with NanoDNS(ZONE) as found:
        for name in ("kms1", "kms2"):
            found.add(f"{name}.{ZONE}.", "A", "127.0.0.1")
        yield found


def said(done: Done) -> str:
    """The code that an activation of one product ended with."""
    (one,) = done.data.rows("products")
    return "" if one["error"] is None else one.inner("error").text("code")


def test_machines_find_a_host_by_srv_and_ask_it_by_tls(corp: Corp, dns: NanoDNS) -> None:
    with HostProcess(corp.store, environ=corp.environ) as host:
        assert host.ready["tls"] is True
        dns.add(f"_muster._tcp.{ZONE}.", "SRV", f"0 0 {host.port} {NAME}.")
        by_tls = {"MUSTER_CLIENT_HOST_TLS": "on", "MUSTER_CA_FILE": str(corp.ca_file)}
        for _ in range(4):
            assert said(corp.activate(dns, **by_tls)) == "host/insufficient-count"
        # A command instead of a variable; the fifth machine is licensed.
        programs, options = corp.machine(dns, MUSTER_CA_FILE=str(corp.ca_file))
        assert said(programs.run("client", "activate", *options)) == "net/tls-wanted"
        store = options[:2]
        assert programs.muster("client", "host-tls", "on", *store)["changed"] is True
        assert programs.muster("client", "host-tls", "on", *store)["changed"] is False
        done = programs.run("client", "activate", *options)
        assert done.data.rows("products")[0]["state"] == 1, done.data
        # An authority that nobody named, and a record that names another host than the certificate.
        assert said(corp.activate(dns, MUSTER_CLIENT_HOST_TLS="on")) == "net/tls-authority"
        dns.remove(f"_muster._tcp.{ZONE}.")
        dns.add(f"_muster._tcp.{ZONE}.", "SRV", f"0 0 {host.port} kms2.{ZONE}.")
        assert said(corp.activate(dns, **by_tls)) == "net/tls-name"


def test_a_host_that_speaks_none_is_never_asked_in_the_clear(corp: Corp, dns: NanoDNS) -> None:
    with HostProcess(corp.store) as host:
        dns.add(f"_muster._tcp.{ZONE}.", "SRV", f"0 0 {host.port} {NAME}.")
        assert said(corp.activate(dns, MUSTER_CLIENT_HOST_TLS="on")) == "net/tls-plain"


def shown(port: int) -> int:
    """The serial number of the certificate that a port shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as link,
    ):
        found = link.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found).serial_number


def test_a_renewed_certificate_needs_no_restart(corp: Corp, dns: NanoDNS) -> None:
    from muster.net.http import HTTPClient

    def readyz(host: HostProcess) -> dict[str, Any]:
        answer = HTTPClient(timeout=20).request("GET", f"http://{host.ready['operation']}/readyz")
        found: dict[str, Any] = json.loads(answer.body)
        return found

    with HostProcess(corp.store, environ=corp.environ) as host:
        first = shown(host.port)
        corp.certificate.write_text("nothing")
        assert eventually(lambda: readyz(host)["certificate"]["problem"] is not None)
        assert shown(host.port) == first
        status = corp_status(corp)
        assert "no certificate as PEM" in status.inner("tls").text("problem")
        second = corp.renew(ends=200)
        assert eventually(lambda: shown(host.port) == second)
        assert readyz(host)["certificate"]["problem"] is None
        tls = corp_status(corp).inner("tls")
        assert (tls["names"], tls["problem"]) == ([NAME], None)


def corp_status(corp: Corp) -> Printed:
    folder = corp.folder / "status"
    folder.mkdir(exist_ok=True)
    return Programs(folder, corp.environ).muster("host", "status", "--store", str(corp.store))


def test_a_publisher_by_tls(corp: Corp) -> None:
    """The twin: `publisher serve` with a certificate, and a host that activates there."""
    folder = corp.folder / "office"
    folder.mkdir()
    issued = corp.authority.issue("127.0.0.1")
    issued.write(corp.certificate, corp.key)
    environment = {
        "MUSTER_PUBLISHER_TLS_CERTIFICATE": str(corp.certificate),
        "MUSTER_PUBLISHER_TLS_KEY": str(corp.key),
        "MUSTER_PUBLISHER_OPERATION_ADDRESS": "127.0.0.1:0",
    }
    with Programs(folder, environment) as office:
        store = ("--store", str(folder / "store"))
        office.muster(
            "publisher", "init", *store, "--sample", "--reserve-root", str(folder / "reserve.key")
        )
        ready = office.start("serve", "publisher", "serve", *store, "--port", "0")
        assert ready.text("url").startswith("https://127.0.0.1:")
        key = (
            office.muster(
                "publisher", "key", "issue", *store, "--kind", "host", "--group", "server-c"
            )
            .rows("keys")[0]
            .text("key")
        )
        known = folder / "contoso.json"
        office.muster("publisher", "export", *store, str(known), "--url", ready.text("url"))
        at = ("--store", str(folder / "host"))
        facts = office.facts("host", simulated_facts("host"))
        office.muster("host", "init", *at, "--publisher", str(known))
        office.muster("host", "install-key", *at, "--facts", str(facts), str(key))
        done = office.run("host", "activate", *at, facts=facts)
        assert done.error == "net/tls-authority", done
        trusting = Programs(folder, {"MUSTER_CA_FILE": str(corp.ca_file)})
        assert trusting.muster("host", "activate", *at, facts=facts)["changed"] is True


def test_the_doctor_asks_hosts_by_tls(corp: Corp, tmp_path: Path) -> None:
    """A host without records of its own: its certificate is for the name that machines are told."""
    environ = {**corp.environ, "MUSTER_HOST_DNS_TARGET": NAME}
    with HostProcess(corp.store, environ=environ):
        folder = tmp_path / "doctor"
        folder.mkdir()
        words = ("doctor", "--role", "host", "--store", str(corp.store))
        trusting = Programs(folder, {**environ, "MUSTER_CA_FILE": str(corp.ca_file)})
        assert "net/tls" not in repr(trusting.run(*words).data)
        assert "answers (this host)" in repr(trusting.run(*words).data)
        found = repr(Programs(folder, environ).run(*words).data)
        assert "net/tls-authority" in found
