"""Publishes SRV records by dynamic update (RFC 2136), signed by TSIG (RFC 8945) or GSS-TSIG.

Decides which records of a name are this host's own: those with its target. It adds and deletes
only these, so that hosts which share a name leave each other alone; a record of its own with an
old priority, weight or port is replaced in the same message. A server may say that an update
succeeded and have ignored it (RFC 2136, section 3.4.2.2), so the zone is asked afterwards. It
refuses to know when to publish
(docs/spec/07-discovery.md, section 7.6).

Where updates are refused, `zone_lines` and `nsupdate_script` print what an administrator pastes.
dnspython is imported on use.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.extras import brought_by
from muster.core.values import dataclass, field
from muster.net.dns import parse_server, server_text
from muster.net.kerberos import Kerberos, send_update
from muster.net.resolvconf import check_name

if TYPE_CHECKING:
    import dns.message
    import dns.tsig

ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1")
"""TSIG algorithms that are taken; HMAC-MD5 is not."""
DEFAULT_TTL = 3600
_LOOKS = (0.0, 0.2, 0.8)
"""Seconds before each look at what an update wrote: a server that passes updates on to another
one shows them a moment later."""


def load() -> None:
    """Import what sends an update. Raises: `command/extra` where it is not installed."""
    with brought_by("host", "Publishing DNS records"):
        import dns.update  # noqa: F401


def general_name(domain: str) -> str:
    """The name under which every host of a domain publishes."""
    return check_name(f"_muster._tcp.{domain}")


def label_name(label: str, domain: str) -> str:
    """The name under which the hosts publish that serve the publisher of this label."""
    if not grammar.LABEL.fullmatch(label):
        raise error("net/dns-name", name=ascii(label)[1:-1][:80])
    return check_name(f"_{label}._sub._muster._tcp.{domain}")


@dataclass(frozen=True, slots=True)
class SRVRecord:
    """One SRV record to publish: names in any case, with or without the last dot."""

    name: str
    port: int
    target: str
    priority: int = 0
    weight: int = 0
    ttl: int = DEFAULT_TTL

    def checked(self) -> SRVRecord:
        """The record with both names in one form. Raises: `dns/record`, `net/dns-name`."""
        for what, value in (
            ("port", self.port),
            ("priority", self.priority),
            ("weight", self.weight),
        ):
            if not 0 <= value <= 65535:
                raise error(
                    "dns/record", name=self.name, detail=f"{what} {value} is not 0 to 65535"
                )
        if self.port == 0:
            raise error("dns/record", name=self.name, detail="the port is 0")
        if not 0 <= self.ttl < 2**31:
            raise error(
                "dns/record", name=self.name, detail=f"TTL {self.ttl} is not 0 to 2147483647"
            )
        return SRVRecord(
            name=check_name(self.name),
            port=self.port,
            target=check_name(self.target),
            priority=self.priority,
            weight=self.weight,
            ttl=self.ttl,
        )

    @property
    def rdata(self) -> str:
        """Priority, weight, port and target, as in a zone file."""
        return f"{self.priority} {self.weight} {self.port} {self.target}."


@dataclass(frozen=True, slots=True)
class TSIGKey:
    """A shared key of an update: its name, an algorithm of `ALGORITHMS`, the secret."""

    name: str
    algorithm: str
    secret: bytes = field(repr=False)


Signer = TSIGKey | Kerberos
"""Who signs an update."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What a server shows at a name: RDATA text and target of each SRV record, and what keeps
    others from being there, or ""."""

    records: tuple[tuple[str, str], ...]
    obstacle: str = ""

    def of(self, targets: set[str]) -> set[str]:
        """RDATA of the records with one of these targets."""
        return {rdata for rdata, target in self.records if target in targets}


@dataclass(frozen=True, slots=True)
class Published:
    """What an update changed: RDATA texts that were added and removed, by name."""

    added: Mapping[str, tuple[str, ...]]
    removed: Mapping[str, tuple[str, ...]]

    @property
    def changed(self) -> bool:
        """Whether the zone is another than before."""
        return any(self.added.values()) or any(self.removed.values())


_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|\#[^\n]*|/\*.*?\*/)|"(?P<quoted>[^"\n]*)"|(?P<mark>[{};])|(?P<word>[^\s{};"\#]+)""",
    re.DOTALL,
)


def parse_tsig_key(text: str) -> TSIGKey:
    """Read a key in the form that BIND's tools write.

    `key "name" { algorithm hmac-sha256; secret "base64"; };` with comments as in named.conf; the
    text holds exactly one key.
    Raises: `dns/key-file`; the secret is never part of the error.
    """
    tokens = list(_tokens(text))
    if len(tokens) < 4 or tokens[0] != "key" or tokens[2] != "{":
        raise error("dns/key-file", detail='it does not begin with: key "name" {')
    members: dict[str, str] = {}
    index = 3
    while index < len(tokens) and tokens[index] != "}":
        statement = tokens[index : index + 3]
        if len(statement) < 3 or statement[2] != ";" or statement[0] in members:
            raise error("dns/key-file", detail="a statement in it is not: word value;")
        members[statement[0]] = statement[1]
        index += 3
    if tokens[index : index + 2] != ["}", ";"] or len(tokens) != index + 2:
        raise error("dns/key-file", detail="it does not end with: };")
    if members.keys() != {"algorithm", "secret"}:
        raise error("dns/key-file", detail="it needs exactly algorithm and secret")
    algorithm = members["algorithm"].lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        raise error("dns/key-file", detail=f"the algorithm is none of {', '.join(ALGORITHMS)}")
    try:
        secret = base64.b64decode(members["secret"].encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise error("dns/key-file", detail="the secret is not base64") from None
    if not secret:
        raise error("dns/key-file", detail="the secret is empty")
    try:
        name = check_name(tokens[1])
    except MusterError:
        raise error("dns/key-file", detail="the name of the key is not a DNS name") from None
    return TSIGKey(name, algorithm, secret)


def _tokens(text: str) -> Iterable[str]:
    index = 0
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            raise error("dns/key-file", detail="a quotation mark or comment is not closed")
        index = match.end()
        if match["skip"] is None:
            yield match["quoted"] if match["quoted"] is not None else match[0]


class DynamicUpdate:
    """Updates one zone at its primary server.

    Args:
        server: `ip`, `ip:port` or `[ip]:port`.
        zone: the zone that holds all names.
        signer: the key that signs, or a principal whose ticket does (then nsupdate sends the
            update), or None for a server that trusts the address.
        timeout: seconds for one message.
    """

    def __init__(
        self, server: str, zone: str, signer: Signer | None = None, timeout: float = 5.0
    ) -> None:
        self._address, self._port = parse_server(server)
        self._zone = check_name(zone)
        self._tsig = signer if isinstance(signer, TSIGKey) else None
        self._kerberos = signer if isinstance(signer, Kerberos) else None
        self._timeout = timeout

    def publish(self, records: Sequence[SRVRecord]) -> Published:
        """Add the records beside those of other hosts.

        Records with the same name and target that are not among the given ones are replaced.
        Sent also when nothing changes: a refresh, so that servers which clear away stale records
        see that these are alive.
        Raises: the errors `dns/…`, of these `dns/not-written` where the zone does not show what
            the server said that it wrote; `net/dns-name`; `command/extra` without dnspython.
        """
        return self._run(records, keep=True)

    def withdraw(self, records: Sequence[SRVRecord]) -> Published:
        """Delete all records with the names and targets of the given ones, and no others.

        Raises: as `publish`.
        """
        return self._run(records, keep=False)

    def _run(self, records: Sequence[SRVRecord], *, keep: bool) -> Published:
        wanted: dict[str, list[SRVRecord]] = {}
        for record in in_zone(records, self._zone):
            wanted.setdefault(record.name, []).append(record)
        added: dict[str, tuple[str, ...]] = {}
        removed: dict[str, tuple[str, ...]] = {}
        if not wanted:
            return Published(added, removed)
        load()
        import dns.update

        message = dns.update.UpdateMessage(self._zone + ".")
        goals: dict[str, set[str]] = {}
        script: list[str] = []
        for name, group in wanted.items():
            current = self._held(name, wanted).of({record.target for record in group})
            goal = goals[name] = {record.rdata for record in group} if keep else set()
            for rdata in sorted(current - goal):
                message.delete(name + ".", "SRV", rdata)
                script.append(f"update delete {name}. IN SRV {rdata}")
            for kept in group if keep else ():
                message.add(name + ".", kept.ttl, "SRV", kept.rdata)
                script.append(f"update add {name}. {kept.ttl} IN SRV {kept.rdata}")
            added[name] = tuple(sorted(goal - current))
            removed[name] = tuple(sorted(current - goal))
        if keep or any(removed.values()):
            if self._kerberos is not None:
                head = [f"server {self._address} {self._port}", f"zone {self._zone}."]
                text = "\n".join([*head, *script, "send", ""])
                send_update(self._kerberos, text, self._server, self._zone)
            else:
                self._check(self._send(message), wanted)
            self._confirm(wanted, goals)
        return Published(added, removed)

    def _confirm(
        self, wanted: Mapping[str, Sequence[SRVRecord]], goals: Mapping[str, set[str]]
    ) -> None:
        """Ask for what was written. Raises: `dns/not-written` with each difference."""
        for pause in _LOOKS:
            if pause:
                time.sleep(pause)
            differences: list[str] = []
            obstructed = False
            for name, group in wanted.items():
                held = self._held(name, wanted)
                current, goal = held.of({record.target for record in group}), goals[name]
                reason = f" ({held.obstacle})" if held.obstacle else ""
                differences += [
                    f"{name} SRV {rdata} is missing{reason}" for rdata in sorted(goal - current)
                ]
                differences += [
                    f"{name} SRV {rdata} is still there" for rdata in sorted(current - goal)
                ]
                obstructed = obstructed or bool(held.obstacle and goal - current)
            if not differences:
                return
            if obstructed:
                break
        detail = "; ".join(differences)
        raise error("dns/not-written", server=self._server, zone=self._zone, detail=detail)

    def _held(self, name: str, owners: Iterable[str]) -> _Held:
        """What is at a name, by the primary itself; `owners` are all names of the update."""
        import dns.message
        import dns.name
        import dns.rcode
        import dns.rdatatype

        answer = self._send(dns.message.make_query(name + ".", "SRV"))
        if answer.rcode() == dns.rcode.REFUSED:
            self._ask_why(owners)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            self._check(answer, owners)
        owner = dns.name.from_text(name + ".")
        current: list[tuple[str, str]] = []
        obstacle = ""
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.SRV and rrset.name == owner:
                for rdata in rrset:
                    target = rdata.target.to_text().lower()
                    text = f"{rdata.priority} {rdata.weight} {rdata.port} {target}"
                    current.append((text, target.removesuffix(".")))
            elif rrset.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.DNAME) and not obstacle:
                kind = dns.rdatatype.to_text(rrset.rdtype)
                obstacle = f"{_plain(rrset.name)} is a {kind} to {_plain(rrset[0].target)}"
        for rrset in () if answer.answer else answer.authority:
            apex = dns.name.from_text(self._zone + ".")
            if rrset.rdtype == dns.rdatatype.NS and rrset.name != apex:
                obstacle = f"{_plain(rrset.name)} is delegated to {_plain(rrset[0].target)}"
        return _Held(tuple(current), obstacle)

    def _ask_why(self, owners: Iterable[str]) -> None:
        """Tell a server that refuses questions from one that is not in charge of the zone.

        An update without changes is answered as one with changes would be.
        """
        import dns.update

        self._check(self._send(dns.update.UpdateMessage(self._zone + ".")), owners)
        detail = "it takes updates, but does not show the records"
        raise error("dns/failed", server=self._server, zone=self._zone, detail=detail)

    def _send(self, message: dns.message.Message) -> Any:
        import dns.exception
        import dns.message
        import dns.query
        import dns.tsig

        if self._tsig is not None:
            message.use_tsig(
                dns.tsig.Key(self._tsig.name + ".", self._tsig.secret, self._tsig.algorithm + ".")
            )
        key = self._tsig.name if self._tsig is not None else "none"
        try:
            return dns.query.tcp(message, self._address, self._timeout, port=self._port)
        except dns.tsig.PeerBadKey as fault:
            raise error("dns/badkey", server=self._server, key=key) from fault
        except dns.tsig.PeerBadTime as fault:
            raise error("dns/badtime", server=self._server) from fault
        except dns.tsig.BadTime as fault:
            raise error("dns/badtime", server=self._server) from fault
        except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadAlgorithm) as fault:
            raise error("dns/badsig", server=self._server, key=key) from fault
        except (dns.tsig.BadKey, dns.message.UnknownTSIGKey) as fault:
            raise error("dns/unsigned", server=self._server, key=key) from fault
        except (TimeoutError, dns.exception.Timeout) as fault:
            raise error("dns/timeout", server=self._server, seconds=f"{self._timeout:g}") from fault
        except EOFError as fault:
            raise error(
                "dns/garbage", server=self._server, detail="it closed the connection"
            ) from fault
        except OSError as fault:
            detail = fault.strerror or type(fault).__name__
            raise error("dns/unreachable", server=self._server, detail=detail) from fault
        except dns.exception.FormError as fault:
            if self._tsig is not None and "TSIG" in str(fault):
                raise error("dns/unsigned", server=self._server, key=key) from fault
            raise error("dns/garbage", server=self._server, detail=type(fault).__name__) from fault
        except (dns.exception.DNSException, ValueError) as fault:
            raise error("dns/garbage", server=self._server, detail=type(fault).__name__) from fault

    def _check(self, answer: Any, owners: Iterable[str]) -> None:
        """Raise what an answer says; `owners` are the names that the update changes."""
        import dns.rcode

        match answer.rcode():
            case dns.rcode.NOERROR:
                return
            case dns.rcode.REFUSED:
                raise error(
                    "dns/refused",
                    server=self._server,
                    zone=self._zone,
                    signer="this machine" if self._tsig is None else f"the key {self._tsig.name}",
                    names=", ".join(f"{owner} SRV" for owner in owners),
                )
            case dns.rcode.NOTAUTH | dns.rcode.NOTZONE:
                raise error("dns/notauth", server=self._server, zone=self._zone)
            case code:
                detail = f"it answers {dns.rcode.to_text(code)}"
                raise error("dns/failed", server=self._server, zone=self._zone, detail=detail)

    @property
    def _server(self) -> str:
        return server_text(self._address, self._port)


def _plain(name: Any) -> str:
    """A name as it is written here: without the last dot."""
    return str(name.to_text()).removesuffix(".")


def in_zone(records: Iterable[SRVRecord], zone: str) -> list[SRVRecord]:
    """The records, checked, with names below the zone. Raises: `dns/zone`, as `checked`."""
    apex = check_name(zone)
    checked = []
    for record in records:
        checked_record = record.checked()
        if not checked_record.name.endswith("." + apex):
            raise error("dns/zone", name=checked_record.name, zone=apex)
        checked.append(checked_record)
    return checked


def zone_lines(records: Iterable[SRVRecord]) -> str:
    """The records as lines of a zone file, with whole names."""
    lines = [
        f"{record.name}. {record.ttl} IN SRV {record.rdata}\n"
        for record in map(SRVRecord.checked, records)
    ]
    return "".join(lines)


def nsupdate_script(
    records: Iterable[SRVRecord], zone: str, server: str | None = None, *, withdraw: bool = False
) -> str:
    """What `nsupdate` (with `-k` and a key file) reads to publish or withdraw the records.

    Args:
        records: as for `DynamicUpdate`.
        zone: the zone that holds their names.
        server: the primary, or None to let nsupdate find it.
        withdraw: delete instead of add.
    """
    lines = []
    if server is not None:
        address, port = parse_server(server)
        lines.append(f"server {address} {port}")
    lines.append(f"zone {check_name(zone)}.")
    for record in in_zone(records, zone):
        if withdraw:
            lines.append(f"update delete {record.name}. IN SRV {record.rdata}")
        else:
            lines.append(f"update add {record.name}. {record.ttl} IN SRV {record.rdata}")
    lines += ["send", "answer", ""]
    return "\n".join(lines)
