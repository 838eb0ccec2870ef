"""What a machine takes of trust and catalogue that somebody shows it. Pure.

Decides what of them is kept, and which marks rise. What does not follow from the caller's own
descriptor, or does not verify, raises and changes nothing. Refuses to know from whom it came: a
host, the publisher, a reply file. Obeys docs/spec/03-trust-and-catalogue.md, sections 3.3 to 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from muster.client import line
from muster.client.authority import Authority, accepts_mark, authority
from muster.client.model import CatalogueMark, Memory
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease.catalogue import accept_catalogue
from muster.lease.descriptor import Descriptor
from muster.lease.steps import advance_mark


class Held:
    """Trust and catalogue as reached from one descriptor, for one try: no walk is done twice."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._found: tuple[Memory, int, Authority] | None = None
        self._walked: tuple[tuple[str, ...], line.ChainWalk] | None = None

    def of(self, memory: Memory, now: int) -> Authority:
        """What speaks for the publisher by what is remembered."""
        known = self._found
        if known is not None and known[1] == now and _same_documents(known[0], memory):
            return known[2]
        walk = self._walked
        walked = walk[1] if walk is not None and walk[0] is memory.trust else None
        verified = authority(self._descriptor, memory, now, walked)
        self.walked(memory, verified.walked)
        self._found = (memory, now, verified)
        return verified

    def walked(self, memory: Memory, walked: line.ChainWalk) -> None:
        """Take note how far the walk over a memory's trust objects came."""
        self._walked = (memory.trust, walked)


def _same_documents(memory: Memory, other: Memory) -> bool:
    """Whether two memories give the same authority."""
    return (
        memory.trust is other.trust
        and memory.catalogue is other.catalogue
        and memory.trust_marks == other.trust_marks
        and memory.catalogue_mark == other.catalogue_mark
        and memory.clock_mark == other.clock_mark
    )


def apply_trust(
    memory: Memory, held: Authority, text: str, now: int
) -> tuple[Memory, line.ChainWalk]:
    """Follow trust by one object; the walk that came of it.

    Raises: as `muster.lease.trust.follow`.
    """
    walked = held.walked.step(text)
    # The store may hold what follows now: another descriptor of the publisher is ahead.
    walked = walked.over(line.above(memory.trust, walked.trust.version))
    mark = memory.catalogue_mark
    stood = mark is not None and accepts_mark(held.trust, mark)
    if mark is not None and stood and not accepts_mark(walked.trust, mark):
        memory = replace(memory, catalogue="", catalogue_mark=None)
    clock_mark = advance_mark(memory.clock_mark, walked.trust.iat, now)
    memory = replace(memory, clock_mark=clock_mark)
    return keep_line(memory, line.added(memory.trust, text), walked), walked


def keep_line(memory: Memory, texts: tuple[str, ...], walked: line.ChainWalk) -> Memory:
    """Keep ordered trust objects without those that no walk needs, and how far this one came."""
    prunable = walked.prunable
    if prunable:
        texts = tuple(text for text in texts if text not in prunable)
    if texts != memory.trust:
        memory = replace(memory, trust=texts)
    if walked.trust.version > walked.anchor.version:
        memory = memory.reached(line.anchor_name(walked.anchor), walked.trust.version)
    return memory


def take_catalogue(memory: Memory, held: Authority, text: str, now: int) -> Memory:
    """Take a newer catalogue.

    Raises: `catalogue/older`, and as `muster.lease.catalogue.read_catalogue`.
    """
    catalogue = accept_catalogue(held.catalogue, text, held.trust)
    mark = memory.catalogue_mark
    if mark is not None and catalogue.version < mark.version and accepts_mark(held.trust, mark):
        raise error("catalogue/older", offered=catalogue.version, held=mark.version)
    return replace(
        memory,
        catalogue=catalogue.text,
        catalogue_mark=CatalogueMark(catalogue.version, catalogue.kid, catalogue.iat),
        clock_mark=advance_mark(memory.clock_mark, catalogue.iat, now),
    )


def take_all(
    descriptor: Descriptor, memory: Memory, texts: Iterable[str], catalogue: str | None, now: int
) -> Memory:
    """Take the trust line and the catalogue of an answer or a file.

    What is known already or older is passed over: an old file is no attack.

    Raises: for what does not verify; nothing of it is kept then.
    """
    for text in texts:
        held = authority(descriptor, memory, now)
        if line.version_of(text) > held.trust.version:
            memory, _ = apply_trust(memory, held, text, now)
    if catalogue:
        try:
            memory = take_catalogue(memory, authority(descriptor, memory, now), catalogue, now)
        except MusterError as fault:
            if fault.code != "catalogue/older":
                raise
    return memory
