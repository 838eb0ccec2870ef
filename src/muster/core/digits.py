"""Digit groups for people: numbers that are read aloud, typed and read back.

Decides whether each group of six digits was heard and typed right, and which one was not.
Refuses to know what the number means (`muster.core.ids`).
Obeys docs/spec/01-identities.md, section 1.9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from muster.core.errors import error

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
_SEPARATORS = frozenset(" -\t\r\n")
_LONGEST = 4000
"""Longer texts are refused unread, in characters."""


def row_of(place: int) -> str:
    """The letter of the row in which a group stands: A for places 0 to 3, B for 4 to 7, …."""
    return chr(ord("A") + place // ROW)


def _interim(digits: Sequence[int], place: int) -> int:
    """Damm's interim digit after `digits`, begun at the group's place mod 10."""
    interim = place % 10
    for digit in digits:
        interim = DAMM[interim][digit]
    return interim


def check_digit(data: str, place: int) -> str:
    """The check digit of five digits of data at a place (counted from 0)."""
    return str(_interim([_DIGITS[digit] for digit in data], place))


def check_group(group: str, place: int) -> None:
    """Refuse a group of six ASCII digits that does not belong at this place.

    Args:
        group: as typed; anything but six ASCII digits is refused too.
        place: counted from 0.
    Raises:
        MusterError: `digits/group`, with `group` (from 1), `row` (letter) and `column` (from 1).
    Source: docs/spec/01-identities.md, section 1.9.2.
    """
    values = [_DIGITS.get(digit, -1) for digit in group]
    if len(values) != GROUP or -1 in values or _interim(values, place) != 0:
        raise error("digits/group", group=place + 1, row=row_of(place), column=place % ROW + 1)


def encode_groups(value: int, groups: int) -> tuple[str, ...]:
    """Write a number as `groups` groups of six digits, left-padded with zeros.

    Raises `digits/range` when the number is negative or has more than 5 × `groups` digits.
    """
    if not 0 <= value < 10 ** (5 * groups):
        raise error("digits/range", groups=groups)
    data = str(value).zfill(5 * groups)
    parts = (data[start : start + 5] for start in range(0, len(data), 5))
    return tuple(part + check_digit(part, place) for place, part in enumerate(parts))


def decode_groups(groups: Sequence[str]) -> int:
    """Read the number of a full set of groups.

    Raises:
        MusterError: `digits/group`, naming the first group that is wrong.
    """
    value = 0
    for place, group in enumerate(groups):
        check_group(group, place)
        value = value * 100_000 + int(group[:5])
    return value


def parse_groups(text: str, expected: Collection[int]) -> tuple[str, ...]:
    """Split a typed or pasted text into groups; the check digits are not looked at yet.

    Forgives spaces, line ends and dashes wherever they stand, and the row letters that
    `format_rows` prints. Only ASCII digits are digits.

    Args:
        text: what somebody typed.
        expected: the numbers of groups that make sense here, such as {12, 15}.
    Raises:
        MusterError: `digits/symbol` (which character, after how many digits), `digits/length`
            (how many digits were read).
    Source: docs/spec/01-identities.md, section 1.9.3.
    """
    wanted = " or ".join(str(number * GROUP) for number in sorted(expected))
    if len(text) > _LONGEST:
        raise error("digits/length", count=f"more than {_LONGEST}", expected=wanted)
    digits: list[str] = []
    for line in text.split("\n"):
        for character in without_letter(line, len(digits)):
            if character in _SEPARATORS:
                continue
            if character not in _DIGITS:
                shown = character if "!" <= character <= "~" else f"U+{ord(character):04X}"
                raise error("digits/symbol", symbol=shown, place=len(digits) + 1)
            digits.append(character)
    count, rest = divmod(len(digits), GROUP)
    if rest or count not in expected:
        raise error("digits/length", count=len(digits), expected=wanted)
    joined = "".join(digits)
    return tuple(joined[start : start + GROUP] for start in range(0, len(joined), GROUP))


def without_letter(line: str, digits_before: int) -> str:
    """The line without its row letter, when it is the letter of the row that begins here.

    Args:
        line: one line of what somebody typed or pasted.
        digits_before: how many digits were read in the lines before it.
    Source: docs/spec/01-identities.md, section 1.9.3.
    """
    stripped = line.lstrip(" \t\r")
    row, inside = divmod(digits_before, ROW * GROUP)
    letter = row_of(row * ROW)
    if inside == 0 and stripped[:1] in {letter, letter.lower()} and stripped[1:2] in {" ", "\t"}:
        return stripped[1:]
    return line


def rows(groups: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The groups in rows of four, each with its letter."""
    for start in range(0, len(groups), ROW):
        yield row_of(start), tuple(groups[start : start + ROW])


def format_rows(groups: Sequence[str]) -> str:
    """The groups as printed for people: rows of four, lettered, one row a line."""
    return "\n".join(f"{letter}  {' '.join(row)}" for letter, row in rows(groups))
