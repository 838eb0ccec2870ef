"""Throttling of those who guess product keys at the publisher's HTTP router.

Decides who is judged now and who waits. Only failing guesses count: an unknown serial, a wrong
proof. Digits that do not fit each other guess nothing: they are mistyped, and a batch of thousands
has some. Refuses to know HTTP, clocks and locks: seconds of a clock that never goes back are
passed in, and the caller lets one thread in at a time. Pure. Who a source is, `muster.net.peers`
says. Obeys docs/spec/08-http.md, section 8.10.
"""

from __future__ import annotations

import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.net.peers import Source

Space = tuple[int, int]
"""Where serials are guessed: kind and group number of the key."""

SOURCE_FAILURES = 10
"""Failures that a source has at once; after them one comes back each MINUTE."""
SPACE_FAILURES = 100
"""Failures a minute in one key space, over all sources, before each source has one try a minute."""
MINUTE = 60.0
KEPT = 100_000
"""Sources, and tries, that are remembered; the longest unheard is forgotten first."""


def is_guess(fault: MusterError) -> bool:
    """Whether an error is what a failing guess gets."""
    return fault.code in ("publisher/unknown-key", "id/proof")


class _Bucket:
    """Failures that are still allowed. May go below zero: what was judged at once is paid back."""

    __slots__ = ("_at", "_left", "_rate", "_size")

    def __init__(self, size: int, rate: float, now: float) -> None:
        self._size = size
        self._rate = rate
        self._left = float(size)
        self._at = now

    def left(self, now: float) -> float:
        passed = max(0.0, now - self._at)
        self._left = min(float(self._size), self._left + passed * self._rate)
        self._at = max(now, self._at)
        return self._left

    def take(self, now: float) -> None:
        self._left = self.left(now) - 1

    def wait(self, now: float) -> int:
        """Whole seconds until one is allowed; 0 where one is."""
        lacking = 1 - self.left(now)
        # A thousandth below: sums of small steps do not add up to 1 exactly.
        return math.ceil(lacking / self._rate - 0.001) if lacking > 1e-6 else 0


class Throttle:
    """What one process remembers of failing guesses. Not safe for several threads at once."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Bucket] = OrderedDict()
        self._spaces: dict[Space, _Bucket] = {}
        self._tries: OrderedDict[tuple[str, Space], float] = OrderedDict()

    def admit(self, source: str, now: float) -> None:
        """Let a source be judged. Raises: `publisher/too-many` with `retry_after` seconds."""
        bucket = self._sources.get(source)
        wait = bucket.wait(now) if bucket is not None else 0
        if wait:
            raise error("publisher/too-many", retry_after=wait)

    def enter(self, source: str, space: Space, now: float) -> None:
        """Let a source be judged in a key space. Raises: as `admit`."""
        bucket = self._spaces.get(space)
        if bucket is None or not bucket.wait(now):
            return
        last = self._tries.get((source, space))
        if last is not None and now - last < MINUTE:
            raise error("publisher/too-many", retry_after=math.ceil(MINUTE - (now - last)))
        self._tries[source, space] = now
        self._tries.move_to_end((source, space))
        _bound(self._tries)

    def failed(self, source: str | None, space: Space | None, now: float) -> None:
        """A guess failed; `space` is None where its digits named none, `source` where any number
        of people may stand behind it."""
        if source is not None:
            bucket = self._sources.get(source)
            if bucket is None:
                bucket = self._sources[source] = _Bucket(SOURCE_FAILURES, 1 / MINUTE, now)
            bucket.take(now)
            self._sources.move_to_end(source)
            _bound(self._sources)
        if space is not None:
            # Kinds and group numbers are few: a few bits each.
            self._spaces.setdefault(
                space, _Bucket(SPACE_FAILURES, SPACE_FAILURES / MINUTE, now)
            ).take(now)

    def passed(self, source: str, space: Space) -> None:
        """Who was judged did not guess: the try is given back."""
        self._tries.pop((source, space), None)


def _bound(kept: OrderedDict[str, _Bucket] | OrderedDict[tuple[str, Space], float]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)


class Guesses:
    """The requests of one source.

    Args:
        throttle: shared by all sources.
        source: who asks, as `muster.net.peers` says; one that is shared is not bounded itself,
            what is guessed in a key space is.
        monotonic: seconds of a clock that never goes back.
        lock: lets one thread in.
    """

    def __init__(
        self,
        throttle: Throttle,
        source: Source,
        monotonic: Callable[[], float],
        lock: AbstractContextManager[object],
    ) -> None:
        self._throttle = throttle
        self._source = source.key
        self._shared = source.shared
        self._monotonic = monotonic
        self._lock = lock

    def check(self) -> None:
        """Whether this source is judged at all now. Raises: `publisher/too-many`."""
        if self._shared:
            return
        with self._lock:
            self._throttle.admit(self._source, self._monotonic())

    @contextlib.contextmanager
    def guess(self) -> Iterator[Callable[[Space], None]]:
        """Judge one installation ID inside; call what is given once its key space is known.

        Raises: `publisher/too-many` before and inside, and what the block raises, counted.
        """
        self.check()
        space: Space | None = None

        def enter(asked: Space) -> None:
            nonlocal space
            with self._lock:
                self._throttle.enter(self._source, asked, self._monotonic())
            space = asked

        try:
            yield enter
        except MusterError as fault:
            if is_guess(fault):
                with self._lock:
                    source = None if self._shared else self._source
                    self._throttle.failed(source, space, self._monotonic())
                raise
            self._pass(space)
            raise
        self._pass(space)

    def _pass(self, space: Space | None) -> None:
        if space is not None:
            with self._lock:
                self._throttle.passed(self._source, space)


class Unthrottled(Guesses):
    """For channels on which nobody guesses: the desk, files, staff."""

    def __init__(self) -> None:
        super().__init__(Throttle(), Source(""), lambda: 0.0, contextlib.nullcontext())

    def check(self) -> None:
        """Always."""

    @contextlib.contextmanager
    def guess(self) -> Iterator[Callable[[Space], None]]:
        """Always."""
        yield lambda _space: None
