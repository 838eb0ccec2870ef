"""A whole site on this machine's loopback: publisher, DNS and host as programs, machines as stores.

The demo and tests use it. Publisher and host are child processes of the command `muster`, as an
administrator starts them; the DNS server is BIND 9 where it is installed, else the small one of
`muster.testing.nanodns`. A machine is a store of its own and a facts file of its own: it reads
its facts through the same channel as a real one.
"""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from muster.core.values import dataclass
from muster.net.dnsupdate import TSIGKey
from muster.testing.named import Named, PartMissingError, find_named, key_text
from muster.testing.nanodns import NanoDNS
from muster.testing.programs import Printed, Programs

if TYPE_CHECKING:
    from muster.client.service import Client

ZONE = "demo.test"
"""The zone of the site; `.test` is reserved for this (RFC 6761)."""
HOST_NAME = f"host1.{ZONE}"
SECOND_NAME = f"host2.{ZONE}"
_ADDRESSES = ["host1 60 IN A 127.0.0.1", "host2 60 IN A 127.0.0.1"]
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Machine:
    """One simulated machine: where its store is, and its facts file."""

    name: str
    store: Path
    facts: Path

    def client(self, nameserver: str) -> Client:
        """The client of this machine, as applications and commands make it."""
        from muster.client.facade import system_client

        return system_client(store=self.store, facts=self.facts, nameservers=(nameserver,))


class Site(Programs):
    """Publisher, DNS and host below one folder.

    Args:
        folder: an empty folder; everything of the site is in it.
        small_dns: use the small DNS server even where BIND 9 is installed.
    """

    def __init__(self, folder: Path, *, small_dns: bool = False) -> None:
        super().__init__(folder)
        self.publisher_store = folder / "publisher"
        self.host_store = folder / "host"
        self.second_store = folder / "host2"
        self.publisher_url = ""
        self.host_address = ""
        self.tsig = TSIGKey("host-key", "hmac-sha256", sha256(os.urandom(32)).digest())
        self._small_dns = small_dns
        self._dns: Named | NanoDNS | None = None

    # The parts.

    def start_publisher(self) -> Printed:
        """Make the sample publisher Contoso and serve it; gives what `init` said."""
        created = self.muster(
            "publisher", "init", "--store", str(self.publisher_store), "--sample",
            "--reserve-root", str(self.folder / "reserve-root.key"),
        )  # fmt: skip
        ready = self.start(
            "publisher-serve",
            "publisher",
            "serve",
            "--store",
            str(self.publisher_store),
            "--port",
            "0",
        )
        self.publisher_url = ready.text("url")
        return created

    def start_dns(self) -> str:
        """Start the authoritative DNS server of the zone; gives its kind for people."""
        if not self._small_dns:
            try:
                find_named()
                self._dns = Named(ZONE, keys=[self.tsig], records=_ADDRESSES)
                self._dns.start()
                return "BIND 9"
            except PartMissingError:
                pass
        small = NanoDNS(ZONE, keys=[self.tsig])
        for name in (HOST_NAME, SECOND_NAME):
            small.add(f"{name}.", "A", "127.0.0.1")
        self._dns = small.start()
        asked = "as asked" if self._small_dns else "BIND 9 is not installed"
        return f"a small DNS server of Muster's own ({asked})"

    @property
    def nameserver(self) -> str:
        """Where the DNS server listens, `ip:port`."""
        if self._dns is None:
            raise RuntimeError("the DNS server is not started")
        return self._dns.server

    def host_key(self, group: str) -> str:
        """Issue a host key for a key group."""
        issued = self.muster(
            "publisher", "key", "issue", "--store", str(self.publisher_store),
            "--kind", "host", "--group", group, "--customer", "Demo site",
        )  # fmt: skip
        return issued.rows("keys")[0].text("key")

    def machine_key(self, group: str, pool: int) -> str:
        """Issue a key that activates single machines (MAK) of a key group, so many of them."""
        issued = self.muster(
            "publisher", "key", "issue", "--store", str(self.publisher_store), "--kind", "mak",
            "--group", group, "--pool", str(pool), "--customer", "Demo site",
        )  # fmt: skip
        return issued.rows("keys")[0].text("key")

    def confirm(self, *words: str) -> Printed:
        """Answer an installation ID, as somebody at the publisher's telephone does."""
        return self.muster("publisher", "confirm", "--store", str(self.publisher_store), *words)

    def install_host_key(self, key: str, store: Path | None = None) -> None:
        """Install a host key on the host, or the one of another store; activate it online."""
        at = self.host_store if store is None else store
        facts = self.hardware(at.name)
        self.muster("host", "install-key", "--store", str(at), "--facts", str(facts), key)
        self.muster("host", "activate", "--store", str(at), facts=facts)

    def start_host(self, key: str) -> Printed:
        """Set the host up with its first host key, activate it, serve, publish its records."""
        self.muster(
            "publisher", "export", "--store", str(self.publisher_store), str(self._known),
            "--url", self.publisher_url,
        )  # fmt: skip
        tsig = self.folder / "host-key.conf"
        tsig.write_text(key_text(self.tsig))
        tsig.chmod(0o600)
        ready = self._start_host("host-serve", self.host_store, HOST_NAME, key)
        self.host_address = f"{ready['address']}:{ready['port']}"
        return ready

    def start_second_host(self, key: str) -> str:
        """The same for a second host beside the first; gives the address in its records."""
        ready = self._start_host("host2-serve", self.second_store, SECOND_NAME, key)
        return f"{SECOND_NAME}:{ready['port']}"

    @property
    def _known(self) -> Path:
        return self.folder / "contoso.publisher.json"

    def _start_host(self, name: str, store: Path, target: str, key: str) -> Printed:
        self.muster("host", "init", "--store", str(store), "--publisher", str(self._known))
        self.install_host_key(key, store)
        return self.start(
            name,
                "host", "serve", "--store", str(store),
                "--port", "0", "--bind", "127.0.0.1", "--advertise", target,
                "--dns-server", self.nameserver, "--dns-zone", ZONE,
                "--tsig-key", str(self.folder / "host-key.conf"),
            facts=self.hardware(store.name),
        )  # fmt: skip

    def revoke_second_host(self) -> None:
        """Revoke the second host; the first one fetches the catalogue that says so."""
        status = self.muster("host", "status", "--store", str(self.second_store))
        hardware = status.rows("publishers")[0].rows("keys")[0].text("hardware")
        self.muster("publisher", "host", "revoke", "--store", str(self.publisher_store), hardware)
        self.muster("host", "catalogue", "fetch", "--store", str(self.host_store))

    def wait_for_records(self, name: str, number: int = 1) -> list[str]:
        """Wait until so many hosts' records are in DNS; gives the records as texts."""
        from muster.net.dns import Resolver

        resolver = Resolver([self.nameserver], 2.0)
        limit = time.monotonic() + _READY_SECONDS
        while time.monotonic() < limit:
            records = resolver.srv(name)
            if len(records) >= number:
                return [
                    f"{record.priority} {record.weight} {record.port} {record.target}"
                    for record in records
                ]
            time.sleep(0.05)
        raise RuntimeError(f"the host did not publish {name} within {_READY_SECONDS:.0f} seconds")

    def host_status(self) -> Printed:
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

    def hardware(self, name: str) -> Path:
        """The facts file of a machine, made from its name: another name, another hardware."""
        return self.facts(name, simulated_facts(name))

    def machine(self, name: str) -> Machine:
        """A machine that finds hosts through the zone of the site."""
        store = self.folder / "machines" / name
        store.mkdir(parents=True, exist_ok=True)
        (store / "client.toml").write_text(f'[client]\nsuffixes = ["{ZONE}"]\n')
        return Machine(name, store, self.hardware(name))

    # The end.

    def stop(self) -> None:
        """Stop everything that runs, the name server last; the folder stays."""
        super().stop()
        if self._dns is not None:
            self._dns.stop()
            self._dns = None


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
