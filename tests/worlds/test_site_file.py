"""A network without any DNS: machines and an agent are licensed by a site file alone, over TLS.

Every machine is a namespace with an address of its own, and nobody answers where their name server
should be. Nothing is set on a machine but the folder in which the file lies.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from muster.testing.authority import Authority
from muster.testing.netns import Lab, Node, why_not
from muster.testing.programs import Printed, Programs
from muster.testing.world import machine_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

PRODUCT = "contoso-office-2010"
NEED = 5


class Fleet:
    """A host that serves over TLS, and two nodes on which its machines stand."""

    def __init__(self, folder: Path, lab: Lab, programs: Programs) -> None:
        self.folder, self.programs = folder, programs
        self.host = lab.node("host")
        self.desks = (lab.node("desk-a"), lab.node("desk-b"))
        for node in (self.host, *self.desks):
            node.resolver("10.77.0.250", "corp.test")
        self.store = str(folder / "host")
        self.descriptor = folder / "office.json"
        self.site_folder = folder / "site.d"
        self.site_folder.mkdir(mode=0o755)

    def start(self) -> None:
        """A host, activated by files, that shows a certificate of the site's own authority."""
        muster, publisher = self.programs.muster, str(self.folder / "publisher")
        file = {name: str(self.folder / name) for name in ("known", "request", "reply", "ca.pem")}
        muster(
            "publisher", "init", "--store", publisher, "--sample",
            "--reserve-root", str(self.folder / "reserve-root.key"),
            "--kdf-memory", "8192", "--kdf-passes", "1",
        )  # fmt: skip
        issue = ("publisher", "key", "issue", "--kind", "host", "--group", "office-2010")
        key = muster(*issue, "--store", publisher).rows("keys")[0].text("key")
        muster("publisher", "export", file["known"], "--store", publisher)
        muster(
            "publisher", "descriptor", PRODUCT, "--out", str(self.descriptor), "--store", publisher
        )
        facts, at = self.programs.facts("host", machine_facts("host")), ("--store", self.store)
        muster("host", "init", "--publisher", file["known"], *at)
        muster("host", "install-key", key, *at, "--facts", str(facts))
        muster("host", "activate", "--request", file["request"], *at)
        words = ("--request", file["request"], "--reply", file["reply"])
        muster("publisher", "host", "activate", *words, "--store", publisher)
        muster("host", "activate", "--reply", file["reply"], *at)
        authority = Authority("Corp CA")
        authority.write(Path(file["ca.pem"]))
        certificate, private = self.folder / "cert.pem", self.folder / "key.pem"
        authority.issue(self.host.address).write(certificate, private)
        muster("host", "set", "tls_certificate", str(certificate), *at)
        muster("host", "set", "tls_key", str(private), *at)
        self.programs.start(
            "host", "host", "serve", "--no-dns", "--bind", self.host.address, *at, node=self.host
        )
        signed = muster(
            "host", "client-config", "--host", self.host.address, "--ca", file["ca.pem"],
            "--out", str(self.site_folder / "10-corp.muster"), *at,
        )  # fmt: skip
        assert (signed["tls"], signed["hosts"]) == (True, [f"{self.host.address}:16880"])

    def desk(self, number: int) -> tuple[Node, Path, tuple[str, ...]]:
        """A machine: its node, its facts, and the words that name its store."""
        facts = self.programs.facts(f"pc-{number}", machine_facts(f"pc-{number}"))
        return self.desks[number % 2], facts, ("--store", str(self.folder / f"pc-{number}"))

    def client(self, number: int, *words: str) -> Printed:
        node, facts, store = self.desk(number)
        return self.programs.run("client", *words, *store, node=node, facts=facts).data


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    lacks = why_not()
    if lacks is not None:
        pytest.skip(lacks)
    folder = {"MUSTER_CLIENT_SITE_FOLDER": str(tmp_path / "site.d")}
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        made = Fleet(tmp_path, lab, stack.enter_context(Programs(tmp_path, folder)))
        made.start()
        yield made


def test_a_file_alone_licenses_machines_and_an_agent(fleet: Fleet) -> None:
    file = str(fleet.site_folder / "10-corp.muster")
    for number in range(1, NEED + 1):
        fleet.client(number, "product", "add", str(fleet.descriptor))
    for number in range(1, NEED):
        refused = fleet.client(number, "activate").inner("error")
        assert refused["code"] == "host/insufficient-count"
    # The fifth is kept by its agent, which asks by itself.
    node, facts, store = fleet.desk(NEED)
    run = Path(tempfile.mkdtemp(prefix="muster-agent-"))
    try:
        words = ("client", "agent", "--run", str(run), *store)
        fleet.programs.start("agent", *words, node=node, facts=facts)
        for _ in range(100):
            (kept,) = fleet.client(NEED, "status").rows("products")
            if kept["licensed"]:
                break
        assert kept["last_host_file"] == file, fleet.programs.log("agent")
        for number in (1, 2, 3):
            (done,) = fleet.client(number, "activate").rows("products")
            assert (done["licensed"], done["last_host_file"]) == (True, file)
            (asked,) = done.rows("tried")
            assert (asked["source"], asked["file"]) == ("site", file)
    finally:
        fleet.programs.stop()
        shutil.rmtree(run)
    assert not list(fleet.folder.glob("pc-*/client.toml"))  # nobody set anything on a machine
