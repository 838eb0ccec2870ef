"""The table of lines as a pure function: each row, each edge, and what is kept (6.4.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from muster.core.products import COUNT_WINDOW, SKEW
from muster.host import lines
from muster.host.lines import Asked, Left, Line, Row

NOW = 1_800_000_000
KNOWN = Line("n" * 22, NOW - 100, (), 0, 3)
ASKED = Asked("m" * 22, {"n" * 8}, NOW, explicit=False, same_facts=True)
STRANGE = replace(ASKED, shown={"x" * 8})
"""A request that shows nothing that the host knows."""


def left(*letters: str, at: int = NOW - 50) -> tuple[Left, ...]:
    """Left lines whose nonces are made of a letter each."""
    return tuple(Left(letter * 22, at) for letter in letters)


def shows(*letters: str) -> Asked:
    """The request, showing nonces that are made of a letter each."""
    return replace(ASKED, shown={letter * 8 for letter in letters})


def test_first() -> None:
    assert lines.classify(None, ASKED, NOW) == (Row.FIRST, Line(ASKED.nonce, NOW))
    explicit = replace(ASKED, explicit=True)
    assert lines.classify(None, explicit, NOW) == (Row.FIRST, Line(ASKED.nonce, 0))


@pytest.mark.parametrize("explicit", [False, True])
def test_repeat(explicit: bool) -> None:
    again = replace(STRANGE, nonce=KNOWN.nonce, sent_at=0, explicit=explicit, same_facts=False)
    assert lines.classify(KNOWN, again, NOW) == (Row.REPEAT, KNOWN)


def test_explicit_is_always_the_next() -> None:
    odd = replace(STRANGE, sent_at=0, explicit=True, same_facts=False)
    known = replace(KNOWN, left=left("a"), forked_at=NOW)
    assert lines.classify(known, odd, NOW) == (Row.NEXT, replace(known, nonce=odd.nonce))


def test_old() -> None:
    late = replace(ASKED, sent_at=KNOWN.asked_at - 1)
    assert lines.classify(KNOWN, late, NOW) == (Row.OLD, KNOWN)
    same_second = replace(ASKED, sent_at=KNOWN.asked_at)
    assert lines.classify(KNOWN, same_second, NOW)[0] is Row.NEXT


@pytest.mark.parametrize(("ahead", "old"), [(SKEW, True), (SKEW + 1, False)])
def test_what_a_jumped_clock_wrote_bars_all_but_the_line_that_goes_on(
    ahead: int, old: bool
) -> None:
    known = replace(KNOWN, asked_at=NOW + ahead)
    row, kept = lines.classify(known, ASKED, NOW)
    assert row is (Row.OLD if old else Row.NEXT)
    assert kept == (known if old else replace(known, nonce=ASKED.nonce, asked_at=NOW))
    assert lines.classify(known, STRANGE, NOW) == (Row.OLD, known)


def test_the_latest_time_is_kept_while_the_clock_may_be_believed() -> None:
    known = replace(KNOWN, asked_at=NOW + SKEW)
    newer = replace(ASKED, sent_at=NOW + SKEW + 5)
    assert lines.classify(known, newer, NOW)[1].asked_at == NOW + SKEW + 5


def test_other_hardware() -> None:
    clone = replace(ASKED, same_facts=False)
    assert lines.classify(KNOWN, clone, NOW) == (Row.OTHER_HARDWARE, KNOWN)


def test_next() -> None:
    known = replace(KNOWN, left=left("a", "b"), forked_at=NOW - 5)
    moved = replace(known, nonce=ASKED.nonce, asked_at=NOW)
    assert lines.classify(known, ASKED, NOW) == (Row.NEXT, moved)
    removed = replace(known, nonce="")
    assert lines.classify(removed, STRANGE, NOW) == (Row.NEXT, moved)
    assert lines.classify(known, shows("a", "n"), NOW) == (Row.NEXT, moved)


def test_the_first_and_a_later_one_come_back() -> None:
    known = replace(KNOWN, left=left("a", "b", "c"))
    first = replace(known, nonce=ASKED.nonce, asked_at=NOW, left=(), forked_at=NOW)
    assert lines.classify(known, shows("a"), NOW) == (Row.FIRST_CAME_BACK, first)
    assert lines.classify(known, shows("a", "c"), NOW) == (Row.FIRST_CAME_BACK, first)
    again = replace(known, nonce="a" * 22, left=(), forked_at=NOW)
    for letter in ("b", "c"):
        assert lines.classify(known, shows(letter), NOW) == (Row.LATER_CAME_BACK, again)
    assert again.asked_at == KNOWN.asked_at


@pytest.mark.parametrize("way", [-1, 1])
def test_a_fork_and_a_left_line_are_remembered_for_thirty_days(way: int) -> None:
    """To both sides: a clock may have been wrong then, or be wrong now."""
    within, after = NOW + way * (COUNT_WINDOW - 1), NOW + way * COUNT_WINDOW
    for at, forked in ((within, True), (after, False)):
        known = replace(KNOWN, forked_at=at)
        assert lines.is_forked(known, NOW) is forked
        row = Row.LATER_ONE if forked else Row.PUT_BACK
        assert lines.classify(known, STRANGE, NOW)[0] is row
    for at, row in ((within, Row.FIRST_CAME_BACK), (after, Row.PUT_BACK)):
        assert lines.classify(replace(KNOWN, left=left("a", at=at)), shows("a"), NOW)[0] is row
    assert not lines.is_forked(replace(KNOWN, forked_at=0), 0)


def test_later_one() -> None:
    known = replace(KNOWN, left=left("a"), forked_at=NOW)
    assert lines.classify(known, STRANGE, NOW) == (Row.LATER_ONE, known)


def test_put_back() -> None:
    known = replace(KNOWN, left=(*left("z", at=NOW - COUNT_WINDOW), *left("a")))
    behind = (*left("a"), Left(KNOWN.nonce, NOW))
    assert lines.classify(known, STRANGE, NOW) == (
        Row.PUT_BACK,
        replace(known, nonce=ASKED.nonce, asked_at=NOW, left=behind, restored=4),
    )


@pytest.mark.parametrize(
    ("before", "after"), [("abcdef", "abcdefn"), ("abcdefg", "abcdefgn"), ("abcdefgh", "acdefghn")]
)
def test_the_first_and_the_newest_seven_are_left(before: str, after: str) -> None:
    row, kept = lines.classify(replace(KNOWN, left=left(*before)), STRANGE, NOW)
    assert row is Row.PUT_BACK
    assert "".join(entry.nonce[0] for entry in kept.left) == after


def test_a_release_and_a_removal() -> None:
    known = replace(KNOWN, left=left("a"), forked_at=NOW - 5)
    assert lines.released(known, NOW - 7, explicit=False, now=NOW) == replace(
        known, asked_at=NOW - 7
    )
    for asked_at, kept in ((NOW - 5, NOW), (NOW - 1, NOW), (NOW, NOW + 1), (NOW + 9, NOW + 10)):
        line = replace(known, asked_at=asked_at)
        assert lines.released(line, 7, explicit=True, now=NOW) == replace(line, asked_at=kept)
        assert lines.forget(line, NOW) == Line("", kept, restored=3)
    assert lines.forget(Line("", NOW + 9), NOW) == Line("", NOW + 9)


def test_left_lines_are_one_text_in_a_table() -> None:
    some = (*left("a", at=5), *left("b", at=0))
    assert lines.encode_left(some) == f"{'a' * 22}@5 {'b' * 22}@0"
    assert lines.decode_left(lines.encode_left(some)) == some
    assert lines.decode_left(lines.encode_left(())) == ()


def test_which_rows_are_told_to_take_another_cmid() -> None:
    told = {Row.OTHER_HARDWARE, Row.LATER_CAME_BACK, Row.LATER_ONE}
    assert told == lines.CLONES
    assert [row.value for row in Row] == list(range(1, 10))
    assert (Line("", 0).forked_at, Line("", 0).restored, Line("", 0).left) == (0, 0, ())
