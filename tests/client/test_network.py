"""Real sockets: DNS answers and hosts that keep silent, lie and break off; each has its error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from muster.client.discovery import Address
from muster.client.disk import SystemDisk
from muster.client.findings import Activation
from muster.client.messages import Plan
from muster.client.network import SystemNetwork
from muster.client.service import Client
from muster.client.stores import Parts
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.net.authorities import read_authorities
from muster.net.certificate import Certificate
from muster.net.router import Answer, BoundRoute, Request, Router
from muster.net.serve import ThreadServer
from muster.system.clock import SystemClock
from muster.system.entropy import SystemDice
from muster.testing.authority import Authority
from muster.testing.loopback import LoopbackHost
from muster.testing.nanodns import NanoDNS, Trouble
from muster.testing.tiny_host import Misbehaviour
from muster.testing.world import machine_facts
from muster.wire.activation import ClientInfo
from muster.wire.problem import encode_problem
from muster.wire.release import ReleaseRequest, decode_release
from muster.wire.routes import ACTIVATE, PROBLEM, PUBLISHERS, RELEASE

pytestmark = pytest.mark.real

ZONE = "corp.test"
LABEL = f"_contoso._sub._muster._tcp.{ZONE}."
GENERAL = f"_muster._tcp.{ZONE}."


@pytest.fixture
def served() -> Iterator[LoopbackHost]:
    with LoopbackHost() as found:
        yield found


@pytest.fixture
def dns() -> Iterator[NanoDNS]:
    with NanoDNS(ZONE) as found:
        found.add(f"kms1.{ZONE}.", "A", "127.0.0.1")
        yield found


def machine(
    folder: Path, served: LoopbackHost, dns: NanoDNS | None = None, *, timeout: float = 1.0
) -> Client:
    plan = Plan(host=served.address) if dns is None else Plan(None, (ZONE,))
    client = Client(
        Parts(
            root=folder / "store",
            disk=SystemDisk(),
            network=SystemNetwork(() if dns is None else (dns.server,), timeout),
            clock=SystemClock(),
            dice=SystemDice(),
            read_facts=lambda: machine_facts("pc-1"),
            plan=lambda _: plan,
            info=ClientInfo("0.1.0", "Test", None),
        )
    )
    client.add_product(served.publisher.descriptor("desktop-pro"))
    return client


def one(client: Client) -> Activation:
    return client.activate()[0]


def problem(client: Client) -> str:
    result = one(client)
    assert result.fault is not None
    assert not result.status.verdict.licensed
    return result.fault.code


def advertise(dns: NanoDNS, port: int, *, name: str = LABEL, target: str = "kms1") -> None:
    dns.add(name, "SRV", f"0 0 {port} {target}.{ZONE}.")


def test_an_activation_over_real_dns_and_http(
    tmp_path: Path, served: LoopbackHost, dns: NanoDNS
) -> None:
    advertise(dns, served.address.port)
    result = one(machine(tmp_path, served, dns))
    assert result.renewed
    record = result.status.verdict.record
    assert record is not None
    assert record.last_good is not None
    assert record.last_good.text == f"kms1.{ZONE}:{served.address.port}"
    assert record.last_ip == "127.0.0.1"
    asked = [(one.name, one.kind) for one in dns.asked]
    assert (LABEL.rstrip("."), "SRV") in asked
    assert (GENERAL.rstrip("."), "SRV") in asked


def test_what_a_host_says_is_answered_to_that_host(tmp_path: Path, dns: NanoDNS) -> None:
    """One name with two addresses, in an order that changes with each answer of DNS: two hosts
    that know nothing of each other."""
    router = Router([BoundRoute(ACTIVATE, lambda _: Answer(200, b"{}"))])
    with ThreadServer(router) as one, ThreadServer(router, address="127.0.0.2", port=one.port):
        network = SystemNetwork((dns.server,), 5.0)
        address = Address(f"two.{ZONE}", one.port)
        first = set()
        for turn in range(6):
            dns.remove(f"two.{ZONE}.")
            for ip in ("127.0.0.1", "127.0.0.2")[:: 1 if turn % 2 else -1]:
                dns.add(f"two.{ZONE}.", "A", ip, ttl=0)
            first.add(network.call(address, ACTIVATE, ACTIVATE.path, b"{}").ip)
        assert len(first) == 1


def test_a_rotation_is_followed_over_real_http(tmp_path: Path, served: LoopbackHost) -> None:
    for _ in range(3):
        served.publisher.rotate()
    served.host.regrant()
    result = one(machine(tmp_path, served))
    assert result.renewed
    assert result.status.verdict.authority.trust.version == 4


def test_a_release_over_real_http(tmp_path: Path, served: LoopbackHost) -> None:
    client = machine(tmp_path, served)
    assert one(client).renewed
    client.release()
    assert len(served.host.released) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>sign in</html>", b"{}", b'{"v":1}', b'{"v":1,"released":"yes"}', b'{"v":9}'],
)
def test_an_answer_that_is_none_gives_no_licence_away(tmp_path: Path, body: bytes) -> None:
    """A portal that answers in place of a host; the licence stays, and so does its seat."""
    with LoopbackHost() as served:
        port = served.address.port
        client = machine(tmp_path, served)
        assert one(client).renewed
    router = Router([BoundRoute(RELEASE, lambda _: Answer(200, body))])
    with ThreadServer(router, port=port), pytest.raises(MusterError) as caught:
        client.release()
    assert caught.value.code in ("wire/bad-answer", "wire/version")
    assert client.status().verdict.licensed


@pytest.mark.parametrize("status", [403, 409, 500])
def test_a_challenge_under_another_status_is_not_signed(tmp_path: Path, status: int) -> None:
    with LoopbackHost() as served:
        port = served.address.port
        client = machine(tmp_path, served)
        assert one(client).renewed
    shown: list[bytes] = []

    def challenges(request: Request) -> Answer:
        shown.append(request.body)
        _, problem = encode_problem(error("host/challenge", challenge="A" * 22))
        return Answer(status, problem, PROBLEM)

    router = Router([BoundRoute(RELEASE, challenges)])
    with ThreadServer(router, port=port), pytest.raises(MusterError):
        client.release()
    assert len(shown) == 1


def test_a_release_is_signed_with_each_challenge_but_not_for_ever(tmp_path: Path) -> None:
    with LoopbackHost() as served:
        port = served.address.port
        client = machine(tmp_path, served)
        assert one(client).renewed
    shown: list[ReleaseRequest] = []

    def challenges(request: Request) -> Answer:
        shown.append(decode_release(request.body))
        fault = error("host/challenge", challenge=f"{len(shown):021}A")
        return Answer(*encode_problem(fault), PROBLEM)

    router = Router([BoundRoute(RELEASE, challenges)])
    with ThreadServer(router, port=port), pytest.raises(MusterError) as caught:
        client.release()
    assert caught.value.code == "host/challenge"
    given = [f"{number:021}A" for number in range(1, 4)]
    assert [one.challenge for one in shown] == ["", *given]
    assert all(replace(one, challenge="") == shown[0] for one in shown)
    assert client.status().verdict.licensed


@pytest.mark.parametrize(
    ("misbehaviour", "code"),
    [
        (Misbehaviour.SILENT, "net/timeout"),
        (Misbehaviour.REFUSING, "net/reset"),
        (Misbehaviour.RUBBISH, "net/not-http"),
        (Misbehaviour.EMPTY, "wire/bad-answer"),
        (Misbehaviour.HUGE, "net/too-large"),
        (Misbehaviour.REDIRECT, "client/redirect"),
        (Misbehaviour.UNSIGNED_DUPLICATE, "client/unsigned-notice"),
    ],
)
def test_a_rude_host_on_a_real_socket(
    misbehaviour: Misbehaviour, code: str, tmp_path: Path, served: LoopbackHost
) -> None:
    client = machine(tmp_path, served)
    before = client.status().identity
    served.host.misbehaviour = misbehaviour
    assert problem(client) == code
    assert client.status().identity == before
    served.host.misbehaviour = Misbehaviour.HONEST
    assert one(client).renewed


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    with LoopbackHost() as gone:
        client = machine(tmp_path, gone)
    assert problem(client) == "net/refused"


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble.SERVFAIL, "net/dns-failed"),
        (Trouble.REFUSED, "net/dns-refused"),
        (Trouble.SILENCE, "net/dns-timeout"),
    ],
)
def test_dns_servers_that_fail(
    trouble: Trouble, code: str, tmp_path: Path, served: LoopbackHost, dns: NanoDNS
) -> None:
    dns.trouble(trouble)
    assert problem(machine(tmp_path, served, dns)) == code


def test_dns_without_records(tmp_path: Path, served: LoopbackHost, dns: NanoDNS) -> None:
    assert problem(machine(tmp_path, served, dns)) == "client/no-records"


def test_records_that_point_nowhere(tmp_path: Path, served: LoopbackHost, dns: NanoDNS) -> None:
    advertise(dns, 16880, target="nowhere")
    assert problem(machine(tmp_path, served, dns)) == "net/name"


def test_a_hostile_zone_does_not_keep_a_machine_from_its_host(
    tmp_path: Path, served: LoopbackHost, dns: NanoDNS
) -> None:
    port = served.address.port
    dns.add(f"alias.{ZONE}.", "CNAME", f"kms1.{ZONE}.")
    for number in range(200):
        dns.add(GENERAL, "SRV", f"0 0 {port} nowhere{number}.{ZONE}.", ttl=0)
    dns.add(LABEL, "SRV", f"0 0 1 nowhere.{ZONE}.", ttl=0)
    dns.add(LABEL, "SRV", f"0 0 {port} alias.{ZONE}.", ttl=0)
    assert one(machine(tmp_path, served, dns)).renewed


def test_two_processes_at_once_share_one_store(tmp_path: Path, served: LoopbackHost) -> None:
    import threading

    client = machine(tmp_path, served)
    results: list[bool] = []

    def run() -> None:
        other = machine(tmp_path, served)
        results.append(one(other).renewed)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == [True] * 4
    assert client.status().verdict.licensed
    assert len({request.cmid for request in served.host.asked}) == 1


def test_a_site_file_says_how_its_own_hosts_are_asked(tmp_path: Path) -> None:
    """TLS and the authority of a file count for the address that carries them, and no other."""
    authority = Authority("Corp CA")
    authority.issue("127.0.0.1").write(tmp_path / "cert.pem", tmp_path / "key.pem")
    authority.write(tmp_path / "ca.pem")
    trusted = read_authorities((tmp_path / "ca.pem").read_bytes(), "ca.pem")
    files = (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    router = Router([BoundRoute(PUBLISHERS, lambda _: Answer(200, b"{}"))])
    network = SystemNetwork((), 20.0)
    with ThreadServer(router, tls=Certificate(*files, SystemClock().now)) as server:

        def asked(tls: tuple[bytes, ...] | None) -> str:
            address = Address("127.0.0.1", server.port, tls)
            try:
                network.call(address, PUBLISHERS, PUBLISHERS.path, None)
            except MusterError as fault:
                return fault.code
            return ""

        assert asked(trusted) == ""
        assert asked(()) == "net/tls-authority"
        assert asked(None) == "net/tls-wanted"
        assert asked((b"no certificate",)) == "client/site-authority"
        assert asked(trusted) == ""
