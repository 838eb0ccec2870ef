"""The line of requests of one machine: what is next, old, put back, or of another machine.

Decides what a *proved* request is, by what the host remembers of the machine, and what it
remembers afterwards. Refuses to know signatures, tables and answers. Pure. Obeys
docs/spec/06-counting.md, section 6.4; the rows of its table are `Row`.

All times are Unix seconds of the host's clock, but `asked_at`, which is the machine's.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

from muster.core.identity import nonce_prefix
from muster.core.products import COUNT_WINDOW, SKEW
from muster.core.values import dataclass, replace

MAX_LEFT = 8
"""Left lines that are remembered of a machine: the first and the newest ones."""
FORKED_FOR = COUNT_WINDOW
"""A machine that was found to be two is watched this long, in seconds."""


@dataclass(frozen=True, slots=True)
class Left:
    """A line that the host left for another one: the nonce of its last request, and when."""

    nonce: str
    at: int


@dataclass(frozen=True, slots=True)
class Line:
    """What a host remembers of the requests of one machine.

    `nonce` of the last one, "" after an administrator removed the machine; `asked_at` the latest
    `sent_at` of the machine, in mode `explicit` that of its latest release; it is no earlier than
    the removal by an administrator; `left` the lines that were left, the first one first;
    `forked_at` when it was last found that several machines share the store, 0 for never;
    `restored` how often a store that was put back was forgiven.
    """

    nonce: str
    asked_at: int
    left: tuple[Left, ...] = ()
    forked_at: int = 0
    restored: int = 0


class Row(enum.Enum):
    """The rows of the table."""

    FIRST = 1
    REPEAT = 2
    OLD = 3
    OTHER_HARDWARE = 4
    NEXT = 5
    FIRST_CAME_BACK = 6
    LATER_CAME_BACK = 7
    LATER_ONE = 8
    PUT_BACK = 9


CLONES = frozenset({Row.OTHER_HARDWARE, Row.LATER_CAME_BACK, Row.LATER_ONE})
"""Rows whose machine is told to take another CMID."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the table reads it: its nonce, the prefixes of the nonces before it that it
    shows, its `sent_at`, whether it is in mode `explicit`, and whether its facts are the stored
    ones."""

    nonce: str
    shown: Collection[str]
    sent_at: int
    explicit: bool
    same_facts: bool


def classify(known: Line | None, asked: Asked, now: int) -> tuple[Row, Line]:
    """What a proved request is, and what is remembered when it is answered accordingly.

    Args:
        known: what the host remembers, None for a machine that it does not know.
        asked: the request.
        now: the host's clock.
    Returns:
        The row of the table, and the line to keep: for `REPEAT`, `OLD`, `OTHER_HARDWARE` and
        `LATER_ONE` the one that was known.
    Source: docs/spec/06-counting.md, section 6.4.2.
    """
    if known is None:
        return Row.FIRST, Line(asked.nonce, 0 if asked.explicit else asked.sent_at)
    if asked.nonce == known.nonce:
        return Row.REPEAT, known
    if asked.explicit:
        return Row.NEXT, replace(known, nonce=asked.nonce)
    if is_old(known, asked.sent_at, asked.shown, now):
        return Row.OLD, known
    moved = replace(
        known,
        nonce=asked.nonce,
        asked_at=asked.sent_at,
        left=_young(known, now),
    )
    if not asked.same_facts:
        return Row.OTHER_HARDWARE, known
    if not known.nonce or shows(asked.shown, known.nonce):
        return Row.NEXT, moved
    left = moved.left
    if left and shows(asked.shown, left[0].nonce):
        return Row.FIRST_CAME_BACK, replace(moved, left=(), forked_at=now)
    if any(shows(asked.shown, entry.nonce) for entry in left):
        first = replace(known, nonce=left[0].nonce, left=(), forked_at=now)
        return Row.LATER_CAME_BACK, first
    if is_forked(known, now):
        return Row.LATER_ONE, known
    behind = (*left, Left(known.nonce, now))
    if len(behind) > MAX_LEFT:
        behind = (behind[0], *behind[1 - MAX_LEFT :])
    return Row.PUT_BACK, replace(moved, left=behind, restored=known.restored + 1)


def shows(shown: Collection[str], nonce: str) -> bool:
    """Whether a request that shows these prefixes knows of the one with this nonce.

    Source: docs/spec/01-identities.md, section 1.8.1.
    """
    return nonce_prefix(nonce) in shown


def is_old(known: Line, sent_at: int, shown: Collection[str], now: int) -> bool:
    """Whether a message of the machine is older than one that was kept.

    A time that a jumped clock wrote does not bar the line that goes on. It bars every other one,
    since it may be *now* that is wrong, and then what was recorded would be news again.

    Args:
        shown: the prefixes of nonces that the message shows.
    """
    if sent_at >= known.asked_at:
        return False
    return known.asked_at <= now + SKEW or not shows(shown, known.nonce)


def is_forked(known: Line, now: int) -> bool:
    """Whether the machine was found to be several within the last 30 days."""
    return bool(known.forked_at) and abs(now - known.forked_at) < FORKED_FOR


def released(known: Line, sent_at: int, explicit: bool, now: int) -> Line:
    """What is remembered when a machine gave a lease back: that this was its latest message.

    In mode `explicit`, whose containers have clocks of their own, what is stored only grows.
    Source: docs/spec/06-counting.md, section 6.9.
    """
    return replace(known, asked_at=max(known.asked_at + 1, now) if explicit else sent_at)


def forget(known: Line, now: int) -> Line:
    """What stays when an administrator removes the machine: that all is old that was sent
    before, here and to other hosts."""
    asked_at = known.asked_at + 1 if known.nonce else known.asked_at
    return Line("", max(asked_at, now), restored=known.restored)


def _young(known: Line, now: int) -> tuple[Left, ...]:
    return tuple(entry for entry in known.left if abs(now - entry.at) < COUNT_WINDOW)


def encode_left(left: tuple[Left, ...]) -> str:
    """Left lines as one text for a table: `nonce@time`, by spaces."""
    return " ".join(f"{entry.nonce}@{entry.at}" for entry in left)


def decode_left(text: str) -> tuple[Left, ...]:
    """The left lines that `encode_left` wrote."""
    entries: list[Left] = []
    for part in text.split():
        nonce, _, at = part.partition("@")
        entries.append(Left(nonce, int(at)))
    return tuple(entries)
