"""Asks DNS: SRV records, addresses, the zone of a name.

Decides which DNS servers are asked, for how long, and how their failures are called; how one is
asked and read is `muster.net.dnswire`. It refuses to know in which order hosts are tried: that is
`muster.client.discovery`. What comes back is unsigned; names are checked for their form, so that
none of them can become part of an address in another way than as a name. Obeys
docs/spec/07-discovery.md, section 7.2.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.extras import brought_by
from muster.core.values import dataclass
from muster.net import resolvconf
from muster.net.dnswire import Answer, GarbageError, RefusedError, ask
from muster.net.http import bounded, peer_text
from muster.net.resolvconf import check_name

if TYPE_CHECKING:
    import dns.rrset

MAX_RECORDS = 256
"""More SRV records than these at one name are not read: the ones of lowest priority stay."""
MAX_ADDRESSES = 16
_ALIASES = 4
"""Questions for one name whose aliases lead out of the answers."""
_PAUSE = 0.25
"""Seconds between rounds in which every server's port was closed."""


@dataclass(frozen=True, slots=True)
class SRV:
    """One SRV record (RFC 2782): `target` in lower case without the last dot, `ttl` seconds."""

    priority: int
    weight: int
    port: int
    target: str
    ttl: int


def parse_server(text: str, port: int = 53) -> tuple[str, int]:
    """`ip`, `ip:port` or `[ip]:port` as address and port. Raises: `net/dns-server`."""
    host, given = text, ""
    if text.startswith("["):
        host, mark, given = text[1:].partition("]")
        if not mark or (given and not given.startswith(":")):
            raise error("net/dns-server", server=ascii(text)[1:-1][:80])
        given = given[1:]
    elif text.count(":") == 1:
        host, _, given = text.partition(":")
    try:
        address, mark, scope = host.partition("%")
        ipaddress.ip_address(address)
        if mark and not grammar.ZONE_ID.fullmatch(scope):
            raise ValueError(scope)
        if given:
            if not grammar.PORT.fullmatch(given) or not 1 <= int(given) <= 65535:
                raise ValueError(given)
            port = int(given)
    except ValueError:
        raise error("net/dns-server", server=ascii(text)[1:-1][:80]) from None
    return host, port


def srv_records(rrset: dns.rrset.RRset) -> tuple[SRV, ...]:
    """What can be used of a set of SRV records, in a fixed order."""
    records: set[SRV] = set()
    for rdata in rrset:
        try:
            target = check_name(rdata.target.to_text())
        except MusterError:
            continue
        if rdata.port:
            records.add(SRV(rdata.priority, rdata.weight, rdata.port, target, rrset.ttl))
    kept = sorted(
        records, key=lambda record: (record.priority, record.target, record.port, record.weight)
    )
    return tuple(kept[:MAX_RECORDS])


class Resolver:
    """Asks DNS servers.

    Args:
        nameservers: `ip`, `ip:port` or `[ip]:port`, tried in order; None takes those of the
            system.
        timeout: seconds for one question, over all servers and tries.
        resolv_conf: the system's file.
        extra: what to install where dnspython is missing, by the role that asks.
    """

    def __init__(
        self,
        nameservers: Sequence[str] | None = None,
        timeout: float = 4.0,
        *,
        resolv_conf: Path = resolvconf.PATH,
        extra: str = "client",
    ) -> None:
        self._servers = (
            None
            if nameservers is None
            else [parse_server(nameserver) for nameserver in nameservers]
        )
        self._timeout = timeout
        self._resolv_conf = resolv_conf
        self._extra = extra

    def srv(self, name: str) -> tuple[SRV, ...]:
        """The SRV records of a name, at most 256; empty where there are none.

        Records that say "not here" (target `.`), with port 0, or with a target that is no name of
        a host are left out. A CNAME at the name is followed, and so is one at a target when its
        addresses are asked for.
        Raises: `net/dns-name`, `net/dns-timeout`, `net/dns-failed`, `net/dns-refused`,
            `net/dns-garbage`; `command/extra` without dnspython.
        """
        rrset = self._ask(check_name(name), "SRV", self._timeout)
        return () if rrset is None else srv_records(rrset)

    def addresses(self, host: str, seconds: float | None = None) -> tuple[str, ...]:
        """The addresses of a host, IPv4 before IPv6, at most 16; empty where there are none.

        An address is its own answer. With DNS servers given they are asked; otherwise the
        system's resolver, so that /etc/hosts counts as it does for every other program.

        Args:
            seconds: for both kinds of addresses together, in place of the resolver's time.
        Raises: as `srv`.
        """
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            name = check_name(host)
        seconds = self._timeout if seconds is None else min(seconds, self._timeout)
        if self._servers is None:
            texts = self._system_addresses(name, seconds)
        else:
            texts = self._served_addresses(name, seconds)
        return tuple(dict.fromkeys(texts))[:MAX_ADDRESSES]

    def _served_addresses(self, name: str, seconds: float) -> list[str]:
        end = time.monotonic() + seconds
        answers = [rdata.address for rdata in self._ask(name, "A", seconds) or ()]
        left = end - time.monotonic()
        if not answers:
            return [rdata.address for rdata in self._ask(name, "AAAA", max(left, 0.5)) or ()]
        # Some servers know only one kind; what they know is enough.
        with contextlib.suppress(MusterError):
            if left > 0:
                answers += [rdata.address for rdata in self._ask(name, "AAAA", left / 2) or ()]
        return answers

    def zone_of(self, name: str) -> tuple[str, str]:
        """The zone that holds a name, and the primary server that its SOA record names.

        Raises: as `srv`; `net/dns-failed` when no zone is found.
        """
        at = check_name(name)
        while at:
            rrset = self._ask(at, "SOA", self._timeout)
            if rrset is not None:
                zone = rrset.name.to_text(omit_final_dot=True)
                return check_name(zone), check_name(rrset[0].mname.to_text())
            at = at.partition(".")[2]
        raise error("net/dns-failed", name=name, detail="no zone holds it")

    def _system_addresses(self, name: str, seconds: float) -> list[str]:
        try:
            entries = bounded(
                lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM), seconds
            )
        except TimeoutError as fault:
            raise _timed_out(name, seconds) from fault
        except socket.gaierror as fault:
            if fault.errno == socket.EAI_AGAIN:
                detail = "the system's resolver could not answer"
                raise error("net/dns-failed", name=name, detail=detail) from fault
            return []
        except OSError as fault:
            detail = fault.strerror or "the system's resolver failed"
            raise error("net/dns-failed", name=name, detail=detail) from fault
        ordered = sorted(entries, key=lambda entry: entry[0] != socket.AF_INET)
        return [str(entry[4][0]) for entry in ordered]

    def _ask(self, name: str, kind: str, seconds: float) -> dns.rrset.RRset | None:
        """The records of a name, at the end of its aliases; None where there are none."""
        with brought_by(self._extra, "DNS"):
            import dns.message  # noqa: F401  # before the time for the question runs
        end = time.monotonic() + seconds
        for _ in range(_ALIASES):
            answer = self._ask_servers(name, kind, end, seconds)
            if answer.records is not None:
                return answer.records
            try:
                alias = check_name(answer.alias)
            except MusterError:
                return None
            if alias == name:
                return None
            # The server told where the records are and not which.
            name = alias
        return None

    def _ask_servers(self, name: str, kind: str, end: float, seconds: float) -> Answer:
        """Ask server after server, round after round; who answered with an error is asked once.

        A closed port is silence that takes no time [the machine's own resolver may be starting].
        """
        servers = self._known()
        # A single server gets several tries, a dead one among several does not use up the time.
        share = max(0.5, seconds / (len(servers) + 1))
        fault: Exception | None = None
        while servers:
            closed = 0
            for server in list(servers):
                left = end - time.monotonic()
                if left <= 0:
                    raise _named(name, seconds, fault)
                try:
                    return ask(name, kind, server, min(share, left))
                except TimeoutError:
                    continue
                except ConnectionRefusedError:
                    closed += 1
                except (OSError, GarbageError, RefusedError) as failed:
                    fault = failed
                    servers.remove(server)
            if closed and closed == len(servers):
                time.sleep(min(_PAUSE, max(0.0, end - time.monotonic())))
        raise _named(name, seconds, fault or OSError("no server could be asked"))

    def _known(self) -> list[tuple[str, int]]:
        if self._servers is not None:
            return list(self._servers)
        if os.name == "nt":
            return _registered()
        return [(server, 53) for server in resolvconf.read(self._resolv_conf).servers]


def _registered() -> list[tuple[str, int]]:
    """The servers that Windows has registered; not tried on Windows."""
    import dns.exception
    import dns.resolver

    try:
        return [(str(nameserver), 53) for nameserver in dns.resolver.Resolver().nameservers]
    except (dns.exception.DNSException, OSError, ValueError):
        return []


def _timed_out(name: str, seconds: float) -> MusterError:
    return error("net/dns-timeout", name=name, seconds=f"{seconds:g}")


def _named(name: str, seconds: float, fault: Exception | None) -> MusterError:
    """Name what the servers did, the last that said something."""
    if isinstance(fault, RefusedError):
        if fault.code == "REFUSED":
            return error("net/dns-refused", name=name)
        return error("net/dns-failed", name=name, detail=f"they answer {fault.code}")
    if isinstance(fault, GarbageError):
        return error("net/dns-garbage", name=name, detail=fault.detail)
    if isinstance(fault, OSError):
        return error("net/dns-failed", name=name, detail=fault.strerror or str(fault))
    return _timed_out(name, seconds)


def server_text(address: str, port: int) -> str:
    """A DNS server as people write it: without the port where it is 53."""
    return address if port == 53 else peer_text(address, port)
