"""A recorded machine on which the command `muster` runs: its hardware is what a reading says.

Each command is a process in a mount namespace whose /sys, /proc/cpuinfo and the like are those of
the reading; what only root may read on a real machine, only root may read there. No facts file
says anything. The clock and the network are those of the machine that runs the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.host.processes import HostProcess, prepare
from tests.system.trees import lay_out, with_cards_named
from tests.worlds.conftest import TOOL

ROOT = 0
NOBODY = 65534
"""An ordinary user."""
_AS_USER = Path(__file__).with_name("as_user.py")
_ROOT_ONLY = ("product_uuid", "product_serial", "board_serial")
_OVER = (
    "proc/cpuinfo",
    "proc/version",
    "proc/sys/kernel/osrelease",
    "proc/sys/kernel/random/boot_id",
    "etc/machine-id",
)
"""Files of a reading that lie over those of this machine; what it lacks cannot be laid over."""
_ENTER = """
tree=$1; shift
mount -t tmpfs none /run
mount --bind "$tree/sys" /sys
while [ "$1" != -- ]; do mount --bind "$tree/$1" "/$1"; shift; done
shift
exec "$@"
"""


def why_not() -> str | None:
    """Why no recorded machine can run here, or None where it can."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "needs root and unshare, for mount namespaces"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"], capture_output=True, check=False
    )
    if tried.returncode != 0:
        return f"needs mount namespaces: {tried.stderr.decode(errors='replace').strip()}"
    return None


class RecordedMachine:
    """One machine; `store` may be copied to another one as an image is.

    Args:
        folder: its own, not there yet, below folders that everybody may enter.
        reading: what Linux shows of it, as tests/system/readings has it.
        uid: who runs the commands there, and owns the store.
    """

    def __init__(self, folder: Path, reading: dict[str, Any], uid: int = 0) -> None:
        self.folder, self.uid = folder, uid
        self.store = folder / "store"
        folder.mkdir(mode=0o755)
        self.store.mkdir(mode=0o755)
        os.chown(self.store, uid, uid)
        self._starts = 0
        self.start(reading)

    def start(self, reading: dict[str, Any]) -> None:
        """The machine starts, and Linux shows this from now on."""
        self._starts += 1
        tree = self.folder / f"start-{self._starts}"
        tree.mkdir()
        # The kernel is asked for addresses by name, and has cards of its own.
        lay_out(tree, with_cards_named(reading, "rec-"))
        for name in _ROOT_ONLY:
            path = tree / "sys/class/dmi/id" / name
            if path.exists():
                path.chmod(0o400)
        over = [name for name in _OVER if (tree / name).exists() and Path("/", name).exists()]
        self._enter = ["unshare", "-m", "sh", "-e", "-c", _ENTER, "sh", str(tree), *over, "--"]

    def image(self, folder: Path, reading: dict[str, Any]) -> RecordedMachine:
        """Another machine, whose store is a copy of this one's as it is now."""
        made = RecordedMachine(folder, reading, self.uid)
        made.store.rmdir()
        subprocess.run(["cp", "-a", str(self.store), str(made.store)], check=True)
        return made

    def give(self, uid: int) -> None:
        """The store becomes that user's, who runs the commands from now on."""
        for path in (self.store, *self.store.rglob("*")):
            os.chown(path, uid, uid)
        self.uid = uid

    def run(self, *words: str) -> dict[str, Any]:
        """Run a command of `muster client` that must succeed; gives what it prints.

        Raises: AssertionError with what it said where it does not.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MUSTER_")}
        done = subprocess.run(
            [*self._enter, sys.executable, str(_AS_USER), str(self.uid), "client", *words,
             "--store", str(self.store), "--json"],
            env={**kept, "HOME": "/nonexistent", "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def output(self, *command: str) -> str:
        """What a program of the system prints on the machine."""
        done = subprocess.run(
            [*self._enter, *command], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def facts(self) -> dict[str, str]:
        """The facts that count, as this user sees them: name and value."""
        return {
            one["name"]: reading["value"]
            for one in self.run("facts", "--values")["facts"]
            for reading in one["readings"]
            if reading["counts"]
        }


class Site:
    """A host that is a process, and machines that ask it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._store = folder / "host"
        self.publisher = prepare(self._store, lone=TOOL)
        self._host = stack.enter_context(HostProcess(self._store))
        self._descriptor = folder / "product.json"
        self._descriptor.write_bytes(self.publisher.descriptor(TOOL))
        self._descriptor.chmod(0o644)

    def machine(self, name: str, reading: dict[str, Any], uid: int) -> RecordedMachine:
        """A machine with the product, which knows the host."""
        made = RecordedMachine(self.folder / name, reading, uid)
        made.run("product", "add", str(self._descriptor))
        made.run("set-host", f"127.0.0.1:{self._host.port}")
        return made

    def count(self) -> int:
        """The machines that the host counts, as its administrator sees."""
        return int(self._status()["applications"][0]["count"])

    def machines(self) -> list[str]:
        """The CMIDs of all machines that it lists."""
        return [str(one["cmid"]) for one in self._host_says("clients")["clients"]]

    def clones(self) -> int:
        """The machines of which it says that they have clones."""
        return int(self._status()["publishers"][0]["clones"])

    def _status(self) -> dict[str, Any]:
        return self._host_says("status")

    def _host_says(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "muster", "host", *words, "--store", str(self._store),
             "--json"],
            capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@contextmanager
def site() -> Iterator[Site]:
    """A host, and room for machines. Skips where no recorded machine can run."""
    lacks = why_not()
    if lacks is not None:
        pytest.skip(lacks)
    folder = Path(tempfile.mkdtemp(prefix="muster-image-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        yield Site(folder, stack)


def ask(machine: RecordedMachine) -> tuple[str, list[str]]:
    """The machine renews; its CMID afterwards, and what it told, by code."""
    (found,) = machine.run("activate")["products"]
    assert found["renewed"], found
    assert found["licensed"]
    return found["cmid"], [one["code"] for one in found["told"]]
