"""What speaks for a publisher on this machine: trust and catalogue, as far as they verify. Pure.

Decides how far a descriptor's trust is followed over what the store holds, and when that is older
than what was seen before. Refuses to know products and licences (`muster.client.judge`). Obeys
docs/spec/03-trust-and-catalogue.md, sections 3.4 and 3.7.
"""

from __future__ import annotations

from muster.client import line
from muster.client.model import CatalogueMark, Memory
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.products import day_of
from muster.core.values import dataclass
from muster.lease.catalogue import Catalogue, read_catalogue
from muster.lease.descriptor import Descriptor
from muster.lease.steps import advance_mark
from muster.lease.trust import CATALOGUE_ROLE, MAX_DAY, Trust


@dataclass(frozen=True, slots=True)
class Authority:
    """What speaks for a publisher, as reached from one descriptor.

    `problem` tells that something older than remembered was put back; then nothing is licensed.
    `walked` is the way to `trust`.
    """

    trust: Trust
    catalogue: Catalogue | None
    clock_mark: int
    problem: MusterError | None
    walked: line.Walked


def authority(
    descriptor: Descriptor, memory: Memory | None, now: int, walked: line.Walked | None = None
) -> Authority:
    """Walk from a descriptor over what the store holds.

    What does not verify from the descriptor is ignored, its marks included.
    Args:
        walked: the walk from this descriptor over this store, where the caller has it.
    Source: docs/spec/03-trust-and-catalogue.md, section 3.4.
    """
    anchor = descriptor.trust
    if memory is None or memory.publisher != descriptor.publisher:
        mark = advance_mark(0, anchor.iat, now)
        return Authority(anchor, None, mark, None, line.Walked(anchor, anchor))
    if walked is None:
        walked = line.walk(anchor, memory.trust)
    trust = walked.trust
    catalogue = _catalogue(memory, trust)
    mark = advance_mark(memory.clock_mark, trust.iat, now)
    if catalogue is not None:
        mark = advance_mark(mark, catalogue.iat, now)
    return Authority(trust, catalogue, mark, _put_back(memory, walked, catalogue), walked)


def _catalogue(memory: Memory, trust: Trust) -> Catalogue | None:
    if not memory.catalogue:
        return None
    try:
        return read_catalogue(memory.catalogue, trust)
    except MusterError:
        return None


def _put_back(
    memory: Memory, walked: line.Walked, catalogue: Catalogue | None
) -> MusterError | None:
    """Whether the store once held more that verifies from here than it does now.

    A trust mark counts for walks that start at its anchor or come by it [a store serves several
    descriptors of a publisher, and perhaps one of somebody else who took the publisher's id]; a
    catalogue mark counts while trust stands behind it.
    """
    trust = walked.trust
    marks = memory.trust_marks
    seen = max((marks[name] for name in walked.passes(marks)), default=0)
    if trust.version < seen:
        return error("client/trust-older", held=trust.version, seen=seen)
    mark = memory.catalogue_mark
    held = 0 if catalogue is None else catalogue.version
    if mark is not None and held < mark.version and stands_behind(trust, mark):
        return error("client/catalogue-older", held=held, seen=mark.version)
    return None


def stands_behind(trust: Trust, mark: CatalogueMark) -> bool:
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
