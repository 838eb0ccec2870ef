"""A whole site on this machine's loopback: publisher, DNS and host as programs, machines as stores.

The demo and tests use it. Publisher and host are child processes of the command `muster`, as an
administrator starts them; the DNS server is BIND 9 where it is installed, else the small one of
`muster.testing.nanodns`. A machine is a store of its own and a facts file of its own: it reads
its facts through the same door as a real one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from muster.net.dnsupdate import TSIGKey
from muster.testing.named import Named, PartMissingError, find_named, key_text
from muster.testing.nanodns import NanoDNS

if TYPE_CHECKING:
    from muster.client.service import Client

ZONE = "demo.test"
"""The zone of the site; `.test` is reserved for this (RFC 6761)."""
HOST_NAME = f"host1.{ZONE}"
_READY_SECONDS = 30.0
_URL = re.compile(r"http://[0-9.:\[\]]+")


class SiteError(RuntimeError):
    """A program of the site failed; the text holds what it said."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One simulated machine: where its store lies, and its facts file."""

    name: str
    store: Path
    facts: Path

    def client(self, nameserver: str) -> Client:
        """The client of this machine, as applications and commands make it."""
        from muster.client.facade import system_client

        return system_client(store=self.store, facts=self.facts, nameservers=(nameserver,))


class Site:
    """Publisher, DNS and host below one folder.

    Args:
        folder: an empty folder; everything of the site lies in it.
        small_dns: use the small DNS server even where BIND 9 is installed.
    """

    def __init__(self, folder: Path, *, small_dns: bool = False) -> None:
        self.folder = folder
        self.publisher_store = folder / "publisher"
        self.host_store = folder / "host"
        self.publisher_url = ""
        self.host_address = ""
        self.tsig = TSIGKey("host-key", "hmac-sha256", sha256(os.urandom(32)).digest())
        self._small_dns = small_dns
        self._dns: Named | NanoDNS | None = None
        self._children: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self._environment = {
            **os.environ,
            "MUSTER_PASSPHRASE": sha256(os.urandom(32)).hexdigest(),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    # Programs.

    def muster(self, *words: str, facts: Path | None = None) -> dict[str, Any]:
        """Run one command with `--json` and give what it prints.

        Raises: SiteError when it ends with another exit code than 0.
        """
        command = [sys.executable, "-m", "muster", *words, "--json"]
        environment = dict(self._environment)
        if facts is not None:
            environment["MUSTER_FACTS"] = str(facts)
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
        text = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            said = (text + done.stderr.decode(errors="replace")).strip()
            raise SiteError(f"muster {' '.join(words[:2])} ended with {done.returncode}: {said}")
        value = json.loads(text)
        if not isinstance(value, dict):
            raise SiteError(f"muster {' '.join(words[:2])} printed no object")
        return value

    def text(self, *words: str) -> list[str]:
        """Run one command as a person would and give the lines that it prints."""
        command = [sys.executable, "-m", "muster", *words]
        done = subprocess.run(command, capture_output=True, check=False, env=self._environment)
        if done.returncode != 0:
            raise SiteError(f"muster {' '.join(words[:2])}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="replace").rstrip().splitlines()

    def start(self, name: str, words: Sequence[str], facts: Path | None = None) -> dict[str, Any]:
        """Start a serving command and wait for the object that it prints when it is ready."""
        log = self.folder / f"{name}.log"
        environment = dict(self._environment)
        if facts is not None:
            environment["MUSTER_FACTS"] = str(facts)
        with log.open("wb") as output, (self.folder / f"{name}.err").open("wb") as trouble:
            child = subprocess.Popen(
                [sys.executable, "-m", "muster", *words, "--json"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=trouble,
                env=environment,
            )
        self._children.append((name, child, log))
        limit = time.monotonic() + _READY_SECONDS
        while time.monotonic() < limit:
            value = _first_object(log.read_text(errors="replace"))
            if value is not None:
                return value
            if child.poll() is not None:
                break
            time.sleep(0.02)
        said = log.read_text(errors="replace") + log.with_suffix(".err").read_text(errors="replace")
        raise SiteError(f"{name} did not start: {said.strip()}")

    # The parts.

    def start_publisher(self) -> dict[str, Any]:
        """Make the sample publisher Contoso and serve it; gives what `init` said."""
        made = self.muster(
            "publisher", "init", "--store", str(self.publisher_store), "--sample",
            "--reserve-root", str(self.folder / "reserve-root.key"),
        )  # fmt: skip
        ready = self.start(
            "publisher-serve",
            ["publisher", "serve", "--store", str(self.publisher_store), "--port", "0"],
        )
        found = _URL.search(json.dumps(ready))
        if found is None:
            raise SiteError(f"publisher serve did not say where it listens: {ready}")
        self.publisher_url = found.group()
        return made

    def start_dns(self) -> str:
        """Start the authoritative DNS server of the zone; gives its kind for people."""
        if not self._small_dns:
            try:
                find_named()
                self._dns = Named(ZONE, keys=[self.tsig], records=["host1 60 IN A 127.0.0.1"])
                self._dns.start()
                return "BIND 9"
            except PartMissingError:
                pass
        small = NanoDNS(ZONE, keys=[self.tsig])
        small.add(f"{HOST_NAME}.", "A", "127.0.0.1")
        self._dns = small.start()
        asked = "as asked" if self._small_dns else "BIND 9 is not installed"
        return f"a small DNS server of Muster's own ({asked})"

    @property
    def nameserver(self) -> str:
        """Where the DNS server listens, `ip:port`."""
        if self._dns is None:
            raise SiteError("the DNS server is not started")
        return self._dns.server

    def host_key(self, group: str) -> str:
        """Issue a host key for a key group."""
        issued = self.muster(
            "publisher", "key", "issue", "--store", str(self.publisher_store),
            "--kind", "host", "--group", group, "--customer", "Demo site",
        )  # fmt: skip
        return str(issued["keys"][0]["key"])

    def install_host_key(self, key: str) -> None:
        """Install a host key on the host and activate it online."""
        facts = self.facts("host")
        self.muster(
            "host", "install-key", "--store", str(self.host_store), "--facts", str(facts), key
        )
        self.muster("host", "activate", "--store", str(self.host_store), facts=facts)

    def start_host(self, key: str) -> dict[str, Any]:
        """Set the host up with its first host key, activate it, serve, publish its records."""
        known = self.folder / "contoso.publisher.json"
        self.muster(
            "publisher", "export", "--store", str(self.publisher_store), str(known),
            "--url", self.publisher_url,
        )  # fmt: skip
        self.muster("host", "init", "--store", str(self.host_store), "--publisher", str(known))
        self.install_host_key(key)
        tsig = self.folder / "host-key.conf"
        tsig.write_text(key_text(self.tsig))
        tsig.chmod(0o600)
        ready = self.start(
            "host-serve",
            [
                "host", "serve", "--store", str(self.host_store),
                "--port", "0", "--bind", "127.0.0.1", "--advertise", HOST_NAME,
                "--dns-server", self.nameserver, "--dns-zone", ZONE, "--tsig-key", str(tsig),
            ],
            facts=self.facts("host"),
        )  # fmt: skip
        self.host_address = f"{ready['address']}:{ready['port']}"
        return ready

    def wait_for_records(self, name: str) -> list[str]:
        """Wait until the host's record stands in DNS; gives the records as texts."""
        from muster.net.dns import Resolver

        resolver = Resolver([self.nameserver], 2.0)
        limit = time.monotonic() + _READY_SECONDS
        while time.monotonic() < limit:
            found = resolver.srv(name)
            if found:
                return [f"{one.priority} {one.weight} {one.port} {one.target}" for one in found]
            time.sleep(0.05)
        raise SiteError(f"the host did not publish {name} within {_READY_SECONDS:.0f} seconds")

    def host_status(self) -> dict[str, Any]:
        """What `muster host status` says."""
        return self.muster("host", "status", "--store", str(self.host_store))

    def descriptor(self, product: str) -> Path:
        """The product's descriptor, as the publisher builds it into its program."""
        path = self.folder / f"{product}.descriptor.json"
        if not path.exists():
            self.muster(
                "publisher", "descriptor", "--store", str(self.publisher_store), product,
                "--out", str(path),
            )  # fmt: skip
        return path

    # Machines.

    def facts(self, name: str) -> Path:
        """The facts file of a machine, made from its name: another name, another hardware."""
        path = self.folder / "facts" / f"{name}.json"
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.write_text(json.dumps({"v": 1, "facts": simulated_facts(name)}))
            path.chmod(0o600)
        return path

    def machine(self, name: str) -> Machine:
        """A machine that finds hosts through the zone of the site."""
        store = self.folder / "machines" / name
        store.mkdir(parents=True, exist_ok=True)
        (store / "client.toml").write_text(f'[client]\nsuffixes = ["{ZONE}"]\n')
        return Machine(name, store, self.facts(name))

    # The end.

    def children(self) -> Mapping[str, int]:
        """Process ids of what runs, by name."""
        return {name: child.pid for name, child, _ in self._children if child.poll() is None}

    def stop(self) -> None:
        """Stop everything that runs; the folder stays."""
        for _, child, _ in reversed(self._children):
            if child.poll() is None:
                child.terminate()
        for _, child, _ in self._children:
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()
        if self._dns is not None:
            self._dns.stop()
            self._dns = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def simulated_facts(name: str) -> dict[str, str]:
    """Hardware facts of a machine that does not exist, always the same for one name."""
    digits = sha256(b"muster simulated machine " + name.encode()).hexdigest()
    mac = "00:16:3e:" + ":".join(digits[n : n + 2] for n in range(0, 6, 2))
    return {
        "system-uuid": (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
        ),
        "board-serial": f"SIM{digits[32:44].upper()}",
        "permanent-macs": mac,
        "machine-id": digits[32:64],
        "disk-serial": f"DISK{digits[44:56].upper()}",
    }


def _first_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text begins with, or None while it is not whole."""
    stripped = text.lstrip()
    if not stripped.startswith("{"):
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(stripped)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
