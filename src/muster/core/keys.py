"""Product keys and key ids: their bits, their text and their check symbol.

Decides whether a typed text is a product key and what it says. Refuses to know whether the key
was ever issued: only the publisher can tell, by the tag and its register.
Obeys docs/spec/01-identities.md, sections 1.4 (product key) and 1.5 (key id).

A product key is a secret of its owner: no error and no `repr` of this module shows more than the
last group, which holds no part of the tag.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Sequence

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.characters import BETWEEN, PASSED_OVER, shown
from muster.core.patterns import pattern
from muster.core.values import dataclass

ALPHABET = "BCDFGHJKMPQRTVWXY2346789"
"""The 24 symbols of a product key; a symbol's value is its place here, 0 to 23."""
SYMBOLS = 25
"""Symbols of a product key: 7 head, 12 tag, 5 serial, 1 check."""
SERIALS = 24**5
"""Serial numbers are drawn below this: five symbols."""
VERSION = 0
"""The one version of product keys that exists."""

_HEAD_SYMBOLS, _TAG_SYMBOLS, _SERIAL_SYMBOLS = 7, 12, 5
_HEAD_BITS, _TAG_BITS = 31, 55
_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)} | {
    symbol.lower(): value for value, symbol in enumerate(ALPHABET)
}
_LONGEST = 1000
"""Longer texts are refused unread, in characters."""
# With dashes, whatever stands before and behind, so that no escape (`\tBCDFG-…`, `%20BCDFG-…`)
# hides a key; else by its alphabet, with what readers pass over between the groups, as it is or
# escaped (`\u2013`, `\xa0`, `%E2%80%93`).
_DASH = "[\xad\u2010-\u2015\u2212\ufe58\ufe63\uff0d-]"
_SEPARATOR = rf"(?:[{BETWEEN}]|\\u[0-9a-f]{{4}}|\\x[0-9a-f]{{2}}|\\[nrt]|%[0-9A-Fa-f]{{2}})"
_KEY_IN_TEXT = pattern(
    rf"(?:[A-Za-z0-9]{{5}}{_DASH}){{4}}(?P<dashed>[A-Za-z0-9]{{1,5}})"
    r"|(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
    rf"(?:[{ALPHABET}{ALPHABET.lower()}]{{5}}{_SEPARATOR}{{0,3}}){{4}}"
    r"(?P<plain>[A-Za-z0-9]{5})(?![A-Za-z0-9])"
)


# Some groups of a key that was taken apart, such as words of a command line: the middle ones
# alone hold the whole tag.
_GROUPS_IN_TEXT = pattern(
    r"(?P<masked>X{5}(?:-X{5}){3}-[A-Za-z0-9]{1,5}(?![A-Za-z0-9]))"
    rf"|(?<![A-Za-z0-9])(?:[{ALPHABET}{ALPHABET.lower()}]{{5}}{_SEPARATOR}{{1,4}})+"
    rf"[{ALPHABET}{ALPHABET.lower()}]{{5}}(?![A-Za-z0-9])"
)


class Kind(enum.IntEnum):
    """What a product key is for; the number is in its head (3 bits)."""

    HOST = 0
    """Enrols hosts; never makes a client."""
    MAK = 1
    """Activates single machines from a pool, for ever."""
    SETUP = 2
    """Makes a machine a client of hosts; public."""
    EVALUATION = 3
    """Activates a machine for a term."""
    RETAIL = 4
    """Activates one machine, for ever."""

    @property
    def text(self) -> str:
        """The kind as objects and tables write it, such as `mak`."""
        return self.name.lower()

    @classmethod
    def of(cls, text: str) -> Kind:
        """The kind of its text; raises `key/kind`."""
        for kind in cls:
            if kind.text == text:
                return kind
        raise error("key/kind", kind=text)

    @classmethod
    def numbered(cls, number: int) -> Kind:
        """The kind of its number; raises `key/kind` for 5 to 7, which are reserved."""
        try:
            return cls(number)
        except ValueError:
            raise error("key/kind", kind=number) from None


def _bounded(field: str, value: int, below: int) -> None:
    """Refuse a number that does not fit its bits (`key/range`)."""
    if not 0 <= value < below:
        raise error("key/range", field=field, value=value, maximum=below - 1)


@dataclass(frozen=True, slots=True, order=True)
class KeyId:
    """The public name of a product key inside one publisher: it opens nothing.

    `group` 0 to 1023, `serial` 24 bits. Raises `key/range` when a number does not fit.
    Source: docs/spec/01-identities.md, section 1.5.
    """

    kind: Kind
    group: int
    serial: int

    def __post_init__(self) -> None:
        _bounded("group", self.group, 1 << 10)
        _bounded("serial", self.serial, 1 << 24)

    @property
    def text(self) -> str:
        """`kind-group-serial` in decimals without leading zeros, such as `1-12-345678`."""
        return f"{int(self.kind)}-{self.group}-{self.serial}"

    @property
    def number(self) -> int:
        """The 37 bits: kind 3, group 10, serial 24."""
        return (int(self.kind) << 34) | (self.group << 24) | self.serial

    @property
    def packed(self) -> bytes:
        """The 37 bits as 5 bytes, big-endian: the form that goes into every hash."""
        return self.number.to_bytes(5, "big")

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> KeyId:
        """Read the text form.

        Raises:
            MusterError: `key/id` (not the grammar), `key/kind`, `key/range`.
        """
        match = grammar.KEY_ID_PARTS.fullmatch(text)
        if match is None:
            raise error("key/id")
        kind, group, serial = (int(part) for part in match.groups())
        return cls(Kind.numbered(kind), group, serial)

    @classmethod
    def unpack(cls, number: int) -> KeyId:
        """Read the 37 bits; raises `key/kind` or `key/range`."""
        _bounded("key id", number, 1 << 37)
        return cls(Kind.numbered(number >> 34), (number >> 24) & 0x3FF, number & 0xFFFFFF)


@dataclass(frozen=True, slots=True, repr=False)
class ProductKey:
    """A product key as read: 25 symbols whose check holds.

    `version` 0; `prefix` the first 16 bits of the publisher's hash; `group` 0 to 1023; `tag` 55
    bits that only the publisher can make; `serial` below 24^5. Raises `key/range`.
    Source: docs/spec/01-identities.md, section 1.4.
    """

    version: int
    kind: Kind
    prefix: int
    group: int
    tag: int
    serial: int

    def __post_init__(self) -> None:
        _bounded("version", self.version, 1 << 2)
        _bounded("prefix", self.prefix, 1 << 16)
        _bounded("group", self.group, 1 << 10)
        _bounded("tag", self.tag, 1 << _TAG_BITS)
        _bounded("serial", self.serial, SERIALS)

    @property
    def key_id(self) -> KeyId:
        """The public name of this key."""
        return KeyId(self.kind, self.group, self.serial)

    @property
    def head(self) -> int:
        """The 31 bits: version 2, kind 3, prefix 16, group 10."""
        return (self.version << 29) | (int(self.kind) << 26) | (self.prefix << 10) | self.group

    @property
    def head_bytes(self) -> bytes:
        """The head as 4 bytes, big-endian, for the tag."""
        return self.head.to_bytes(4, "big")

    @property
    def tag_bytes(self) -> bytes:
        """The tag as 7 bytes, big-endian, for hashes."""
        return self.tag.to_bytes(7, "big")

    @property
    def text(self) -> str:
        """The full key in five groups with dashes. Show it only to whoever owns it."""
        symbols = (
            *_symbols(self.head, _HEAD_SYMBOLS),
            *_symbols(self.tag, _TAG_SYMBOLS),
            *_symbols(self.serial, _SERIAL_SYMBOLS),
        )
        text = "".join(ALPHABET[value] for value in (*symbols, check_symbol(symbols)))
        return "-".join(text[start : start + 5] for start in range(0, SYMBOLS, 5))

    @property
    def masked(self) -> str:
        """The key with all groups but the last hidden: what everyone may see."""
        return f"XXXXX-XXXXX-XXXXX-XXXXX-{self.text[-5:]}"

    def __repr__(self) -> str:
        return f"ProductKey({self.masked})"

    def __str__(self) -> str:
        return self.masked


def _symbols(number: int, count: int) -> tuple[int, ...]:
    """`number` as `count` symbol values, highest first, left-padded with 0."""
    values = []
    for _ in range(count):
        number, value = divmod(number, 24)
        values.append(value)
    return tuple(reversed(values))


def _number(symbols: Sequence[int]) -> int:
    """The number of symbol values, highest first."""
    number = 0
    for value in symbols:
        number = number * 24 + value
    return number


def _times_alpha(a: int) -> int:
    """Multiply by α in GF(8) with x³ + x + 1."""
    a <<= 1
    return a ^ 0b1011 if a & 0b1000 else a


def _weighted_sum(symbols: Sequence[int]) -> tuple[int, int]:
    """The sums over GF(8) and GF(3) of section 1.4.3; the last symbol has place 0.

    Horner's rule from the first symbol on: each further symbol multiplies what stands by (α, 2).
    """
    in_eight, in_three = 0, 0
    for value in symbols:
        a, b = divmod(value, 3)
        in_eight = _times_alpha(in_eight) ^ a
        in_three = (in_three * 2 + b) % 3
    return in_eight, in_three


def check_symbol(symbols24: Sequence[int]) -> int:
    """The value of the check symbol of 24 symbol values.

    The scheme is linear over GF(8) × GF(3): every single wrong symbol and every swap of two
    unequal neighbours is caught (tests/core/test_keys_checks.py proves it).
    Source: docs/spec/01-identities.md, section 1.4.3.
    """
    if len(symbols24) != SYMBOLS - 1:
        raise ValueError("a product key has 24 symbols before its check symbol")
    in_eight, in_three = _weighted_sum((*symbols24, 0))
    return 3 * in_eight + (-in_three) % 3


def parse_product_key(text: str) -> ProductKey:
    """Read a product key as typed or pasted.

    Forgives case, and passes over white space, dashes and whatever else mail programs and word
    processors put between symbols. Letters and digits that are no symbols are refused, those of
    other scripts included: one that looks right is not the symbol.

    Raises:
        MusterError: `key/symbol` (a character not of the alphabet; which, at which place),
            `key/length` (how many symbols were read), `key/check` (one symbol is wrong or two
            neighbours are swapped), `key/version`, `key/kind`, `key/range` (no key has these
            symbols). None shows the key.
    Source: docs/spec/01-identities.md, section 1.4.4.
    """
    if len(text) > _LONGEST:
        raise error("key/length", count=f"more than {_LONGEST}")
    values: list[int] = []
    for character in text:
        if character in PASSED_OVER:
            continue
        value = _VALUES.get(character)
        if value is None:
            index = len(values)
            raise error(
                "key/symbol", symbol=shown(character), place=index + 1, group=index // 5 + 1
            )
        values.append(value)
    if len(values) != SYMBOLS:
        raise error("key/length", count=len(values))
    if _weighted_sum(values) != (0, 0):
        raise error("key/check")
    head = _number(values[:_HEAD_SYMBOLS])
    tag = _number(values[_HEAD_SYMBOLS : _HEAD_SYMBOLS + _TAG_SYMBOLS])
    serial = _number(values[_HEAD_SYMBOLS + _TAG_SYMBOLS : -1])
    _bounded_part("head", head, _HEAD_BITS)
    _bounded_part("tag", tag, _TAG_BITS)
    version = head >> 29
    if version != VERSION:
        raise error("key/version", version=version)
    return ProductKey(
        version=version,
        kind=Kind.numbered((head >> 26) & 0x7),
        prefix=(head >> 10) & 0xFFFF,
        group=head & 0x3FF,
        tag=tag,
        serial=serial,
    )


def _bounded_part(field: str, value: int, bits: int) -> None:
    """Refuse a part that does not fit its bits without naming its value, which is secret."""
    if value >> bits:
        raise error("key/range", field=field, value="too large", maximum=f"{bits} bits")


def compute_tag(tag_key: bytes, head: bytes, serial: int) -> int:
    """The keyed tag of a product key: the first 55 bits of HMAC-SHA-256(tag key, head ‖ serial).

    Args:
        tag_key: 32 bytes that only the publisher has.
        head: 4 bytes, `ProductKey.head_bytes`.
        serial: below 24^5; enters as 3 bytes, big-endian.
    Source: docs/spec/01-identities.md, section 1.4.2.
    """
    if len(tag_key) != 32 or len(head) != 4:
        raise ValueError("a tag key has 32 bytes and a head 4")
    digest = hmac.digest(tag_key, head + serial.to_bytes(3, "big"), hashlib.sha256)
    return int.from_bytes(digest[:7], "big") >> 1


def verify_tag(tag_key: bytes, key: ProductKey) -> None:
    """Refuse a key that was not made with this tag key (`key/tag`), in constant time."""
    wanted = compute_tag(tag_key, key.head_bytes, key.serial)
    if not hmac.compare_digest(wanted.to_bytes(7, "big"), key.tag_bytes):
        raise error("key/tag", masked=key.masked)


def make_product_key(
    tag_key: bytes, kind: Kind, prefix: int, group: int, serial: int
) -> ProductKey:
    """Make the product key of a serial number that the publisher has drawn.

    Raises `key/range` when a number does not fit its bits.
    """
    blank = ProductKey(VERSION, kind, prefix, group, 0, serial)
    tag = compute_tag(tag_key, blank.head_bytes, serial)
    return ProductKey(VERSION, kind, prefix, group, tag, serial)


def mask_keys(text: str) -> str:
    """Replace every product key in a text, such as a log line, by its masked form.

    Whatever has the shape of a key is masked, whether it is one or not: a mistyped key is still
    almost a key.
    """
    return _KEY_IN_TEXT.sub(
        lambda match: f"XXXXX-XXXXX-XXXXX-XXXXX-{match['dashed'] or match['plain']}", text
    )


def mask_typed(text: str) -> str:
    """The same for what repeats a command line, in which a key may have been taken apart.

    Two groups of five symbols in a row are masked already, the last group too. A key that is masked
    keeps its last group.
    """

    def mask(match: re.Match[str]) -> str:
        return match["masked"] or re.sub(r"[A-Za-z0-9]{5}", "XXXXX", match[0])

    return _GROUPS_IN_TEXT.sub(mask, mask_keys(text))
