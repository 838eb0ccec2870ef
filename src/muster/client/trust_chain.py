"""The line of trust objects that a store holds: walked from a descriptor, kept in order and short.

Decides in which order stored trust objects are tried, and which of them nobody needs any more.
Refuses to know whose machine it is and what trust is good for; each step is judged by
`muster.lease.trust.follow`. Pure. Obeys docs/spec/03-trust-and-catalogue.md, sections 3.3 and 3.4.

Why short: a thief of the working root can make clients follow versions without end. The version
with which the reserve root ends that follows from the last version of the reserve root before it
and from every version of the working root in between, because the working root cannot change the
roots. So from any anchor on the line, whichever descriptor pins it, the versions of the working
root below the newest version of the reserve root are not needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from muster.core.errors import MusterError
from muster.core.values import dataclass
from muster.lease import strict
from muster.lease.trust import Trust, follow


@dataclass(frozen=True, slots=True)
class ChainWalk:
    """How far one anchor's walk came.

    `steps` are the texts that were followed, lowest first, and whether the reserve root signed
    them.
    """

    anchor: Trust
    trust: Trust
    steps: tuple[tuple[str, bool], ...] = ()

    def step(self, text: str) -> ChainWalk:
        """One step further. Raises: as `muster.lease.trust.follow`."""
        trust = follow(self.trust, text)
        header = _part(text, 0)
        by_reserve = header is not None and header.get("kid") == self.trust.roots[1].kid
        return ChainWalk(self.anchor, trust, (*self.steps, (text, by_reserve)))

    def over(self, texts: Iterable[str]) -> ChainWalk:
        """Walk on over texts in order of their versions; what does not follow is passed over."""
        trust = self.trust
        steps: list[tuple[str, bool]] = []
        for text in texts:
            if version_of(text) <= trust.version:
                continue
            try:
                further = ChainWalk(self.anchor, trust).step(text)
            except MusterError:
                continue
            trust = further.trust
            steps += further.steps
        return ChainWalk(self.anchor, trust, (*self.steps, *steps))

    @property
    def prunable(self) -> frozenset[str]:
        """What the working root signed below the newest version of the reserve root."""
        last = max((index for index, (_, jump) in enumerate(self.steps) if jump), default=0)
        return frozenset(text for text, jump in self.steps[:last] if not jump)

    def passes(self, anchors: Iterable[str]) -> tuple[str, ...]:
        """Which of these anchors, named by `anchor_name`, the walk starts at or comes by."""
        wanted = set(anchors)
        if not wanted - {anchor_name(self.anchor)}:
            return tuple(wanted)
        names = (anchor_name(self.anchor), *(_digest(text) for text, _ in self.steps))
        return tuple(name for name in names if name in wanted)


def walk(anchor: Trust, texts: Iterable[str]) -> ChainWalk:
    """Walk from an anchor over stored texts in any order."""
    return ChainWalk(anchor, anchor).over(ordered(texts))


def ordered(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts by version, each once, without those that no reader could take."""
    versions = {text: version_of(text) for text in texts}
    return tuple(sorted((text for text in versions if versions[text]), key=versions.__getitem__))


def added(texts: Sequence[str], text: str) -> tuple[str, ...]:
    """Ordered texts with one more in its place."""
    if text in texts:
        return tuple(texts)
    index = bisect_right(texts, version_of(text), key=version_of)
    return (*texts[:index], text, *texts[index:])


def above(texts: Sequence[str], version: int) -> Sequence[str]:
    """Those of ordered texts that have a higher version."""
    return texts[bisect_right(texts, version, key=version_of) :]


def version_of(text: str) -> int:
    """The version that a text claims, to order it by; 0 where it cannot be read.

    Nothing is verified. Whatever the strict reader takes has the version that it reads.
    """
    payload = _part(text, 1)
    muster = None if payload is None else payload.get("muster")
    version = muster.get("version") if isinstance(muster, dict) else None
    return version if type(version) is int and 0 < version <= strict.MAX_INTEGER else 0


def anchor_name(anchor: Trust) -> str:
    """The name under which a store remembers how far the walk from this anchor came."""
    return _digest(anchor.text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _part(text: str, index: int) -> Mapping[str, object] | None:
    """Header (0) or payload (1) of a compact JWS, loosely read."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > 2 * strict.TRUST.bytes:
        return None
    try:
        data = base64.urlsafe_b64decode(parts[index] + "=" * (-len(parts[index]) % 4))
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
