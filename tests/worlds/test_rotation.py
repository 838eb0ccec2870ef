"""Trust that moves: a machine that is far behind, and the day on which the working root is stolen.

No machine here ever meets its publisher: what it knows of trust comes from a host.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.worlds.conftest import START, TOOL, Scene

from muster.core.errors import MusterError
from muster.core.products import DAY
from muster.host.act import updates
from muster.lease.trust import GRANT_ROLE, Trust, TrustClaims, TrustKey, follow, make_trust
from muster.net.http import HTTPClient
from muster.testing.programs import Printed, Programs
from muster.testing.tiny_publisher import TinyPublisher, test_key
from muster.testing.world import machine_facts

pytestmark = pytest.mark.real

PRODUCT = "contoso-server-2008-standard"


class Thief:
    """Holds the working root of a publisher and signs a line of his own above a version."""

    def __init__(self, victim: TinyPublisher, base: Trust) -> None:
        self._root = victim.working
        self.line = [base]
        self.grant_key = test_key("thief", "grant")

    def sign(self) -> Trust:
        """His next version: his own grant key in place of the publisher's."""
        last = self.line[-1]
        index = max(one.index or 0 for one in last.keys) + 1
        kept = [one for one in last.keys if one.role != GRANT_ROLE]
        text = make_trust(
            TrustClaims(
                issuer=last.issuer,
                label=last.label,
                name="Thief",
                version=last.version + 1,
                iat=START,
                roots=last.roots,
                keys=[*kept, TrustKey(self.grant_key.public, GRANT_ROLE, index)],
            ),
            self._root,
        )
        self.line.append(follow(last, text))
        return self.line[-1]


def recovered(publisher: TinyPublisher, version: int) -> Trust:
    """The publisher's next version, by the reserve root, which takes the thief's root away."""
    text = make_trust(
        TrustClaims(
            issuer=publisher.publisher,
            label=publisher.label,
            name=publisher.label.title(),
            version=version,
            iat=START,
            roots=(test_key(publisher.label, "new working").public, publisher.reserve.public),
            keys=publisher.keys,
        ),
        publisher.reserve,
    )
    publisher.line.append(follow(publisher.trust, text))
    publisher.publish()
    return publisher.trust


def held(scene: Scene) -> int:
    """The trust version of the host."""
    return scene.host.opened.current().publishers[scene.contoso.publisher].trust.version


@pytest.mark.parametrize("own_versions", [0, 1, 2], ids=lambda number: f"we-signed-{number}")
def test_the_thief_of_the_working_root_locks_nobody_out(own_versions: int, scene: Scene) -> None:
    """Who followed the thief follows the reserve root, also where both signed the same versions."""
    publisher = scene.contoso
    follower, bystander = scene.licensed_machine("follower"), scene.machine("bystander")
    thief = Thief(publisher, publisher.trust)
    line = [thief.sign().text for _ in range(3)]
    updates.update(scene.host.opened, publisher.publisher, line)
    assert held(scene) == 4
    # The thief's line withdrew the grant: the host leases no more, the machine follows through it.
    result = follower.ask()
    assert not result.renewed
    assert result.fault is not None
    assert result.fault.fix
    # Meanwhile the publisher, who does not know yet, goes on.
    for _ in range(own_versions):
        publisher.rotate()
    # A file of the publisher without the reserve root's word decides nothing.
    if own_versions:
        with pytest.raises(MusterError) as caught:
            updates.add_publisher(scene.host.opened, publisher.file())
        assert caught.value.code == "host/anchor"
        assert held(scene) == 4

    mended = recovered(publisher, 20)
    assert updates.add_publisher(scene.host.opened, publisher.file()).trust == 20
    # Whatever the thief signs later is below it, or by a root that is out.
    while thief.line[-1].version < 21:
        thief.sign()
    for stolen in thief.line[1:]:
        with suppress(MusterError):
            assert not updates.update(scene.host.opened, publisher.publisher, [stolen.text]).changed
    with pytest.raises(MusterError) as caught:
        updates.update(scene.host.opened, publisher.publisher, [thief.line[-1].text])
    assert caught.value.code == "trust/root"
    assert held(scene) == 20
    assert updates.add_publisher(scene.host.opened, publisher.file()).changed is False
    for machine in (follower, bystander):
        assert machine.ask().renewed
        assert machine.client.status().verdict.authority.trust == mended


def test_a_machine_that_followed_the_thief_follows_the_reserve_root(scene: Scene) -> None:
    """The thief runs a host with a grant of his own and licenses a machine until the recovery."""
    publisher = scene.contoso
    thief = Thief(publisher, publisher.trust)
    theirs = thief.sign()
    ours = (publisher.line[:], publisher.keys[:], publisher.grant_key)
    publisher.line.append(theirs)
    publisher.keys = [one for one in theirs.keys if one.role != GRANT_ROLE]
    publisher.keys.append(TrustKey(thief.grant_key.public, GRANT_ROLE, 1))
    publisher.grant_key = thief.grant_key
    den = scene.another_host("den", publisher)
    publisher.line, publisher.keys, publisher.grant_key = ours

    machine = scene.machine("victim")
    home, machine.plan = machine.plan, type(machine.plan)(host=den.address)
    assert machine.ask().renewed
    assert machine.client.status().verdict.authority.trust == theirs

    recovered(publisher, 3)
    updates.add_publisher(scene.host.opened, publisher.file())
    machine.plan = home
    assert machine.ask().renewed
    assert machine.client.status().verdict.authority.trust == publisher.trust
    # What the thief granted is worth nothing from now on.
    machine.plan = type(home)(host=den.address)
    result = machine.ask()
    assert not result.renewed
    assert machine.licensed()


def test_three_versions_behind_with_a_host_that_was_off_meanwhile(scene: Scene) -> None:
    machine = scene.licensed_machine("pc")
    scene.clock.pass_time(30 * DAY)
    scene.host_clock.pass_time(30 * DAY)
    scene.contoso.now = scene.clock.now()
    for _ in range(3):
        scene.contoso.rotate()
    scene.contoso.publish()
    assert updates.add_publisher(scene.host.opened, scene.contoso.file()).trust == 4
    # The grant is of a retired key, not of a withdrawn one: it still leases.
    assert machine.ask(TOOL).renewed
    authority = machine.client.status().verdict.authority
    assert authority.trust.version == 4
    assert authority.catalogue is not None
    assert authority.catalogue.version == scene.contoso.catalogue.version


def test_the_same_with_programs_and_the_publishers_file(tmp_path: Path) -> None:
    """Publisher, host and machine as commands; the host learns by `host catalogue import`."""
    with ExitStack() as stack:
        programs = stack.enter_context(
            Programs(tmp_path, {"MUSTER_ROOT_PASSPHRASE": os.urandom(16).hex()})
        )
        muster = programs.muster
        publisher, host = ("--store", str(tmp_path / "publisher")), ("--store", str(tmp_path / "h"))
        cheap = ("--kdf-memory", "8192", "--kdf-passes", "1")
        reserve = tmp_path / "reserve-root.key"
        made = muster(
            "publisher", "init", *publisher, "--sample", "--reserve-root", str(reserve), *cheap
        )
        known, descriptor = tmp_path / "contoso.json", tmp_path / "descriptor.json"
        muster("publisher", "export", *publisher, str(known))
        muster("publisher", "descriptor", *publisher, PRODUCT, "--out", str(descriptor))
        issued = muster("publisher", "key", "issue", *publisher, "--kind", "host",
                        "--group", "server-c")  # fmt: skip
        facts = programs.facts("host", machine_facts("host"))
        muster("host", "init", *host, "--publisher", str(known))
        muster("host", "install-key", *host, issued.rows("keys")[0].text("key"), facts=facts)
        request, reply = tmp_path / "request.json", tmp_path / "reply.json"
        muster("host", "activate", *host, "--request", str(request), facts=facts)
        muster("publisher", "host", "activate", *publisher, "--request", str(request),
               "--reply", str(reply))  # fmt: skip
        muster("host", "activate", *host, "--reply", str(reply), facts=facts)
        ready = programs.start(
            "host", "host", "serve", *host, "--port", "0", "--bind", "127.0.0.1", "--no-dns",
            facts=facts,
        )  # fmt: skip
        address = f"127.0.0.1:{ready['port']}"

        def client(number: int, *words: str) -> Printed:
            name = f"pc-{number}"
            own = programs.facts(name, machine_facts(name))
            done = programs.run("client", *words, "--store", str(tmp_path / name), facts=own)
            return done.data

        for number in range(1, 6):
            client(number, "product", "add", str(descriptor))
            client(number, "set-host", address)
            asked = client(number, "activate")
        assert asked["changed"] is True
        before = client(5, "status").rows("products")
        assert (before[0]["licensed"], before[0]["trust"]) == (True, 1)

        for _ in range(3):
            muster("publisher", "trust", "rotate", *publisher, *cheap)
        muster("publisher", "export", *publisher, str(known))
        brought = muster("host", "catalogue", "import", *host, str(known))
        assert (brought["trust_before"], brought["trust"]) == (1, 4)
        assert muster("host", "catalogue", "import", *host, str(known))["changed"] is False

        assert client(5, "activate")["changed"] is True
        after = client(5, "status").rows("products")
        assert (after[0]["licensed"], after[0]["trust"]) == (True, 4)

        # The reserve root comes back; the running host takes the next file and machines follow.
        muster("publisher", "trust", "recover", *publisher, "--reserve-root", str(reserve),
               "--version", "9", "--new-root", *cheap)  # fmt: skip
        muster("publisher", "export", *publisher, str(known))
        top = muster("host", "catalogue", "import", *host, str(known)).number("trust")
        assert top >= 9
        url = f"http://{address}/v1/publishers/{made['publisher']}/trust/5"
        served = HTTPClient(timeout=10, limit=1 << 20).request("GET", url)
        assert served.status == 200
        assert client(5, "activate")["changed"] is True
        last = client(5, "status").rows("products")
        assert (last[0]["licensed"], last[0]["trust"]) == (True, top)
