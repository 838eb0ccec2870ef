"""In which order a machine tries hosts. Pure: records and dice come in, an order goes out.

Decides the names that are asked, and the order of what DNS said: the last good host, then records
of the publisher's own label in RFC 2782 order, then those that are only in the general set.
Refuses to know how DNS is asked and how a host answers. Zones are unsigned and may be hostile:
the number of hosts tried is bounded, each is tried once, and nothing in a record is more than the
name of a host to ask. Obeys docs/spec/07-discovery.md.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence

from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.settings import split_host_port
from muster.core.values import dataclass, field
from muster.wire.routes import HOST_PORT

SERVICE = "_muster._tcp"
MAX_CANDIDATES = 16
"""Hosts that one attempt tries at most."""
MAX_SUFFIXES = 32
"""DNS suffixes that one attempt asks at most."""
DNS_SECONDS = 20.0
"""Seconds of one attempt that DNS may take."""
TRY_SECONDS = 60.0
"""Seconds after which an attempt asks no further host."""
PATIENCE = 5.0
"""Seconds for one exchange while other hosts wait for their turn."""
_SHOWN = 8
"""SRVNames that an error lists at most."""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a host listens: a name or IP address, in lower case, and a port.

    `tls` is how it is asked and no part of where it is: None as the settings say; else over TLS,
    with these certificates of authorities in DER trusted besides.
    """

    host: str
    port: int
    tls: tuple[bytes, ...] | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return self.text


def parse_address(text: str, port: int = HOST_PORT) -> Address:
    """Read a name, `name:port`, an IPv4 address with or without port, or `[IPv6]:port`.

    Args:
        text: as typed.
        port: where none is given.
    Raises: `settings/host`.
    """
    return Address(*split_host_port(text.strip(" \t\r\n"), port))


@dataclass(frozen=True, slots=True)
class Record:
    """What an SRV record says."""

    priority: int
    weight: int
    port: int
    target: str

    @property
    def address(self) -> Address:
        """The host that the record names."""
        return Address(self.target.lower().removesuffix("."), self.port)


class Source(enum.Enum):
    """How a machine came by a host."""

    SET = "set"
    """An administrator named it; discovery is off."""
    SITE = "site"
    """A site file names it."""
    LAST = "last"
    """It answered last time."""
    LABEL = "label"
    """Records of the publisher's own label."""
    GENERAL = "general"
    """Records of any Muster host."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host to try. `domain` is the suffix under which it was found, "" where none was asked;
    `file` the site file that names it, "" where none does."""

    address: Address
    source: Source
    domain: str = ""
    priority: int = 0
    weight: int = 0
    file: str = ""


@dataclass(frozen=True, slots=True)
class SRVNames:
    """The two names that are asked under one suffix."""

    domain: str
    label: str
    general: str


def names(label: str, domain: str) -> SRVNames:
    """The names of a publisher's label and of all hosts under one suffix.

    Source: docs/spec/07-discovery.md, section 7.1.
    """
    domain = domain.lower().strip(".")
    return SRVNames(domain, f"_{label}._sub.{SERVICE}.{domain}", f"{SERVICE}.{domain}")


@dataclass(frozen=True, slots=True)
class SRVAnswer:
    """What DNS said under one suffix: the records of the label and of the general name."""

    domain: str
    label: tuple[Record, ...]
    general: tuple[Record, ...]


def rfc2782(records: Iterable[Record], dice: Dice) -> tuple[Record, ...]:
    """Order records: lowest priority first, within one by draws that follow the weights.

    Records of weight 0 are at the front of each draw, so that they are seldom drawn while
    others are there; among themselves and where all weights are 0 chance decides.
    Source: RFC 2782, "Weight"; docs/spec/07-discovery.md, section 7.3.
    """
    groups: dict[int, list[Record]] = {}
    for record in records:
        groups.setdefault(record.priority, []).append(record)
    ordered: list[Record] = []
    for priority in sorted(groups):
        left = _shuffled(groups[priority], dice)
        left.sort(key=lambda record: record.weight > 0)
        while left:
            ordered.append(left.pop(_draw(left, dice)))
    return tuple(ordered)


def _draw(records: Sequence[Record], dice: Dice) -> int:
    """The place of the first record whose running sum of weights reaches a random number."""
    drawn = dice.below(sum(record.weight for record in records) + 1)
    running = 0
    for index, record in enumerate(records):
        running += record.weight
        if running >= drawn:
            return index
    raise AssertionError("the running sum ends at the largest number that can be drawn")


def _shuffled(records: Sequence[Record], dice: Dice) -> list[Record]:
    left = list(records)
    for last in range(len(left) - 1, 0, -1):
        other = dice.below(last + 1)
        left[last], left[other] = left[other], left[last]
    return left


def order(
    answers: Sequence[SRVAnswer],
    dice: Dice,
    *,
    passed: Collection[Address] = (),
    doubted: Collection[Address] = (),
    limit: int = MAX_CANDIDATES,
) -> tuple[Candidate, ...]:
    """All hosts that DNS named, in the order in which they are tried.

    Args:
        answers: one entry for each suffix, best suffix first.
        dice: decides within one priority.
        passed: hosts that are left out: tried already, or set aside.
        doubted: hosts that stand behind all others.
        limit: the most that come out.
    Returns:
        Each host once: first those of the label, suffix by suffix, then those that are in the
        general sets only.
    Source: docs/spec/07-discovery.md, section 7.3.
    """
    seen = set(passed)
    candidates: list[Candidate] = []
    behind: list[Candidate] = []
    for source in (Source.LABEL, Source.GENERAL):
        for answer in answers:
            records = answer.label if source is Source.LABEL else answer.general
            for record in rfc2782(records, dice):
                if len(candidates) == limit:
                    return tuple(candidates)
                address = record.address
                if address in seen or not address.host or not 0 < address.port < 65536:
                    continue
                seen.add(address)
                index = behind if address in doubted else candidates
                index.append(
                    Candidate(address, source, answer.domain, record.priority, record.weight)
                )
    return (*candidates, *behind)[:limit]


def suffixes(chosen: Sequence[str], system: Sequence[str]) -> tuple[str, ...]:
    """The suffixes that are asked: the chosen ones, else the system's; each once, bounded.

    Args:
        chosen: of the settings (`set-domain`); where there are any, no other is asked.
        system: this machine's own domain and the resolver's search list, best first.
    Source: docs/spec/07-discovery.md, section 7.2.
    """
    return _listed(chosen, system)[:MAX_SUFFIXES]


def left_out(chosen: Sequence[str], system: Sequence[str]) -> tuple[str, ...]:
    """The suffixes beyond the bound of `suffixes`, which are told and not asked."""
    return _listed(chosen, system)[MAX_SUFFIXES:]


def _listed(chosen: Sequence[str], system: Sequence[str]) -> tuple[str, ...]:
    listed = [domain.lower().strip(".") for domain in (chosen or system)]
    return tuple(dict.fromkeys(domain for domain in listed if domain))


def not_asked(unasked: Sequence[str]) -> MusterError:
    """The error that tells which suffixes or names were not asked."""
    listed = ", ".join(unasked[:_SHOWN]) + (", …" if len(unasked) > _SHOWN else "")
    return error(
        "client/names-not-asked",
        number=len(unasked),
        names=listed,
        suffixes=MAX_SUFFIXES,
        seconds=f"{DNS_SECONDS:g}",
    )


def turn(left: float, waiting: int) -> tuple[float, float]:
    """Seconds for one host: its turn with everything, and one exchange of it.

    Args:
        left: seconds that are left of the attempt.
        waiting: hosts that are asked after this one.
    Source: docs/spec/07-discovery.md, section 7.4.
    """
    share = left / (waiting + 1)
    return share, min(share, PATIENCE) if waiting else share
