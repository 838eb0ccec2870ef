"""Bad input, end to end: each case has its own error with a fix, nobody is licensed by it, and who
was licensed before still is.

The host is the real one behind a socket, machines keep their stores on disk. What bytes alone can
do wrong is in `tests/lease` and `tests/attacks`.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.worlds.conftest import START, TOOL, Scene

from muster.client.discovery import Address
from muster.client.disk import SystemDisk
from muster.client.messages import Plan
from muster.client.store import Store
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.identity import machine_cmid, nonce_of
from muster.core.keys import ALPHABET, Kind
from muster.core.products import DAY
from muster.host.act import enrol, updates
from muster.lease.jws import MemorySigningKey
from muster.net.http import HTTPClient
from muster.testing.nanodns import NanoDNS
from muster.testing.real import RealMachine
from muster.wire.activation import ActivationRequest, ClientInfo
from muster.wire.problem import decode_problem, encode_problem

pytestmark = pytest.mark.real

YEAR_2040 = 2_208_988_800


def refusal(act: Callable[[], object]) -> str:
    """The code with which an act is refused; its row says what, why and how to mend it."""
    with pytest.raises(MusterError) as caught:
        act()
    return told(caught.value)


def told(fault: MusterError | None) -> str:
    """The code of an error that helps its reader."""
    assert fault is not None
    assert fault.what
    assert fault.why
    assert fault.fix
    assert "{" not in fault.fix
    return fault.code


# Wrong keys.


def one_symbol(key: str) -> str:
    """The key with its first symbol changed."""
    return ALPHABET[(ALPHABET.index(key[0]) + 1) % len(ALPHABET)] + key[1:]


def neighbours(key: str) -> str:
    """The key with the first two neighbours swapped that differ."""
    place = next(
        place for place in range(len(key) - 1)
        if "-" not in key[place : place + 2] and key[place] != key[place + 1]
    )  # fmt: skip
    return key[:place] + key[place + 1] + key[place] + key[place + 2 :]


KEYS: dict[str, tuple[Callable[[Scene], str], str, str]] = {
    "one symbol": (lambda s: one_symbol(s.contoso.key(Kind.SETUP, 1).text), "key/check", ""),
    "swapped neighbours": (
        lambda s: neighbours(s.contoso.key(Kind.SETUP, 1).text), "key/check", "",
    ),
    "of another publisher": (
        lambda s: s.fabrikam.key(Kind.SETUP, 1).text, "client/key-publisher", "",
    ),
    "host key on a client": (lambda s: s.contoso.host_key("desktop").text, "client/host-key", ""),
    "one symbol, host": (lambda s: one_symbol(s.contoso.host_key("server").text), "", "key/check"),
    "swapped neighbours, host": (
        lambda s: neighbours(s.contoso.host_key("server").text), "", "key/check",
    ),
    "of another publisher, host": (
        lambda s: s.fabrikam.host_key("server").text, "", "host/key-publisher",
    ),
    "setup key on a host": (lambda s: s.contoso.key(Kind.SETUP, 1).text, "", "host/key-setup"),
}  # fmt: skip
"""Case: the key, the code on a client and the code on a host; "" where it is not typed there."""


def test_wrong_keys(scene: Scene) -> None:
    good, fresh = scene.licensed_machine("good"), scene.machine("fresh")
    before = (good.licence(), scene.host.opened.current().publishers[scene.contoso.publisher].keys)
    seen: dict[str, tuple[str, str]] = {}
    for case, (make, client, host) in KEYS.items():
        key = make(scene)
        on_client = on_host = ""
        if client:
            on_client = refusal(lambda: fresh.client.install_key(key, TOOL))  # noqa: B023
            assert refusal(lambda: good.client.install_key(key, TOOL)) == on_client  # noqa: B023
        if host:
            on_host = refusal(lambda: enrol.install_key(scene.host.opened, key, scene.host.facts))  # noqa: B023
        seen[case] = (on_client, on_host)
        assert not fresh.licensed()
        assert good.licensed()
    assert seen == {case: (client, host) for case, (_, client, host) in KEYS.items()}
    after = scene.host.opened.current().publishers[scene.contoso.publisher].keys
    assert (good.licence(), after) == before
    assert good.ask().renewed


# Licences and stores that belong elsewhere.


def record_of(machine: RealMachine, scene: Scene) -> Any:
    loaded = Store(machine.store, scene.contoso.publisher, SystemDisk()).load()
    assert loaded is not None
    return loaded.memory.products[TOOL]


def put(machine: RealMachine, scene: Scene, **changes: Any) -> None:
    """Write into the record of a machine's product, with sums that hold."""
    place = Store(machine.store, scene.contoso.publisher, SystemDisk())
    with place.lock():
        loaded = place.load()
        assert loaded is not None
        record = replace(loaded.memory.products[TOOL], **changes)
        place.save(loaded.memory.with_product(record))


def of_another_machine(scene: Scene, victim: RealMachine) -> None:
    other = scene.licensed_machine("other")
    put(victim, scene, licence=other.licence())


def with_its_nonce(scene: Scene, victim: RealMachine) -> None:
    other = record_of(scene.licensed_machine("other"), scene)
    put(victim, scene, licence=other.licence, nonce=other.nonce)


def of_another_product(scene: Scene, victim: RealMachine) -> None:
    other = RealMachine(victim.store, scene.clock, victim.plan)
    other.facts = victim.facts
    other.add(scene.contoso, "other-tool")
    assert other.ask("other-tool").renewed
    put(victim, scene, licence=other.licence("other-tool"))


def of_another_publisher(scene: Scene, victim: RealMachine) -> None:
    foreign = scene.another_host("foreign", scene.fabrikam)
    other = RealMachine(scene.folder / "other", scene.clock, Plan(host=foreign.address))
    other.add(scene.fabrikam, TOOL)
    assert other.ask().renewed
    put(victim, scene, licence=other.licence())


def of_another_host(scene: Scene, victim: RealMachine) -> None:
    """The lease of one host beside the grant and the signer of another."""
    second = scene.another_host("second", scene.contoso)
    other = scene.machine("other")
    other.plan = Plan(host=second.address)
    assert other.ask().renewed
    mixed = json.loads(
        record_of(victim, scene).licence or scene.licensed_machine("third").licence()
    )
    own = json.loads(other.licence())
    put(victim, scene, licence=json.dumps({**own, "lease": mixed["lease"]}))


def from_another_machine(scene: Scene, victim: RealMachine) -> None:
    """The whole store is a copy."""
    other = scene.licensed_machine("other")
    shutil.rmtree(victim.store)
    shutil.copytree(other.store, victim.store)


def older(scene: Scene, victim: RealMachine, name: str) -> None:
    """Put one file back as it was before the publisher published anew."""
    if not victim.licensed():
        assert victim.ask().renewed
    path = victim.store / scene.contoso.publisher / name
    held = path.read_bytes() if path.exists() else None
    scene.contoso.rotate()
    scene.contoso.publish()
    updates.add_publisher(scene.host.opened, scene.contoso.file())
    assert victim.ask().renewed
    if held is None:
        path.unlink()
        path.with_name(f"{name}.bak").unlink(missing_ok=True)
    else:
        path.write_bytes(held)


STORES: dict[str, tuple[Callable[[Scene, RealMachine], None], str]] = {
    "a licence of another machine": (of_another_machine, "licence/machine"),
    "a licence of another machine with its nonce": (with_its_nonce, "licence/machine"),
    "a licence of another product": (of_another_product, "licence/audience"),
    "a licence of another publisher": (of_another_publisher, "licence/grant"),
    "a lease of another host": (of_another_host, "licence/signer"),
    "a store of another machine": (from_another_machine, "client/other-machine"),
    "an older catalogue": (lambda s, m: older(s, m, "catalogue.json"), "client/catalogue-older"),
    "an older trust": (lambda s, m: older(s, m, "trust.json"), "client/trust-older"),
}


@pytest.mark.parametrize("case", STORES)
@pytest.mark.parametrize("before", ["fresh", "licensed"])
def test_what_is_put_into_a_store_licenses_nobody(case: str, before: str, scene: Scene) -> None:
    attack, code = STORES[case]
    bystander = scene.licensed_machine("bystander")
    kept = bystander.licence()
    victim = scene.machine("victim") if before == "fresh" else scene.licensed_machine("victim")
    attack(scene, victim)
    verdict = victim.client.status(TOOL).verdict
    assert not verdict.licensed
    assert told(verdict.fault) == code
    assert bystander.licensed()
    assert bystander.licence() == kept
    # Asking a host mends it, with a licence of the machine's own.
    assert victim.ask(TOOL).renewed
    assert victim.licensed(TOOL)
    if (scene.folder / "other").exists():
        other = RealMachine(scene.folder / "other", scene.clock, Plan())
        assert other.licensed(), "who was copied from keeps its licence"


# Networks.


@contextmanager
def rude(reply: bytes | None) -> Iterator[Address]:
    """Somebody who answers every connection with the same bytes, or with nothing at all."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            held = []
            while not stop.is_set():
                with suppress(TimeoutError):
                    link, _ = server.accept()
                    held.append(link)
                    if reply is not None:
                        with suppress(OSError):
                            link.settimeout(0.5)
                            link.recv(65_536)
                            link.sendall(reply)
                            link.shutdown(socket.SHUT_WR)
            for link in held:
                link.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address("127.0.0.1", int(server.getsockname()[1]))
        finally:
            stop.set()
            thread.join(10)


def http(status: str, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


_, ORDER = encode_problem(error("host/duplicate-cmid", cmid=str(UUID(int=0))))
HOSTS: dict[str, tuple[bytes | None, str]] = {
    "rubbish": (b"\x00\xff no HTTP at all\r\n" * 50, "net/not-http"),
    "nothing": (None, "net/timeout"),
    "an empty answer": (http("200 OK", "application/json", b""), "wire/bad-answer"),
    "a page of a portal": (http("200 OK", "text/html", b"<html>Log in</html>"), "wire/bad-answer"),
    "an unsigned order to change the CMID": (
        http("409 Conflict", "application/problem+json", ORDER),
        "client/unsigned-notice",
    ),
}


@pytest.mark.parametrize("case", HOSTS)
def test_a_host_that_is_none(case: str, scene: Scene) -> None:
    reply, code = HOSTS[case]
    good, fresh = scene.licensed_machine("good"), scene.machine("fresh")
    kept, identities = good.licence(), [one.client.status().identity for one in (good, fresh)]
    with rude(reply) as address:
        for machine in (good, fresh):
            machine.plan = Plan(host=address)
            assert told(machine.ask().fault) == code
            # Nothing but a timer changed, and that by 4 hours at most.
            record = machine.client.status().verdict.record
            assert record is not None
            assert record.next_attempt <= START + 4 * 3600
    assert [one.client.status().identity for one in (good, fresh)] == identities
    assert (good.licensed(), good.licence(), fresh.licensed()) == (True, kept, False)
    fresh.plan = Plan(host=scene.host.address)
    assert fresh.ask().renewed


ZONE = "corp.test"


def no_records(dns: NanoDNS) -> None:
    """A zone without a host."""


def to_nowhere(dns: NanoDNS) -> None:
    dns.add(f"_muster._tcp.{ZONE}.", "SRV", f"0 0 16880 nowhere.{ZONE}.")


def to_nobody(dns: NanoDNS) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    dns.add(f"host1.{ZONE}.", "A", "127.0.0.1")
    dns.add(f"_muster._tcp.{ZONE}.", "SRV", f"0 0 {port} host1.{ZONE}.")


NETWORKS: dict[str, tuple[Callable[[NanoDNS], None] | None, str]] = {
    "no DNS": (None, "net/dns-timeout"),
    "DNS without records": (no_records, "client/no-records"),
    "records that point nowhere": (to_nowhere, "net/name"),
    "records that point to nobody": (to_nobody, "net/refused"),
}


@pytest.mark.parametrize("case", NETWORKS)
def test_a_network_without_a_host(case: str, scene: Scene) -> None:
    fill, code = NETWORKS[case]
    good, fresh = scene.licensed_machine("good"), scene.machine("fresh")
    kept = good.licence()
    with NanoDNS(ZONE) as dns:
        if fill is not None:
            fill(dns)
        server = dns.server
        if fill is None:
            dns.stop()
        for machine in (good, fresh):
            machine.plan = Plan(None, (ZONE,), caching=False)
            machine.nameservers = (server,)
            assert told(machine.ask().fault) == code
    assert (good.licensed(), good.licence(), fresh.licensed()) == (True, kept, False)


# A host in the year 2040.


def test_a_host_in_2040_is_refused_and_everything_mends_with_its_clock(scene: Scene) -> None:
    good, fresh = scene.licensed_machine("good"), scene.machine("fresh")
    kept, counted = good.licence(), scene.host.count(scene.contoso)
    scene.host_clock.set(YEAR_2040)
    for machine in (good, fresh):
        assert told(machine.ask().fault) == "host/clock-skew"
    assert (good.licensed(), good.licence(), fresh.licensed()) == (True, kept, False)

    # Machines that stand in 2040 as well are served, and counted in the future.
    scene.host.housekeep()
    scene.clock.set(YEAR_2040)
    astray = scene.licensed_machine("astray")
    scene.clock.set(START + 600)
    scene.host_clock.set(START + 600)
    assert told(astray.client.status().verdict.fault) == "client/clock-behind"

    # Both clocks are right again: nobody has to do anything but to ask.
    assert scene.host.housekeep() == 1
    assert good.licensed()
    assert good.ask().renewed
    assert fresh.ask().renewed
    assert scene.host.count(scene.contoso) == counted + 2
    for clock in (scene.clock, scene.host_clock):
        clock.pass_time(31 * DAY)
    assert scene.host.count(scene.contoso) == 0
    assert good.ask().renewed
    assert scene.host.count(scene.contoso) == 1


# A full disk.


@contextmanager
def tiny_disk(folder: Path) -> Iterator[None]:
    """A file system of 96 KiB at a folder."""
    folder.mkdir()
    size = "size=96k,mode=0700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this system does not let us mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left; gives the file that holds it."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1024)):
            pass
    return path


def test_a_full_disk_keeps_the_last_good_licence(scene: Scene) -> None:
    with tiny_disk(scene.folder / "good"), tiny_disk(scene.folder / "fresh"):
        good, fresh = scene.licensed_machine("good"), scene.machine("fresh")
        kept = good.licence()
        fillers = [fill(one.store) for one in (good, fresh)]
        for machine in (good, fresh):
            result = machine.ask()
            assert not result.renewed
            assert told(result.fault) == "file/full"
        assert (good.licensed(), good.licence(), fresh.licensed()) == (True, kept, False)
        for filler in fillers:
            filler.unlink()
        assert good.ask().renewed
        assert fresh.ask().renewed


# Requests to a real host.

HOSTILE = (
    "\"; DROP TABLE machines; --",
    "' OR '1'='1",
    "{}{0}{host}{__class__}%s%n$(id)`id`",
    "{{7*7}}<script>alert(1)</script>",
    "\\\"\\u0000\x1b[2J\r\nX: y",
    "..",
    "",
)  # fmt: skip
UNDERSTOOD = {
    "host/request-proof": ("line", "version", "os", "member name"),
    "host/not-served": ("product",),
}
"""Fields which some of these texts are good for: those for people, members that no reader names,
a line that nothing is in, and the name of a product that nobody serves."""


def good_request(scene: Scene) -> dict[str, Any]:
    key = MemorySigningKey(bytes(range(32)))
    publisher = scene.contoso.publisher
    request = ActivationRequest(
        publisher=publisher,
        product="desktop-pro",
        cmid=machine_cmid(publisher, "machine", key.public.raw),
        key=key.public.raw,
        nonce=nonce_of(bytes(16)),
        line=("A" * 8,),
        fingerprint=("d0123456789abcdef", "ufedcba9876543210"),
        identity="machine",
        state=2,
        sent_at=START,
        client=ClientInfo("0.1.0", "Linux", False),
    ).prove(key)
    value = json.loads(request.body)
    assert isinstance(value, dict)
    return value


def spoilt(value: dict[str, Any], hostile: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The request with one field after the other replaced, and with one member more."""
    for name in value:
        yield name, {**value, name: hostile}
    for name in value["client"]:
        yield name, {**value, "client": {**value["client"], name: hostile}}
    yield "fingerprint item", {**value, "fingerprint": [hostile]}
    yield "member name", {**value, hostile: hostile}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_quotes_and_braces_in_every_field_of_a_request(hostile: str, scene: Scene) -> None:
    good = scene.licensed_machine("good")
    asking = HTTPClient(timeout=10, limit=64 * 1024)
    url = f"http://{scene.host.address.text}/v1/activate"
    headers = {"Content-Type": "application/json"}
    codes = set()
    for name, request in spoilt(good_request(scene), hostile):
        answer = asking.request("POST", url, json.dumps(request).encode(), headers)
        assert 400 <= answer.status < 500, name
        found = decode_problem(answer.status, answer.body, "the host")
        assert found.fix
        assert found.code == "wire/bad-request" or name in UNDERSTOOD.get(found.code, ()), name
        codes.add(found.code)
    assert "wire/bad-request" in codes
    # At most the one machine was counted, and the host goes on.
    assert scene.host.count(scene.contoso) <= 2
    assert good.ask().renewed
    fresh = scene.machine("fresh")
    assert fresh.ask().renewed
