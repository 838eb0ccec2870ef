"""A machine of its own: a fresh Debian root, systemd as its process 1, and a network of its own.

The root is made once by debootstrap; each machine joins what it changes to it (overlayfs), in
namespaces that end with its process 1. It reaches nothing but itself and machines that it is
joined to. Its hardware has a UUID of its own, and its programs a clock that a test moves by hand:
libfaketime, of Debian, is loaded into them by a drop-in of each unit of Muster. A kernel has one
wall clock for all namespaces, so that setting it would set that of whoever runs the tests. Clocks
that measure spans go on as they are: a program sees a wall clock that was set ahead.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from muster.testing.netns import Node

SECONDS = 300
ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PACKAGES = (
    "adduser,ca-certificates,curl,dbus,libfaketime,openssh-server,procps,python3,python3-apt,"
    "rpm,systemd,systemd-sysv"
)
"""What a server has before Muster comes; Ansible needs sshd and python3-apt, RPM packages rpm, and
libfaketime moves the clocks of services."""
OURS, NEXT = "0.1.0", "0.1.1"
"""Versions of packages."""
_LIBRARY = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1"
CLOCK = {"LD_PRELOAD": _LIBRARY, "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
"""The environment of a program whose clock a test moves, by CLOCK_FILE of its machine."""
CLOCK_FILE = "/etc/faketimerc"
ENVIRON = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def debian_root(folder: Path) -> Path:
    """A fresh Debian root with an interpreter and systemd, and no compiler."""
    root = folder / "debian"
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    units = root / "etc/systemd/system"
    # Nobody logs in at a console that is a file.
    (units / "console-getty.service").symlink_to("/dev/null")
    (units / "muster-.service.d").mkdir()
    variables = " ".join(f"{name}={value}" for name, value in CLOCK.items())
    clock = f"[Service]\nEnvironment={variables}\n"
    (units / "muster-.service.d" / "clock.conf").write_text(clock)
    (root / CLOCK_FILE[1:]).write_text("+0\n")
    return root


def image(lower: Path, folder: Path, packages: Iterable[Path]) -> str:
    """A root with packages on it, as an image of machines is made: nothing runs while they are
    installed. What `DebianMachine` takes as its `lower`."""
    root, upper, work = folder / "root", folder / "upper", folder / "work"
    for path in (root, upper / "root", work):
        path.mkdir(parents=True)
    names = [shutil.copy(package, upper / "root") for package in packages]
    steps = (
        f"mount -t overlay overlay -o lowerdir={lower},upperdir={upper},workdir={work} {root}\n"
        f'mount -t proc proc {root}/proc\nexec chroot {root} dpkg -i "$@"'
    )
    inside = [f"/root/{Path(name).name}" for name in names]
    spaces = ["unshare", "--mount", "--net", "sh", "-euc", steps, "sh", *inside]
    done = subprocess.run(spaces, capture_output=True, text=True, env=ENVIRON, check=False)
    assert done.returncode == 0, done.stderr
    return f"{upper}:{lower}"


Packages = dict[str, Path]
"""Packages by name."""


def build(folder: Path) -> dict[tuple[str, str], Packages]:
    """The packages of this tree for the Python of that root: of each kind, `deb` and `rpm`, two
    versions, as if one were the next release."""
    words = ["packaging/build.py", "deb", "rpm", "--python", "3.11", "--out", str(folder)]
    words += ["--quick", "--version", OURS, "--version", NEXT]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, timeout=SECONDS)
    made: dict[tuple[str, str], Packages] = {}
    for path in folder.iterdir():
        version = NEXT if NEXT in path.name else OURS
        name = re.split(f"[_-]{version}", path.name)[0]
        made.setdefault((path.suffix[1:], version), {})[name] = path
    return made


class DebianMachine:
    """A machine that has started; `run` runs programs on it, as its root.

    Args:
        lower: the root that it starts from, or an `image`.
        folder: what it changes.
        name: its host name.

    `first` is its process 1, as this process sees it.
    """

    def __init__(self, lower: Path | str, folder: Path, name: str = "server") -> None:
        self.name = name
        self._root = folder / "root"
        self._named: list[str] = []
        (folder / "upper").mkdir(parents=True)
        boot = Path(__file__).with_name("boot.sh")
        spaces = ["--pid", "--mount", "--fork", "--uts", "--cgroup", "--ipc", "--net"]
        script = ["sh", str(boot), str(lower), str(folder / "upper"), str(self._root)]
        script += [name, str(uuid.uuid4())]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "--kill-child", *script],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        wait_for(lambda: self._process.poll() is not None or children.read_text().strip())
        assert self._process.poll() is None
        self.first = int(children.read_text())
        # By then the script has become systemd, in the root that it made.
        wait_for(lambda: Path(f"/proc/{self.first}/comm").read_text() == "systemd\n")
        wait_for(lambda: self.try_run("systemctl", "is-system-running", "--wait").returncode == 0)

    def try_run(
        self, *command: str, data: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What a program prints and returns."""
        env = {**ENVIRON, **(environ or {})}
        entered = ["nsenter", "-t", str(self.first), "-a", "--root", "--wd"]
        inside = [*entered, "env", *(f"{key}={value}" for key, value in env.items()), *command]
        done = subprocess.run(
            inside,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            input=data,
            timeout=SECONDS,
            check=False,
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def run(
        self, *command: str, data: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> str:
        """What a program prints; it must succeed."""
        done = self.try_run(*command, data=data, environ=environ)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def put(self, path: str, data: bytes) -> None:
        """Write a file that only root reads."""
        self.run("sh", "-c", f"umask 077; cat > {path}", data=data)

    def install(
        self, *packages: Path, by: tuple[str, ...] = ("dpkg", "-i")
    ) -> subprocess.CompletedProcess[str]:
        """`dpkg -i` of files, which are all there is, or another program."""
        names = [f"/root/{package.name}" for package in packages]
        for package, name in zip(packages, names, strict=True):
            shutil.copy(package, self.path(name))
        return self.try_run(*by, *names)

    def path(self, path: str) -> Path:
        """A path of the machine, as this process sees it."""
        return Path(f"/proc/{self.first}/root{path}")

    @property
    def on_its_network(self) -> list[str]:
        """The words before a command that runs here, on the network of the machine."""
        return ["nsenter", "-t", str(self.first), "-n"]

    def node(self) -> Node:
        """Its network, for programs of this machine; it has nothing but loopback."""
        name = f"muster-{self.first}"
        subprocess.run(["ip", "netns", "attach", name, str(self.first)], check=True)
        self._named.append(name)
        return Node(name, "lo", "127.0.0.1")

    def stop(self) -> None:
        """End it at once, with everything that runs on it."""
        for name in self._named:
            subprocess.run(["ip", "netns", "delete", name], check=True)
        os.kill(self.first, signal.SIGKILL)
        self._process.wait(60)


class Network:
    """A switch, inside the first machine, that joins it and others; `address` is the first one's.
    They reach each other and nothing else."""

    def __init__(self, machine: DebianMachine, prefix: str = "10.77.0") -> None:
        self._switch, self._prefix = machine, prefix
        self.address = f"{prefix}.1"
        self._number = 1
        self._ip(machine, "link", "add", "site0", "type", "bridge")
        self._up(machine, "site0", self.address)

    def join(self, machine: DebianMachine) -> None:
        """Put a machine's cable into the switch."""
        self._number += 1
        port = f"p{self._number}"
        peer = ["peer", "name", "eth0", "netns", str(machine.first)]
        self._ip(self._switch, "link", "add", port, "type", "veth", *peer)
        self._ip(self._switch, "link", "set", port, "master", "site0", "up")
        self._up(machine, "eth0", f"{self._prefix}.{self._number}")

    def _up(self, machine: DebianMachine, link: str, address: str) -> None:
        self._ip(machine, "address", "add", f"{address}/24", "dev", link)
        self._ip(machine, "link", "set", link, "up")

    @staticmethod
    def _ip(machine: DebianMachine, *words: str) -> None:
        subprocess.run([*machine.on_its_network, "ip", *words], check=True)


def set_clocks(machines: Iterable[DebianMachine], seconds: int) -> None:
    """Let the wall clocks of machines be so many seconds ahead of the real one."""
    for machine in machines:
        machine.path(CLOCK_FILE).write_text(f"+{seconds}\n")


def wait_for(what: Callable[[], object], tries: int = 300) -> None:
    """Look again and again until something is so."""
    import time

    for _ in range(tries):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")
