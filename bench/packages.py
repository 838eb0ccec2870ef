"""How large the packages are, and how long what is in them takes to start.

Builds the Debian and RPM packages as they are shipped, unpacks the Debian ones, compiles them as
their installation does, and starts from there by the system's interpreter: the command, and each
service until it tells its manager that it answers (`READY=1`). `python bench/packages.py`, as root
or not; needs dpkg-deb, rpmbuild and the interpreter of the system.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"
TIMES = 7
PASSPHRASES = {"MUSTER_PASSPHRASE": "x" * 20, "MUSTER_ROOT_PASSPHRASE": "y" * 20}
CHEAP = ("--kdf", "scrypt", "--kdf-log-n", "1", "--kdf-r", "1")
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]\n"
    "from muster.__main__ import main\nmain()"
)


def main() -> int:
    """Print both tables, in Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _sizes(folder)
        _starts(folder)
    return 0


def _sizes(folder: Path) -> None:
    out = folder / "packages"
    words = ["packaging/build.py", "deb", "rpm", "--out", str(out)]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    print("| package | .deb | .rpm | installed | of it compiled at the installation |")
    print("|---|---|---|---|---|")
    for package in sorted(out.glob("*.deb")):
        name = package.name.partition("_")[0]
        (rpm,) = out.glob(f"{name}-[0-9]*.rpm")
        tree = folder / name
        subprocess.run(["dpkg-deb", "-x", str(package), str(tree)], check=True)
        before = _megabytes(tree)
        # All packages share one folder of libraries.
        subprocess.run(["cp", "-a", f"{tree}/.", str(folder / "root")], check=True)
        subprocess.run([PYTHON, "-I", "-m", "compileall", "-q", str(tree)], check=False)
        after = _megabytes(tree)
        sizes = [f"{path.stat().st_size / 1e6:.1f} MB" for path in (package, rpm)]
        print(f"| `{name}` | {sizes[0]} | {sizes[1]} | {after:.1f} MB | {after - before:.1f} MB |")
    libraries = folder / "root" / "usr/lib/muster"
    subprocess.run([PYTHON, "-I", "-m", "compileall", "-q", str(libraries)], check=False)


def _megabytes(tree: Path) -> float:
    return sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) / 1e6


class Programs:
    """The command as it is installed below a folder, for stores of its own."""

    def __init__(self, folder: Path) -> None:
        self._libraries = str(folder / "root" / "usr/lib/muster")
        self._stores = folder / "stores"
        self._stores.mkdir()
        self._env = {**os.environ, **PASSPHRASES, "MUSTER_STORE": str(self._stores)}
        self._notify = folder / "notify"

    def words(self, *words: str) -> list[str]:
        """The command line of `muster` with some words."""
        return [PYTHON, "-I", "-c", START, self._libraries, *words]

    def run(self, *words: str, data: str = "") -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            self.words(*words),
            env=self._env,
            input=data,
            text=True,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def ready(self, *words: str) -> tuple[float, int]:
        """Seconds until a service is ready, and its resident memory then, in KiB."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            self._notify.unlink(missing_ok=True)
            told.bind(str(self._notify))
            told.settimeout(60)
            env = {**self._env, "NOTIFY_SOCKET": str(self._notify)}
            begun = time.perf_counter()
            quiet = subprocess.DEVNULL
            with subprocess.Popen(
                self.words(*words), env=env, stdout=quiet, stderr=quiet
            ) as process:
                while b"READY=1" not in told.recv(4096):
                    pass
                took = time.perf_counter() - begun
                status = Path(f"/proc/{process.pid}/status").read_text()
                process.send_signal(signal.SIGTERM)
                while process.poll() is None:  # it tells that it stops; nobody else reads that
                    told.setblocking(False)
                    _drain(told)
                    time.sleep(0.01)
        return took, int(re.findall(r"VmRSS:\s+(\d+)", status)[0])


def _drain(told: socket.socket) -> None:
    try:
        while told.recv(4096):
            pass
    except BlockingIOError:
        return


def _starts(folder: Path) -> None:
    programs = Programs(folder)
    programs.run("publisher", "init", "--sample", "--reserve-root", str(folder / "r.key"), *CHEAP)
    programs.run("publisher", "export", str(folder / "contoso"))
    programs.run("host", "init", "--publisher", str(folder / "contoso"))
    programs.run("host", "set", "publish-dns", "false")
    print("\n| start of | median, ms | from, to | resident memory |\n|---|---|---|---|")
    for words in (("--version",), ("host", "status"), ("client", "agent", "--help")):
        times = []
        for _ in range(TIMES):
            begun = time.perf_counter()
            programs.run(*words)
            times.append(time.perf_counter() - begun)
        _row(" ".join(("muster", *words)), times)
    off = ("--operation-address", "off")
    services = {
        "muster-publisher": ("publisher", "serve", "--port", "0", *off),
        "muster-host": ("host", "serve", "--port", "0", *off),
        "muster-agent": ("client", "agent", "--run", str(folder / "run")),
    }
    for name, service in services.items():
        told = [programs.ready(*service) for _ in range(TIMES)]
        _row(name, [took for took, _ in told], max(memory for _, memory in told))


def _row(name: str, times: Sequence[float], memory: int = 0) -> None:
    low, middle, high = (
        round(1000 * value) for value in (min(times), statistics.median(times), max(times))
    )
    held = f"{memory / 1024:.0f} MB" if memory else ""
    print(f"| `{name}` | {middle} | {low}, {high} | {held} |")


if __name__ == "__main__":
    sys.exit(main())
