"""The roles of deploy/ansible on a fresh Debian machine, over SSH; its publisher is beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.packages.machine import NEXT, OURS, DebianMachine, Packages, wait_for

from muster.system.facts import facts_file
from muster.testing.netns import Node
from muster.testing.programs import Programs

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("packages"), pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "ansible"
TOOLS = Path(sys.prefix) / "deploy" / "bin"
PRODUCT = "contoso-desktop-7-professional"
FACT = "4c4c4544-0042-4a10-8056-b4c04f4a5931"
ENVIRONMENT = b"[Service]\nEnvironment=MUSTER_FACTS=/etc/facts.json\n"
SECONDS = 300


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    missing = [str(path) for path in (TOOLS / "ansible-lint",) if not path.exists()]
    missing += [name for name in ("ssh", "ssh-keygen", "ip") if not shutil.which(name)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{missing} are missing: 'make test' brings Ansible, 'make parts' the others")


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Iterator[DebianMachine]:
    made = DebianMachine(root, tmp_path / "machine")
    yield made
    made.stop()


class Playbook:
    """The files of docs/ansible.md in a folder, and the roles, for one machine of both groups."""

    def __init__(self, folder: Path, node: Node) -> None:
        self.folder, self._node = folder, node
        (folder / "files").mkdir(parents=True)
        (folder / "site.yml").write_text((DEPLOY / "site.yml").read_text())
        groups = ("muster_hosts", "muster_clients")
        lines = [f"[{group}]\none ansible_host=127.0.0.1 ansible_user=root\n" for group in groups]
        (folder / "inventory").write_text("".join(lines))
        page = (ROOT / "docs" / "ansible.md").read_text()
        for name, text in re.findall(
            r"in `(group_vars/\S+\.yml)`:\n\n```yaml\n(.*?)```", page, re.S
        ):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace("muster.example.com", "127.0.0.1"))
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", folder / "key"], check=True)

    def run(self, *options: str) -> tuple[str, int]:
        """What it prints, and how many tasks changed something; none may fail."""
        words = f"-i {self.folder}/key -F /dev/null -o StrictHostKeyChecking=no -o BatchMode=yes"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_ROLES_PATH": str(DEPLOY / "roles"),
            "ANSIBLE_SSH_ARGS": f"{words} -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
            f"-o ControlMaster=auto -o ControlPersist=300 -o ControlPath={self.folder}/ssh",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            self._node.wrap(
                [str(TOOLS / "ansible-playbook"), "-i", "inventory", *options, "site.yml"]
            ),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        changed = re.search(r"^one +: ok=\d+ +changed=(\d+)", done.stdout, re.M)
        assert changed is not None
        return done.stdout + done.stderr, int(changed[1])

    def close(self) -> None:
        """End the connection."""
        subprocess.run(
            ["ssh", "-o", f"ControlPath={self.folder}/ssh", "-O", "exit", "127.0.0.1"],
            capture_output=True,
            check=False,
        )


def test_the_roles_are_as_a_linter_wants_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(TOOLS / "ansible-lint"), "--offline", "--nocolor", "--project-dir", str(DEPLOY)],
        cwd=DEPLOY,
        env={"PATH": f"{TOOLS}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_run_changes_nothing_and_a_repository_upgrades(
    machine: DebianMachine, built: dict[tuple[str, str], Packages], tmp_path: Path
) -> None:
    node = machine.node()
    book = Playbook(tmp_path / "book", node)
    machine.run("mkdir", "-p", "/root/.ssh", "/etc/systemd/system/muster-agent.service.d")
    machine.put("/root/.ssh/authorized_keys", (book.folder / "key.pub").read_bytes())
    # This machine has no hardware of its own that could distinguish it.
    machine.put("/etc/facts.json", facts_file({"system-uuid": FACT}))
    machine.put("/etc/systemd/system/muster-agent.service.d/facts.conf", ENVIRONMENT)
    for package in built["deb", OURS].values():
        (book.folder / "files" / package.name).symlink_to(package)
    (tmp_path / "programs").mkdir()
    with Programs(tmp_path / "programs") as programs:
        key = publisher(programs, tmp_path, book.folder / "files", node)
        try:
            apply(machine, book, key)
            upgrade(machine, book, built["deb", NEXT])
        finally:
            book.close()


def publisher(programs: Programs, folder: Path, files: Path, node: Node) -> str:
    """A publisher on the network of the machine, and the files that customers get; the host key."""
    store = ("--store", str(folder / "store"))
    cheap = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
    reserve = ("--reserve-root", str(folder / "reserve.key"))
    programs.muster("publisher", "init", "--sample", *store, *cheap, *reserve)
    url = ("--url", "http://127.0.0.1:16882")
    programs.muster("publisher", "export", *store, *url, str(files / "contoso.muster"))
    descriptor = ("descriptor", PRODUCT, "--out", str(files / "product.json"))
    programs.muster("publisher", *descriptor, *store)
    issue = ("key", "issue", *store, "--kind", "host", "--group", "server-c")
    key = programs.muster("publisher", *issue).rows("keys")[0].text("key")
    (files / "host.key").write_text(f"{key}\n")
    programs.start("publisher", "publisher", "serve", *store, node=node)
    return key


def apply(machine: DebianMachine, book: Playbook, key: str) -> None:
    """Check, run, run again, and check with another setting."""
    # The check of a first run installs nothing and fails nowhere.
    printed, changed = book.run("--check")
    assert changed > 0, printed
    assert machine.try_run("which", "muster").returncode == 1

    printed, changed = book.run("-vvv")
    assert changed > 0
    log = machine.run("journalctl", "--no-pager")
    assert "muster-host" in log
    assert not [text for text in (printed, log) if key in text]
    status = json.loads(machine.run("muster", "host", "status", "--json"))
    assert status["process"] is not None
    assert status["publishers"][0]["keys"][0]["grant"]["group"] == "server-c"
    assert status["settings"]["allowed_networks"]["value"] == ["127.0.0.0/8", "10.0.0.0/8"]
    for unit in ("muster-host.service", "muster-host.socket", "muster-agent.service"):
        state = machine.run("systemctl", "is-enabled", unit) + machine.run(
            "systemctl", "is-active", unit
        )
        assert state == "enabled\nactive\n"
    # The agent asked the host of the settings file, with nobody typing that it should.
    wait_for(lambda: PRODUCT in machine.run("muster", "host", "log"))

    printed, changed = book.run()
    assert changed == 0, printed

    (book.folder / "group_vars" / "muster_hosts.yml").write_text(
        "muster_host_settings: {renewal-interval: 172800, allowed_networks: null}\n"
    )
    (book.folder / "files" / "10-corp.muster").write_text(
        machine.run("muster", "host", "client-config", "--host", "127.0.0.1")
    )
    with (book.folder / "group_vars" / "muster_clients.yml").open("a") as clients:
        clients.write("muster_client_site_files: [files/10-corp.muster]\n")
    printed, changed = book.run("--check")
    assert changed == 2, printed
    status = json.loads(machine.run("muster", "host", "status", "--json"))
    assert status["settings"]["renewal_interval"]["value"] == 86400


def upgrade(machine: DebianMachine, book: Playbook, packages: Packages) -> None:
    """Take the next version from a signed repository: the client of the machine moves along."""
    machine.run("truncate", "--size", "0", "/etc/apt/sources.list")  # it reaches no mirror
    key = repository(machine, packages, book.folder / "repository")
    (book.folder / "files" / "packages.asc").write_bytes(key)
    source = {
        "uris": ["file:/srv/repository"],
        "suites": ["stable"],
        "key_file": "files/packages.asc",
    }
    shared = {"muster_common_repository": source, "muster_common_version": f"{NEXT}-1"}
    (book.folder / "group_vars" / "all.yml").write_text(json.dumps(shared))
    book.run("--limit", "muster_hosts")
    names = ("muster-common", "muster-client", "muster-host")
    shown = machine.run("dpkg-query", "--show", "--showformat", "${Version} ", *names)
    assert shown == f"{NEXT}-1 " * 3


def repository(machine: DebianMachine, packages: Packages, folder: Path) -> bytes:
    """Put a repository of the next version onto the machine; its key, armoured."""
    place = folder / "dists" / "stable" / "main" / f"binary-{architecture()}"
    place.mkdir(parents=True)
    index = ""
    for package in packages.values():
        made = shutil.copy(package, folder)
        control = subprocess.run(["dpkg-deb", "-f", made], capture_output=True, check=True).stdout
        digest = sha256(package.read_bytes()).hexdigest()
        size = package.stat().st_size
        name = package.name
        index += f"{control.decode()}Filename: {name}\nSize: {size}\nSHA256: {digest}\n\n"
    (place / "Packages").write_text(index)
    listed = f"main/{place.name}/Packages"
    release = (
        f"Suite: stable\nCodename: stable\nComponents: main\nArchitectures: {architecture()}\n"
        f"Date: Fri, 27 Nov 2026 00:00:00 UTC\nSHA256:\n"
        f" {sha256(index.encode()).hexdigest()} {len(index.encode())} {listed}\n"
    )
    with tempfile.TemporaryDirectory() as home:  # gpg's socket has a short name
        gpg = ["gpg", "--homedir", home, "--batch", "--passphrase", "", "--quiet"]
        name = "packages@example.com"
        subprocess.run([*gpg, "--quick-generate-key", name, "ed25519", "sign"], check=True)
        signed = subprocess.run(
            [*gpg, "--clearsign"], input=release.encode(), capture_output=True, check=True
        ).stdout
        key = subprocess.run([*gpg, "--armor", "--export"], capture_output=True, check=True).stdout
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
    (place.parents[1] / "InRelease").write_bytes(signed)
    shutil.copytree(folder, machine.path("/srv/repository"))
    return key


def architecture() -> str:
    """The architecture, as Debian names it."""
    asked = ["dpkg", "--print-architecture"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
