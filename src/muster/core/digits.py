"""Digit groups for people: numbers that are read aloud, typed and read back.

Decides whether each group of six digits was heard and typed right, and which one was not.
Refuses to know what the number means (`muster.core.ids`).
Obeys docs/spec/01-identities.md, section 1.9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from muster.core.catalogue import error
from muster.core.characters import LINE_ENDS, PASSED_OVER, shown
from muster.core.errors import MusterError
from muster.core.patterns import pattern

GROUP = 6
"""Digits of a group: five of data and one check digit."""
ROW = 4
"""Groups of a printed row."""

DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
"""The totally anti-symmetric quasigroup of order 10 of H. M. Damm's thesis (2004)."""

_DIGITS = {digit: value for value, digit in enumerate("0123456789")}
_LETTERS = "ABCDEFGHI"
"""Letters of rows: no ID has more than nine."""
_ROW_LETTERS = frozenset(_LETTERS)
_LONGEST = 4000
"""Longer texts are refused unread, in characters."""


def row_of(index: int) -> str:
    """The letter of the row of a group: A for places 0 to 3, B for 4 to 7, …; Z, then AA."""
    row, letter = divmod(index // ROW, 26)
    return ("" if row == 0 else row_of((row - 1) * ROW)) + chr(ord("A") + letter)


def label_of(index: int) -> str:
    """A group as people name it: row letter and number in the row, such as C2 for place 9."""
    return f"{row_of(index)}{index % ROW + 1}"


def group_params(index: int) -> dict[str, str | int]:
    """How errors name a group: `label` C2, `group` from 1, `row` letter, `column` from 1."""
    return {
        "label": label_of(index),
        "group": index + 1,
        "row": row_of(index),
        "column": index % ROW + 1,
    }


def _interim(digits: Sequence[int], index: int) -> int:
    """Damm's interim digit after `digits`, begun at the group's place mod 10."""
    interim = index % 10
    for digit in digits:
        interim = DAMM[interim][digit]
    return interim


def check_digit(data: str, index: int) -> str:
    """The check digit of five digits of data at a place (counted from 0)."""
    return str(_interim([_DIGITS[digit] for digit in data], index))


def is_right(group: str, index: int) -> bool:
    """Whether a text is six ASCII digits that belong at this place (counted from 0)."""
    values = [_DIGITS.get(digit, -1) for digit in group]
    return len(values) == GROUP and -1 not in values and _interim(values, index) == 0


def check_group(group: str, index: int) -> None:
    """Refuse a group of six ASCII digits that does not belong at this place.

    Args:
        group: as typed; anything but six ASCII digits is refused too.
        place: counted from 0.
    Raises:
        MusterError: `digits/group`, naming the group as `place_params` does, with `read`: what
            was typed.
    Source: docs/spec/01-identities.md, section 1.9.2.
    """
    if not is_right(group, index):
        raise _wrong_group(group, index)


def _wrong_group(group: str, index: int, hint: str = "") -> MusterError:
    read = "".join(digit if digit in _DIGITS else shown(digit) for digit in group[: 2 * GROUP])
    return error("digits/group", **group_params(index), read=read or "nothing", hint=hint)


class RowLetter(str):
    """The letter of a row, where another row is due or one is under way."""

    __slots__ = ()


def wrong_symbol(symbol: str, digits: str) -> MusterError:
    """What a character is that is no digit, after the digits that were read before it.

    Returns:
        `digits/symbol`; or `digits/group` where `symbols` found the letter of another row, whose
        `hint` says in which row a group is missing or one too many.
    """
    if isinstance(symbol, RowLetter):
        return _wrong_row(symbol.upper(), digits)
    index, inside = divmod(len(digits), GROUP)
    return error(
        "digits/symbol",
        **group_params(index),
        symbol=shown(symbol),
        place=len(digits) + 1,
        read=digits[len(digits) - inside :] or "nothing",
    )


def _wrong_row(letter: str, digits: str) -> MusterError:
    """A row that begins where the rows before it are not whole."""
    groups = _groups(digits)
    wrong = [index for index, group in enumerate(groups) if not is_right(group, index)]
    index = wrong[0] if wrong else len(groups)
    read = digits[index * GROUP : (index + 1) * GROUP]
    hint = _row_hint(letter, len(digits)) + (_left_out(read, index) or _moved(groups, index))
    return _wrong_group(read, index, hint)


def _row_hint(letter: str, count: int) -> str:
    row, inside = divmod(count, ROW * GROUP)
    here = row_of(row * ROW)
    if _LETTERS.index(letter) < row:
        return f"Row {letter} begins again where row {here} is due. "
    if letter == here:
        return (
            f"Row {letter} begins after {inside} digits that are in its place: a group was said"
            " twice, or the row was begun twice. "
        )
    if not inside:
        return f"Row {here} is missing: row {letter} begins in its place. "
    whole, rest = divmod(inside, GROUP)
    if rest:
        lost = f"digits are missing in row {here}"
        return f"Row {here} has {inside} of 24 digits before row {letter}: {lost}. "
    lost = "a group is" if whole == ROW - 1 else f"{ROW - whole} groups are"
    return f"Row {here} has {whole} of 4 groups before row {letter}: {lost} missing in row {here}. "


def _groups(digits: str) -> tuple[str, ...]:
    """The whole groups of a row of digits."""
    whole = len(digits) - len(digits) % GROUP
    return tuple(digits[start : start + GROUP] for start in range(0, whole, GROUP))


def encode_groups(value: int, groups: int) -> tuple[str, ...]:
    """Write a number as `groups` groups of six digits, left-padded with zeros.

    Raises `digits/range` when the number is negative or has more than 5 × `groups` digits.
    """
    if not 0 <= value < 10 ** (5 * groups):
        raise error("digits/range", groups=groups)
    data = str(value).zfill(5 * groups)
    parts = (data[start : start + 5] for start in range(0, len(data), 5))
    return tuple(part + check_digit(part, index) for index, part in enumerate(parts))


def decode_groups(groups: Sequence[str]) -> int:
    """Read the number of a full set of groups.

    Raises:
        MusterError: `digits/group`, naming the first group that is wrong.
    """
    for index, group in enumerate(groups):
        if not is_right(group, index):
            raise _wrong_group(group, index, _moved(groups, index))
    value = 0
    for group in groups:
        value = value * 100_000 + int(group[:5])
    return value


def _left_out(group: str, index: int) -> str:
    """A hint where a group is right up to three places later; else nothing."""
    later = (_hint(index, lost) for lost in (1, 2, 3) if is_right(group, index + lost))
    return next(later, "")


def _moved(groups: Sequence[str], index: int) -> str:
    """A hint where this group and the next are right at other places; else nothing."""
    for further in (1, 2, 3, -1):
        two = groups[index : index + 2]
        if len(two) == 2 and all(
            is_right(digit, index + further + i) for i, digit in enumerate(two)
        ):
            return _hint(index, further)
    return ""


_PLACE = "[A-Z]{1,2}[1-4]"
_MOVED = "|".join(
    (
        r"What follows belongs one place earlier: a group was said twice\. ",
        rf"It is right as group {_PLACE}: (?:a group was|[23] groups were) left out before it\. ",
    )
)
_ROWS = "|".join(
    (
        r"Row [A-I] begins again where row [A-Z]{1,2} is due\. ",
        r"Row [A-I] begins after [0-9]{1,2} digits that are in its place: a group was said twice,"
        r" or the row was begun twice\. ",
        r"Row [A-I] is missing: row [A-I] begins in its place\. ",
        r"Row [A-I] has [0-9]{1,2} of 24 digits before row [A-I]:"
        r" digits are missing in row [A-I]\. ",
        r"Row [A-I] has [1-3] of 4 groups before row [A-I]:"
        r" (?:a group is|[23] groups are) missing in row [A-I]\. ",
    )
)
HINT = pattern(
    "|".join(
        (
            rf"(?:{_ROWS})(?:{_MOVED})?",
            _MOVED,
            r"The text is far too long\.",
            rf"The first group that is not right is {_PLACE} \(number [0-9]{{1,2}}\):"
            r" [0-9]{1,6} was read\.",
            rf"All groups up to {_PLACE} are right; more follows\.",
            rf"Group {_PLACE} has [1-5] of 6 digits; all before it is right\.",
            rf"Group {_PLACE} is the first that is missing\.",
        )
    )
)
"""The sentences that are hints here: whoever hears one from a peer knows that they are ours."""


def _hint(index: int, further: int) -> str:
    if further < 0:
        return "What follows belongs one place earlier: a group was said twice. "
    lost = "a group was" if further == 1 else f"{further} groups were"
    return f"It is right as group {label_of(index + further)}: {lost} left out before it. "


def parse_groups(text: str, expected: Collection[int]) -> tuple[str, ...]:
    """Split a typed or pasted text into groups.

    Passes over what people and programs put between digits, and the row letters that
    `format_rows` prints. Only ASCII digits are digits. Where the number of digits is right, the
    check digits are not looked at yet (`decode_groups`).

    Args:
        text: what somebody typed.
        expected: the numbers of groups that make sense here, such as {12, 15}.
    Raises:
        MusterError: `digits/symbol` (which character, in which group), `digits/length` (how many
            digits were read, and the first group that is not right or not there), `digits/group`
            (where the number of digits, or of those before the letter of a row, is wrong because
            a group was left out or said twice).
    Source: docs/spec/01-identities.md, section 1.9.3.
    """
    if len(text) > _LONGEST:
        raise wrong_length(f"more than {_LONGEST}", expected, "The text is far too long.")
    digits = ""
    for symbol in symbols(text):
        if symbol not in _DIGITS:
            raise wrong_symbol(symbol, digits)
        digits += symbol
    groups = _groups(digits)
    if len(digits) % GROUP or len(groups) not in expected:
        raise _wrong_count(groups, digits, expected)
    return groups


def wrong_length(count: int | str, expected: Collection[int], hint: str) -> MusterError:
    """`digits/length`: how many digits were read, how many groups make sense, and where to look."""
    wanted = " or ".join(str(number * GROUP) for number in sorted(expected))
    return error("digits/length", count=count, expected=wanted, hint=hint)


def _wrong_count(groups: Sequence[str], digits: str, expected: Collection[int]) -> MusterError:
    """What to say of a number of digits that no expected ID has: the most helpful thing."""
    last = max(expected)
    wrong = [index for index, group in enumerate(groups[:last]) if not is_right(group, index)]
    if wrong:
        index = wrong[0]
        if lost := _left_out(groups[index], index):
            return _wrong_group(groups[index], index, lost)
        behind = range(index + 1, len(groups))
        if behind and all(is_right(groups[count], count - 1) for count in behind):
            return _wrong_group(groups[index], index, _hint(index, -1))
        hint = (
            f"The first group that is not right is {label_of(index)} (number {index + 1}):"
            f" {groups[index]} was read."
        )
    elif len(groups) >= last:
        hint = f"All groups up to {label_of(last - 1)} are right; more follows."
    elif rest := len(digits) % GROUP:
        hint = (
            f"Group {label_of(len(groups))} has {rest} of {GROUP} digits; all before it is right."
        )
    else:
        hint = f"Group {label_of(len(groups))} is the first that is missing."
    return wrong_length(len(digits), expected, hint)


def symbols(text: str, before: int = 0) -> Iterator[str]:
    """The characters of a text that are neither passed over nor the letter of a row.

    Args:
        text: what somebody typed or pasted.
        before: how many digits were read before this text.
    Returns:
        ASCII digits, and whatever else is no digit and must not be there; a `RowLetter` for
        the letter of a row that does not begin there.
    Source: docs/spec/01-identities.md, section 1.9.3.
    """
    count, begins = before, True
    for at, character in enumerate(text):
        if character in PASSED_OVER:
            begins = begins or character in LINE_ENDS
            continue
        upper = character.upper() if character.isascii() else ""
        letter = begins and upper in _ROW_LETTERS and text[at + 1 : at + 2] in PASSED_OVER
        begins = False
        row, inside = divmod(count, ROW * GROUP)
        if letter and inside == 0 and _LETTERS[row : row + 1] == upper:
            continue
        count += character in _DIGITS
        yield (
            RowLetter(character) if letter and _begins(upper, text[at + 1 :], inside) else character
        )


def _begins(letter: str, behind: str, inside: int) -> bool:
    """Whether a row that is not due begins with a letter: groups before it are not as printed.

    Args:
        behind: what follows the letter.
        inside: digits of the row before that were read, 0 where it is whole.
    """
    group = "".join(
        islice((character for character in behind if character not in PASSED_OVER), GROUP)
    )
    if inside:
        return group[:1] in _DIGITS
    return is_right(group, _LETTERS.index(letter) * ROW)


def rows(groups: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups in rows of four, each with its letter."""
    for start in range(0, len(groups), ROW):
        yield row_of(start), tuple(groups[start : start + ROW])


def format_rows(groups: Sequence[str]) -> str:
    """The groups as printed for people: rows of four, lettered, one row a line."""
    return "\n".join(f"{letter}  {' '.join(row)}" for letter, row in rows(groups))
