"""Which hosts the site files of a machine name for one publisher, and in which order. Pure.

Decides which parts of files count, by the publisher's own trust, and what is told of those that do
not. Refuses to know how files are read and who may write them (`muster.client.site_folder`), and
what settings say (`muster.client.hosts`). Obeys docs/spec/15-site-files.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from muster.client.discovery import MAX_CANDIDATES, Address, Candidate, Record, Source, rfc2782
from muster.core.catalogue import error
from muster.core.clock import Dice
from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease.catalogue import Catalogue
from muster.lease.site import SitePart, VerifiedSite, verify_site
from muster.lease.trust import Trust

_FOREIGN = ("licence/grant", "licence/signer")


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A file of the folder as it was read: its parts, or why it cannot be read."""

    path: str
    parts: tuple[SitePart, ...] = ()
    fault: MusterError | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """What one file says for the publisher, verified; `until` Unix seconds."""

    path: str
    hosts: tuple[tuple[Record, Address], ...]
    suffixes: tuple[str, ...]
    until: int


@dataclass(frozen=True, slots=True)
class Judged:
    """The sites that count, in the order of their files, and why others do not."""

    sites: tuple[Site, ...]
    faults: tuple[MusterError, ...]


def judge(files: Iterable[SiteFile], trust: Trust, catalogue: Catalogue | None, now: int) -> Judged:
    """What files say for the publisher of `trust`. What is wrong with a file is told, never raised.

    Args:
        files: in the order of their names.
        trust: walked from the caller's own descriptor.
        catalogue: the newest verified one, or None.
        now: the later of the local clock and the clock mark.
    """
    sites: list[Site] = []
    faults: list[MusterError] = []
    for file in files:
        if file.fault is not None:
            faults.append(file.fault)
        for part in file.parts:
            if part.publisher != trust.issuer:
                continue
            try:
                sites.append(_site(file.path, verify_site(part, trust, catalogue, now)))
            except MusterError as fault:
                faults.append(told(file.path, fault))
    return Judged(tuple(sites), tuple(faults))


def _site(path: str, verified: VerifiedSite) -> Site:
    claims = verified.claims
    hosts = []
    for host in claims.hosts:
        tls = claims.authorities if host.tls else None
        address = Address(host.host, host.port, tls)
        hosts.append((Record(host.priority, host.weight, host.port, host.host), address))
    return Site(path, tuple(hosts), claims.suffixes, claims.exp)


def told(path: str, fault: MusterError) -> MusterError:
    """The error about a file that a refused step is (section 15.4)."""
    detail = fault.what.rstrip(".")
    if fault.code == "licence/version":
        return error("client/site-newer", path=path)
    if fault.code == "licence/expired":
        return error("client/site-expired", path=path, expires=fault.params["expires"])
    if fault.code == "licence/revoked":
        return error("client/site-revoked", path=path, at=fault.params["at"])
    if fault.code in _FOREIGN:
        return error("client/site-foreign", path=path, detail=detail)
    return error("client/site-damaged", path=path, detail=detail)


def suffixes_of(sites: Iterable[Site]) -> tuple[str, ...]:
    """The DNS suffixes that files name, file by file, each once."""
    return tuple(dict.fromkeys(suffix for site in sites for suffix in site.suffixes))


def named(sites: Iterable[Site]) -> dict[Address, tuple[Address, str]]:
    """The hosts that files name, with how they are asked and by which file: the first counts."""
    found: dict[Address, tuple[Address, str]] = {}
    for site in sites:
        for _, address in site.hosts:
            found.setdefault(address, (address, site.path))
    return found


def order(
    sites: Sequence[Site],
    dice: Dice,
    *,
    passed: Collection[Address] = (),
    doubted: Collection[Address] = (),
    first: Address | None = None,
) -> list[Candidate]:
    """The hosts of all files in the order in which they are tried, each once, at most 16.

    Args:
        sites: in the order of their files.
        dice: decides within one priority.
        passed: hosts that are left out.
        doubted: hosts that stand behind all others.
        first: the last good host, or None; it is asked first where it is named and not doubted.
    Source: docs/spec/15-site-files.md, section 15.5.
    """
    seen = set(passed)
    front: list[Candidate] = []
    behind: list[Candidate] = []
    for site in sites:
        addresses = {(record.target, record.port): address for record, address in site.hosts}
        for record in rfc2782((record for record, _ in site.hosts), dice):
            address = addresses[record.target, record.port]
            if address in seen:
                continue
            seen.add(address)
            queue = behind if address in doubted else front
            queue.append(
                Candidate(address, Source.SITE, "", record.priority, record.weight, file=site.path)
            )
    if first is not None:
        front.sort(key=lambda candidate: candidate.address != first)
    return [*front, *behind][:MAX_CANDIDATES]
