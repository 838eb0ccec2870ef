"""TLS with real certificates: each failure has its own error; a renewed one needs no restart."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from tests.net.exposition import number_of

from muster.core.errors import MusterError
from muster.net import serve
from muster.net.certificate import LOOK_SECONDS, Certificate, certificate_of
from muster.net.http import HTTPClient, Response
from muster.net.operation import certificate_families, ready
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.net.serve import ThreadServer
from muster.net.tls import client_context
from muster.system.clock import SystemClock
from muster.testing.authority import Authority, Issued
from muster.testing.clock import ManualClock
from muster.wire.routes import Route

NAME = "kms1.corp.test"
GET = Route("get", "GET", "/v1/things", "")


def router() -> Router:
    return Router([BoundRoute(GET, lambda _: Answer(200, b"got"))])


@dataclass
class Site:
    """A folder with the files of a server, and the authority of the site."""

    folder: Path
    authority: Authority = field(default_factory=lambda: Authority("Corp CA"))

    def __post_init__(self) -> None:
        self.authority.write(self.ca_file)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "cert.pem"

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    def put(self, issued: Issued) -> int:
        issued.write(self.certificate, self.key)
        return issued.serial

    def show(self, clock: ManualClock | None = None) -> Certificate:
        if clock is None:
            return Certificate(str(self.certificate), str(self.key), SystemClock().now)
        return Certificate(
            str(self.certificate),
            str(self.key),
            SystemClock().now,
            monotonic=clock.monotonic,
        )

    def get(self, port: int, name: str = NAME, scheme: str = "https") -> Response:
        client = HTTPClient(timeout=20, ca_file=str(self.ca_file))
        url = f"{scheme}://{name}:{port}/v1/things"
        return client.request("GET", url, connect_to=("127.0.0.1", port))

    def fault(self, port: int, name: str = NAME, scheme: str = "https") -> MusterError:
        with pytest.raises(MusterError) as caught:
            self.get(port, name, scheme)
        return caught.value


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def serial(port: int) -> int:
    """The serial number of the certificate that a port shows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as link,
    ):
        shown = link.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def test_a_certificate_of_an_internal_authority_by_name(site: Site) -> None:
    site.put(site.authority.issue(NAME, "127.0.0.1"))
    with ThreadServer(router(), tls=site.show()) as server:
        assert site.get(server.port).body == b"got"
        assert site.get(server.port, "127.0.0.1").body == b"got"


@pytest.mark.parametrize(
    ("begins", "ends", "said"), [(-20, -2, "it has ended"), (2, 20, "it is not valid yet")]
)
def test_out_of_date(site: Site, begins: int, ends: int, said: str) -> None:
    site.put(site.authority.issue(NAME, begins=begins, ends=ends))
    with ThreadServer(router(), tls=site.show()) as server:
        fault = site.fault(server.port)
    assert fault.code == "net/tls-date"
    assert said in fault.what
    assert "clock" in fault.fix


def test_another_name(site: Site) -> None:
    site.put(site.authority.issue(NAME))
    with ThreadServer(router(), tls=site.show()) as server:
        for name in ("kms2.corp.test", "127.0.0.1"):
            fault = site.fault(server.port, name)
            assert fault.code == "net/tls-name"
            assert name in fault.what


def test_an_authority_that_nobody_named(site: Site) -> None:
    """As behind a proxy that inspects TLS: the fix names the setting that there is."""
    site.put(Authority("Somebody else").issue(NAME))
    with ThreadServer(router(), tls=site.show()) as server:
        fault = site.fault(server.port)
    assert fault.code == "net/tls-authority"
    assert "ca_file" in fault.fix
    assert "MUSTER_CA_FILE" in fault.fix


def test_authorities_of_the_system_count_besides(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SSL_CERT_FILE names the system's authorities; ca_file adds to them."""
    other = Authority("The system's")
    other.write(tmp_path / "system.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    for authority in (other, site.authority):
        site.put(authority.issue(NAME))
        with ThreadServer(router(), tls=site.show()) as server:
            assert site.get(server.port).body == b"got"


@pytest.mark.parametrize("text", [None, "", "nothing", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_file_of_authorities_that_cannot_be_used(site: Site, text: str | None) -> None:
    site.put(site.authority.issue(NAME))
    with ThreadServer(router(), tls=site.show()) as server:
        site.ca_file.unlink()
        if text is not None:
            site.ca_file.write_text(text)
        fault = site.fault(server.port)
    assert fault.code == "net/ca-file"
    assert str(site.ca_file) in fault.what


def test_plain_http_where_tls_is_spoken_and_the_reverse(site: Site) -> None:
    site.put(site.authority.issue(NAME))
    shown = site.show()
    with ThreadServer(router(), tls=shown) as server, ThreadServer(router()) as plain:
        fault = site.fault(server.port, scheme="http")
        assert fault.code == "net/tls-wanted"
        assert "host-tls on" in fault.fix
        fault = site.fault(plain.port)
        assert fault.code == "net/tls-plain"
        assert "host-tls off" in fault.fix
        # A person with another program reads it too.
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
            link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            said = b""
            while piece := link.recv(4096):
                said += piece
        assert said.startswith(b"HTTP/1.1 400 ")
        assert said.endswith(b"ask it with https://.\n")
        assert shown.failures["plain"] == 2


@pytest.mark.parametrize("answer", [b"\x15\x03\x01\x00\x02\x02\x50", b""])
def test_other_servers_that_speak_tls(site: Site, answer: bytes) -> None:
    """They send an alert, or end without a word; then a greeting tells."""
    site.put(site.authority.issue(NAME))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.certificate, site.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for _ in range(2):
                link, _ = listener.accept()
                with link:
                    if link.recv(1, socket.MSG_PEEK) != b"\x16":
                        link.recv(4096)
                        link.sendall(answer)
                        continue
                    with context.wrap_socket(link, server_side=True):
                        return

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert site.fault(listener.getsockname()[1], scheme="http").code == "net/tls-wanted"
        if answer:
            socket.create_connection(listener.getsockname()).close()
        thread.join(10)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_nothing_below_tls_1_2(site: Site) -> None:
    site.put(site.authority.issue(NAME))
    with ThreadServer(router(), tls=site.show()) as server:
        for version, good in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            context = client_context(str(site.ca_file))
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1_1
            context.maximum_version = version
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
                if good:
                    context.wrap_socket(plain, server_hostname=NAME).close()
                    continue
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(plain, server_hostname=NAME)


# Renewal.


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000)


@pytest.fixture
def running(site: Site, clock: ManualClock) -> Iterator[tuple[ThreadServer, Certificate]]:
    site.put(site.authority.issue(NAME))
    shown = site.show(clock)
    with ThreadServer(router(), tls=shown) as server:
        yield server, shown


def test_a_renewed_certificate_is_shown_without_a_restart(
    site: Site, clock: ManualClock, running: tuple[ThreadServer, Certificate]
) -> None:
    server, shown = running
    before = serial(server.port)
    after = site.put(site.authority.issue(NAME, ends=200))
    # Not looked at more often than it is worth.
    assert serial(server.port) == before
    clock.pass_time(LOOK_SECONDS)
    assert serial(server.port) == after
    assert shown.fault is None
    assert site.get(server.port).body == b"got"


def bad_pairs(site: Site) -> dict[str, tuple[bytes, bytes]]:
    good, other = site.authority.issue(NAME), site.authority.issue(NAME)
    ended = site.authority.issue(NAME, begins=-20, ends=-2)
    early = site.authority.issue(NAME, begins=2, ends=20)
    hidden = site.authority.issue(NAME, passphrase=b"secret")
    return {
        "it is not the key of the certificate": (good.certificate, other.key),
        "it has ended": (ended.certificate, ended.key),
        "it is not valid yet": (early.certificate, early.key),
        "it is encrypted": (hidden.certificate, hidden.key),
        "it holds no certificate as PEM": (b"nothing", good.key),
        "the two are not certificate and key as PEM": (good.certificate, b"nothing"),
        "it holds no certificate as PEM ": (good.certificate[:200], good.key),
    }


def problem(shown: Certificate) -> str:
    """What is wrong with the files, "" for nothing."""
    fault = shown.fault
    if fault is None:
        return ""
    assert fault.code == "net/certificate"
    return fault.what


def test_a_bad_new_certificate_keeps_the_one_before_and_is_told(
    site: Site,
    clock: ManualClock,
    running: tuple[ThreadServer, Certificate],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, shown = running
    before = serial(server.port)
    for said, (certificate, key) in bad_pairs(site).items():
        caplog.clear()
        site.key.write_bytes(key)
        site.certificate.write_bytes(certificate)
        for _ in range(3):
            clock.pass_time(LOOK_SECONDS)
            assert serial(server.port) == before
        assert said.strip() in problem(shown)
        assert len([one for one in caplog.records if said.strip() in one.message]) == 1
        # The one before serves: ready, with the reason beside it.
        assert said.strip() in ready(shown).body.decode()
        assert number_of(certificate_families(shown), "certificate_problem") == 1
    site.certificate.unlink()
    clock.pass_time(LOOK_SECONDS)
    assert serial(server.port) == before
    assert "no such file" in problem(shown)
    after = site.put(site.authority.issue(NAME))
    clock.pass_time(LOOK_SECONDS)
    assert serial(server.port) == after
    assert problem(shown) == ""
    assert number_of(certificate_families(shown), "certificate_problem") == 0


def test_a_certificate_that_came_too_early_is_taken_when_its_day_comes(site: Site) -> None:
    clock = ManualClock(SystemClock().now())
    site.put(site.authority.issue(NAME))
    shown = Certificate(str(site.certificate), str(site.key), clock.now, monotonic=clock.monotonic)
    site.put(site.authority.issue(NAME, begins=2))
    clock.pass_time(LOOK_SECONDS)
    assert "not valid yet" in problem(shown)
    clock.pass_time(3 * 86_400)
    assert problem(shown) == ""


def test_what_is_out_of_date_is_not_ready(site: Site) -> None:
    site.put(site.authority.issue(NAME, begins=-20, ends=-2))
    with pytest.raises(MusterError, match="cannot answer"):
        ready(site.show())


def test_a_server_does_not_start_with_what_it_cannot_show(site: Site) -> None:
    good = site.authority.issue(NAME)
    site.put(good)
    now = SystemClock().now
    assert certificate_of("", "", now) is None
    for certificate, key in ((str(site.certificate), ""), ("", str(site.key))):
        with pytest.raises(MusterError, match="is not set"):
            certificate_of(certificate, key, now)
    site.key.write_bytes(site.authority.issue(NAME).key)
    with pytest.raises(MusterError, match="not the key"):
        certificate_of(str(site.certificate), str(site.key), now)
    with pytest.raises(MusterError, match="no file"):
        certificate_of(str(site.folder), str(site.key), now)


# Those who do not greet.


def test_a_silent_connection_is_cut(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.2)
    site.put(site.authority.issue(NAME))
    with ThreadServer(router(), tls=site.show()) as server:
        for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
                link.sendall(said)
                with_end = _ended(link)
            assert with_end
        monkeypatch.undo()
        assert site.get(server.port).body == b"got"


def test_many_silent_connections_shut_nobody_out(site: Site) -> None:
    site.put(site.authority.issue(NAME))
    with ThreadServer(router(), tls=site.show(), connections=10) as server:
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
        try:
            assert site.get(server.port).body == b"got"
        finally:
            for one in silent:
                one.close()


def test_a_stop_does_not_wait_for_who_is_silent(site: Site) -> None:
    site.put(site.authority.issue(NAME))
    server = ThreadServer(router(), tls=site.show()).start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        assert site.get(server.port).body == b"got"
        server.stop()
        assert _ended(link)


def test_a_large_body_by_tls(site: Site) -> None:
    """More than one record, and a request in the very segment that ends the greeting."""
    site.put(site.authority.issue(NAME))
    route = Route("post", "POST", "/v1/things", "", request_limit=1 << 20, answer_limit=1 << 20)

    def echo(request: Request) -> Answer:
        return Answer(200, request.body)

    with ThreadServer(Router([BoundRoute(route, echo)]), tls=site.show()) as server:
        client = HTTPClient(timeout=20, limit=1 << 20, ca_file=str(site.ca_file))
        body = bytes(range(256)) * 3000
        found = client.request(
            "POST",
            f"https://{NAME}:{server.port}/v1/things",
            body,
            {"Content-Type": "application/json"},
            connect_to=("127.0.0.1", server.port),
        )
    assert found.body == body


def _ended(link: socket.socket) -> bool:
    try:
        while link.recv(4096):
            pass
    except ConnectionError:
        return True
    return True
