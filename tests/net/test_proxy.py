"""Proxies: their logins, whom no_proxy excepts, and that no login is ever shown."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.strangers import Stranger

from muster.core.errors import MusterError
from muster.core.settings import Role, check, lookup
from muster.core.text import shown_url
from muster.db.open import open_database
from muster.net.certificate import Certificate
from muster.net.http import HTTPClient
from muster.net.proxy import is_excepted, parse_proxy, proxy_for
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.net.serve import ThreadServer
from muster.system.clock import SystemClock
from muster.testing.authority import Authority
from muster.wire.routes import Route

SECRET = "s3cret"


def fault_of(call: Any, *arguments: Any) -> MusterError:
    with pytest.raises(MusterError) as caught:
        call(*arguments)
    return caught.value


def login_of(value: str) -> bytes:
    authorization = parse_proxy(value, "http_proxy").authorization
    assert authorization.startswith("Basic ")
    return base64.b64decode(authorization.removeprefix("Basic "))


LOGINS = {
    "http://user:s3cret@proxy:8080": b"user:s3cret",
    "user:s3cret@proxy:8080": b"user:s3cret",
    "HTTP://user:s3cret@proxy:8080/": b"user:s3cret",
    "http://user:p%40ss%3Aw%2Ford@proxy:8080": b"user:p@ss:w/ord",
    "http://user:p@ss@proxy:8080": b"user:p@ss",
    "http://user:a/b#c?d@proxy:8080": b"user:a/b#c?d",
    "http://user:a:b@proxy:8080": b"user:a:b",
    "http://user:100%@proxy:8080": b"user:100%",
    "http://DOMAIN%5Cuser:x@proxy:8080": b"DOMAIN\\user:x",
    "http://user@proxy:8080": b"user:",
    "http://user:@proxy:8080": b"user:",
    "http://us%C3%A9r:p\u00e4ss@proxy:8080": "usér:päss".encode(),
}


@pytest.mark.parametrize("value", LOGINS)
def test_a_login_is_decoded_and_belongs_to_no_text(value: str) -> None:
    proxy = parse_proxy(value, "http_proxy")
    assert (proxy.host, proxy.port) == ("proxy", 8080)
    assert login_of(value) == LOGINS[value]
    assert proxy.authorization not in repr(proxy)
    assert shown_url(value).rstrip("/").lower() in ("http://…@proxy:8080", "…@proxy:8080")


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        ("proxy", "proxy", 80),
        ("http://proxy", "proxy", 80),
        ("http://proxy:3128/", "proxy", 3128),
        ("http://10.1.2.3:8080", "10.1.2.3", 8080),
        ("http://[fd00::1]:8080", "fd00::1", 8080),
        ("http://@proxy:1", "proxy", 1),
    ],
)
def test_an_address_without_a_login(value: str, host: str, port: int) -> None:
    proxy = parse_proxy(value, "http_proxy")
    assert (proxy.host, proxy.port, proxy.authorization) == (host, port, "")


BAD = [
    f"socks5://user:{SECRET}@proxy:1080",
    f"https://user:{SECRET}@proxy:443",
    f"http://user:{SECRET}@",
    f"http://user:{SECRET}@proxy:0",
    f"http://user:{SECRET}@proxy:65536",
    f"http://user:{SECRET}@proxy:x",
    f"http://user:{SECRET}@[::1",
    f"http://user:{SECRET}@a b",
    f"user:{SECRET}",
    f"http://user:{SECRET}" + "x" * 5000 + "@proxy",
]


@pytest.mark.parametrize("value", BAD)
def test_an_address_that_is_none_is_told_without_its_login(value: str) -> None:
    fault = fault_of(parse_proxy, value, "https_proxy")
    assert fault.code == "net/proxy-address"
    assert "https_proxy" in fault.what
    if "@" in value:
        assert SECRET not in "".join((fault.what, fault.why, fault.fix, repr(fault.params)))
    assert fault.__cause__ is None


@given(st.text(max_size=60))
def test_any_text_is_a_proxy_or_the_documented_error(text: str) -> None:
    try:
        proxy = parse_proxy(text, "http_proxy")
    except MusterError as fault:
        assert fault.code == "net/proxy-address"
    else:
        assert proxy.host.isprintable()
        assert re.fullmatch(r"|Basic [A-Za-z0-9+/=]+", proxy.authorization)


EXCEPTED = [
    # networks
    ("10.1.2.3", 80, "10.0.0.0/8", True),
    ("11.1.2.3", 80, "10.0.0.0/8", False),
    ("10.1.2.3", 80, "10.1.2.3/8", True),
    ("10.1.2.3", 80, "corp.test, 192.168.0.0/16 , 10.0.0.0/8", True),
    ("192.168.7.1", 16882, "192.168.0.0/16:16882", True),
    ("192.168.7.1", 80, "192.168.0.0/16:16882", False),
    ("fd00::7", 443, "fd00::/8", True),
    ("fe80::1", 443, "fd00::/8", False),
    ("fd00::7", 443, "[fd00::]/8", True),
    ("::ffff:10.1.2.3", 443, "10.0.0.0/8", True),
    ("10.1.2.3", 80, "::ffff:10.0.0.0/104", True),
    ("name.test", 80, "0.0.0.0/0,::/0", False),
    ("10.1.2.3", 80, "10.0.0.0/33", False),
    # addresses
    ("127.0.0.1", 80, "127.0.0.1", True),
    ("127.0.0.1", 80, "127.0.0.1:80", True),
    ("127.0.0.1", 81, "127.0.0.1:80", False),
    ("::1", 80, "::1", True),
    ("::1", 80, "[::1]", True),
    ("::1", 80, "[::1]:80", True),
    ("::1", 81, "[::1]:80", False),
    ("0:0:0:0:0:0:0:1", 80, "::1", True),
    ("10.1.2.3", 80, "10.1.*", True),
    ("10.2.2.3", 80, "10.1.*", False),
    ("1.2.3.4", 80, "3.4", False),
    # names
    ("a.corp.test", 80, "corp.test", True),
    ("corp.test", 80, "corp.test", True),
    ("a.corp.test", 80, ".corp.test", True),
    ("corp.test", 80, ".corp.test", True),
    ("a.corp.test", 80, "*.corp.test", True),
    ("evilcorp.test", 80, "corp.test", False),
    ("evilcorp.test", 80, "*.corp.test", False),
    ("A.Corp.Test.", 80, "corp.TEST.", True),
    ("a.corp.test", 16882, "corp.test:16882", True),
    ("a.corp.test", 80, "corp.test:16882", False),
    ("a.corp.test", 80, "corp.test:16882 other.test;corp.test", True),
    # everything and nothing
    ("name.test", 80, "*", True),
    ("10.1.2.3", 80, " * ", True),
    ("name.test", 80, "", False),
    ("name.test", 80, " , ,;", False),
    ("name.test", 80, "..,:,[,],[]:80,/,:80", False),
]


@pytest.mark.parametrize(("host", "port", "value", "expected"), EXCEPTED)
def test_whom_no_proxy_excepts(host: str, port: int, value: str, expected: bool) -> None:
    assert is_excepted(host, port, value) is expected
    for name in ("no_proxy", "NO_PROXY"):
        env = {"http_proxy": "http://proxy:1", name: value}
        assert (proxy_for("http", host, port, env) is None) is expected


@given(st.text(alphabet="a.:*/[]1,0f ", max_size=40), st.text(alphabet="a.:*[]10f", max_size=20))
def test_any_no_proxy_is_read(value: str, host: str) -> None:
    assert is_excepted(host, 80, value) in (True, False)


PRECEDENCE: list[tuple[dict[str, str], str, str | None]] = [
    ({"http_proxy": "http://a:1"}, "http", "a"),
    ({"HTTP_PROXY": "http://a:1"}, "http", "a"),
    ({"http_proxy": "http://a:1", "HTTP_PROXY": "http://b:1"}, "http", "a"),
    ({"http_proxy": "", "HTTP_PROXY": "http://b:1"}, "http", None),
    ({"HTTPS_PROXY": "http://b:1"}, "https", "b"),
    ({"http_proxy": "http://a:1"}, "https", None),
    ({"all_proxy": "http://c:1"}, "https", "c"),
    ({"ALL_PROXY": "http://c:1", "https_proxy": "http://a:1"}, "https", "a"),
    ({"HTTP_PROXY": "http://b:1", "REQUEST_METHOD": "GET"}, "http", None),
    ({"http_proxy": "http://a:1", "REQUEST_METHOD": "GET"}, "http", "a"),
    ({"http_proxy": "http://a:1", "no_proxy": "x.test", "NO_PROXY": "name.test"}, "http", "a"),
    ({"http_proxy": "http://a:1", "no_proxy": "", "NO_PROXY": "name.test"}, "http", "a"),
    ({"http_proxy": "http://a:1", "NO_PROXY": "name.test"}, "http", None),
    ({}, "http", None),
]


@pytest.mark.parametrize(("env", "scheme", "expected"), PRECEDENCE)
def test_which_variable_decides(env: dict[str, str], scheme: str, expected: str | None) -> None:
    found = proxy_for(scheme, "name.test", 80, env)
    assert (None if found is None else found.host) == expected


# On a socket.


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, spelled in itertools.product(("http", "https", "all", "no"), (str.lower, str.upper)):
        monkeypatch.delenv(spelled(f"{name}_proxy"), raising=False)
    return monkeypatch


@pytest.mark.real
def test_the_login_goes_to_the_proxy_and_never_to_the_server(clean: pytest.MonkeyPatch) -> None:
    with Stranger(200, b"through") as proxy:
        clean.setenv("http_proxy", f"http://us%40er:p:%2Fw@127.0.0.1:{proxy.port}")
        client = HTTPClient(proxies=True)
        assert client.request("GET", "http://publisher.invalid:16882/v1?a=b").body == b"through"
        ((line, fields),) = proxy.heads
        assert line == "GET http://publisher.invalid:16882/v1?a=b HTTP/1.1"
        given = base64.b64decode(fields["proxy-authorization"].removeprefix("Basic "))
        assert given == b"us@er:p:/w"
        clean.setenv("no_proxy", "127.0.0.0/8")
        direct = f"http://127.0.0.1:{proxy.port}/v1"
        assert client.request("GET", direct).body == b"through"
        assert "proxy-authorization" not in proxy.heads[-1][1]
        clean.setenv("https_proxy", f"http://user:{SECRET}@127.0.0.1:{proxy.port}")
        clean.setenv("no_proxy", "")
        proxy.status = 502
        assert fault_of(client.request, "GET", "https://publisher.invalid/").code == "net/proxy"
        line, fields = proxy.heads[-1]
        assert line == "CONNECT publisher.invalid:443 HTTP/1.1"
        assert base64.b64decode(fields["proxy-authorization"][6:]) == f"user:{SECRET}".encode()


class Tunnel:
    """A proxy that opens a tunnel to one server; `asked` is what it was asked for."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.asked = b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        near, _ = self._listener.accept()
        with near, socket.create_connection(self._server) as far:
            while not self.asked.endswith(b"\r\n\r\n"):
                self.asked += near.recv(4096)
            near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
            back.start()
            _pass_on(near, far)
            back.join(10)

    def close(self) -> None:
        """Wait for the end of the tunnel."""
        self._thread.join(10)
        self._listener.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.real
def test_the_login_does_not_go_through_the_tunnel_to_the_server(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key, ca_file = (tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem"))
    authority = Authority("Corp CA")
    authority.write(ca_file)
    authority.issue("publisher.test").write(certificate, key)
    seen: list[Mapping[str, str]] = []

    def handler(request: Request) -> Answer:
        seen.append(request.headers)
        return Answer(200, b"through")

    router = Router([BoundRoute(Route("get", "GET", "/v1", ""), handler)])
    shown = Certificate(str(certificate), str(key), SystemClock().now)
    with ThreadServer(router, tls=shown) as server:
        proxy = Tunnel((server.address, server.port))
        clean.setenv("https_proxy", f"http://user:{SECRET}@127.0.0.1:{proxy.port}")
        client = HTTPClient(timeout=20, ca_file=str(ca_file), proxies=True)
        assert client.request("GET", "https://publisher.test/v1").body == b"through"
        proxy.close()
    given = base64.b64encode(f"user:{SECRET}".encode())
    assert b"Proxy-Authorization: Basic " + given in proxy.asked
    (fields,) = seen
    assert fields["host"] == "publisher.test"
    assert "proxy-authorization" not in fields


@pytest.mark.real
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", ["", f"user:{SECRET}@"])
def test_407_is_an_error_of_its_own(clean: pytest.MonkeyPatch, scheme: str, login: str) -> None:
    asks = {"Proxy-Authenticate": 'Negotiate, evil "curl", NTLM, Basic realm="corp"'}
    with Stranger(407, b"<html>curl | sh", asks) as proxy:
        clean.setenv(f"{scheme}_proxy", f"http://{login}127.0.0.1:{proxy.port}")
        fault = fault_of(HTTPClient(proxies=True).request, "GET", f"{scheme}://name.invalid/")
    assert fault.code == "net/proxy-login"
    assert ("refused the login" in fault.what) is bool(login)
    assert "it takes Basic, NTLM, Negotiate" in fault.what
    for text in (fault.what, fault.why, fault.fix, repr(fault.params), str(fault)):
        assert SECRET not in text
        assert "corp" not in text
        assert "curl" not in text
    with Stranger(407, b"plain") as server:
        direct = f"http://127.0.0.1:{server.port}/"
        clean.setenv("no_proxy", "127.0.0.1")
        assert HTTPClient(proxies=True).request("GET", direct).status == 407


def asked(clean: pytest.MonkeyPatch, scheme: str, proxy: str, timeout: float = 5) -> MusterError:
    """The error of asking a server by a proxy, which must say enough to find the proxy."""
    clean.setenv(f"{scheme}_proxy", f"http://user:{SECRET}@{proxy}")
    client = HTTPClient(timeout=timeout, proxies=True)
    fault = fault_of(client.request, "GET", f"{scheme}://publisher.invalid:16882/v1")
    for text in (fault.what, fault.why, fault.fix, repr(fault.params), str(fault)):
        assert SECRET not in text
    assert f"proxy {proxy} " in fault.what
    assert "publisher.invalid:16882" in fault.what + fault.why
    assert f"{scheme}_proxy" in fault.fix
    assert "no_proxy" in fault.fix
    return fault


@contextlib.contextmanager
def raw_proxy(answer: bytes | None) -> Iterator[int]:
    """A port that reads a request, answers these bytes and closes; with None it keeps still."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            link, _ = listener.accept()
            with link:
                link.recv(65536)
                if answer is None:
                    done.wait(30)
                else:
                    link.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        done.set()
        thread.join(10)


SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.mark.real
@SCHEMES
@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("127.0.0.1:{free}", "it refused the connection"),
        ("[::1]:{free}", "it refused the connection"),
        ("proxy.invalid:3128", "its name does not resolve to an address"),
        ("a..b:3128", "its name does not resolve to an address"),
        ("224.0.0.1:3128", "unreachable"),
    ],
)
def test_a_proxy_that_nobody_reaches_is_named(
    clean: pytest.MonkeyPatch, scheme: str, proxy: str, why: str
) -> None:
    address, family = ("::1", socket.AF_INET6) if "::1" in proxy else ("127.0.0.1", socket.AF_INET)
    with socket.create_server((address, 0), family=family) as listener:
        free = listener.getsockname()[1]
    fault = asked(clean, scheme, proxy.format(free=free), timeout=20)
    assert fault.code == "net/proxy-unreachable"
    assert why in fault.what


@pytest.mark.real
@SCHEMES
@pytest.mark.parametrize(
    ("status", "why"),
    [
        (302, "status 302"),
        (400, "status 400, so its rules may forbid it"),
        (403, "status 403, so its rules may forbid it"),
        (405, "status 405, so its rules may forbid it"),
        (500, "status 500"),
        (502, "status 502, so it could not reach the server itself"),
        (503, "status 503, so it could not reach the server itself"),
        (504, "status 504, so it could not reach the server itself"),
    ],
)
def test_a_proxy_that_refuses_is_named(
    clean: pytest.MonkeyPatch, scheme: str, status: int, why: str
) -> None:
    with Stranger(status, b"<html>curl | sh", {"Content-Type": "text/html"}) as proxy:
        fault = asked(clean, scheme, f"127.0.0.1:{proxy.port}")
    assert fault.code == "net/proxy"
    assert fault.what.endswith(f"{why}.")


@pytest.mark.real
@SCHEMES
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "it did not answer within 0.5 seconds"),
        (b"", "it closed the connection"),
        (b"HTTP/1.1 200 ", "it closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "it does not answer in HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "it does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, "its answer is too large"),
    ],
)
def test_a_proxy_that_gives_no_answer_is_named(
    clean: pytest.MonkeyPatch, scheme: str, answer: bytes | None, why: str
) -> None:
    with raw_proxy(answer) as port:
        fault = asked(clean, scheme, f"127.0.0.1:{port}", timeout=0.5 if answer is None else 5)
    assert fault.code == "net/proxy"
    assert why in fault.what


@pytest.mark.real
def test_what_fails_behind_a_proxy_names_both(clean: pytest.MonkeyPatch) -> None:
    with raw_proxy(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab") as port:
        clean.setenv("http_proxy", f"http://user:{SECRET}@127.0.0.1:{port}")
        fault = fault_of(HTTPClient(proxies=True).request, "GET", "http://publisher.invalid/")
    assert fault.code == "net/reset"
    assert f"publisher.invalid:80 through the proxy 127.0.0.1:{port} closed" in fault.what
    with raw_proxy(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        clean.setenv("https_proxy", f"http://user:{SECRET}@127.0.0.1:{port}")
        fault = fault_of(HTTPClient(proxies=True).request, "GET", "https://publisher.invalid/")
    assert fault.code in ("net/reset", "net/tls")
    assert "publisher.invalid:443" in fault.what
    assert SECRET not in fault.what + repr(fault.params)


@pytest.mark.real
def test_a_refusal_of_the_server_passes_through_a_proxy(clean: pytest.MonkeyPatch) -> None:
    form = {"Content-Type": "application/problem+json; charset=utf-8"}
    with Stranger(403, b"{}", form) as proxy:
        clean.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        found = HTTPClient(proxies=True).request("GET", "http://publisher.invalid/")
    assert (found.status, found.body) == (403, b"{}")


# Addresses are shown without their secrets.


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"http://user:{SECRET}@h:1/p", "http://…@h:1/p"),
        (f"http://user:{SECRET}@h:1/p?token={SECRET}#{SECRET}", "http://…@h:1/p?…"),
        (f"http://us/er:{SECRET}/@x@h", "http://…@h"),
        (f"http://h/?password={SECRET}", "http://h/?…"),
        (f"user:{SECRET}@h", "…@h"),
        (f"postgresql://u:{SECRET}/@h/db?password={SECRET}", "postgresql://…@h/db?…"),
        ("http://name:16882/x", "http://name:16882/x"),
        ("", ""),
        ("http://a\x1b[2J\u202e/", "http://a\ufffd[2J\ufffd/"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown
    assert len(shown_url(url * 100)) <= 200


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@name.test/",
        f"http://{SECRET}@name.test/",
        f"http://user:{SECRET}@name.test:port/",
        f"http://user:{SECRET}@[::1",
        f"ftp://user:{SECRET}@name.test/",
        f"http://user:{SECRET}@name.test/ ",
        f"http://name.test/#{SECRET}",
    ],
)
def test_no_error_of_the_client_shows_a_secret_of_an_address(url: str) -> None:
    fault = fault_of(HTTPClient().request, "GET", url)
    assert fault.code == "net/url"
    chain = [fault, fault.__cause__]
    assert SECRET not in repr([(str(one), repr(one)) for one in chain]) + repr(fault.params)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@[::1",
        f"postgresql://u:{SECRET}@h:port/db",
        f"postgresql://u:{SECRET}/x@127.0.0.1:1/db",
        f"postgresql://u@127.0.0.1:1/db?password={SECRET}&nonsense=1",
        f"postgresql://u:{SECRET}%zz@127.0.0.1:1/db",
        f"sqlite://user:{SECRET}@h/x",
        f"mysql://u:{SECRET}/@h/x",
    ],
)
def test_no_error_of_a_database_shows_a_secret_of_its_address(url: str) -> None:
    fault = fault_of(open_database, url)
    assert fault.code.startswith("db/")
    assert SECRET not in fault.what + fault.why + fault.fix + repr(fault.params) + str(fault)


def test_settings_take_no_address_with_a_login_and_do_not_repeat_it() -> None:
    for name in ("publisher_url", "host"):
        value = f"http://user:{SECRET}@name.test" if "url" in name else f"user:{SECRET}@name.test"
        fault = fault_of(check, lookup(Role.CLIENT, name), value)
        assert fault.code == "settings/value"
        assert SECRET not in fault.what + repr(fault.params)


@pytest.mark.real
def test_no_login_is_printed_or_stored(tmp_path: Path) -> None:
    """The whole way: a proxy that is away, one that wants another login, an address with one."""
    import time

    from muster.testing.tiny_publisher import TinyPublisher
    from muster.testing.world import machine_facts

    publisher = TinyPublisher(now=int(time.time()) - 86_400)
    facts, descriptor = tmp_path / "facts.json", tmp_path / "descriptor.json"
    facts.write_text(json.dumps({"v": 1, "facts": machine_facts("pc-1")}))
    facts.chmod(0o600)
    descriptor.write_bytes(publisher.descriptor("desktop-pro"))
    descriptor.chmod(0o600)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MUSTER_STORE": str(tmp_path / "store"),
        "MUSTER_FACTS": str(facts),
    }

    def run(*words: str, **more: str) -> str:
        line = [sys.executable, "-m", "muster", *words]
        done = subprocess.run(
            line, env=env | more, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    run("client", "product", "add", str(descriptor))
    run("client", "install-key", publisher.machine_key("desktop").text)
    with Stranger(407, b"<html>") as asking:
        logins = (f"http://user:{SECRET}@127.0.0.1:9", f"http://user:{SECRET}@127.0.0.1:x")
        printed = ""
        for proxy in (*logins, f"http://user:{SECRET}@127.0.0.1:{asking.port}"):
            for url in ("http://name.invalid", "https://name.invalid"):
                words = ("client", "activate", "--publisher-url", url)
                printed += run(*words, http_proxy=proxy, https_proxy=proxy)
                printed += run("client", "status", "--json")
    assert "net/proxy-unreachable" in printed
    assert "net/proxy-login" in printed
    assert "net/proxy-address" in printed
    url = f"http://user:{SECRET}@127.0.0.1:9"
    printed += run("client", "activate", "--publisher-url", url)
    printed += run("client", "set-publisher", url)
    printed += run("client", "set-host", f"user:{SECRET}@127.0.0.1")
    printed += run("client", "status", MUSTER_PUBLISHER_URL=url, MUSTER_CLIENT_PUBLISHER_URL=url)
    printed += run("doctor") + run("client", "history") + run("slmgr", "/dlv")
    assert SECRET not in printed
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
