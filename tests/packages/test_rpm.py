"""The RPM packages, really installed by rpm on a machine that systemd starts: upgraded and erased.

The machine is a Debian one, and its database of RPM packages begins empty: a package of the test
says that the interpreter and the tools that add users are there. What is not tried is a system of
that family itself (its Python, SELinux, dnf).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.packages.machine import NEXT, OURS, DebianMachine, Packages

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("packages"), pytest.mark.timeout(1500)]

RPM = ("rpm", "--force-debian", "-U")
USERS = {"host": "muster-host", "publisher": "muster-publisher"}
UNITS = ("muster-host.socket", "muster-publisher.socket", "muster-agent.service")
SYSTEM = """\
Name: system
Version: 1
Release: 1
Summary: what this machine has by packages of another kind
License: none
BuildArch: noarch
Provides: /bin/sh, python3 = 3.11.2, shadow-utils
%description
What this machine has by packages of another kind.
%files
"""


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Iterator[DebianMachine]:
    made = DebianMachine(root, tmp_path / "machine")
    yield made
    made.stop()


@pytest.fixture
def system(tmp_path: Path) -> Path:
    spec = tmp_path / "system.spec"
    spec.write_text(SYSTEM)
    folder = tmp_path / "rpm"
    command = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}", str(spec)]
    subprocess.run(command, check=True, capture_output=True)
    (made,) = folder.rglob("*.rpm")
    return made


def test_installed_upgraded_and_erased(
    machine: DebianMachine, built: dict[tuple[str, str], Packages], system: Path
) -> None:
    ours, newer = built["rpm", OURS], built["rpm", NEXT]
    lacking = machine.install(ours["muster-common"], by=RPM)
    assert lacking.returncode != 0
    assert "python3 >= 3.11 is needed" in lacking.stderr
    done = machine.install(system, *ours.values(), by=RPM)
    assert done.returncode == 0, done.stderr
    names = sorted(ours)
    # Every file is there as it was packed, with its owner and its rights.
    assert machine.run("rpm", "-V", *names) == ""
    assert machine.run("muster", "--version") == f"muster, version {OURS}\n"
    for role, user in USERS.items():
        folder = machine.run("stat", "-c", "%U %G %a", f"/var/lib/muster/{role}")
        assert folder == f"{user} {user} 750\n"
    assert machine.run("systemctl", "is-enabled", *UNITS).split() == ["enabled"] * len(UNITS)
    machine.run("systemctl", "start", "muster-agent")
    before = machine.run("systemctl", "show", "--value", "-p", "MainPID", "muster-agent")
    machine.run("sh", "-c", "echo '# mine' >> /etc/muster/muster.toml")

    done = machine.install(*newer.values(), by=RPM)
    assert done.returncode == 0, done.stderr
    listed = machine.run("rpm", "-q", *names).split()
    assert all(f"-{NEXT}-1." in name for name in listed)
    after = machine.run("systemctl", "show", "--value", "-p", "MainPID", "muster-agent")
    assert int(after) not in (0, int(before))
    assert "# mine" in machine.run("cat", "/etc/muster/muster.toml")
    assert machine.install(ours["muster-host"], by=RPM).returncode != 0

    machine.put("/var/lib/muster/host/host.db", b"keys that others trust")
    machine.run("rpm", "--force-debian", "-e", *names)
    assert machine.try_run("systemctl", "is-active", *UNITS).stdout.split() == ["inactive"] * 3
    assert machine.try_run("systemctl", "is-enabled", *UNITS).returncode != 0
    machine.run("test", "-e", "/var/lib/muster/host/host.db")
    for path in ("/usr/lib/muster", "/usr/bin/muster", "/run/muster/agent/agent.sock"):
        machine.run("test", "!", "-e", path)
