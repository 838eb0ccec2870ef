"""What speaks for a publisher on this machine, trust and catalogue, and what is taken of newer
ones. Pure.

Decides how far a descriptor's trust is followed over what the store holds, when that is older than
what was seen before, what of an offered trust object or catalogue is kept, and which marks rise.
What does not follow from the caller's own descriptor, or does not verify, raises and changes
nothing. Refuses to know products and licences (`muster.client.judge`), and from whom an offer came:
a host, the publisher, a reply file. Obeys docs/spec/03-trust-and-catalogue.md, sections 3.3 to 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable

from muster.client import trust_chain
from muster.client.model import CatalogueMark, Memory
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import day_of
from muster.core.values import dataclass, replace
from muster.lease.catalogue import Catalogue, accept_catalogue, read_catalogue
from muster.lease.descriptor import Descriptor
from muster.lease.steps import advance_mark
from muster.lease.trust import CATALOGUE_ROLE, MAX_DAY, Trust


@dataclass(frozen=True, slots=True)
class Authority:
    """What speaks for a publisher, as reached from one descriptor.

    `fault` tells that something older than remembered was put back; then nothing is licensed.
    `chain_walk` is the way to `trust`.
    """

    trust: Trust
    catalogue: Catalogue | None
    clock_mark: int
    fault: MusterError | None
    chain_walk: trust_chain.ChainWalk


def authority(
    descriptor: Descriptor,
    memory: Memory | None,
    now: int,
    chain_walk: trust_chain.ChainWalk | None = None,
    read: Catalogue | None = None,
) -> Authority:
    """Walk from a descriptor over what the store holds.

    What does not verify from the descriptor is ignored, its marks included.
    Args:
        chain_walk: the walk from this descriptor over this store, where the caller has it.
        read: a catalogue that was verified under the trust of that walk, where there is one.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.4.
    """
    anchor = descriptor.trust
    if memory is None or memory.publisher != descriptor.publisher:
        mark = advance_mark(0, anchor.iat, now)
        return Authority(anchor, None, mark, None, trust_chain.ChainWalk(anchor, anchor))
    if chain_walk is None:
        chain_walk = trust_chain.walk(anchor, memory.trust)
    trust = chain_walk.trust
    same = read is not None and read.text == memory.catalogue
    catalogue = read if same else _catalogue(memory, trust)
    mark = advance_mark(memory.clock_mark, trust.iat, now)
    if catalogue is not None:
        mark = advance_mark(mark, catalogue.iat, now)
    return Authority(trust, catalogue, mark, _put_back(memory, chain_walk, catalogue), chain_walk)


def mark_for_answers(descriptor: Descriptor, held: Authority) -> int:
    """The clock mark by which the answer to a request of this moment is judged where the clock is
    more than `SKEW` behind the mark.

    Such a clock was turned back, or was once ahead. What a host signs in
    answer to a nonce of this moment is later than all that raised the mark, and its date must be
    that of the clock: so only what the publisher itself dated bounds it from below.
    Source: docs/spec/05-verification.md, section 5.5.
    """
    signed = 0 if held.catalogue is None else held.catalogue.iat
    return min(held.clock_mark, max(descriptor.trust.iat, signed))


def _catalogue(memory: Memory, trust: Trust) -> Catalogue | None:
    if not memory.catalogue:
        return None
    try:
        return read_catalogue(memory.catalogue, trust)
    except MusterError:
        return None


def _put_back(
    memory: Memory, chain_walk: trust_chain.ChainWalk, catalogue: Catalogue | None
) -> MusterError | None:
    """Whether the store once held more that verifies from here than it does now.

    A trust mark counts for walks that start at its anchor or come by it [a store serves several
    descriptors of a publisher, and perhaps one of somebody else who took the publisher's id]; a
    catalogue mark counts while trust stands behind it.
    """
    trust = chain_walk.trust
    marks = memory.trust_marks
    seen = max((marks[name] for name in chain_walk.passes(marks)), default=0)
    if trust.version < seen:
        return error("client/trust-older", held=trust.version, seen=seen)
    mark = memory.catalogue_mark
    held = 0 if catalogue is None else catalogue.version
    if mark is not None and held < mark.version and accepts_mark(trust, mark):
        return error("client/catalogue-older", held=held, seen=mark.version)
    return None


def accepts_mark(trust: Trust, mark: CatalogueMark) -> bool:
    """Whether the key of a catalogue mark may have signed that catalogue on that day.

    When it was withdrawn, or retired from a day before, catalogue and mark are forgotten [else a
    thief's catalogue of the highest version would bar every later one]. Of a mark without a date
    the key must be in use.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.7.
    """
    day = MAX_DAY + 1 if mark.iat is None else day_of(mark.iat)
    try:
        trust.find(mark.kid, CATALOGUE_ROLE, day)
    except MusterError:
        return False
    return True


class Held:
    """Trust and catalogue as reached from one descriptor, for one try: no walk is done twice, and
    no catalogue read twice under one trust."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._found: tuple[Memory, int, Authority] | None = None
        self._chain_walk: tuple[tuple[str, ...], trust_chain.ChainWalk] | None = None
        self._read: tuple[Trust, Catalogue | None] | None = None

    def of(self, memory: Memory, now: int) -> Authority:
        """What speaks for the publisher by what is remembered."""
        known = self._found
        if known is not None and known[1] == now and _same_documents(known[0], memory):
            return known[2]
        walk, read = self._chain_walk, self._read
        chain_walk = walk[1] if walk is not None and walk[0] is memory.trust else None
        under = chain_walk is not None and read is not None and read[0] is chain_walk.trust
        catalogue = read[1] if read is not None and under else None
        found = authority(self._descriptor, memory, now, chain_walk, catalogue)
        self.keep_walk(memory, found.chain_walk)
        self._read = (found.trust, found.catalogue)
        self._found = (memory, now, found)
        return found

    def keep_walk(self, memory: Memory, chain_walk: trust_chain.ChainWalk) -> None:
        """Take note how far the walk over a memory's trust objects came."""
        self._chain_walk = (memory.trust, chain_walk)

    def apply_catalogue(self, memory: Memory, text: str, now: int) -> Memory:
        """Take a newer catalogue. Raises: as `take_catalogue`."""
        held = self.of(memory, now)
        taken, found = apply_catalogue(memory, held, text, now)
        self._read = (held.trust, found)
        return taken


def _same_documents(one: Memory, other: Memory) -> bool:
    """Whether two memories give the same authority."""
    return (
        one.trust is other.trust
        and one.catalogue is other.catalogue
        and one.trust_marks == other.trust_marks
        and one.catalogue_mark == other.catalogue_mark
        and one.clock_mark == other.clock_mark
    )


def apply_trust(
    memory: Memory, held: Authority, text: str, now: int
) -> tuple[Memory, trust_chain.ChainWalk]:
    """Follow trust by one object; the walk that came of it.

    Raises: as `muster.lease.trust.follow`.
    """
    chain_walk = held.chain_walk.step(text)
    # The store may hold what follows now: another descriptor of the publisher is ahead.
    chain_walk = chain_walk.over(trust_chain.above(memory.trust, chain_walk.trust.version))
    mark = memory.catalogue_mark
    stood = mark is not None and accepts_mark(held.trust, mark)
    if mark is not None and stood and not accepts_mark(chain_walk.trust, mark):
        memory = replace(memory, catalogue="", catalogue_mark=None)
    clock_mark = advance_mark(memory.clock_mark, chain_walk.trust.iat, now)
    memory = replace(memory, clock_mark=clock_mark)
    return keep_line(memory, trust_chain.added(memory.trust, text), chain_walk), chain_walk


def keep_line(memory: Memory, texts: tuple[str, ...], chain_walk: trust_chain.ChainWalk) -> Memory:
    """Keep ordered trust objects without those that no walk needs, and how far this one came."""
    prunable = chain_walk.prunable
    if prunable:
        texts = tuple(text for text in texts if text not in prunable)
    if texts != memory.trust:
        memory = replace(memory, trust=texts)
    if chain_walk.trust.version > chain_walk.anchor.version:
        name = trust_chain.anchor_name(chain_walk.anchor)
        memory = memory.reached(name, chain_walk.trust.version)
    return memory


def apply_catalogue(
    memory: Memory, held: Authority, text: str, now: int
) -> tuple[Memory, Catalogue]:
    """Take a newer catalogue, as it was read under the trust that is held.

    Raises: `catalogue/older`, and as `muster.lease.catalogue.read_catalogue`.
    """
    found = accept_catalogue(held.catalogue, text, held.trust)
    mark = memory.catalogue_mark
    if mark is not None and found.version < mark.version and accepts_mark(held.trust, mark):
        raise error("catalogue/older", offered=found.version, held=mark.version)
    taken = replace(
        memory,
        catalogue=found.text,
        catalogue_mark=CatalogueMark(found.version, found.kid, found.iat),
        clock_mark=advance_mark(memory.clock_mark, found.iat, now),
    )
    return taken, found


def apply_documents(
    descriptor: Descriptor, memory: Memory, texts: Iterable[str], catalogue: str | None, now: int
) -> Memory:
    """Take the trust line and the catalogue of an answer or a file.

    What is known already or older is passed over: an old file is no attack.

    Raises: for what does not verify; nothing of it is kept then.
    """
    for text in texts:
        held = authority(descriptor, memory, now)
        if trust_chain.version_of(text) > held.trust.version:
            memory, _ = apply_trust(memory, held, text, now)
    if catalogue:
        try:
            held = authority(descriptor, memory, now)
            memory, _ = apply_catalogue(memory, held, catalogue, now)
        except MusterError as fault:
            if fault.code != "catalogue/older":
                raise
    return memory
