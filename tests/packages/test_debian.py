"""The Debian packages on a fresh Debian root with systemd as process 1, and no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.packages.machine import DebianMachine, build, debian_root, renamed, wait_for

from muster.system.facts import facts_file

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("packages"), pytest.mark.timeout(1500)]

PHRASES = {"MUSTER_PASSPHRASE": "x" * 20, "MUSTER_ROOT_PASSPHRASE": "y" * 20}
CHEAP = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
ISSUE = ("muster", "publisher", "key", "issue", "--kind", "host", "--group", "server-c", "--json")
FACT = "4c4c4544-0042-4a10-8056-b4c04f4a5931"
FACTS = b"[Service]\nEnvironment=MUSTER_FACTS=/etc/muster/facts.json\n"
SERVICES = ("muster-publisher", "muster-host")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianMachine]:
    missing = [name for name in ("debootstrap", "unshare", "nsenter") if not shutil.which(name)]
    if (missing or os.geteuid() != 0) and os.environ.get("CI") != "true":
        pytest.skip(f"needs root, and 'apt-get install debootstrap util-linux' ({missing})")
    folder = tmp_path_factory.mktemp("machine")
    root = debian_root(folder)
    made = DebianMachine(root, folder / "one")
    yield made
    made.stop()


def test_lintian_has_no_error(packages: dict[str, Path]) -> None:
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


def answers(machine: DebianMachine, port: int) -> bool:
    asked = ("curl", "-sS", "--max-time", "20", f"http://127.0.0.1:{port}/healthz")
    return machine.try_run(*asked).stdout == '{"status":"ok"}'


def main_pid(machine: DebianMachine, service: str) -> int:
    return int(machine.run("systemctl", "show", "--value", "-p", "MainPID", service))


def has_restarted(machine: DebianMachine, service: str, before: int) -> bool:
    return main_pid(machine, service) not in (0, before)


def test_installed_used_killed_upgraded_and_removed(
    machine: DebianMachine, packages: dict[str, Path], tmp_path: Path
) -> None:
    done = machine.install(*packages.values())
    assert done.returncode == 0, done.stderr
    assert machine.run("muster", "--version") == "muster, version 0.1.0\n"
    for service in SERVICES:
        state = machine.try_run(
            "systemctl", "is-enabled", f"{service}.service", f"{service}.socket"
        )
        assert state.stdout.split() == ["enabled", "enabled"]

    assert machine.run("systemctl", "is-active", "muster-agent") == "active\n"

    # A publisher, which signs with the passphrase that systemd hands it.
    init = ("muster", "publisher", "init", "--sample", "--reserve-root", "/root/reserve.key")
    machine.run(*init, *CHEAP, environ=PHRASES)
    machine.put("/etc/muster/publisher.passphrase", PHRASES["MUSTER_PASSPHRASE"].encode() + b"\n")
    machine.run("systemctl", "start", "muster-publisher")
    export = ("muster", "publisher", "export", "--url", "http://127.0.0.1:16882", "/root/contoso")
    machine.run(*export)
    issued = json.loads(machine.run(*ISSUE, environ=PHRASES))
    key = issued["keys"][0]["key"]

    # A host, which root sets up and a user of its own serves.
    machine.run("muster", "host", "init", "--publisher", "/root/contoso")
    machine.run("muster", "host", "install-key", "-", data=key.encode())
    machine.run("muster", "host", "activate")
    machine.run("muster", "host", "set", "publish_dns", "false")
    machine.run("systemctl", "start", "muster-host")
    assert answers(machine, 16880)
    user = machine.run("ps", "-o", "user=", "-p", str(main_pid(machine, "muster-host")))
    assert user.strip() == "muster-host"

    # A product of this machine: the agent asks the host with nobody typing that it should.
    product = "contoso-desktop-7-professional"
    machine.run("muster", "publisher", "descriptor", product, "--out", "/root/product.json")
    # This machine has no hardware of its own that could distinguish it.
    machine.put("/etc/muster/facts.json", facts_file({"system-uuid": FACT}))
    machine.run("mkdir", "-p", "/etc/systemd/system/muster-agent.service.d")
    machine.put("/etc/systemd/system/muster-agent.service.d/facts.conf", FACTS)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "muster-agent")
    facts = ("--facts", "/etc/muster/facts.json")
    machine.run("muster", "client", "product", "add", "/root/product.json", *facts)
    machine.run("muster", "client", "set-host", "127.0.0.1")
    wait_for(lambda: "desktop-7-professional" in machine.run("muster", "host", "log"))
    assert "host/insufficient-count" in machine.run("muster", "client", "status", "--json")

    # Kills: systemd starts them again, and the sockets wait meanwhile.
    for service, port in (("muster-publisher", 16882), ("muster-host", 16880)):
        before = main_pid(machine, service)
        machine.run("kill", "-9", str(before))
        assert answers(machine, port)
        assert has_restarted(machine, service, before)

    # An upgrade restarts what runs, and keeps what was stored; a downgrade is refused.
    status = machine.run("muster", "host", "status", "--json")
    keys = json.loads(status)["publishers"][0]["keys"]
    ran = {service: main_pid(machine, service) for service in SERVICES}
    newer = [renamed(package, "0.1.1-1", tmp_path) for package in packages.values()]
    done = machine.install(*newer)
    assert done.returncode == 0, done.stderr
    for service, port in (("muster-publisher", 16882), ("muster-host", 16880)):
        wait_for(partial(has_restarted, machine, service, ran[service]))
        assert answers(machine, port)
    status = machine.run("muster", "host", "status", "--json")
    assert json.loads(status)["publishers"][0]["keys"] == keys
    done = machine.install(packages["muster-host"])
    assert done.returncode != 0
    assert "0.1.1-1 is installed" in done.stderr
    assert answers(machine, 16880)

    # Removed and purged: nothing runs, and keys that others trust are still there.
    names = sorted(packages)
    machine.run("dpkg", "--remove", *names)
    assert not answers(machine, 16880)
    purged = machine.run("dpkg", "--purge", *names)
    assert "holds keys" in purged
    machine.run("test", "-e", "/var/lib/muster/host/host.db")
    machine.run("test", "!", "-e", "/usr/lib/muster")
    machine.run("test", "!", "-e", "/etc/muster/muster.toml")
