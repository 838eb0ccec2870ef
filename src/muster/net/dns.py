"""Asks DNS: SRV records, addresses, the zone of a name.

Decides which DNS servers are asked, for how long, and how their failures are called. It refuses
to know in which order hosts are tried: that is `muster.client.discovery`. What comes back is
unsigned; names are checked for their form, so that none of them can become part of an address in
another way than as a name. Obeys docs/spec/07-discovery.md, section 7.2.

dnspython is imported by the first question, not by this module.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muster.core.errors import MusterError, error
from muster.net.http import bounded, peer_text

if TYPE_CHECKING:
    import dns.nameserver
    import dns.resolver

MAX_RECORDS = 256
"""More SRV records than these at one name are not read: the ones of lowest priority stay."""
MAX_ADDRESSES = 16
_NAME = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)


@dataclass(frozen=True, slots=True)
class SRV:
    """One SRV record (RFC 2782): `target` in lower case without the last dot, `ttl` seconds."""

    priority: int
    weight: int
    port: int
    target: str
    ttl: int


def check_name(name: str) -> str:
    """The name in lower case without the last dot.

    Only letters, digits, hyphen and underscore are taken, as hosts and services are named.
    Raises: `net/dns-name`.
    """
    text = name.lower().removesuffix(".")
    if len(text) > 253 or not _NAME.fullmatch(text):
        raise error("net/dns-name", name=ascii(name)[1:-1][:80])
    return text


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
        ipaddress.ip_address(host.partition("%")[0])
        if given:
            if not (given.isascii() and given.isdecimal() and 1 <= int(given[:6]) <= 65535):
                raise ValueError(given)
            port = int(given)
    except ValueError:
        raise error("net/dns-server", server=ascii(text)[1:-1][:80]) from None
    return host, port


def system_suffixes(resolv_conf: Path = Path("/etc/resolv.conf")) -> tuple[str, ...]:
    """The DNS suffixes of this machine, best first: its own domain, then the search list.

    Reads the machine's name and the resolver's file; asks nobody.
    """
    found: list[str] = []
    domain = socket.gethostname().partition(".")[2]
    if domain:
        found.append(domain)
    try:
        lines = resolv_conf.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    listed: list[str] = []
    for line in lines:
        words = line.split()
        # As in resolv.conf(5): the last of several lines counts.
        if len(words) > 1 and words[0] in ("search", "domain"):
            listed = words[1:]
    found.extend(listed)
    names: list[str] = []
    for suffix in found:
        try:
            name = check_name(suffix)
        except MusterError:
            continue
        if name not in names:
            names.append(name)
    return tuple(names)


class Resolver:
    """Asks DNS servers.

    Args:
        nameservers: `ip`, `ip:port` or `[ip]:port`, tried in order; None takes those of the
            system.
        timeout: seconds for one question, over all servers and tries.
    """

    def __init__(self, nameservers: Sequence[str] | None = None, timeout: float = 4.0) -> None:
        self._servers = None if nameservers is None else [parse_server(one) for one in nameservers]
        self._timeout = timeout
        self._resolver: dns.resolver.Resolver | None = None

    def srv(self, name: str) -> tuple[SRV, ...]:
        """The SRV records of a name, at most 256; empty where there are none.

        Records that say "not here" (target `.`), with port 0, or with a target that is no name of
        a host are left out. A CNAME at the name is followed, and so is one at a target when its
        addresses are asked for.
        Raises: `net/dns-name`, `net/dns-timeout`, `net/dns-failed`, `net/dns-refused`,
            `net/dns-garbage`.
        """
        rrset = self._ask(check_name(name), "SRV")
        if rrset is None:
            return ()
        found: set[SRV] = set()
        for rdata in rrset:
            try:
                target = check_name(rdata.target.to_text())
            except MusterError:
                continue
            if rdata.port:
                found.add(SRV(rdata.priority, rdata.weight, rdata.port, target, rrset.ttl))
        kept = sorted(found, key=lambda one: (one.priority, one.target, one.port, one.weight))
        return tuple(kept[:MAX_RECORDS])

    def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of a host, IPv4 before IPv6, at most 16; empty where there are none.

        An address is its own answer. With DNS servers given they are asked; otherwise the
        system's resolver, so that /etc/hosts counts as it does for every other program.
        Raises: as `srv`.
        """
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            name = check_name(host)
        if self._servers is None:
            found = self._system_addresses(name)
        else:
            found = [
                rdata.address for kind in ("A", "AAAA") for rdata in self._ask(name, kind) or ()
            ]
        return tuple(dict.fromkeys(found))[:MAX_ADDRESSES]

    def zone_of(self, name: str) -> tuple[str, str]:
        """The zone that holds a name, and the primary server that its SOA record names.

        Raises: as `srv`; `net/dns-failed` when no zone is found.
        """

        at = check_name(name)
        resolver = self._ready()
        while at:
            answer = self._resolve(resolver, at, "SOA")
            if answer is not None and answer.rrset is not None:
                primary = answer.rrset[0].mname.to_text()
                return str(answer.rrset.name.to_text(omit_final_dot=True)).lower(), check_name(
                    primary
                )
            at = at.partition(".")[2]
        raise error("net/dns-failed", name=name, detail="no zone holds it")

    def _system_addresses(self, name: str) -> list[str]:
        try:
            found = bounded(
                lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM), self._timeout
            )
        except TimeoutError as fault:
            raise self._timed_out(name) from fault
        except socket.gaierror as fault:
            if fault.errno == socket.EAI_AGAIN:
                detail = "the system's resolver could not answer"
                raise error("net/dns-failed", name=name, detail=detail) from fault
            return []
        except OSError as fault:
            detail = fault.strerror or "the system's resolver failed"
            raise error("net/dns-failed", name=name, detail=detail) from fault
        ordered = sorted(found, key=lambda one: one[0] != socket.AF_INET)
        return [str(one[4][0]) for one in ordered]

    def _ask(self, name: str, kind: str) -> Any:
        answer = self._resolve(self._ready(), name, kind)
        return None if answer is None else answer.rrset

    def _ready(self) -> dns.resolver.Resolver:
        if self._resolver is None:
            import dns.nameserver
            import dns.resolver

            try:
                resolver = dns.resolver.Resolver(configure=self._servers is None)
            except dns.resolver.NoResolverConfiguration as fault:
                detail = "this machine has no DNS server configured"
                raise error("net/dns-failed", name="this machine", detail=detail) from fault
            if self._servers is not None:
                resolver.nameservers = [
                    dns.nameserver.Do53Nameserver(address, port) for address, port in self._servers
                ]
            resolver.use_search_by_default = False
            resolver.cache = None
            # As much as fits one packet everywhere; more comes by TCP.
            resolver.use_edns(0, 0, 1232)
            self._resolver = resolver
        return self._resolver

    def _resolve(
        self, resolver: dns.resolver.Resolver, name: str, kind: str
    ) -> dns.resolver.Answer | None:
        import dns.exception
        import dns.resolver

        # A single server gets several tries, a dead one among several does not use up the time.
        servers = max(1, len(resolver.nameservers))
        resolver.timeout = max(0.5, self._timeout / (servers + 1))
        try:
            return resolver.resolve(
                name + ".", kind, raise_on_no_answer=False, lifetime=self._timeout, search=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except dns.resolver.LifetimeTimeout as fault:
            raise self._classify(name, fault, timed_out=True) from fault
        except dns.resolver.NoNameservers as fault:
            raise self._classify(name, fault, timed_out=False) from fault
        except dns.resolver.YXDOMAIN as fault:
            raise error("net/dns-garbage", name=name, detail="a DNAME makes it too long") from fault
        except dns.exception.DNSException as fault:
            detail = type(fault).__name__
            raise error("net/dns-garbage", name=name, detail=detail) from fault
        except OSError as fault:
            detail = fault.strerror or type(fault).__name__
            raise error("net/dns-failed", name=name, detail=detail) from fault

    def _timed_out(self, name: str) -> MusterError:
        return error("net/dns-timeout", name=name, seconds=f"{self._timeout:g}")

    def _classify(
        self,
        name: str,
        fault: dns.resolver.LifetimeTimeout | dns.resolver.NoNameservers,
        *,
        timed_out: bool,
    ) -> MusterError:
        """Name what the servers did, the last that said something first."""
        import dns.rcode

        errors: Iterable[Any] = fault.kwargs.get("errors") or ()
        for _, _, _, cause, response in reversed(list(errors)):
            if response is not None:
                code = response.rcode()
                if code == dns.rcode.REFUSED:
                    return error("net/dns-refused", name=name)
                if code != dns.rcode.NOERROR:
                    detail = f"they answer {dns.rcode.to_text(code)}"
                    return error("net/dns-failed", name=name, detail=detail)
                return error("net/dns-garbage", name=name, detail="the answer does not fit")
            if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
                detail = cause.strerror or type(cause).__name__
                return error("net/dns-failed", name=name, detail=detail)
            if not _is_timeout(cause):
                detail = type(cause).__name__ if isinstance(cause, Exception) else str(cause)
                return error("net/dns-garbage", name=name, detail=detail)
        if timed_out:
            return self._timed_out(name)
        return error("net/dns-failed", name=name, detail="no server could be asked")


def _is_timeout(cause: object) -> bool:
    import dns.exception

    return isinstance(cause, TimeoutError | dns.exception.Timeout)


def server_text(address: str, port: int) -> str:
    """A DNS server as people write it: without the port where it is 53."""
    return address if port == 53 else peer_text(address, port)
