"""Who listens on the wire, and who may also send: nothing that a host keeps of machines changes."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from tests.worlds.conftest import TOOL, Scene

from muster.client.discovery import Address
from muster.client.messages import Plan
from muster.core.errors import MusterError
from muster.core.identity import machine_cmid, nonce_of, nonce_prefix
from muster.core.products import DAY, SKEW
from muster.lease import strict
from muster.lease.jws import MemorySigningKey
from muster.net.http import HTTPClient
from muster.testing.real import RealHost, RealMachine
from muster.wire import proof
from muster.wire.problem import decode_problem

pytestmark = pytest.mark.real

JSON = {"Content-Type": "application/json"}
STRANGER = MemorySigningKey(bytes(range(32)))


class Wire:
    """A wire that somebody listens to: it passes bytes on and keeps them."""

    def __init__(self, host: Address) -> None:
        self._host = host
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = Address("127.0.0.1", self._socket.getsockname()[1])
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []
        self.loses = b""
        """An answer with these bytes is kept from the machine; empty loses none."""

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection((self._host.host, self._host.port)) as far:
            back = threading.Thread(target=self._copy, args=(far, near, self.answers), daemon=True)
            back.start()
            self._copy(near, far, self.requests)
            back.join(30)

    def _copy(self, source: socket.socket, target: socket.socket, kept: list[bytes]) -> None:
        data = b""
        with suppress(OSError):
            while block := source.recv(65536):
                data += block
                if not self.loses or self.loses not in data:
                    target.sendall(block)
            target.shutdown(socket.SHUT_WR)
        kept.append(data)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def bodies(self, kept: list[bytes]) -> list[dict[str, Any]]:
        """The messages that went over the wire in one direction."""
        found = []
        for one in kept:
            body = one.partition(b"\r\n\r\n")[2]
            with suppress(ValueError):
                found.append(json.loads(body))
        return [one for one in found if isinstance(one, dict)]


@contextmanager
def listened(host: RealHost) -> Iterator[Wire]:
    wire = Wire(host.address)
    thread = threading.Thread(target=wire.serve, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        wire.close()
        thread.join(30)


def cmid(machine: RealMachine) -> str:
    identity = machine.client.status().identity
    assert identity is not None
    return identity.cmid


def kept(host: RealHost) -> dict[str, list[tuple[object, ...]]]:
    """All rows that say something of machines, but for the log and its counters."""
    with host.database.snapshot() as reader:
        return {
            table: [tuple(row) for row in reader.query(f"SELECT * FROM {table}")]
            for table in ("sighting", "machine", "lease", "audit")
        }


def post(host: RealHost, path: str, message: dict[str, Any]) -> str:
    """The code of the refusal, "" for an answer 200."""
    url = f"http://{host.address.text}{path}"
    answer = HTTPClient(timeout=30).request("POST", url, json.dumps(message).encode(), JSON)
    if answer.status == 200:
        return ""
    return decode_problem(answer.status, answer.body, "host").code


def signed(message: dict[str, Any]) -> dict[str, Any]:
    """The message as a stranger signs it, with a key of the own."""
    rest = {**message, "key": strict.b64url_encode(STRANGER.public.raw)}
    found: dict[str, Any] = json.loads(proof.prove(proof.REQUEST, rest, STRANGER))
    return found


def forgeries(requests: list[dict[str, Any]], now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be made of recorded requests without the key."""
    last = requests[-1]
    shown = "".join(nonce_prefix(one["nonce"]) for one in requests)
    fresh = nonce_of(os.urandom(16))
    invented = sorted(last["fingerprint"][:2] + [f"n{n:016x}" for n in range(14)])
    ways: dict[str, dict[str, Any]] = {
        "another nonce": {"nonce": fresh},
        "later": {"sent_at": now + 60},
        "another nonce, later": {"nonce": fresh, "sent_at": now + 60},
        "all nonces that were seen": {"nonce": fresh, "sent_at": now + 60, "line": shown},
        "no nonces": {"nonce": fresh, "sent_at": now + 60, "line": ""},
        "invented facts": {"nonce": fresh, "fingerprint": invented},
        "no facts": {"identity": "explicit", "fingerprint": []},
    }
    for name, changes in ways.items():
        yield name, {**last, **changes}
        yield f"{name}, signed by a stranger", signed({**last, **changes})
    for mode in ("machine", "explicit"):
        yield f"renamed {mode}", signed({**last, "identity": mode, "nonce": fresh})


def releases(wire: Wire, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be made of a lease that crossed the wire."""
    answer = wire.bodies(wire.answers)[-1]
    bundle = {name: answer[name] for name in ("v", "lease", "grant", "signer")}
    requests = wire.bodies(wire.requests)
    shown = "".join(nonce_prefix(one["nonce"]) for one in requests)
    for name, key, line in (
        ("own key", strict.b64url_encode(STRANGER.public.raw), shown),
        ("the machine's key", requests[-1]["key"], shown),
        ("no nonces", requests[-1]["key"], ""),
    ):
        message = {**bundle, "key": key, "line": line, "sent_at": now + 60}
        yield name, json.loads(proof.prove(proof.RELEASE, message, STRANGER))
        yield f"{name}, the request's proof", {**message, "proof": requests[-1]["proof"]}
    yield "as before proofs", {**bundle, "secret": strict.b64url_encode(bytes(32))}


def recorded(
    scene: Scene, host: RealHost, wire: Wire, machine: RealMachine | None = None
) -> RealMachine:
    """A machine that was licensed and renewed twice over the wire."""
    machine = machine or scene.machine("victim")
    machine.plan = Plan(host=wire.address)
    for _ in range(3):
        assert machine.ask().renewed
        for clock in (scene.clock, scene.host_clock):
            clock.pass_time(60)
    return machine


@pytest.mark.parametrize("ceiling", [False, True], ids=["no-ceiling", "ceiling"])
def test_a_listener_who_sends_changes_nothing(scene: Scene, ceiling: bool) -> None:
    host = scene.host
    if ceiling:
        limit(scene, 1)
    with listened(host) as wire:
        machine = recorded(scene, host, wire)
        first = cmid(machine)
        requests = wire.bodies(wire.requests)
        assert len(requests) >= 3
        before = kept(host)
        refused = {}
        for number, request in enumerate(requests[:-1]):
            refused[f"recorded {number}"] = post(host, "/v1/activate", request)
        now = scene.clock.now()
        for name, message in forgeries(requests, now):
            refused[name] = post(host, "/v1/activate", message)
        for name, message in releases(wire, now):
            refused[f"release: {name}"] = post(host, "/v1/release", message)
        assert kept(host) == before
        assert set(refused.values()) <= {
            "host/request-proof",
            "host/request-old",
            "host/identity-mode",
            "host/release-proof",
            "wire/bad-request",
        }, refused
        # The newest one gets the answer that the listener has read already.
        assert post(host, "/v1/activate", requests[-1]) == ""
        assert kept(host) == before
        done = machine.ask()
        assert done.renewed
        assert done.warnings == ()
        assert cmid(machine) == first
        assert host.count(scene.contoso) == 1
        if ceiling:
            assert scene.machine("another").ask().fault.code == "host/limit-reached"  # type: ignore[union-attr]  # refused
            assert machine.client.release().product == TOOL
            assert scene.machine("third").ask().renewed


def test_a_release_that_was_recorded_takes_no_licence_later(scene: Scene) -> None:
    """A release that the host refused, for the clock of the machine was ahead, and one that it
    took; each is shown again until its time has come and gone."""
    host = scene.host
    with listened(host) as wire:
        machine = recorded(scene, host, wire)
        scene.clock.jump(5 * 3600)
        with pytest.raises(MusterError) as caught:
            machine.client.release()
        assert caught.value.code == "host/clock-skew"
        scene.clock.jump(-5 * 3600)
        machine.client.release()
        assert machine.ask().renewed
        machine.client.release()
        scene.host_clock.pass_time(60)
        scene.clock.pass_time(60)
        assert machine.ask().renewed
        messages = [one for one in wire.bodies(wire.requests) if "lease" in one]
    assert len(messages) == 5
    before = kept(host)
    for wait in (0, 240, 3600, 3 * 3600, 3600):
        scene.host_clock.pass_time(wait)
        refused = {post(host, "/v1/release", one) for one in messages}
        assert refused <= {
            "host/request-old",
            "host/clock-skew",
            "host/release-proof",
            "host/challenge",
        }
        assert kept(host) == before
    scene.clock.pass_time(8 * 3600 - 120)
    machine.plan = Plan(host=host.address)
    assert machine.ask().renewed


@pytest.mark.parametrize("ahead", [0, 600, 3 * 3600])
def test_a_release_whose_answer_is_lost_bars_no_request(scene: Scene, ahead: int) -> None:
    """The clock is right again afterwards; the host has kept a `sent_at` that is ahead."""
    with listened(scene.host) as wire:
        machine = recorded(scene, scene.host, wire)
        scene.clock.jump(ahead)
        wire.loses = b'"released":true'
        with pytest.raises(MusterError) as caught:
            machine.client.release()
        assert caught.value.code.startswith("net/")
        assert scene.host.count(scene.contoso) == 0
        wire.loses = b""
        scene.clock.jump(-ahead)
        scene.clock.pass_time(20)
        scene.host_clock.pass_time(20)
        assert machine.ask().renewed
    assert scene.host.count(scene.contoso) == 1


def test_the_case_steal_identity(scene: Scene) -> None:
    """What a lease says on the wire once was enough to take its machine over: two of three of its
    facts beside fourteen invented ones, at once or in two requests that drift."""
    host = scene.host
    with listened(host) as wire:
        machine = recorded(scene, host, wire)
        answer = wire.bodies(wire.answers)[-1]
        sent = wire.bodies(wire.requests)[-1]
    first, before = cmid(machine), kept(host)
    lease = json.loads(strict.b64url_decode(answer["lease"].split(".")[1], 8192))
    facts = lease["muster"]["fingerprint"]
    need = -(-len(facts) * 6 // 10)
    invented = [f"x{number:016x}" for number in range(16 - need)]
    publisher, product = lease["aud"].split("/")
    stolen = {
        "v": 1,
        "publisher": publisher,
        "product": product,
        "cmid": lease["sub"],
        "identity": lease["muster"]["identity"],
        "state": 1,
        "client": {"version": "0.1.0", "os": "Linux", "virtual": False},
    }
    drifting = (
        sorted([*facts[:need], *invented]),
        sorted([*facts[:2], "x" + "0" * 16]),
        sorted([facts[0], "x" + "0" * 16, "x" + "1" * 16]),
    )
    for fingerprint in drifting:
        for clock in (scene.clock, scene.host_clock):
            clock.pass_time(1)
        forged = {
            **stolen,
            "nonce": nonce_of(os.urandom(16)),
            "fingerprint": fingerprint,
            "sent_at": scene.clock.now(),
        }
        assert post(host, "/v1/activate", forged) == "wire/bad-request"
        later = {**forged, "line": sent["line"]}
        assert post(host, "/v1/activate", signed(later)) == "host/request-proof"
        borrowed = {**later, "key": sent["key"], "proof": sent["proof"]}
        assert post(host, "/v1/activate", borrowed) == "host/request-proof"
    assert kept(host) == before
    machine.plan = Plan(host=host.address)
    done = machine.ask()
    assert done.renewed
    assert done.warnings == ()
    assert (cmid(machine), host.count(scene.contoso)) == (first, 1)


def limit(scene: Scene, seats: int) -> None:
    """Let the host's one grant have terms."""
    from dataclasses import replace

    from muster.host.tables import host_keys, own

    (view,) = scene.host.opened.current().publishers.values()
    (held,) = view.grants
    terms = scene.contoso.terms(held.grant, seats)
    with scene.host.database.transaction() as tx:
        host_keys.put(tx, replace(view.keys[0], terms=terms))
        own.touch(tx)


def test_nobody_takes_a_cmid_at_a_host_that_the_machine_has_yet_to_meet(scene: Scene) -> None:
    other = scene.another_host("other", scene.contoso)
    with listened(scene.host) as wire:
        machine = recorded(scene, scene.host, wire)
        requests = wire.bodies(wire.requests)
    first = cmid(machine)
    for name, message in forgeries(requests, scene.clock.now()):
        assert post(other, "/v1/activate", message) != "", name
    assert kept(other)["machine"] == []
    machine.plan = Plan(host=other.address)
    assert machine.ask().warnings == ()
    assert cmid(machine) == first


@pytest.mark.parametrize("known", [False, True], ids=["never-asked", "asked-before"])
def test_a_request_that_is_shown_to_another_host_changes_nothing(scene: Scene, known: bool) -> None:
    """What was answered elsewhere, at once and late; and what was challenged and given up."""
    other = scene.another_host("other", scene.contoso)
    victim = scene.machine("victim")
    if known:
        victim.plan = Plan(host=other.address)
        assert victim.ask().renewed
    with listened(scene.host) as wire:
        machine = recorded(scene, scene.host, wire, victim)
        requests = wire.bodies(wire.requests)
    first, before = cmid(machine), kept(other)
    with_challenge = [one for one in requests if "challenge" in one]
    assert with_challenge
    assert len(with_challenge) < len(requests)
    for _ in range(2):
        codes = {post(other, "/v1/activate", request) for request in reversed(requests)}
        assert codes == {"host/challenge"}
        assert kept(other) == before
        for clock in (scene.clock, scene.host_clock):
            clock.pass_time(3600)
    assert other.count(scene.contoso) == int(known)
    machine.plan = Plan(host=other.address)
    done = machine.ask()
    assert done.renewed
    assert done.warnings == ()
    assert cmid(machine) == first


def test_a_request_that_is_shown_after_four_hours_is_refused(scene: Scene) -> None:
    other = scene.another_host("other", scene.contoso)
    with listened(scene.host) as wire:
        recorded(scene, scene.host, wire)
        requests = wire.bodies(wire.requests)
    scene.host_clock.pass_time(SKEW + 60)
    codes = {post(other, "/v1/activate", request) for request in requests}
    assert codes == {"host/clock-skew"}
    assert kept(other)["machine"] == []


def test_a_request_that_was_withheld_is_worth_nothing(scene: Scene) -> None:
    """Who withholds a request knows the whole line; without the key it opens nothing."""
    machine = scene.licensed_machine("victim")
    host = scene.host
    with listened(host) as wire:
        machine.plan = Plan(host=wire.address)
        for clock in (scene.clock, scene.host_clock):
            clock.pass_time(60)
        assert machine.ask().renewed
    # The next request is withheld; the stranger shows its line.
    wire_down = Wire(Address("127.0.0.1", 1))
    wire_down.close()
    for clock in (scene.clock, scene.host_clock):
        clock.pass_time(60)
    machine.plan = Plan(host=wire_down.address)
    assert not machine.ask().renewed
    (folder,) = [one for one in machine.store.iterdir() if one.is_dir()]
    held = json.loads((folder / "state.json").read_text().partition("\n")[2])["requests"]
    last = wire.bodies(wire.requests)[-1]
    before = kept(host)
    for ahead in (1, 4 * 3600):
        forged = {
            **last,
            "nonce": nonce_of(os.urandom(16)),
            "sent_at": scene.clock.now() + ahead,
            "line": held["newest"],
        }
        assert post(host, "/v1/activate", forged) == "host/request-proof"
        assert post(host, "/v1/activate", signed(forged)) == "host/request-proof"
    assert kept(host) == before
    machine.plan = Plan(host=host.address)
    for _ in range(3):
        for clock in (scene.clock, scene.host_clock):
            clock.pass_time(60)
        done = machine.ask()
        assert done.renewed
        assert done.warnings == ()
    assert host.count(scene.contoso) == 1


def test_the_name_of_a_key_is_no_other_key(scene: Scene) -> None:
    machine = scene.licensed_machine("victim")
    publisher = scene.contoso.publisher
    assert machine_cmid(publisher, "machine", STRANGER.public.raw) != cmid(machine)
    for clock in (scene.clock, scene.host_clock):
        clock.pass_time(DAY)
    assert machine.ask().renewed
