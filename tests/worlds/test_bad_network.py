"""One good host in a network as bad as they come, with real programs and DNS.

A machine whose resolv.conf has a bad line and nine search domains, behind a DNS server that knows
no EDNS, finds and uses the one good host (priority 10) beside seven silent ones, one that sends
rubbish and one that lies (priority 0). The environment names a proxy with a login: hosts are not
asked through it, the publisher is, and the login is nowhere afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from muster.net.dnsupdate import TSIGKey
from muster.testing.named import Named, PartMissingError, find_named, key_text
from muster.testing.netns import Lab, Node, why_not
from muster.testing.programs import Done, Programs
from muster.testing.world import machine_facts

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ZONE = "corp.test"
PRODUCT = "contoso-server-2008-standard"
GROUP = "server-c"
MAK_GROUP = "server-b"
NEED = 5
GOOD = "127.0.0.20"
BAD = {f"bad{number}": f"127.0.0.{number}" for number in range(11, 20)}
PROXY = "127.0.0.21"
USER, SECRET = "svc-proxy", "Qx7-mcPr0xy.Wd9"
LOGIN = b64encode(f"{USER}:{SECRET}".encode()).decode()
SEARCH = [*(f"d{number}.example" for number in range(1, 9)), ZONE]
URL = f"http://{USER}:{SECRET}@{PROXY}:3128"
PROXIES = {"http_proxy": URL, "https_proxy": URL, "no_proxy": ""}


def missing() -> str | None:
    try:
        find_named()
    except PartMissingError as fault:
        return str(fault)
    return why_not()


class Network:
    """One node with a loopback network of its own, on which everything runs."""

    def __init__(self, folder: Path, node: Node, programs: Programs) -> None:
        self.folder = folder
        self.node = node
        self.programs = programs
        self.descriptor = folder / "product.descriptor.json"
        self.printed: list[str] = []

    def make_publisher(self) -> str:
        """A publisher that serves nobody; gives its label."""
        made = self.programs.muster(
            "publisher", "init", "--store", str(self.folder / "publisher"), "--sample",
            "--reserve-root", str(self.folder / "reserve-root.key"),
            "--kdf-memory", "8192", "--kdf-passes", "1",
        )  # fmt: skip
        return made.text("label")

    def start_host(self, tsig: TSIGKey) -> None:
        """A host that is activated by digits and publishes itself at priority 10."""
        muster, publisher, host = self.programs.muster, "publisher", str(self.folder / "host")
        store = str(self.folder / publisher)
        issued = muster(
            publisher, "key", "issue", "--store", store, "--kind", "host", "--group", GROUP
        )
        known = self.folder / "contoso.publisher.json"
        muster(publisher, "export", "--store", store, str(known))
        muster(publisher, "descriptor", "--store", store, PRODUCT, "--out", str(self.descriptor))
        facts = self.programs.facts("host", machine_facts("host"))
        muster("host", "init", "--store", host, "--publisher", str(known))
        key = issued.rows("keys")[0].text("key")
        muster("host", "install-key", "--store", host, key, facts=facts)
        read = muster("host", "activate", "--store", host, "--telephone", facts=facts)
        said = muster(publisher, "confirm", "--store", store, read.text("installation_id"))
        digits = ("--confirmation-id", said.text("confirmation_id"))
        muster("host", "activate", "--store", host, *digits, facts=facts)
        muster("host", "set", "--store", host, "dns_priority", "10")
        secret = self.folder / "host-key.conf"
        secret.write_text(key_text(tsig))
        secret.chmod(0o600)
        self.programs.start(
            "host", "host", "serve", "--store", host, "--bind", GOOD,
            "--advertise", f"good.{ZONE}", "--dns-server", "127.0.0.1", "--dns-zone", ZONE,
            "--tsig-key", str(secret),
            node=self.node, facts=facts,
        )  # fmt: skip

    def client(self, name: str, *words: str) -> Done:
        store, facts = self.folder / name, self.programs.facts(name, machine_facts(name))
        done = self.programs.run(
            "client", *words, "--store", str(store), node=self.node, facts=facts
        )
        self.printed += [repr(done.data), done.trouble]
        return done

    def person(self, name: str, *words: str) -> None:
        """The same command as a person types it, without `--json`; what it prints is kept."""
        store, facts = self.folder / name, self.programs.facts(name, machine_facts(name))
        line = [sys.executable, "-m", "muster", *words, "--store", str(store)]
        done = subprocess.run(
            self.node.wrap([*line, "--facts", str(facts)]),
            env={**os.environ, "HOME": str(self.folder), **PROXIES},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.printed += [done.stdout, done.stderr]

    def one_time_key(self) -> str:
        """A key that the publisher activates once."""
        store = str(self.folder / "publisher")
        kind = ("--kind", "mak", "--group", MAK_GROUP, "--pool", "5")
        issued = self.programs.muster("publisher", "key", "issue", "--store", store, *kind)
        return issued.rows("keys")[0].text("key")

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().split()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    lacks = missing()
    if lacks is not None:
        pytest.skip(lacks)
    with ExitStack() as stack:
        node = stack.enter_context(Lab()).node("bad")
        programs = stack.enter_context(Programs(tmp_path, PROXIES))
        made = Network(tmp_path, node, programs)
        tsig = TSIGKey("host-key", "hmac-sha256", sha256(os.urandom(32)).digest())
        records = [f"{name} 60 IN A {address}" for name, address in BAD.items()]
        label = made.make_publisher()
        for owner in ("_muster._tcp", f"_{label}._sub._muster._tcp"):
            records += [f"{owner} 60 IN SRV 0 0 16880 {name}" for name in BAD]
        records.append(f"good 60 IN A {GOOD}")
        prefix = node.wrap([])
        stack.enter_context(Named(ZONE, port=53, keys=[tsig], records=records, prefix=prefix))
        script = str(Path(__file__).with_name("bad_hosts.py"))
        bad = subprocess.Popen(node.wrap([sys.executable, script, str(tmp_path)]))
        stack.callback(bad.wait, 10)
        stack.callback(bad.kill)
        until((tmp_path / "ready").exists)
        node.resolver("127.0.0.2", " ".join(SEARCH))
        conf = Path("/etc/netns") / node.namespace / "resolv.conf"
        conf.write_text("nameserver 8.8.4.4,\n" + conf.read_text())
        made.start_host(tsig)
        yield made


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_machine_finds_and_uses_the_one_good_host(network: Network) -> None:
    for number in range(1, NEED):
        name = f"pc-{number}"
        network.client(name, "product", "add", str(network.descriptor))
        network.client(name, "set-host", GOOD)
        assert network.client(name, "activate").error == "host/insufficient-count"
    assert network.asked() == []

    # dig itself stops at the bad line of this resolv.conf; the host's log knows.
    until(lambda: "records published" in network.programs.log("host"))
    network.client("last", "product", "add", str(network.descriptor))
    (network.folder / "last" / "client.toml").write_text("[client]\ntimeout = 2\n")
    done = network.client("last", "activate")
    assert done.code == 0, done
    (found,) = done.data.rows("products")
    assert (found["licensed"], found["last_host"]) == (True, f"good.{ZONE}:16880")
    assert found["last_ip"] == GOOD
    suffixes = found["suffixes"]
    assert isinstance(suffixes, list)
    assert suffixes[-len(SEARCH) :] == SEARCH
    # Each of the bad ones was asked and given up, and the DNS server never saw EDNS.
    assert set(network.asked()) == set(BAD.values())

    # Without the memory of the good one, nobody bad is asked a second time.
    before = len(network.asked())
    (network.folder / "last" / "client.toml").write_text(
        "[client]\nhost_caching = false\ntimeout = 2\n"
    )
    assert network.client("last", "activate").code == 0
    assert len(network.asked()) == before

    # The publisher is asked through the proxy, which refuses the login.
    network.client("once", "product", "add", str(network.descriptor))
    network.client("once", "install-key", network.one_time_key())
    for scheme in ("http", "https"):
        url = f"{scheme}://licences.contoso.example"
        tried = network.client("once", "activate", "--publisher-url", url)
        assert tried.error == "net/proxy-login", tried
    assert network.asked()[before:] == [PROXY] * 2
    assert (network.folder / "logins").read_text().split() == ["login"] * 2
    (network.folder / "once" / "client.toml").write_text("[client]\ntimeout = 2\n")
    for words in (("client", "activate"), ("client", "status"), ("slmgr", "/dlv")):
        network.person("last", *words)
        network.person("once", *words)
    network.person("once", "client", "history")
    network.person("once", "doctor")
    network.client("once", "set-publisher", URL)
    the_login_is_nowhere(network)


def the_login_is_nowhere(network: Network) -> None:
    """The login is in nothing that was printed, in no store and in no log; no program broke."""
    printed = "\n".join(network.printed)
    assert len(printed) > 5_000
    assert "Traceback" not in printed
    assert "defect" not in printed
    files = [path for path in network.folder.rglob("*") if path.is_file()]
    assert {"last", "once", "host"} <= {path.relative_to(network.folder).parts[0] for path in files}
    for secret in (SECRET, LOGIN):
        assert secret not in printed
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
    for path in files:
        if path.suffix in (".err", ".log"):
            assert "Traceback" not in path.read_text(errors="replace"), path
