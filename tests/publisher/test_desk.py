"""The pure part of the telephone desk: every group judged as typed, entry resumes, read-back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.digits import encode_groups, format_rows
from muster.core.errors import MusterError
from muster.publisher.desk import Entry, Reading

NUMBERS = st.integers(0, 10**60 - 1)


def entered(text: str) -> Entry:
    entry, fault = Entry().typed(text)
    assert fault is None
    return entry


@given(NUMBERS, st.data())
@examples(60)
def test_groups_are_taken_in_any_pieces(number: int, data: st.DataObject) -> None:
    groups = encode_groups(number, 12)
    text = "-".join(groups)
    entry = Entry()
    while text:
        cut = data.draw(st.integers(1, len(text)))
        entry, fault = entry.typed(text[:cut])
        assert fault is None
        text = text[cut:]
    assert entry.groups == groups
    assert entry.may_end


@given(NUMBERS, st.integers(0, 11), st.integers(0, 5), st.integers(1, 9))
@examples(100)
def test_a_wrong_digit_is_told_at_its_group_and_entry_goes_on_there(
    number: int, place: int, at: int, more: int
) -> None:
    groups = list(encode_groups(number, 12))
    right = groups[place]
    groups[place] = right[:at] + str((int(right[at]) + more) % 10) + right[at + 1 :]
    entry, fault = Entry().typed(" ".join(groups))
    assert fault is not None
    assert (fault.code, fault.params["group"]) == ("digits/group", place + 1)
    assert len(entry.groups) == place
    groups[place] = right
    entry, fault = entry.typed(" ".join(groups[place:]))
    assert fault is None
    assert entry.groups == tuple(groups)


@given(NUMBERS, st.integers(0, 10))
@examples(100)
def test_repeated_left_out_and_misplaced_groups_are_told_there(number: int, place: int) -> None:
    groups = encode_groups(number, 12)
    spoilt = {
        "repeated": (*groups[: place + 1], groups[place], *groups[place + 1 :]),
        "left out": (*groups[:place], *groups[place + 1 :]),
        "swapped": (*groups[:place], groups[place + 1], groups[place], *groups[place + 2 :]),
    }
    for how, wrong in spoilt.items():
        entry, fault = Entry().typed(" ".join(wrong))
        if how == "left out" and place == 11:
            continue
        assert fault is not None, how
        assert fault.code in ("digits/group", "digits/length")
        assert entry.groups == groups[: len(entry.groups)]
        assert len(entry.groups) <= place + 1


def test_a_swap_of_neighbours_is_told() -> None:
    groups = encode_groups(123_456_789_012_345, 12)
    for place, group in enumerate(groups):
        for at in range(5):
            if group[at] == group[at + 1]:
                continue
            wrong = group[:at] + group[at + 1] + group[at] + group[at + 2 :]
            _, fault = Entry(groups[:place]).typed(wrong)
            assert fault is not None


@pytest.mark.parametrize("text", ["12345O", "１23456", "12 34 5\u00b26", "abc"])
def test_what_is_no_digit_is_told(text: str) -> None:
    entry, fault = Entry().typed(text)
    assert fault is not None
    assert fault.code == "digits/symbol"
    assert entry == Entry()


def test_the_last_group_can_be_dropped_and_fifteen_are_the_most() -> None:
    groups = encode_groups(7, 15)
    entry = entered("".join(groups))
    assert entry.must_end
    _, fault = entry.typed("1")
    assert fault is not None
    assert fault.code == "digits/length"
    assert entry.without_last().groups == groups[:14]
    begun = entered("".join(groups[:2]) + "000")
    assert (begun.part, begun.next_label) == ("000", "A3")
    assert begun.without_last().groups == groups[:2]
    with pytest.raises(MusterError):
        begun.installation_id()


def test_rows_are_taken_as_they_are_printed() -> None:
    groups = encode_groups(123_456_789_012_345_678_901_234_567, 15)
    printed = format_rows(groups)
    assert entered(printed).groups == groups
    entry = Entry()
    for line in printed.splitlines():
        entry, fault = entry.typed(line)
        assert fault is None
    assert entry.groups == groups
    # The letter of another row says that the two sides are at different places.
    entry, fault = entered("".join(groups[:4])).typed("C " + " ".join(groups[8:12]))
    assert fault is not None
    assert (fault.code, fault.params["label"]) == ("digits/group", "B1")
    assert "Row B is missing: row C begins in its place." in fault.why
    assert entry.groups == groups[:4]


def test_a_row_that_begins_too_early_is_told_by_the_row_before() -> None:
    """Rows of a mail pasted into the desk, of which one has lost a group."""
    groups = encode_groups(10**59 // 7, 12)
    rows = f"A {' '.join(groups[:4])}\nB {' '.join(groups[4:7])}\nC {' '.join(groups[8:])}"
    entry, fault = Entry().typed(rows)
    assert fault is not None
    assert (fault.code, fault.params["label"]) == ("digits/group", "B4")
    assert "a group is missing in row B" in fault.why
    assert (entry.groups, entry.next_label) == (groups[:7], "B4")


def test_read_back_in_rows() -> None:
    groups = encode_groups(10**160 + 17, 33)
    reading = Reading.of("-".join(groups))
    assert reading.count == 9
    heard: list[str] = []
    while not reading.ended:
        letter, row = reading.row()
        assert reading.spoken().startswith(f"{letter}: ")
        said = reading.spoken().partition(": ")[2].replace(" ", "").replace(",", "")
        assert said == "".join(row)
        heard += row
        reading = reading.on()
    assert tuple(heard) == groups
    assert reading.on() == reading
    assert reading.to("c").row()[0] == "C"
    assert reading.to("z") == reading
    assert reading.to("A").back().index == 0
