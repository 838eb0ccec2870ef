"""Digit groups: exhaustive proofs of the check digit, and reading (section 1.9).

The proof of errors inside a group rests on three facts about the table, each tried in full: its
rows are permutations, its columns are permutations, and it is totally anti-symmetric. A wrong
interim digit can therefore never become right again, so an error anywhere shows at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.digits import (
    DAMM,
    HINT,
    check_digit,
    check_group,
    decode_groups,
    encode_groups,
    format_rows,
    parse_groups,
    row_of,
    rows,
)
from muster.core.errors import MusterError

DIGITS = range(10)
CODES = {"digits/symbol", "digits/length", "digits/group"}


def passes(group: str, place: int) -> bool:
    try:
        check_group(group, place)
    except MusterError as caught:
        assert caught.code == "digits/group"
        return False
    return True


def final(start: int, digits: tuple[int, ...]) -> int:
    return reduce(lambda interim, digit: DAMM[interim][digit], digits, start)


def test_the_table_is_a_quasigroup_with_zeros_on_the_diagonal() -> None:
    """Rows: a wrong digit gives a wrong interim digit. Columns: it stays wrong ever after."""
    assert all(sorted(row) == list(DIGITS) for row in DAMM)
    assert all(sorted(column) == list(DIGITS) for column in zip(*DAMM, strict=True))
    assert all(DAMM[digit][digit] == 0 for digit in DIGITS)


def test_the_table_is_totally_anti_symmetric() -> None:
    """A swap of neighbours, the check digit included, gives a wrong interim digit."""
    for interim, x, y in itertools.product(DIGITS, repeat=3):
        if x != y:
            assert DAMM[DAMM[interim][x]][y] != DAMM[DAMM[interim][y]][x]


def test_single_errors_and_swaps_of_short_groups_one_by_one() -> None:
    """All starts, all contents of two digits and a check digit, all errors: no argument."""
    for start, x, y in itertools.product(DIGITS, repeat=3):
        right = (x, y, final(start, (x, y)))
        assert final(start, right) == 0
        for at, wrong in itertools.product(range(3), DIGITS):
            if wrong != right[at]:
                assert final(start, (*right[:at], wrong, *right[at + 1 :])) != 0
        for a, b, c in ((right[1], right[0], right[2]), (right[0], right[2], right[1])):
            if (a, b, c) != right:
                assert final(start, (a, b, c)) != 0


def test_a_group_passes_at_places_ten_apart_only() -> None:
    """Misplaced, repeated and left-out groups: another start gives another end, by the columns.

    Tried for every data of four leading zeros and for every start; the columns do the rest.
    """
    for digit, place, other in itertools.product(DIGITS, range(33), range(33)):
        data = f"0000{digit}"
        group = data + check_digit(data, place)
        assert passes(group, other) == (place % 10 == other % 10)


def test_of_all_groups_one_in_ten_passes_at_a_place() -> None:
    for place in (0, 7):
        good = {f"{data:05}" + check_digit(f"{data:05}", place) for data in range(0, 100_000, 7)}
        for group in itertools.islice(sorted(good), 0, None, 29):
            for last in "0123456789":
                assert passes(group[:5] + last, place) == (last == group[5])


five = st.integers(0, 99_999).map(lambda number: f"{number:05}")


@given(five, st.integers(0, 32))
def test_every_error_of_any_group_is_caught(data: str, place: int) -> None:
    """The whole proof on real groups: all single errors, all swaps, all other places."""
    group = data + check_digit(data, place)
    assert passes(group, place)
    for at, wrong in itertools.product(range(6), "0123456789"):
        if wrong != group[at]:
            assert not passes(group[:at] + wrong + group[at + 1 :], place)
    for at in range(5):
        if group[at] != group[at + 1]:
            swapped = group[:at] + group[at + 1] + group[at] + group[at + 2 :]
            assert not passes(swapped, place)
    for other in range(33):
        assert passes(group, other) == ((other - place) % 10 == 0)


def failed_group(groups: list[str]) -> int:
    with pytest.raises(MusterError) as caught:
        decode_groups(groups)
    assert caught.value.code == "digits/group"
    return int(caught.value.params["group"])


@given(st.integers(0, 10**165 - 1), st.integers(0, 32), st.integers(0, 32))
def test_a_misplaced_group_is_named(value: int, at: int, other: int) -> None:
    groups = list(encode_groups(value, 33))
    if (at - other) % 10:
        swapped = list(groups)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        assert failed_group(swapped) == min(at, other) + 1
        overwritten = list(groups)
        overwritten[at] = groups[other]
        assert failed_group(overwritten) == at + 1


@given(st.integers(0, 10**60 - 1), st.integers(0, 11), st.integers(0, 11))
def test_a_group_left_out_and_another_repeated_are_caught(value: int, out: int, twice: int) -> None:
    """The count of digits is right, yet all groups between the two stand at wrong places."""
    groups = list(encode_groups(value, 12))
    said = [*groups]
    said.insert(twice, groups[twice])
    del said[out if out < twice else out + 1]
    if said != groups:
        first = min(out, twice + 1)
        assert failed_group(said) == first + 1


@given(
    st.integers(1, 33).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 10 ** (5 * n) - 1)))
)
def test_round_trip_of_numbers(case: tuple[int, int]) -> None:
    count, value = case
    groups = encode_groups(value, count)
    assert len(groups) == count
    assert decode_groups(groups) == value
    assert parse_groups("-".join(groups), {count}) == groups
    assert parse_groups(format_rows(groups), {count}) == groups
    assert parse_groups(format_rows(groups).lower(), {count}) == groups
    assert parse_groups(format_rows(groups).replace("\n", "\r\n"), {count}) == groups
    assert parse_groups("".join(groups), {count}) == groups
    assert parse_groups(" ".join("".join(groups)) + "\n", {count}) == groups


def test_leading_zeros_are_kept() -> None:
    groups = encode_groups(7, 12)
    assert groups[0] == "000000"
    assert "".join(group[:5] for group in groups) == "0" * 59 + "7"


@pytest.mark.parametrize(("value", "count"), [(-1, 1), (100_000, 1), (10**60, 12)])
def test_numbers_that_do_not_fit(value: int, count: int) -> None:
    with pytest.raises(MusterError) as caught:
        encode_groups(value, count)
    assert caught.value.code == "digits/range"


@pytest.mark.parametrize(
    ("place", "row", "column"), [(0, "A", 1), (3, "A", 4), (4, "B", 1), (10, "C", 3), (32, "I", 1)]
)
def test_the_refused_group_is_named_by_number_and_row(place: int, row: str, column: int) -> None:
    groups = list(encode_groups(10**150 // 7, 33))
    groups[place] = groups[place][:5] + str((int(groups[place][5]) + 1) % 10)
    with pytest.raises(MusterError) as caught:
        decode_groups(groups)
    assert caught.value.what == f"Group {place + 1} (row {row}, number {column}) is wrong."
    assert caught.value.fix.startswith(f"Group {row}{column} was read as {groups[place]}:")


@pytest.mark.parametrize("group", ["", "00000", "0000000", "00000x", "00000²", "00000٣", "00000３"])
def test_what_is_not_six_ascii_digits_is_no_group(group: str) -> None:
    assert not passes(group, 0)


@pytest.mark.parametrize("symbol", ["²", "３", "٣", "x", "O", "½", "㊈", "〇", "\x00", "\x1b", "%"])
@pytest.mark.parametrize("place", [1, 30, 72])
def test_other_characters_are_named_with_their_place(symbol: str, place: int) -> None:
    plain = "".join(encode_groups(10**59 // 3, 12))
    with pytest.raises(MusterError) as caught:
        parse_groups(plain[: place - 1] + symbol + plain[place:], {12})
    assert caught.value.code == "digits/symbol"
    assert caught.value.params["place"] == place
    shown = symbol if "!" <= symbol <= "~" else f"U+{ord(symbol):04X}"
    assert caught.value.params["symbol"] == shown
    assert caught.value.params["group"] == (place + 5) // 6
    label = f"{'ABCDEFGHI'[(place - 1) // 24]}{(place - 1) // 6 % 4 + 1}"
    assert caught.value.what.startswith(
        f"Group {label} (number {(place + 5) // 6}) contains {shown},"
    )


@pytest.mark.parametrize("count", [0, 1, 6, 71, 73, 78, 90])
def test_a_wrong_number_of_digits_says_how_many(count: int) -> None:
    with pytest.raises(MusterError) as caught:
        parse_groups("0" * count, {12, 33})
    assert caught.value.code == "digits/length"
    assert caught.value.what == f"{count} digits were read; 72 or 198 are needed."


def test_a_very_long_text_is_refused_unread() -> None:
    with pytest.raises(MusterError) as caught:
        parse_groups(" " * 4001, {12})
    assert caught.value.code == "digits/length"


def test_only_the_right_row_letter_is_passed_over() -> None:
    groups = encode_groups(10**59 // 3, 12)
    shown = format_rows(groups)
    assert (
        [line[0] for line in shown.split("\n")] == ["A", "B", "C"] == [row_of(n) for n in (0, 4, 8)]
    )
    for wrong in (
        shown.replace("B", "C"),
        shown.replace("A  ", "A"),
        shown.replace("C  ", "C C "),
        shown.replace("\n", " "),
        "B " + shown,
    ):
        with pytest.raises(MusterError) as caught:
            parse_groups(wrong, {12})
        assert caught.value.code == "digits/symbol"
    # The letter I has a twin without a dot whose capital it is; only ASCII is a letter.
    long = format_rows(encode_groups(1, 33))
    with pytest.raises(MusterError):
        parse_groups(long.replace("I", "\u0131"), {33})


def test_rows_have_four_groups() -> None:
    groups = encode_groups(12345, 15)
    assert list(rows(groups)) == [
        ("A", groups[0:4]),
        ("B", groups[4:8]),
        ("C", groups[8:12]),
        ("D", groups[12:15]),
    ]


@given(st.text() | st.text("0123456789 -\nABC", max_size=120))
def test_any_text_gives_groups_or_a_documented_error(text: str) -> None:
    try:
        groups = parse_groups(text, {1, 2, 12})
        decode_groups(groups)
    except MusterError as caught:
        assert caught.code in CODES


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(0, 5), st.sampled_from([12, 15, 33]))
def test_every_hint_is_one_of_the_sentences_that_are_known(
    places: list[int], cut: int, expected: int
) -> None:
    groups = encode_groups(123_456_789**4 % 10**100, 41)
    text = "".join(groups[place] for place in places)
    try:
        decode_groups(parse_groups(text[: len(text) - cut], {expected}))
    except MusterError as fault:
        hint = fault.params.get("hint", "")
        assert hint == "" or HINT.fullmatch(str(hint)), hint


# What is told of wrong groups, word for word.

FULL = encode_groups(271_828_182_845_904_523_536_028_747_135_266_249_775_724_709_369_995, 12)


def told(action: Callable[[], object]) -> tuple[str, Mapping[str, object]]:
    with pytest.raises(MusterError) as caught:
        action()
    return caught.value.code, caught.value.params


def test_a_letter_is_no_digit_wherever_it_stands() -> None:
    for place, digit in itertools.product(range(10), "0123456789"):
        right = digit * 5 + check_digit(digit * 5, place)
        for at in range(6):
            assert not passes(f"{right[:at]}x{right[at + 1 :]}", place)


def test_what_was_typed_is_read_back() -> None:
    assert told(lambda: check_group("1x345é", 0))[1]["read"] == "1x345U+00E9"
    assert told(lambda: check_group("x" * 20, 0))[1]["read"] == "x" * 12
    assert told(lambda: check_group("", 0))[1]["read"] == "nothing"


@pytest.mark.parametrize(
    ("missing", "hint"),
    [
        (1, "It is right as group A4: a group was left out before it. "),
        (2, "It is right as group B1: 2 groups were left out before it. "),
        (3, "It is right as group B2: 3 groups were left out before it. "),
    ],
)
def test_groups_that_were_left_out_are_counted(missing: int, hint: str) -> None:
    groups = FULL[:2] + FULL[2 + missing :] + FULL[:missing]
    code, params = told(lambda: decode_groups(groups))
    assert (code, params["label"], params["hint"]) == ("digits/group", "A3", hint)


def test_a_group_that_was_said_twice_is_named() -> None:
    hint = "What follows belongs one place earlier: a group was said twice. "
    groups = FULL[:3] + FULL[2:]
    for action in (
        lambda: decode_groups(groups[:12]),
        lambda: parse_groups(" ".join(groups), {12}),
    ):
        code, params = told(action)
        assert (code, params["label"], params["hint"]) == ("digits/group", "A4", hint)


@pytest.mark.parametrize(
    ("groups", "hint"),
    [
        ((*FULL, FULL[-1]), "All groups up to C4 are right; more follows."),
        (
            (*FULL[:4], "123456", *FULL[5:11]),
            "The first group that is not right is B1 (number 5): 123456 was read.",
        ),
        (
            (*FULL[:3], "111111", "222222", *FULL[4:]),
            "The first group that is not right is A4 (number 4): 111111 was read.",
        ),
        (FULL[:11], "Group C4 is the first that is missing."),
        ((*FULL[:11], "12"), "Group C4 has 2 of 6 digits; all before it is right."),
    ],
)
def test_a_wrong_number_of_digits_is_told_with_where_to_look(
    groups: tuple[str, ...], hint: str
) -> None:
    code, params = told(lambda: parse_groups(" ".join(groups), {12}))
    assert (code, params["hint"]) == ("digits/length", hint)


def test_a_row_that_begins_too_early_is_told_with_the_group_that_is_wrong() -> None:
    text = f"A {FULL[0]} {FULL[1]}\nC {' '.join(FULL[4:])}"
    assert told(lambda: parse_groups(text, {12}))[1]["label"] == "A3"
    text = f"A {FULL[0]} 123456 {FULL[2]}\nC {' '.join(FULL[4:])}"
    code, params = told(lambda: parse_groups(text, {12}))
    assert (code, params["label"], params["read"]) == ("digits/group", "A2", "123456")


def test_a_text_is_read_up_to_four_thousand_characters() -> None:
    text = " ".join(FULL)
    assert parse_groups(text.ljust(4000), {12}) == FULL
    code, params = told(lambda: parse_groups(text.ljust(4001), {12}))
    assert (code, params["count"]) == ("digits/length", "more than 4000")
    assert params["hint"] == "The text is far too long."


def test_rows_beyond_z_have_two_letters() -> None:
    assert [row_of(4 * row) for row in (25, 26, 27, 52, 702)] == ["Z", "AA", "AB", "BA", "AAA"]
