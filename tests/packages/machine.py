"""A machine of its own: a fresh Debian root, systemd as its process 1, and a network of its own.

The root is made once by debootstrap; each machine joins what it changes to it (overlayfs), in
namespaces that end with its process 1. It reaches nothing but itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

SECONDS = 300
ROOT = Path(__file__).resolve().parents[2]
SUITE = "bookworm"
PACKAGES = "adduser,curl,dbus,procps,python3,systemd,systemd-sysv"


def debian_root(folder: Path) -> Path:
    """A fresh Debian root with an interpreter and systemd, and no compiler."""
    root = folder / "debian"
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    # Nobody logs in at a console that is a file.
    (root / "etc/systemd/system/console-getty.service").symlink_to("/dev/null")
    return root


def build(folder: Path, version: str = "") -> dict[str, Path]:
    """The Debian packages by name, built of this tree for the Python of that root."""
    words = ["packaging/build.py", "deb", "--python", "3.11", "--out", str(folder)]
    if version:
        words += ["--version", version]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, timeout=SECONDS)
    return {path.name.partition("_")[0]: path for path in folder.glob("*.deb")}


def renamed(package: Path, version: str, folder: Path) -> Path:
    """The same package with another version, as the next release would have."""
    tree = folder / package.stem
    subprocess.run(["dpkg-deb", "-R", str(package), str(tree)], check=True)
    for path in (tree / "DEBIAN").iterdir():
        path.write_text(path.read_text().replace("0.1.0-1", version))
    made = folder / f"{package.name.partition('_')[0]}_{version}.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", str(tree), str(made)], check=True)
    shutil.rmtree(tree)
    return made


class DebianMachine:
    """A machine that has started; `run` runs programs on it, as its root."""

    def __init__(self, lower: Path, folder: Path) -> None:
        self._root = folder / "root"
        (folder / "upper").mkdir(parents=True)
        boot = Path(__file__).with_name("boot.sh")
        spaces = ["--pid", "--mount", "--fork", "--uts", "--cgroup", "--ipc", "--net"]
        script = ["sh", str(boot), str(lower), str(folder / "upper"), str(self._root)]
        self._process = subprocess.Popen(
            ["unshare", *spaces, "--kill-child", *script], stdin=subprocess.DEVNULL
        )
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        wait_for(lambda: self._process.poll() is not None or children.read_text().strip())
        assert self._process.poll() is None
        self._first = int(children.read_text())
        # By then the script has become systemd, in the root that it made.
        wait_for(lambda: Path(f"/proc/{self._first}/comm").read_text() == "systemd\n")
        wait_for(lambda: self.try_run("systemctl", "is-system-running", "--wait").returncode == 0)

    def try_run(
        self, *command: str, data: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What a program prints and returns."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **(environ or {})}
        enter = ["nsenter", "-t", str(self._first), "-a", "--root"]
        inside = [*enter, "sh", "-c", 'cd / && exec "$@"', "sh", *command]
        done = subprocess.run(
            inside, env=env, capture_output=True, input=data, timeout=SECONDS, check=False
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

    def install(self, *packages: Path) -> subprocess.CompletedProcess[str]:
        """`dpkg -i` of files, which are all there is."""
        names = [f"/root/{package.name}" for package in packages]
        for package, name in zip(packages, names, strict=True):
            self.put(name, package.read_bytes())
        return self.try_run("dpkg", "-i", *names, environ={"DEBIAN_FRONTEND": "noninteractive"})

    def stop(self) -> None:
        """End it at once, with everything that runs on it."""
        os.kill(self._first, signal.SIGKILL)
        self._process.wait(60)


def wait_for(what: Callable[[], object], tries: int = 300) -> None:
    """Look again and again until something is so."""
    import time

    for _ in range(tries):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")
