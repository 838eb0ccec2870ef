"""How work grows with its input, by comparison alone: no ceiling in seconds.

Seconds tell of the machine and of who else uses it; a quotient of two measures taken in turn, of
the same work cut differently, does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

PIECES = 8
Size = TypeVar("Size", bound=Sequence[object])


def growth(work: Callable[[Size], object], small: Size, large: Size) -> float:
    """What `large` costs, in units of `small` taken as often as it goes into `large`.

    About 1 where the cost is in proportion to the length, less where it is bounded or much of it
    comes with every call, and as many times more as `large` is longer where it is the square.
    Counts the time of this thread only, and of each kind the least of several turns, of two where
    the cost is in proportion.
    """
    times = len(large) // len(small)
    assert times >= PIECES, "too little between small and large to see a square"
    rounds = _rounds(lambda: work(large))
    least_small = least_large = float("inf")
    for turn in range(5):
        if turn > 1 and least_large < 2 * least_small:
            break
        least_small = min(least_small, _seconds(lambda: work(small), rounds * times))
        least_large = min(least_large, _seconds(lambda: work(large), rounds))
    return least_large / least_small


def _rounds(work: Callable[[], object]) -> int:
    """How often to do it, so that the clock can tell."""
    rounds = 1
    while rounds < 4096 and _seconds(work, rounds) < 0.002:
        rounds *= 4
    return rounds


def _seconds(work: Callable[[], object], rounds: int) -> float:
    # Of this thread: a process with a limit of processor time is only told whole ticks.
    begun = time.thread_time()
    for _ in range(rounds):
        work()
    return time.thread_time() - begun
