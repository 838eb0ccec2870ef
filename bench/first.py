"""What the first question of a program costs: fresh interpreters, paired, in one run.

A program that calls `licence()` on a store with a lease is measured beside one that imports
`cryptography`, loads an Ed25519 key and checks a signature, without which nobody verifies
anything. Both run in turn, so that what else the machine does falls on both alike, and from
compiled modules, as installers leave them. `make bench` prints this, and `python bench/first.py`
prints it alone.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from muster.client import activate
from muster.system.facts import facts_file
from muster.testing.loopback import LoopbackHost
from muster.testing.world import machine_facts

PAIRS = 21
MODULE = "cryptography.hazmat.primitives.asymmetric.ed25519"
CRYPTOGRAPHY = (
    f"from {MODULE} import Ed25519PrivateKey as Key, Ed25519PublicKey as Public\n"
    "key = Key.from_private_bytes(bytes(32))\n"
    "public = Public.from_public_bytes(key.public_key().public_bytes_raw())\n"
    "public.verify(key.sign(b'x'), b'x')\n"
)
"""The program that everything stands beside."""
LICENCE = (
    "import sys\n"
    "from muster.client import licence\n"
    "assert licence(sys.argv[1], store=sys.argv[2], facts=sys.argv[3]).licensed\n"
)
"""An application that asks whether it is licensed."""


def spent(words: Sequence[str], environ: dict[str, str]) -> float:
    """CPU milliseconds of one program in an interpreter of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def paired(
    words: Sequence[str], beside: Sequence[str], environ: dict[str, str]
) -> tuple[float, float]:
    """Two programs in turn: the median difference in CPU milliseconds, and the median ratio."""
    for one in (words, beside):  # leaves compiled modules
        spent(one, environ)
    pairs = [(spent(words, environ), spent(beside, environ)) for _ in range(PAIRS)]
    more = statistics.median(one - other for one, other in pairs)
    return more, statistics.median(one / other for one, other in pairs)


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, facts, descriptor = folder / "store", folder / "facts", folder / "descriptor"
        facts.write_bytes(facts_file(machine_facts("pc-1")))
        facts.chmod(0o600)
        environ = {
            **os.environ,
            "MUSTER_STORE": str(store),
            "MUSTER_FACTS": str(facts),
            "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
        }
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        with LoopbackHost() as served:
            descriptor.write_bytes(served.publisher.descriptor("desktop-pro"))
            os.environ["MUSTER_CLIENT_HOST"] = served.address.text
            if not activate(descriptor, store=store, facts=facts, trusted=True).licensed:
                raise RuntimeError("no lease")
            del os.environ["MUSTER_CLIENT_HOST"]
        beside = ["-c", CRYPTOGRAPHY]
        print("Start: CPU beside a program that imports cryptography and loads a key")
        for title, words in (
            ("licence() of a store with a lease", ["-c", LICENCE, descriptor, store, facts]),
            ("import muster.lease.verify", ["-c", "import muster.lease.verify"]),
            ("muster --help", ["-m", "muster", "--help"]),
            ("muster client product list", ["-m", "muster", "client", "product", "list"]),
            ("muster client status", ["-m", "muster", "client", "status"]),
            ("muster slmgr /dli", ["-m", "muster", "slmgr", "/dli"]),
        ):
            more, ratio = paired([str(word) for word in words], beside, environ)
            print(f"  {title:<34} {more:4.0f} ms more, {ratio:.1f} times as much")


if __name__ == "__main__":
    report()
