"""A small, real DNS server: one zone in memory, UDP and TCP, signed dynamic updates.

For tests and for the demo on a machine without BIND. It answers as an authoritative server does
(RFC 1035, 2308), takes updates (RFC 2136) signed by TSIG (RFC 8945), and misbehaves when told:
`trouble` makes it fail, refuse, keep silent or send rubbish. Its sockets are bound when the
object is made, so that nobody has to wait for it.

```
with NanoDNS("example.test") as dns:
    dns.add("_muster._tcp.example.test", "SRV", "0 10 16880 host.example.test.")
    Resolver([dns.server]).srv("_muster._tcp.example.test")
```
"""

from __future__ import annotations

import contextlib
import enum
import secrets
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig
import dns.update

from muster.core.values import dataclass
from muster.net.dnsupdate import TSIGKey

_UDP_SIZE = 1232
_TCP_SECONDS = 5.0
_CNAME_STEPS = 8


class Trouble(enum.Enum):
    """How the server misbehaves."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    NOTAUTH = "notauth"
    SILENCE = "silence"
    GARBAGE = "garbage"
    """Bytes that are no DNS message."""
    WRONG_ID = "wrong-id"
    """An answer to another question; over UDP a resolver must not take it."""
    HANG_UP = "hang-up"
    """TCP connections are closed without an answer; UDP is silent."""
    UNSIGNED = "unsigned"
    """A signed message is answered without a signature."""
    FORGETS = "forgets"
    """Updates are answered as done, and are not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One message that arrived: `kind` is a record type, or `UPDATE`; `over` is udp or tcp."""

    name: str
    kind: str
    over: str


class _RefusedError(Exception):
    def __init__(self, rcode: dns.rcode.Rcode) -> None:
        super().__init__(dns.rcode.to_text(rcode))
        self.rcode = rcode


class _HangUpError(OSError):
    """The connection is to be closed; over UDP nothing is sent."""


_Key = tuple[dns.name.Name, dns.rdatatype.RdataType]
_Set = dict[dns.rdata.Rdata, int]


class NanoDNS:
    """One zone and its server.

    Args:
        origin: name of the zone.
        address: where to listen.
        port: 0 takes a free one, the same for UDP and TCP.
        keys: whoever signs with one of them may update the zone.
        open_updates: take unsigned updates too.
        skew: seconds that the server's clock is ahead, for tests of signatures in time.
    """

    def __init__(
        self,
        origin: str = "example.test",
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        keys: Sequence[TSIGKey] = (),
        open_updates: bool = False,
        skew: int = 0,
    ) -> None:
        self._origin = dns.name.from_text(origin)
        self._keys = {
            dns.name.from_text(key.name): dns.tsig.Key(
                dns.name.from_text(key.name), key.secret, dns.name.from_text(key.algorithm)
            )
            for key in keys
        }
        self._open_updates = open_updates
        self._skew = skew
        self._sets: dict[_Key, _Set] = {}
        self._lock = threading.RLock()
        self._troubles: dict[dns.name.Name | None, Trouble] = {}
        self.asked: list[Asked] = []
        self._udp, self._tcp = bind_both(address, port)
        self.address = address
        self.port = int(self._udp.getsockname()[1])
        self.server = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="nanodns", daemon=True)
        nameserver = f"ns.{origin.removesuffix('.')}."
        self.add(origin, "SOA", f"{nameserver} admin.{origin.removesuffix('.')}. 1 60 60 600 5")
        self.add(origin, "NS", nameserver)
        self.add(nameserver, "AAAA" if ":" in address else "A", address)

    def start(self) -> NanoDNS:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering and free the port."""
        with contextlib.suppress(OSError):
            self._waker.send(b"x")
        if self._thread.is_alive():
            self._thread.join(10)
        for sock in (self._udp, self._tcp, self._wake, self._waker):
            sock.close()

    def __enter__(self) -> NanoDNS:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def add(self, name: str, kind: str, rdata: str, ttl: int = 60) -> None:
        """Add a record, written as in a zone file; names end with a dot."""
        with self._lock:
            self._insert(
                dns.name.from_text(name),
                dns.rdata.from_text("IN", kind, rdata, origin=self._origin, relativize=False),
                ttl,
            )

    def remove(self, name: str, kind: str | None = None) -> None:
        """Remove the records of a name, of one type or of all."""
        owner = dns.name.from_text(name)
        with self._lock:
            for key in [key for key in self._sets if key[0] == owner]:
                if kind is None or key[1] == dns.rdatatype.from_text(kind):
                    del self._sets[key]

    def records(self, name: str, kind: str) -> list[str]:
        """The records of a name as texts, sorted."""
        key = (dns.name.from_text(name), dns.rdatatype.from_text(kind))
        with self._lock:
            return sorted(rdata.to_text() for rdata in self._sets.get(key, {}))

    def trouble(self, trouble: Trouble | None, name: str | None = None) -> None:
        """Misbehave for one name, or for all; None ends it."""
        key = None if name is None else dns.name.from_text(name)
        with self._lock:
            if trouble is None:
                self._troubles.pop(key, None)
            else:
                self._troubles[key] = trouble

    # From here on the server itself.

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._udp, self._tcp, self._wake], [], [])
            if self._wake in ready:
                return
            if self._udp in ready:
                with contextlib.suppress(OSError):
                    wire, peer = self._udp.recvfrom(65535)
                    answer = self._answer(wire, "udp")
                    if answer is not None:
                        self._udp.sendto(answer, peer)
            if self._tcp in ready:
                with contextlib.suppress(OSError):
                    link, _ = self._tcp.accept()
                    threading.Thread(target=self._serve_tcp, args=(link,), daemon=True).start()

    def _serve_tcp(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError, struct.error):
            link.settimeout(_TCP_SECONDS)
            while True:
                head = _exactly(link, 2)
                if head is None:
                    return
                (size,) = struct.unpack("!H", head)
                wire = _exactly(link, size)
                if wire is None:
                    return
                answer = self._answer(wire, "tcp")
                if answer is None:
                    continue
                link.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire: bytes, over: str) -> bytes | None:
        try:
            query = dns.message.from_wire(wire, keyring=dict(self._keys))
        except (dns.message.UnknownTSIGKey, dns.tsig.BadKey):
            return _tsig_refusal(wire, dns.rcode.BADKEY)
        except (dns.tsig.BadSignature, dns.tsig.BadAlgorithm):
            return _tsig_refusal(wire, dns.rcode.BADSIG)
        except dns.tsig.BadTime:
            return _tsig_refusal(wire, dns.rcode.BADTIME)
        except dns.exception.DNSException:
            return _plain_refusal(wire, dns.rcode.FORMERR)
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        if self._skew and query.had_tsig:
            # The signature was in time by this machine's clock, not by the server's.
            return _tsig_refusal(wire, dns.rcode.BADTIME)
        name, kind = query.question[0].name, query.question[0].rdtype
        is_update = query.opcode() == dns.opcode.UPDATE
        shown = "UPDATE" if is_update else dns.rdatatype.to_text(kind)
        with self._lock:
            self.asked.append(Asked(name.to_text(omit_final_dot=True).lower(), shown, over))
            trouble = self._troubles.get(name) or self._troubles.get(None)
        if trouble is Trouble.SILENCE:
            return None
        if trouble is Trouble.HANG_UP:
            raise _HangUpError
        if trouble is Trouble.GARBAGE:
            return secrets.token_bytes(40)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        try:
            if trouble in _RCODES:
                raise _RefusedError(_RCODES[trouble])
            with self._lock:
                if is_update and trouble is not Trouble.FORGETS:
                    self._update(query)
                elif is_update:
                    pass
                else:
                    self._fill(response, name, kind)
        except _RefusedError as refused:
            response.set_rcode(refused.rcode)
        if trouble is Trouble.WRONG_ID:
            response.id ^= 0xFFFF
        if trouble is Trouble.UNSIGNED:
            response.tsig = None
        limit = 65535
        if over == "udp":
            limit = min(query.payload, _UDP_SIZE) if query.edns >= 0 else 512
        return response.to_wire(max_size=limit, prefer_truncation=True)

    def _fill(
        self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> None:
        if not name.is_subdomain(self._origin):
            response.flags &= ~dns.flags.AA
            raise _RefusedError(dns.rcode.REFUSED)
        at = name
        for _ in range(_CNAME_STEPS):
            rdatas = self._sets.get((at, kind))
            if rdatas:
                response.answer.append(_rrset(at, kind, rdatas))
                return
            alias = self._sets.get((at, dns.rdatatype.CNAME))
            if not alias or kind == dns.rdatatype.CNAME:
                break
            response.answer.append(_rrset(at, dns.rdatatype.CNAME, alias))
            at = next(iter(alias)).target  # type: ignore[attr-defined]  # a CNAME has one
            if not at.is_subdomain(self._origin):
                return
        if not any(owner.is_subdomain(at) for owner, _ in self._sets):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = self._sets.get((self._origin, dns.rdatatype.SOA))
        if soa:
            response.authority.append(_rrset(self._origin, dns.rdatatype.SOA, soa))

    def _update(self, query: Any) -> None:
        """Do an update as a whole or not at all (RFC 2136, section 3)."""
        if query.question[0].name != self._origin:
            raise _RefusedError(dns.rcode.NOTAUTH)
        if not self._open_updates and not query.had_tsig:
            raise _RefusedError(dns.rcode.REFUSED)
        for rrset in query.prerequisite:
            self._check(rrset)
        for rrset in query.update:
            if not rrset.name.is_subdomain(self._origin):
                raise _RefusedError(dns.rcode.NOTZONE)
        for rrset in query.update:
            self._apply(rrset)
        self._raise_serial()

    def _check(self, rrset: dns.rrset.RRset) -> None:
        owner, kind = rrset.name, rrset.rdtype
        present = bool(self._sets.get((owner, kind)))
        if kind == dns.rdatatype.ANY:
            present = any(key[0] == owner for key in self._sets)
        deleting = rrset.deleting
        missing = dns.rcode.NXDOMAIN if kind == dns.rdatatype.ANY else dns.rcode.NXRRSET
        there = dns.rcode.YXDOMAIN if kind == dns.rdatatype.ANY else dns.rcode.YXRRSET
        if deleting == dns.rdataclass.NONE and present:
            raise _RefusedError(there)
        if deleting == dns.rdataclass.ANY and not present:
            raise _RefusedError(missing)
        if deleting is None and set(rrset) != set(self._sets.get((owner, kind), {})):
            raise _RefusedError(dns.rcode.NXRRSET)

    def _apply(self, rrset: dns.rrset.RRset) -> None:
        owner, kind = rrset.name, rrset.rdtype
        if rrset.deleting is None:
            for rdata in rrset:
                self._insert(owner, rdata, rrset.ttl)
        elif rrset.deleting == dns.rdataclass.ANY:
            for key in [key for key in self._sets if key[0] == owner]:
                kept = owner == self._origin and key[1] in (dns.rdatatype.SOA, dns.rdatatype.NS)
                if kind in (dns.rdatatype.ANY, key[1]) and not kept:
                    del self._sets[key]
        else:
            rdatas = self._sets.get((owner, kind), {})
            for rdata in rrset:
                rdatas.pop(rdata, None)
            if not rdatas:
                self._sets.pop((owner, kind), None)

    def _insert(self, owner: dns.name.Name, rdata: dns.rdata.Rdata, ttl: int) -> None:
        rdatas = self._sets.setdefault((owner, rdata.rdtype), {})
        if rdata.rdtype in (dns.rdatatype.SOA, dns.rdatatype.CNAME):
            rdatas.clear()
        # The records of one set have one TTL (RFC 2181); the newest one counts.
        if next(iter(rdatas.values()), ttl) != ttl:
            for other in rdatas:
                rdatas[other] = ttl
        rdatas[rdata] = ttl

    def _raise_serial(self) -> None:
        soa = self._sets.get((self._origin, dns.rdatatype.SOA))
        if soa:
            (old, ttl) = next(iter(soa.items()))
            soa.clear()
            soa[old.replace(serial=(old.serial + 1) & 0xFFFFFFFF)] = ttl  # type: ignore[attr-defined]  # a SOA has one


_RCODES: dict[Trouble | None, dns.rcode.Rcode] = {
    Trouble.SERVFAIL: dns.rcode.SERVFAIL,
    Trouble.REFUSED: dns.rcode.REFUSED,
    Trouble.NOTAUTH: dns.rcode.NOTAUTH,
}


def _rrset(
    name: dns.name.Name, kind: dns.rdatatype.RdataType, rdatas: Iterable[dns.rdata.Rdata]
) -> dns.rrset.RRset:
    ttl = next(iter(rdatas.values())) if isinstance(rdatas, dict) else 0
    rrset = dns.rrset.RRset(name, dns.rdataclass.IN, kind)
    rrset.update_ttl(ttl)
    for rdata in rdatas:
        rrset.add(rdata, ttl)
    return rrset


def _plain_refusal(wire: bytes, rcode: dns.rcode.Rcode) -> bytes | None:
    if len(wire) < 12:
        return None
    (number, flags) = struct.unpack("!HH", wire[:4])
    if flags & dns.flags.QR:
        return None
    response = dns.message.Message(id=number)
    response.flags = dns.flags.QR | (flags & 0x7800)
    response.set_rcode(rcode)
    return response.to_wire()


def _tsig_refusal(wire: bytes, code: dns.rcode.Rcode) -> bytes | None:
    """NOTAUTH with the error inside an unsigned TSIG record (RFC 8945, section 5.3.2)."""
    plain = _plain_refusal(wire, dns.rcode.NOTAUTH)
    if plain is None:
        return None
    # Read again without judging the signature, for the names in it.
    asked = dns.message.from_wire(wire, keyring=False, continue_on_error=True)
    response = dns.message.from_wire(plain)
    response.question = list(asked.question)
    if asked.tsig is not None:
        given = asked.tsig[0]
        refusal = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]  # dnspython's
            dns.rdataclass.ANY,
            dns.rdatatype.TSIG,
            given.algorithm,
            int(time.time()),
            300,
            b"",
            asked.id,
            code,
            b"" if code != dns.rcode.BADTIME else int(time.time()).to_bytes(6, "big"),
        )
        response.tsig = dns.rrset.from_rdata(asked.tsig.name, 0, refusal)
    return response.to_wire()


def _exactly(link: socket.socket, size: int) -> bytes | None:
    pieces = b""
    while len(pieces) < size:
        piece = link.recv(size - len(pieces))
        if not piece:
            return None
        pieces += piece
    return pieces


def bind_both(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a listening TCP socket at the same port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(64):
        tcp = socket.socket(family, socket.SOCK_STREAM)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((address, port))
            tcp.listen(64)
            udp.bind((address, tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            udp.close()
            if port:
                raise
        else:
            return udp, tcp
    raise OSError("no port is free for UDP and TCP")
