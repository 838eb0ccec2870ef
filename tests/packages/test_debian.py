"""The Debian packages on a fresh Debian root with systemd as process 1, and no network."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.packages.machine import (
    CLOCK,
    NEXT,
    OURS,
    DebianMachine,
    Network,
    Packages,
    image,
    set_clocks,
    wait_for,
)

from muster.net.dnsupdate import TSIGKey
from muster.testing.named import Named, key_text

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("packages"), pytest.mark.timeout(1500)]

PHRASES = {"MUSTER_PASSPHRASE": "x" * 20, "MUSTER_ROOT_PASSPHRASE": "y" * 20}
CHEAP = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
ISSUE = ("muster", "publisher", "key", "issue", "--kind", "host", "--group", "server-c", "--json")
PRODUCT = "contoso-server-2008-standard"
ZONE = "contoso.example"
CLIENTS = 5
PORTS = {"muster-publisher": 16882, "muster-host": 16880}
DAY = 86_400
STEPS, STEP = 10, 20 * DAY
KILLED, UPGRADED = (1, 8), 5
"""Steps after which every service is killed, and every package upgraded."""
SPREAD = 2 * 3600
"""Longer than an agent leaves what is due to its dice, and than a refused one waits."""
SERVICES = tuple(PORTS)


def test_lintian_has_no_error(packages: Packages) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", *map(str, packages.values())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", [*SERVICES, "muster-agent"])
def test_units_are_hardened_as_the_page_says(service: str) -> None:
    unit = Path(__file__).resolve().parents[2] / "packaging" / "systemd" / f"{service}.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) < 2.0
    page = (Path(__file__).resolve().parents[2] / "docs" / "install.md").read_text()
    assert f"| `{service}.service` | {found[1]} |" in page


class Site:
    """A server with publisher and host, a name server, and machines that are clients of it."""

    def __init__(self, debian: Path, packages: Packages, folder: Path) -> None:
        self.packages = packages
        self.ahead = 0
        with contextlib.ExitStack() as stack:
            self.server = DebianMachine(debian, folder / "server")
            stack.callback(self.server.stop)
            image_of_clients = image(
                debian, folder / "image", (packages["muster-common"], packages["muster-client"])
            )
            network = Network(self.server)
            self.address = network.address
            self.clients = []
            for number in range(CLIENTS):
                name = f"client{number}"
                client = DebianMachine(image_of_clients, folder / name, name)
                stack.callback(client.stop)
                network.join(client)
                self.clients.append(client)
            self.key = TSIGKey("host-key", "hmac-sha256", os.urandom(32))
            self.names = Named(
                ZONE,
                address=self.address,
                keys=[self.key],
                records=[f"host A {self.address}"],
                prefix=self.server.on_its_network,
            )
            stack.enter_context(self.names)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def pass_time(self, seconds: int) -> None:
        """Let the clocks of all machines go ahead; agents notice, as they do where a clock is set
        or a machine was suspended: the kernel would tell them, but it does not know of it."""
        self.ahead += seconds
        set_clocks([self.server, *self.clients], self.ahead)
        with ThreadPoolExecutor(CLIENTS) as pool:
            told = [
                pool.submit(client.run, "systemctl", "reload", "muster-agent")
                for client in self.clients
            ]
        for reload in told:
            reload.result()

    def confirm_clock(self) -> None:
        """As the operator of a publisher does whose clock was set. Where the time passes by itself
        the uptime of the machine says it; a kernel has one for all, and here it did not pass."""
        today = time.strftime("%Y-%m-%d", time.gmtime(self.now))
        confirm = ("muster", "publisher", "clock", "confirm", today)
        self.server.run(*confirm, environ=CLOCK)

    @property
    def services(self) -> list[tuple[DebianMachine, str]]:
        """What runs, and where."""
        agents = [(client, "muster-agent") for client in self.clients]
        return [*((self.server, service) for service in SERVICES), *agents]

    @property
    def now(self) -> int:
        """Unix seconds of the machines' clocks."""
        return int(time.time()) + self.ahead


def ask(machine: DebianMachine, path: str) -> dict[str, Any]:
    """What an agent answers to a program of its machine."""
    socket = "/run/muster/agent/agent.sock"
    asked = ("curl", "-sS", "--max-time", "60", "--unix-socket", socket, f"http://agent{path}")
    answer: dict[str, Any] = json.loads(machine.run(*asked))
    return answer


def status(machine: DebianMachine) -> dict[str, Any]:
    (product,) = ask(machine, "/v1/status")["products"]
    assert product["product"] == PRODUCT
    told: dict[str, Any] = product
    return told


def answers(machine: DebianMachine, port: int) -> bool:
    asked = ("curl", "-sS", "--max-time", "20", f"http://127.0.0.1:{port}/healthz")
    return machine.try_run(*asked).stdout == '{"status":"ok"}'


def main_pid(machine: DebianMachine, service: str) -> int:
    return int(machine.run("systemctl", "show", "--value", "-p", "MainPID", service))


def has_restarted(machine: DebianMachine, service: str, before: int) -> bool:
    return main_pid(machine, service) not in (0, before)


def kill(services: list[tuple[DebianMachine, str]]) -> None:
    """End services as a crash would; systemd starts them again, and sockets wait meanwhile."""
    before = [main_pid(*service) for service in services]
    for (machine, _), pid in zip(services, before, strict=True):
        machine.run("kill", "-9", str(pid))
    for machine, service in services:
        assert service not in PORTS or answers(machine, PORTS[service])
    for (machine, service), pid in zip(services, before, strict=True):
        wait_for(partial(has_restarted, machine, service, pid))


def set_up_publisher(server: DebianMachine) -> str:
    """As docs/install.md says; the service signs with the passphrase that systemd hands it.
    Returns a key for hosts."""
    init = ("muster", "publisher", "init", "--sample", "--reserve-root", "/root/reserve.key")
    server.run(*init, *CHEAP, environ=PHRASES)
    server.put("/etc/muster/publisher.passphrase", PHRASES["MUSTER_PASSPHRASE"].encode() + b"\n")
    server.run("systemctl", "start", "muster-publisher")
    export = ("muster", "publisher", "export", "--url", "http://127.0.0.1:16882", "/root/contoso")
    server.run(*export)
    issued = json.loads(server.run(*ISSUE, environ=PHRASES))
    key: str = issued["keys"][0]["key"]
    return key


def set_up_host(site: Site, key: str) -> None:
    """Root sets it up, a user of its own serves; it writes its records into DNS by itself."""
    server = site.server
    server.run("muster", "host", "init", "--publisher", "/root/contoso")
    server.run("muster", "host", "install-key", "-", data=key.encode())
    server.run("muster", "host", "activate")
    server.put("/etc/muster/tsig.key", key_text(site.key).encode())
    server.run("chown", "muster-host", "/etc/muster/tsig.key")
    for name, value in (
        ("dns-zone", ZONE),
        ("dns-server", site.address),
        ("tsig-key-file", "/etc/muster/tsig.key"),
        ("dns-target", f"host.{ZONE}"),
    ):
        server.run("muster", "host", "set", name, value)
    server.run("systemctl", "start", "muster-host")
    assert answers(server, PORTS["muster-host"])
    user = server.run("ps", "-o", "user=", "-p", str(main_pid(server, "muster-host")))
    assert user.strip() == "muster-host"


def application(descriptor: bytes, folder: Path) -> Path:
    """The Debian package of an application, which brings its descriptor and adds it."""
    tree = folder / "contoso-server"
    control = {
        "Package": "contoso-server",
        "Version": "1",
        "Architecture": "all",
        "Maintainer": "Contoso <packages@contoso.example>",
        "Depends": "muster-client",
        "Description": "a program that is licensed",
    }
    file = tree / "usr/share/contoso-server/product.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(descriptor)
    (tree / "DEBIAN").mkdir()
    text = "".join(f"{name}: {value}\n" for name, value in control.items())
    (tree / "DEBIAN" / "control").write_text(text)
    script = tree / "DEBIAN" / "postinst"
    script.write_text(
        "#!/bin/sh\nexec muster client product add /usr/share/contoso-server/product.json\n"
    )
    script.chmod(0o755)
    made = folder / "contoso-server.deb"
    command = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(made)]
    subprocess.run(command, check=True)
    return made


def renewed(machine: DebianMachine, since: int) -> bool:
    """Whether a machine has got a lease since an instant."""
    told = status(machine)
    return told["licensed"] and int(told["last_contact"]) >= since


def upgrade(site: Site, newer: Packages) -> None:
    """It restarts what runs, and keeps what was stored; a downgrade is refused."""
    server, client = site.server, site.clients[0]
    before = json.loads(server.run("muster", "host", "status", "--json", environ=CLOCK))
    ran = {service: main_pid(server, service) for service in SERVICES}
    agent = main_pid(client, "muster-agent")
    done = server.install(*newer.values())
    assert done.returncode == 0, done.stderr
    for service, port in PORTS.items():
        wait_for(partial(has_restarted, server, service, ran[service]))
        assert answers(server, port)
    after = json.loads(server.run("muster", "host", "status", "--json", environ=CLOCK))
    for name in ("applications", "publishers", "requests", "settings"):
        assert after[name] == before[name]
    done = client.install(newer["muster-common"], newer["muster-client"])
    assert done.returncode == 0, done.stderr
    wait_for(partial(has_restarted, client, "muster-agent", agent))
    assert status(client)["licensed"]
    for name, port in PORTS.items():
        done = server.install(site.packages[name])
        assert done.returncode != 0
        assert f"{NEXT}-1 is installed" in done.stderr
        assert answers(server, port)


def remove(server: DebianMachine, names: list[str]) -> None:
    """Removed and purged: nothing runs, and keys that others trust are still there."""
    server.run("dpkg", "--remove", *names)
    assert not answers(server, PORTS["muster-host"])
    purged = server.run("dpkg", "--purge", *names)
    assert "holds keys" in purged
    server.run("test", "-e", "/var/lib/muster/host/host.db")
    server.run("test", "!", "-e", "/usr/lib/muster")
    server.run("test", "!", "-e", "/etc/muster/muster.toml")


@pytest.fixture
def site(root: Path, packages: Packages, tmp_path: Path) -> Iterator[Site]:
    made = Site(root, packages, tmp_path)
    yield made
    made.close()


def test_a_site_licenses_itself_for_200_days_of_kills_and_upgrades(
    site: Site, built: dict[tuple[str, str], Packages], tmp_path: Path
) -> None:
    packages = built["deb", OURS]
    server = site.server
    done = server.install(*packages.values())
    assert done.returncode == 0, done.stderr
    assert server.run("muster", "--version") == "muster, version 0.1.0\n"
    for service in SERVICES:
        state = server.try_run("systemctl", "is-enabled", f"{service}.service", f"{service}.socket")
        assert state.stdout.split() == ["enabled", "enabled"]
    assert server.run("systemctl", "is-active", "muster-agent") == "active\n"
    set_up_host(site, set_up_publisher(server))
    # Its service knows this start of the machine, so that a restart of it forgets no evidence.
    kept = json.loads(server.path("/var/lib/muster/publisher/clock.seen").read_text())
    assert kept["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    # Clients: the name server came by DHCP, the application by its package. Nobody types anything.
    server.run("muster", "publisher", "descriptor", PRODUCT, "--out", "/root/product.json")
    contoso = application(server.path("/root/product.json").read_bytes(), tmp_path)
    for client in site.clients:
        client.put("/etc/resolv.conf", f"nameserver {site.address}\nsearch {ZONE}\n".encode())
        client.run("chmod", "0644", "/etc/resolv.conf")
        done = client.install(contoso)
        assert done.returncode == 0, done.stderr
    # The first ones are refused until the fifth was counted, and ask again by themselves.
    wait_for(lambda: all(status(client)["last_attempt"] for client in site.clients))
    while not all(status(client)["licensed"] for client in site.clients):
        assert site.ahead < DAY
        site.pass_time(SPREAD)
    begun = site.now

    for step in range(1, STEPS + 1):
        site.pass_time(STEP)
        site.confirm_clock()
        if step in KILLED:
            kill(site.services)
        assert all(status(client)["licensed"] for client in site.clients), step
        # What is due is left to the dice of the agents for a while; then all renew.
        since = site.now
        while not all(renewed(client, since) for client in site.clients):
            assert site.now < since + DAY
            site.pass_time(SPREAD)
        if step == UPGRADED:
            upgrade(site, built["deb", NEXT])
    assert site.now - begun >= 200 * DAY

    def news() -> int:
        """When the host, which looks at its clock once a minute, last had news."""
        told = json.loads(server.run("muster", "host", "status", "--json", environ=CLOCK))
        return int(told["news"][0]["good_at"])

    wait_for(lambda: news() > site.now - 2 * STEP)
    remove(server, sorted(packages))
