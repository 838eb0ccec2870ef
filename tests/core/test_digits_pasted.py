"""IDs and product keys as mails, chats and word processors hand them over (1.4.4 and 1.9.3)."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core.characters import BETWEEN, PASSED_OVER
from muster.core.digits import (
    HINT,
    check_group,
    decode_groups,
    encode_groups,
    format_rows,
    is_right,
    label_of,
    parse_groups,
    symbols,
)
from muster.core.errors import MusterError
from muster.core.ids import parse_confirmation_id, parse_installation_id
from muster.core.keys import Kind, make_product_key, mask_keys, mask_typed, parse_product_key

CONFIRMATION = encode_groups(10**150 // 7, 33)
HOST = encode_groups(10**70 // 7, 15)
KEY = make_product_key(bytes(range(32)), Kind.MAK, 0xBEEF, 12, 345_678)

DASHES = "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d"
SPACES = " \t\u00a0\u1680\u2003\u2009\u202f\u205f\u3000"
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u061c\ufe0f"
MARKS = ",.;:'\"|/()[]{}<>*_+~`!?·•‘’“”„‚«»‹›…、。，．：；（）【】「」│┃─"


def refused(text: str, expected: set[int]) -> MusterError:
    with pytest.raises(MusterError) as caught:
        decode_groups(parse_groups(text, expected))
    return caught.value


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.splitlines())


def table(text: str) -> str:
    lines = [f"| {' | '.join(line.split())} |" for line in text.splitlines()]
    return "\n".join(["|---|---|---|---|---|", *lines])


WAYS: dict[str, Callable[[str], str]] = {
    "quoted": quoted,
    "quoted twice": lambda text: quoted(quoted(text)),
    "table": table,
    "bold": lambda text: f"**{text}**",
    "code": lambda text: f"```\n{text}\n```",
    "JSON": lambda text: f'"{text}",',
    "letters with colons": lambda text: text.replace("  ", ": "),
    "letters with dots": lambda text: text.replace("  ", ". "),
    "letters in brackets": lambda text: "\n".join(f"({x[0]}) {x[1:]}" for x in text.split("\n")),
    "small letters": str.lower,
    "letters in lines of their own": lambda text: text.replace("  ", "\n"),
    "lines of Unicode": lambda text: text.replace("\n", "\u2028"),
    "lines of old": lambda text: text.replace("\n", "\r"),
    "byte order mark": lambda text: f"\ufeff{text}",
    "sentence": lambda text: f"„{text}“.",
    "commas": lambda text: text.replace(" ", ", "),
}


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_were_pasted(way: str) -> None:
    """The printed rows, letters included, through whatever people send them by."""
    for groups in (CONFIRMATION, HOST):
        assert parse_groups(WAYS[way](format_rows(groups)), {len(groups)}) == groups


@pytest.mark.parametrize("mark", [*DASHES, *SPACES, *UNSEEN, *MARKS], ids=lambda c: f"{ord(c):04X}")
def test_what_is_no_digit_and_no_letter_is_passed_over(mark: str) -> None:
    """Between groups, inside a group, in front and behind: for IDs and for product keys."""
    for text in (
        mark.join(HOST),
        f"{mark}{HOST[0][:3]}{mark}{''.join(HOST)[3:]}{mark}",
        mark.join("".join(HOST)),
    ):
        assert parse_groups(text, {15}) == HOST
    for text in (KEY.text.replace("-", mark), mark.join(f" {KEY.text.lower()} ")):
        assert parse_product_key(text) == KEY
    hidden = mask_keys(f"key {KEY.text.replace('-', mark)} was pasted")
    assert hidden == f"key XXXXX-XXXXX-XXXXX-XXXXX-{KEY.text[-5:]} was pasted"


def test_the_set_is_no_letter_and_no_number_of_any_script() -> None:
    """Rule 6 of section 1.1: what looks like a digit and is none must be told, not dropped."""
    assert {unicodedata.category(one)[0] for one in PASSED_OVER} <= set("PSZCM")
    assert not any(one.isalnum() or one.isnumeric() for one in PASSED_OVER)
    for number in range(0x110000):
        character = chr(number)
        if character.isnumeric() or character.isalpha():
            assert character not in PASSED_OVER
    assert not PASSED_OVER & set("%&=\\\x00\x1b\x7f")
    assert BETWEEN.isprintable() is False  # it is a class of ranges, not a list


@pytest.mark.parametrize("place", range(33))
def test_a_group_left_out_is_named(place: int) -> None:
    """Section 1.9.2 promises it: also where the number of digits alone would refuse."""
    fault = refused("-".join((*CONFIRMATION[:place], *CONFIRMATION[place + 1 :])), {33})
    if place == 32:
        assert fault.code == "digits/length"
        assert "Group I1 is the first that is missing." in fault.why
    else:
        assert (fault.code, fault.params["group"]) == ("digits/group", place + 1)
        assert fault.fix.startswith(
            f"Group {label_of(place)} was read as {CONFIRMATION[place + 1]}:"
        )
        assert f"right as group {label_of(place + 1)}: a group was left out before" in fault.why


@pytest.mark.parametrize("place", range(32))
def test_a_group_said_twice_is_named(place: int) -> None:
    fault = refused("-".join((*CONFIRMATION[: place + 1], *CONFIRMATION[place:])), {33})
    if place == 31:  # nothing behind it tells: the last group stands where one too many was said
        assert fault.code in ("digits/group", "digits/length")
        assert f"{label_of(32)}" in f"{fault.what} {fault.why} {fault.fix}"
    else:
        assert (fault.code, fault.params["group"]) == ("digits/group", place + 2)
        assert "a group was said twice" in fault.why


@pytest.mark.parametrize(("count", "groups"), [(12, HOST[:12]), (15, HOST)])
def test_groups_left_out_of_an_installation_id(count: int, groups: tuple[str, ...]) -> None:
    """One to three of them, anywhere: the first that is not right or not there is named."""
    for out in (one for n in (1, 2, 3) for one in itertools.combinations(range(count), n)):
        kept = [group for place, group in enumerate(groups) if place not in out]
        if len(kept) == 12 and out == (12, 13, 14):
            continue  # as long as the ID of a machine, and right: its version or kind refuses
        fault = refused(" ".join(kept), {12, 15})
        said = f"{fault.what} {fault.why} {fault.fix}"
        first = next((i for i, g in enumerate(kept) if not is_right(g, i)), len(kept))
        assert fault.code in ("digits/group", "digits/length")
        assert f"roup {label_of(first)} " in said or f"is {label_of(first)} " in said
        if len(kept) != 12 and out[-1] - out[0] == len(out) - 1 and out[-1] < count - 1:
            # In a row, and something stands behind them: it is told how many.
            assert (fault.code, fault.params["group"]) == ("digits/group", out[0] + 1)
            told = "a group was" if len(out) == 1 else f"{len(out)} groups were"
            assert f"{told} left out before it" in fault.why


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("place", [0, 5, 9, 31])
def test_a_digit_left_out_names_the_group_where_it_breaks(place: int, at: int) -> None:
    group = CONFIRMATION[place]
    text = "".join(
        (*CONFIRMATION[:place], group[:at] + group[at + 1 :], *CONFIRMATION[place + 1 :])
    )
    fault = refused(text, {33})
    assert fault.code in ("digits/length", "digits/group")
    first = next(i for i in range(33) if not is_right(text[6 * i : 6 * i + 6], i))
    assert label_of(first) in f"{fault.what} {fault.why} {fault.fix}"
    assert first in (place, place + 1)


def test_the_last_digits_missing_names_their_group() -> None:
    text = "".join(CONFIRMATION)
    fault = refused(text[:-2], {33})
    assert fault.code == "digits/length"
    assert fault.what == "196 digits were read; 198 are needed."
    assert "Group I1 has 4 of 6 digits; all before it is right." in fault.why
    fault = refused(text + "12", {33})
    assert "All groups up to I1 are right; more follows." in fault.why
    fault = refused("", {33})
    assert "Group A1 is the first that is missing." in fault.why


def test_a_group_in_another_place_says_where_it_is_right() -> None:
    """As many digits as needed, one group left out and another one made up at the end."""
    groups = (*HOST[:9], *HOST[10:], "000000")
    fault = refused("-".join(groups), {15})
    assert (fault.code, fault.params["label"]) == ("digits/group", "C2")
    assert "It is right as group C3: a group was left out before it." in fault.why


@pytest.mark.parametrize("symbol", ["٣", "３", "²", "O", "l", "x", "Ａ", "А", "①", "九"])
def test_what_only_looks_like_a_digit_is_named_with_its_group(symbol: str) -> None:
    text = "-".join((*HOST[:9], f"{HOST[9][:4]}{symbol}{HOST[9][5:]}", *HOST[10:]))
    fault = refused(text.replace("-", " – "), {15})
    shown = symbol if symbol.isascii() else f"U+{ord(symbol):04X}"
    assert fault.code == "digits/symbol"
    assert fault.what.startswith(f"Group C2 (number 10) contains {shown}, which is not a digit")
    assert f"{HOST[9][:4]} was read of the group before it" in fault.what


@pytest.mark.parametrize("text", ["%20", "&#8211;", "=E2=80=93", "\\u2013"])
def test_an_escape_brings_no_digits_of_its_own(text: str) -> None:
    assert refused(HOST[0] + text + "".join(HOST[1:]), {15}).code == "digits/symbol"
    with pytest.raises(MusterError) as caught:
        parse_product_key(KEY.text.replace("-", text, 1))
    assert caught.value.code == "key/symbol"


@pytest.mark.parametrize(
    "text",
    ["B 000158", "AA 000158", "A A 000158", "A000158", "000 A 158", "J 000158", "ᴬ 000158", "A"],
)
def test_other_letters_refuse(text: str) -> None:
    assert refused(text, {1}).code == "digits/symbol"


def in_rows(groups: tuple[str, ...], out: tuple[int, ...]) -> str:
    """The printed rows without the groups at some places; an empty row has no line."""
    rows = (
        (f"{'ABCDEFGHI'[at // 4]}  ", [at + n for n in range(4) if at + n < len(groups)])
        for at in range(0, len(groups), 4)
    )
    kept = ((letter, [groups[one] for one in row if one not in out]) for letter, row in rows)
    return "\n".join(letter + " ".join(row) for letter, row in kept if row)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", range(12))
def test_a_group_left_out_between_lettered_rows_is_told_by_its_row(place: int, way: str) -> None:
    fault = refused(WAYS[way](in_rows(HOST, (place,))), {15})
    assert (fault.code, fault.params["group"]) == ("digits/group", place + 1)
    row, after = "ABC"[place // 4], "BCD"[place // 4]
    hint = f"Row {row} has 3 of 4 groups before row {after}: a group is missing in row {row}. "
    assert str(fault.params["hint"]).startswith(hint)
    last = place % 4 == 3
    assert ("left out before it" in fault.why) is not last
    assert fault.fix.startswith(f"Group {label_of(place)} was read as ")
    assert ("read as nothing" in fault.fix) is last


@pytest.mark.parametrize(
    ("out", "hint"),
    [
        ((9, 10), "Row C has 2 of 4 groups before row D: 2 groups are missing in row C."),
        ((8, 10, 11), "Row C has 1 of 4 groups before row D: 3 groups are missing in row C."),
        ((4, 5, 6, 7), "Row B is missing: row C begins in its place."),
        ((4, 5, 6, 7, 8), ""),
        ((0, 1, 2, 3), "Row A is missing: row B begins in its place."),
        ((4, 5, 6, 7, 8, 9, 10, 11), "Row B is missing: row D begins in its place."),
        ((3, 4, 5, 6, 7), "Row A has 3 of 4 groups before row C: a group is missing in row A."),
    ],
)
def test_several_groups_left_out_between_lettered_rows(out: tuple[int, ...], hint: str) -> None:
    fault = refused(in_rows(HOST, out), {12, 15})
    assert fault.code == ("digits/group" if hint else "digits/symbol")
    assert hint in fault.why
    said = f"{fault.what} {fault.why} {fault.fix}"
    assert label_of(int(str(fault.params["group"])) - 1) in said


@pytest.mark.parametrize("row", range(3))
def test_digits_left_out_before_a_lettered_row(row: int) -> None:
    letter, place = "ABC"[row], 4 * row + 3
    text = format_rows((*HOST[:place], HOST[place][:4], *HOST[place + 1 :]))
    fault = refused(text, {15})
    assert (fault.code, fault.params["group"]) == ("digits/group", place + 1)
    assert f"Row {letter} has 22 of 24 digits before row {'BCD'[row]}" in fault.why
    assert f"Group {label_of(place)} was read as {HOST[place][:4]}:" in fault.fix


def test_lettered_rows_with_too_much() -> None:
    first, *others = format_rows(HOST).split("\n")
    fault = refused("\n".join((f"{first} {HOST[3]}", *others)), {15})
    assert (fault.code, fault.params["group"]) == ("digits/group", 5)
    assert "Row B begins after 6 digits that are in its place: a group was said" in fault.why
    fault = refused("\n".join((first, *others[:2], others[0], *others[2:])), {15})
    assert (fault.code, fault.params["group"]) == ("digits/group", 13)
    assert "Row B begins again where row D is due." in fault.why


def test_a_letter_that_alone_is_wrong_is_no_missing_row() -> None:
    fault = refused(format_rows(HOST).replace("B", "C"), {15})
    assert fault.code == "digits/symbol"
    assert fault.what.startswith("Group B1 (number 5) contains C,")


@given(st.text(st.sampled_from([*"0123456789ABCDEFGHIabc\n > "]), min_size=1, max_size=300))
def test_every_hint_about_rows_is_one_of_our_sentences(text: str) -> None:
    """A publisher's hint is believed by its form alone: chapter 8.3."""
    try:
        decode_groups(parse_groups(text, {12, 15}))
    except MusterError as fault:
        hint = fault.params.get("hint", "")
        assert hint == "" or HINT.fullmatch(str(hint))


@pytest.mark.parametrize(
    "out", [(place,) for place in range(12)] + [(4, 5, 6, 7), (9, 10), (5, 6, 7)]
)
def test_hints_about_rows_pass_from_a_publisher(out: tuple[int, ...]) -> None:
    hint = str(refused(in_rows(HOST, out), {15}).params["hint"])
    assert hint
    assert HINT.fullmatch(hint)
    assert HINT.fullmatch(hint + "curl | sh") is None


def test_letters_go_no_further_than_the_longest_id() -> None:
    """Nine rows: behind them no letter is one of a row."""
    many = "000000" * 36
    assert list(symbols(f"{many}\nJ 1"))[-2:] == ["J", "1"]
    assert [label_of(place) for place in (103, 104, 107, 108)] == ["Z4", "AA1", "AA4", "AB1"]


@given(st.text(st.sampled_from([*"0123456789ABCDEFGHIabci \n>-|", "–", "\u00a0", "٣", "%"])))
def test_any_pasted_text_gives_an_id_or_a_documented_error(text: str) -> None:
    for read in (parse_confirmation_id, parse_installation_id):
        try:
            read(text)
        except MusterError as caught:
            area = caught.code.partition("/")[0]
            assert area in ("digits", "id", "key")
            assert caught.what
            assert caught.why
            assert caught.fix


@given(
    st.lists(st.integers(0, 32).map(lambda place: CONFIRMATION[place]), max_size=40),
    st.sets(st.sampled_from([1, 12, 15, 33]), min_size=1),
)
def test_any_order_of_right_groups_gives_an_id_or_names_a_group(
    groups: list[str], expected: set[int]
) -> None:
    try:
        decode_groups(parse_groups(" ".join(groups), expected))
    except MusterError as caught:
        assert caught.code in ("digits/length", "digits/group")
        if caught.code == "digits/group":
            place = caught.params["group"] - 1
            assert not is_right(groups[place], place)
            assert all(is_right(group, at) for at, group in enumerate(groups[:place]))


@given(st.text())
def test_a_group_is_six_digits_or_refused(text: str) -> None:
    for place in (0, 7, 32):
        try:
            check_group(text, place)
        except MusterError as caught:
            assert caught.code == "digits/group"
            assert caught.what.isprintable()
        else:
            assert len(text) == 6
            assert text.isascii()


@pytest.mark.parametrize("mark", ["\u2013", "\u00a0", " \u2014 ", "\u200b-", "', '"])
def test_groups_of_a_key_in_a_command_line_are_masked(mark: str) -> None:
    """The middle groups alone hold the whole tag."""
    middle = KEY.text.split("-")[1:4]
    hidden = mask_typed(f"muster client install-key {mark.join(middle)} x")
    assert not any(group in hidden for group in middle)
