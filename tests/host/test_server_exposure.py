"""A host on a network: by whom it is asked, what strangers get, and what administrators get."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.conftest import Machine, World
from tests.host.processes import PRODUCT, HostProcess, prepare
from tests.host.test_api import Asking, problem
from tests.net.exposition import series

from muster.host.server import DNSOptions, HostServer
from muster.host.tables import host_settings, own, request_log
from muster.net import operation
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.system.entropy import SeededDice
from muster.testing.programs import Programs
from muster.wire import routes

HERE = "127.0.0.1/32"


@pytest.fixture
def asking(host: World) -> Iterator[Asking]:
    server = HostServer(host.database, host.keyring, host.clock, SeededDice("server"))
    with (
        server,
        ThreadServer(server.router) as listening,
        ThreadServer(server.operation) as monitor,
    ):
        found = Asking(listening.url, host, server)
        found.operation = monitor.url
        yield found


def settle(asking: Asking, **values: str) -> None:
    """Settings as `muster host set` sets them, and a look of the host at what changed."""
    with asking.world.database.transaction() as tx:
        for name, value in values.items():
            host_settings.put(tx, name, value)
        own.touch(tx)
    asking.server.service.view()


# Settings that are read again.


def test_a_host_that_reads_its_settings_again_decides_by_them(asking: Asking) -> None:
    options = DNSOptions("host.contoso.test", None, lambda *_: None)
    assert asking.activate(1).status == 409
    waiting = asking.server.reload({"allowed_networks": ("192.0.2.0/24",)}, {}, options)
    assert waiting == ()
    assert asking.activate(2).status == 403
    settle(asking, allowed_networks=HERE)
    assert asking.activate(3).status == 409, "what 'host set' set wins over files, as before"
    waiting = asking.server.reload({}, {"port": 16888, "bind": "192.0.2.1"}, options)
    assert waiting == ("bind", "port")
    waiting = asking.server.reload({}, {"port": 16888}, options)
    assert waiting == ("port",), "still not used, however often it is read"


# Trusted proxies.


def test_machines_behind_a_trusted_proxy_are_told_apart(asking: Asking) -> None:
    settle(asking, trusted_proxies=HERE, new_cmid_rate="2")
    asking.headers = {"X-Forwarded-For": "192.0.2.7"}
    assert [asking.activate(n).status for n in (1, 2, 3)] == [409, 409, 429]
    asking.headers = {"X-Forwarded-For": "192.0.2.8"}
    assert asking.activate(4).status == 409
    with asking.world.database.snapshot() as reader:
        rows = request_log.requests(reader, 10)
    assert [one.address for one in rows] == ["192.0.2.8", "192.0.2.7", "192.0.2.7", "192.0.2.7"]


def test_machines_behind_a_local_proxy_do_not_use_up_one_rate(asking: Asking) -> None:
    settle(asking, new_cmid_rate="2")
    asking.headers = {"X-Forwarded-For": "192.0.2.7"}
    assert {asking.activate(n).status for n in range(1, 8)} == {409}
    with asking.world.database.snapshot() as reader:
        assert {one.address for one in request_log.requests(reader, 10)} == {"127.0.0.1"}


def test_networks_hold_for_the_address_that_a_trusted_proxy_names(asking: Asking) -> None:
    settle(asking, trusted_proxies=HERE, allowed_networks="192.0.2.0/24")
    asking.headers = {"X-Forwarded-For": "198.51.100.1, 192.0.2.7"}
    assert problem(asking.activate(1)).number("count") == 1
    asking.headers = {"X-Forwarded-For": "192.0.2.7, 198.51.100.1"}
    assert problem(asking.activate(2)).code == "host/network-not-allowed"
    settle(asking, trusted_proxies="10.9.0.1/32")
    asking.headers = {"X-Forwarded-For": "192.0.2.7"}
    assert problem(asking.activate(3)).code == "host/network-not-allowed"


# Allowed networks.


def test_networks_hold_for_every_address(asking: Asking) -> None:
    settle(asking, allowed_networks="192.0.2.0/24")
    for route in routes.HOST_ROUTES:
        path = (
            route.fill(publisher=asking.world.id, version="1") if "{" in route.path else route.path
        )
        answer = asking.post(path, b"{}") if route.method == "POST" else asking.get(path)
        assert (answer.status, problem(answer).code) == (403, "host/network-not-allowed"), path
    for path in ("/", "/v1/nothing", "/metrics", "/v1/activate"):
        assert asking.get(path).status == 403, path
    # Administrators are asked for at another address, by its own rules.
    assert asking.told("/readyz").status == 200


# The address of its own.


def test_strangers_get_neither_metrics_nor_readiness(asking: Asking) -> None:
    for path in ("/metrics", "/readyz"):
        assert asking.get(path).status == 404
        assert asking.told(path).status == 200
    assert asking.get("/healthz").body == asking.told("/healthz").body == b'{"status":"ok"}'
    for path in ("/v1/publishers", f"/v1/publishers/{asking.world.id}/grants", "/openapi.json"):
        assert asking.told(path).status == 404


@pytest.mark.parametrize("name", ["evil.example", "evil.example:16881", "192.0.2.1", "", "[::"])
def test_a_page_in_a_browser_reads_nothing_there(asking: Asking, name: str) -> None:
    """A name of somebody else's that points to loopback (DNS rebinding)."""
    for host, status in ((name, 421), ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]:1", 200)):
        place = asking.operation.removeprefix("http://").split(":")
        with socket.create_connection((place[0], int(place[1])), timeout=10) as link:
            head = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            link.sendall(head.encode())
            assert int(link.recv(4096).split(b" ")[1]) in (
                status,
                400 if host in ("", "[::") else status,
            )


def test_a_taken_or_wrong_address_is_told_and_the_host_serves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert operation.listen("off") is None
    assert not caplog.records
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert operation.listen(f"127.0.0.1:{port}") is None
        assert f"Port {port} on 127.0.0.1 is already in use." in caplog.text
        assert "operation_address" in caplog.text
    assert operation.listen("192.0.2.1:16881") is None
    caplog.clear()
    found = operation.listen("0.0.0.0:0")
    assert found is not None
    found.close()
    assert "without a login" in caplog.text


@pytest.mark.real
def test_a_host_process_with_and_without_its_operation_address(tmp_path: Path) -> None:
    publisher = prepare(tmp_path)
    http = HTTPClient(timeout=30)
    with HostProcess(tmp_path, environ={"MUSTER_HOST_OPERATION_ADDRESS": "127.0.0.1:0"}) as host:
        place = host.ready["operation"]
        assert http.request("GET", f"http://{place}/readyz").status == 200
        text = http.request("GET", f"http://{place}/metrics").body.decode()
        whose = {"publisher": publisher.publisher, "label": "contoso"}
        assert series(text, "muster_host_serving", **whose) == 1
        assert http.request("GET", f"http://127.0.0.1:{host.port}/metrics").status == 404
        # A second one on the same machine: the address is taken, and it serves.
        environ = {"MUSTER_HOST_OPERATION_ADDRESS": place}
        prepare(tmp_path / "second")
        with HostProcess(tmp_path / "second", environ=environ) as second:
            assert second.ready["operation"] is None
            assert http.request("GET", f"http://127.0.0.1:{second.port}/healthz").status == 200
    with HostProcess(tmp_path, environ={"MUSTER_HOST_OPERATION_ADDRESS": "off"}) as host:
        assert host.ready["operation"] is None
        body = Machine(1).request(publisher.publisher, PRODUCT, 0).body
        answer = http.request(
            "POST",
            f"http://127.0.0.1:{host.port}/v1/activate",
            body,
            {"Content-Type": "application/json"},
        )
        assert json.loads(answer.body)["code"] == "host/clock-skew"


@pytest.mark.real
def test_the_doctor_knows_that_a_host_may_leave_itself_out(tmp_path: Path) -> None:
    prepare(tmp_path / "host")
    (tmp_path / "doctor").mkdir()
    environ = {
        "MUSTER_HOST_OPERATION_ADDRESS": "off",
        "MUSTER_HOST_ALLOWED_NETWORKS": "192.0.2.0/24",
    }
    with HostProcess(tmp_path / "host", environ=environ):
        programs = Programs(tmp_path / "doctor", environ)
        found = programs.run("doctor", "--role", "host", "--store", str(tmp_path / "host"))
    said = repr(found.data)
    assert "it is not in allowed_networks" in said
    assert "host/network-not-allowed" not in said
    assert found.code == 0, found
