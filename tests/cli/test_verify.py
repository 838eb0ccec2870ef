"""`muster verify`: each step with its tick, and the first that failed, for any file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.cli import printed

from muster.cli.main import muster
from muster.client.disk import SystemDisk
from muster.client.store import Store
from muster.core.identity import Fact, commitments, hardware_id, host_binding
from muster.core.ids import make_installation_id, proof_key
from muster.core.keys import parse_product_key
from muster.core.products import DAY
from muster.lease.bundle import Bundle
from muster.lease.descriptor import read_descriptor
from muster.lease.jws import MemorySigningKey
from muster.lease.lease import LeaseClaims, make_lease
from muster.system.clock import SystemClock
from muster.wire.exchange import RequestFile, read_reply_file
from muster.wire.publisher import ConfirmRequest

PRODUCT = "contoso-desktop-7-professional"
CHEAP = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
FACTS = {"system-uuid": "00000000-0000-4000-8000-000000000001", "board-serial": "B7"}
CMID = "11111111-1111-4111-8111-111111111111"
NONCE = "A" * 22
SAMPLE = files("muster.publisher.sample") / "contoso.toml"
TRIAL = """
[[products]]
id = "contoso-trial"
application = "contoso-os"
group = "client-volume"
need = 25
channel = "evaluation"
name = "Contoso Desktop 7 Evaluation"
edition = "Professional"

[[conversions]]
source = "contoso-trial"
target = "contoso-desktop-7-professional"
rule = "allowed"
"""


@dataclass
class World:
    """A publisher, one host's grant, and leases that the host signs."""

    folder: Path
    descriptor: Path
    publisher_file: Path
    publisher: str
    grant: str
    jti: str
    host: MemorySigningKey
    now: int

    def lease(self, **changes: Any) -> bytes:
        """A licence bundle; `changes` are claims that differ from a good one."""
        claims = LeaseClaims(
            cmid=CMID,
            publisher=self.publisher,
            product=PRODUCT,
            iat=self.now,
            exp=self.now + 180 * DAY,
            jti="B" * 21 + "A",
            group="client-volume",
            identity="machine",
            nonce=NONCE,
            renew_after=7 * DAY,
            retry_after=7200,
            count=25,
            need=25,
            fingerprint=commitments(b"salt", [Fact(*one) for one in FACTS.items()]),
            catalogue=1,
            trust=1,
        )
        signed = make_lease(replace(claims, **changes), self.host)
        return Bundle(signed, self.grant, self.host.public).encode()

    def file(self, data: bytes) -> str:
        path = self.folder / "licence.json"
        path.write_bytes(data)
        return str(path)


def run(*words: str, code: int = 0) -> dict[str, Any]:
    found = CliRunner().invoke(muster, [*words, "--json"])
    assert found.exit_code == code, found.output
    value: dict[str, Any] = json.loads(found.stdout)
    printed.judge(words, found.stdout)
    return value


def text(*words: str, code: int = 0) -> str:
    found = CliRunner().invoke(muster, list(words))
    assert found.exit_code == code, found.output
    return found.stdout


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("MUSTER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MUSTER_PASSPHRASE", "correct horse")
    reserve = str(tmp_path / "reserve.key")
    made = run("publisher", "init", "--sample", "--reserve-root", reserve, *CHEAP)
    publisher = made["publisher"]
    descriptor, publisher_file = tmp_path / "d.json", tmp_path / "p.json"
    run("publisher", "descriptor", PRODUCT, "--out", str(descriptor))
    issued = run("publisher", "key", "issue", "--kind", "host", "--group", "server-b")
    key = parse_product_key(issued["keys"][0]["key"])
    host = MemorySigningKey(bytes(31) + b"\x01")
    digits = make_installation_id(
        1,
        key.key_id,
        host_binding(publisher, key.key_id, host.public.raw),
        hardware_id(publisher, key.key_id, key.tag_bytes, Fact("system-uuid", CMID)),
        proof_key(publisher, key.key_id, key.tag_bytes),
    ).text
    request, reply = tmp_path / "request.json", tmp_path / "reply.json"
    request.write_bytes(RequestFile(publisher, ConfirmRequest(digits)).encode())
    activate = ("publisher", "host", "activate")
    activated = run(*activate, "--request", str(request), "--reply", str(reply))
    return World(
        folder=tmp_path,
        descriptor=descriptor,
        publisher_file=publisher_file,
        publisher=publisher,
        grant=read_reply_file(reply.read_bytes()).answer.grant,
        jti=activated["grant"],
        host=host,
        now=SystemClock().now(),
    )


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {one["number"]: one["outcome"] for one in found["steps"]}


def test_a_good_licence_of_any_machine(world: World) -> None:
    words = ("verify", world.file(world.lease()), "--descriptor", str(world.descriptor))
    found = run(*words)
    assert found["good"]
    assert outcomes(found) == {
        str(number): "skipped" if number in (7, 11) else "passed" for number in range(1, 13)
    }
    assert (found["kind"], found["machine"], found["for"]) == (
        "lease",
        CMID,
        f"{world.publisher}/{PRODUCT}",
    )
    assert (found["issued_at"], found["expires_at"]) == (world.now, world.now + 180 * DAY)
    assert (found["grant"], found["signer"]) == (world.jti, world.host.public.kid)
    assert found["roots"] == [
        one.kid for one in read_descriptor(world.descriptor.read_bytes()).trust.roots
    ]
    said = text(*words)
    for part in (PRODUCT, "Contoso", CMID, world.publisher, world.jti, "✓   1", "–   7", "✓  12"):
        assert part in said


def test_the_first_step_that_fails_is_named_with_its_fix(world: World) -> None:
    late = world.now + 100 * DAY
    for change, number, code in (
        ({"product": "contoso-office-2010"}, "6", "licence/audience"),
        ({"group": "server-b"}, "6", "licence/audience"),
        ({"exp": world.now + 181 * DAY}, "8", "licence/dates"),
        ({"iat": world.now + 4 * 3600 + 60, "exp": late}, "9", "licence/clock"),
        ({"count": 24}, "10", "licence/count"),
        ({"exp": world.now}, "12", "licence/expired"),
    ):
        words = ("verify", world.file(world.lease(**change)), "--descriptor", str(world.descriptor))
        found = run(*words, code=1)
        assert not found["good"]
        (failed,) = [one for one in found["steps"] if one["outcome"] == "failed"]
        assert (failed["number"], failed["error"]["code"]) == (number, code)
        after = [one for one in found["steps"] if int(one["number"]) > int(number)]
        assert {one["outcome"] for one in after} <= {"not reached"}
        said = text(*words, code=1)
        assert f"✗ {number:>3}" in said
        assert "Fix:" in said


def test_a_stranger_is_never_named_as_proved(world: World) -> None:
    stranger = MemorySigningKey(bytes(31) + b"\x02")
    forged = replace(world, host=stranger).lease()
    words = ("verify", world.file(forged), "--descriptor", str(world.descriptor))
    found = run(*words, code=1)
    assert outcomes(found)["4"] == "failed"
    assert "machine" not in found
    assert CMID not in text(*words, code=1)


def test_files_that_are_no_licence(world: World) -> None:
    descriptor = ("--descriptor", str(world.descriptor))
    for data in (b"", b"{}", b"\xff", b'{"v":1,"lease":1}', world.lease()[:-40], b"[" * 9000):
        found = run("verify", world.file(data), *descriptor, code=1)
        assert outcomes(found)["1"] == "failed"
        assert found["steps"][0]["error"]["code"] == "licence/malformed"
    assert run("verify", "/nowhere", *descriptor, code=3)["error"]["code"] == "file/missing"
    big = world.file(b" " * 70_000)
    assert run("verify", big, *descriptor, code=3)["error"]["code"] == "file/too-large"


def test_now_is_seconds_or_a_date(world: World) -> None:
    words = ("verify", world.file(world.lease()), "--descriptor", str(world.descriptor))
    late = world.now + 181 * DAY
    assert run(*words, "--now", str(late), code=1)["time"] == late
    assert run(*words, "--now", "2099-01-01", code=1)["time"] == 4070908800
    assert run(*words, "--now", "2099-01-01T01:00:00+01:00", code=1)["time"] == 4070908800
    for wrong in ("tomorrow", "٣", "1e9", ""):
        assert CliRunner().invoke(muster, [*words, "--now", wrong]).exit_code == 2


def test_the_publisher_file_brings_newer_trust_and_revocations(world: World) -> None:
    run("publisher", "trust", "rotate", *CHEAP)
    run("publisher", "host", "revoke", world.jti)
    run("publisher", "export", str(world.publisher_file))
    words = ("verify", world.file(world.lease()), "--descriptor", str(world.descriptor))
    assert run(*words)["good"]
    found = run(*words, "--publisher", str(world.publisher_file), code=1)
    assert (found["trust"], found["catalogue"]) == (2, 3)
    (failed,) = [one for one in found["steps"] if one["outcome"] == "failed"]
    assert (failed["number"], failed["error"]["code"]) == ("12", "licence/revoked")
    # A lease from before the revocation runs out within 30 days.
    old = world.lease(iat=world.now - world.now % DAY, exp=world.now + 170 * DAY)
    found = run("verify", world.file(old), *words[2:], "--publisher", str(world.publisher_file))
    assert found["expires_at"] == found["revoked_at"] + 30 * DAY
    assert "revoked since" in text(
        "verify", world.file(old), *words[2:], "--publisher", str(world.publisher_file)
    )


def test_on_the_machine_itself_no_step_is_left_out(world: World) -> None:
    facts = world.folder / "facts.json"
    facts.write_text(json.dumps({"v": 1, "facts": FACTS}))
    facts.chmod(0o600)
    machine = ("--facts", str(facts))
    file = world.file(world.lease())
    # Without --descriptor the product must have been added here.
    asked = CliRunner().invoke(muster, ["verify", file, *machine])
    assert asked.exit_code == 2
    assert "--descriptor" in asked.stderr
    run("client", "product", "add", str(world.descriptor), "--trust-file", *machine)
    store = Store(world.folder / "store", world.publisher, SystemDisk())
    loaded = store.load()
    assert loaded is not None
    memory = loaded.memory
    own = world.lease(
        cmid=memory.identity.cmid,
        fingerprint=commitments(memory.identity.salt, [Fact(*one) for one in FACTS.items()]),
    )
    record = memory.product(PRODUCT)
    assert record is not None
    record = replace(record, licence=own.decode(), nonce=NONCE)
    with store.lock():
        store.save(memory.with_product(record))
    found = run("verify", world.file(own), *machine)
    assert set(outcomes(found).values()) == {"passed"}
    assert len(found["steps"]) == 12
    # Another machine's licence is judged from the same anchor, but for what names a machine.
    other = run("verify", world.file(world.lease()), *machine)
    assert [number for number, one in outcomes(other).items() if one == "skipped"] == ["7", "11"]
    # This machine's licence after its hardware was exchanged.
    facts.write_text(json.dumps({"v": 1, "facts": {"board-serial": "other"}}))
    changed = run("verify", world.file(own), *machine, code=1)
    assert outcomes(changed)["11"] == "failed"


def converted(world: World) -> None:
    """From now on the descriptor is that of an evaluation that may become the product."""
    catalogue = world.folder / "contoso.toml"
    catalogue.write_text(SAMPLE.read_text() + TRIAL)
    run("publisher", "catalogue", "publish", str(catalogue))
    world.descriptor.unlink()
    run("publisher", "descriptor", "contoso-trial", "--out", str(world.descriptor))
    run("publisher", "export", str(world.publisher_file))


def test_a_converted_evaluation_is_judged_as_what_it_became(world: World) -> None:
    converted(world)
    words = ("verify", world.file(world.lease()), "--descriptor", str(world.descriptor))
    # What it may become is in no descriptor.
    asked = CliRunner().invoke(muster, [*words])
    assert (asked.exit_code, "--publisher FILE" in asked.stderr) == (2, True)
    found = run(*words, "--publisher", str(world.publisher_file))
    assert (found["good"], found["for"]) == (True, f"{world.publisher}/{PRODUCT}")
    # Another product than the catalogue allows is refused as ever.
    world.file(world.lease(product="contoso-desktop-7-enterprise"))
    found = run(*words, "--publisher", str(world.publisher_file), code=1)
    assert outcomes(found)["6"] == "failed"


def test_a_converted_evaluation_is_judged_on_its_machine(world: World) -> None:
    converted(world)
    facts = world.folder / "facts.json"
    facts.write_text(json.dumps({"v": 1, "facts": FACTS}))
    facts.chmod(0o600)
    machine = ("--facts", str(facts))
    run("client", "product", "add", str(world.descriptor), "--trust-file", *machine)
    run("client", "catalogue", "import", str(world.publisher_file), *machine)
    store = Store(world.folder / "store", world.publisher, SystemDisk())
    loaded = store.load()
    assert loaded is not None
    memory = loaded.memory
    own = world.lease(
        cmid=memory.identity.cmid,
        fingerprint=commitments(memory.identity.salt, [Fact(*one) for one in FACTS.items()]),
    )
    record = memory.product("contoso-trial")
    assert record is not None
    with store.lock():
        store.save(memory.with_product(replace(record, licence=own.decode(), nonce=NONCE)))
    found = run("verify", world.file(own), *machine)
    assert set(outcomes(found).values()) == {"passed"}
    other = world.file(world.lease(product="contoso-desktop-7-enterprise"))
    asked = CliRunner().invoke(muster, ["verify", other, *machine])
    assert (asked.exit_code, "was not added on this machine" in asked.stderr) == (2, True)


def test_a_terminal_without_ticks(world: World) -> None:
    words = ["verify", world.file(world.lease()), "--descriptor", str(world.descriptor)]
    found = CliRunner(charset="ascii").invoke(muster, words)
    assert found.exit_code == 0
    assert "ok   1" in found.stdout
