"""The strict reader against a second, plain one, and against texts that cost much.

The second reader is written from docs/spec/02-signed-objects.md, section 2.1, and shares nothing
with the first. What both accept must be read alike by the standard library too.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from tests.attacks.conftest import refusal
from tests.house.growth import growth

from muster.core.errors import MusterError
from muster.lease import jws
from muster.lease.strict import CATALOGUE, Limits, b64url_decode, b64url_encode, read

LIMITS = Limits(1 << 16, 6, 40, 12)
MIB = 1 << 20


class _NoError(Exception):
    """The second reader refuses."""


class Plain:
    """A recursive reader of section 2.1, one character after the other."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        if len(data) > limits.bytes:
            raise _NoError
        try:
            self.text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise _NoError from None
        self.limits = limits
        self.place = 0
        self.members = 0

    def read(self) -> dict[str, Any]:
        """The whole text: one object, nothing behind it."""
        self._space()
        if not self._at("{"):
            raise _NoError
        value: dict[str, Any] = self._value(1)
        self._space()
        if self.place != len(self.text):
            raise _NoError
        return value

    def _at(self, mark: str) -> bool:
        return self.text.startswith(mark, self.place)

    def _take(self, mark: str) -> None:
        if not self._at(mark):
            raise _NoError
        self.place += len(mark)

    def _space(self) -> None:
        while self.text[self.place : self.place + 1] in {" ", "\t", "\n", "\r"}:
            self.place += 1

    def _value(self, level: int) -> Any:
        self._space()
        if self._at('"'):
            return self._string()
        if self._at("{") or self._at("["):
            if level > self.limits.levels:
                raise _NoError
            return self._object(level) if self._at("{") else self._array(level)
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self._at(word):
                self.place += len(word)
                return value
        return self._number()

    def _object(self, level: int) -> dict[str, Any]:
        self._take("{")
        found: dict[str, Any] = {}
        self._space()
        while not self._at("}"):
            if found:
                self._take(",")
                self._space()
            name = self._string()
            self._space()
            self._take(":")
            value = self._value(level + 1)
            self.members += 1
            if name in found or self.members > self.limits.members:
                raise _NoError
            found[name] = value
            self._space()
        self._take("}")
        return found

    def _array(self, level: int) -> list[Any]:
        self._take("[")
        found: list[Any] = []
        self._space()
        while not self._at("]"):
            if found:
                self._take(",")
            found.append(self._value(level + 1))
            if len(found) > self.limits.items:
                raise _NoError
            self._space()
        self._take("]")
        return found

    def _number(self) -> int:
        start = self.place
        while self.text[self.place : self.place + 1] in set("0123456789"):
            self.place += 1
        digits = self.text[start : self.place]
        follows = self.text[self.place : self.place + 1]
        if not digits or (digits[0] == "0" and digits != "0") or follows in {".", "e", "E"}:
            raise _NoError
        if int(digits) >= 2**53:
            raise _NoError
        return int(digits)

    def _string(self) -> str:
        self._take('"')
        units: list[str] = []
        while not self._at('"'):
            character = self.text[self.place : self.place + 1]
            if character < " ":
                raise _NoError
            if character != "\\":
                units.append(character)
                self.place += 1
                continue
            kind = self.text[self.place + 1 : self.place + 2]
            if kind == "u":
                digits = self.text[self.place + 2 : self.place + 6]
                if len(digits) != 4 or not set(digits) <= set("0123456789abcdefABCDEF"):
                    raise _NoError
                units.append(chr(int(digits, 16)))
                self.place += 6
            else:
                plain = dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True)).get(kind)
                if plain is None:
                    raise _NoError
                units.append(plain)
                self.place += 2
        self.place += 1
        try:
            return "".join(units).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise _NoError from None


NUMBERS = [
    "0", "1", "-0", "-1", "01", "00", "1.0", "1e2", "9007199254740991", "9007199254740992", "1e-2",
    "NaN", "Infinity", "-Infinity", "0x10", "1_0", "+1", ".5", "5.", "1٣", "٣", "9" * 16, "9" * 17,
    "9" * 40, "0.0", "1e400", "- 1", "1 2", "0000000000000001", "9007199254740991.0",
]  # fmt: skip
PIECES = [
    "a", "", "\\u0061", "é", "\\u00e9", "😀", "\\ud83d\\ude00", "\\ud83d", "\\ude00",
    "\\ude00\\ud83d", "\\ud83dx\\ude00", "\\ud83d\\u0041", "\\\\ud83d",
    "\\u0000", "\\n", "\\/", "\\x41", "\\u004", "\\u+041", "\\u 041", "\\u1_23", "\\U0041", "\x00",
    "\n", "\t", "\x7f", "\u0085", "\u2028",
    "\ufeff", '\\"', "\\", '"', "\\\\", "exp", "EXP", "\\u0065xp", "__proto__", "ſ", "K", "\\'",
    "'", "\ud7ff", "\ue000", "\uffff", "\\uDBFF\\uDFFF", "\\uD800\\uDC00", " a",
]  # fmt: skip
BYTES = [
    b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\xaf", b'"',
    b"\\", b"{", b"}", b",", b":", b"\x00", b"\x1f", b"\xef\xbb\xbf",
]  # fmt: skip


class Hostile:
    """Texts that are nearly JSON, from a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def _one(self, usual: list[str], odd: list[str], rate: float) -> str:
        return self._chance.choice(odd if self._chance.random() < rate else usual)

    def _space(self) -> str:
        odd = ["\x0b", "\xa0", "\x0c", "/**/", "//\n", "\ufeff", "\x00"]
        return self._one([""] * 9 + [" ", "\n", "\t", "\r"], odd, 0.003)

    def _string(self) -> str:
        parts = [
            self._one(["a", "b", "exp"], PIECES, 0.3)
            for _ in range(self._chance.choice((0, 1, 1, 2)))
        ]
        return self._one(['"%s"'], ["'%s'", "%s", '"%s'], 0.004) % "".join(parts)

    def _value(self, depth: int) -> str:
        kind = self._chance.random()
        if depth <= 0 or kind < 0.25:
            return self._one(["0", "1", "12"], NUMBERS, 0.1)
        if kind < 0.5:
            return self._string()
        if kind < 0.6:
            return self._one(["true", "false", "null"], ["True", "nul", "NULL", "undefined"], 0.05)
        if kind < 0.8:
            size = 13 if self._chance.random() < 0.02 else self._chance.choice((0, 1, 2, 3))
            items = ",".join(
                self._space() + self._value(depth - 1) + self._space() for _ in range(size)
            )
            return "[" + items + self._one([""], [","], 0.01) + self._one(["]"], ["}", ""], 0.01)
        return self._object(depth - 1)

    def _object(self, depth: int) -> str:
        members = [
            self._string()
            + self._space()
            + self._one([":"], ["=", "::", " "], 0.005)
            + self._value(depth)
            for _ in range(self._chance.choice((0, 1, 2, 2, 3, 4)))
        ]
        body = self._space() + ("," + self._space()).join(members) + self._space()
        return "{" + body + self._one([""], [","], 0.01) + self._one(["}"], ["]", ""], 0.01)

    def text(self) -> bytes:
        """One text, perhaps with a byte spoilt."""
        written = self._space() + self._object(self._chance.choice((1, 2, 3, 4, 7))) + self._space()
        written += self._one([""], ["x", "{}", ",", "\x00"], 0.01)
        data = written.encode()
        if data and self._chance.random() < 0.05:
            at = self._chance.randrange(len(data))
            spoilt = self._chance.choice(BYTES)
            data = data[:at] + spoilt + data[at + self._chance.choice((0, 1)) :]
        return data


@pytest.mark.parametrize("seed", range(4))
def test_two_readers_agree_on_hostile_texts(seed: int) -> None:
    hostile = Hostile(seed)
    accepted = 0
    for text in {hostile.text() for _ in range(2500)}:
        try:
            second: dict[str, Any] | None = Plain(text, LIMITS).read()
        except _NoError:
            second = None
        try:
            first: dict[str, Any] | None = read(text, LIMITS)
        except MusterError as fault:
            assert fault.code == "licence/malformed"
            first = None
        assert first == second, text
        if first is not None:
            accepted += 1
            assert repr(first) == repr(second)
            assert json.loads(text) == first
    assert accepted > 300, "the texts became too hostile to test what is accepted"


def test_every_short_base64url_text_has_one_reading() -> None:
    """All texts of up to three symbols out of a hostile set; what passes is canonical."""
    symbols = "AQgwBZ-_+/=. \n\u212a"
    seen: dict[bytes, str] = {}
    for size in range(4):
        for letters in itertools.product(symbols, repeat=size):
            text = "".join(letters)
            try:
                data = b64url_decode(text, 8)
            except MusterError as fault:
                assert fault.code == "licence/malformed"
                continue
            assert b64url_encode(data) == text
            assert base64.urlsafe_b64decode(text + "==") == data
            assert seen.setdefault(data, text) == text


def _filled(before: bytes, unit: bytes, after: bytes, size: int) -> bytes:
    return before + unit * ((size - len(before) - len(after)) // len(unit)) + after


COSTLY: dict[str, Callable[[int], bytes]] = {
    "commas": lambda size: _filled(b"{", b",", b"}", size),
    "brackets": lambda size: _filled(b'{"a":', b"[]", b"}", size),
    "100,000 levels": lambda size: _filled(b'{"a":', b"[", b"", size),
    "quotes": lambda size: _filled(b'{"a":', b'""', b"}", size),
    "quotes and backslashes": lambda size: _filled(b'{"a":', b'"\\', b"}", size),
    "backslashes without end": lambda size: _filled(b'{"a":"', b"\\\\", b"", size),
    "escapes": lambda size: _filled(b'{"a":"', b"\\u0041", b'"}', size),
    "pairs": lambda size: _filled(b'{"a":"', b"\\ud83d\\ude00", b'"}', size),
    "digits": lambda size: _filled(b'{"a":', b"9", b"}", size),
    "fraction": lambda size: _filled(b'{"a":0.', b"9", b"}", size),
    "exponent": lambda size: _filled(b'{"a":1e', b"9", b"}", size),
    "spaces": lambda size: _filled(b"{", b" ", b"}", size),
    "names": lambda size: b"{" + b",".join(b'"%x":0' % n for n in range(size // 12)) + b"}",
    "same name": lambda size: _filled(b"{", b'"a":0,', b'"b":0}', size),
}


@pytest.mark.parametrize("name", list(COSTLY))
def test_the_cost_of_a_text_grows_with_its_length_only(name: str) -> None:
    small, large = (COSTLY[name](size) for size in (MIB // 64, MIB // 4))
    assert growth(lambda text: refusal(lambda: read(text, CATALOGUE)), small, large) < 5


def _peak(attack: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        assert refusal(attack)
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def test_a_text_of_dots_is_not_made_into_a_list() -> None:
    """Eight million dots once became a list of 64 MiB before they were refused."""
    dots = "." * (8 * MIB)
    assert _peak(lambda: jws.parse(dots, CATALOGUE)) < 24


def test_texts_above_a_limit_are_refused_before_they_cost_memory() -> None:
    names = COSTLY["names"](MIB)
    assert _peak(lambda: read(names, Limits(MIB, 4, 64, 16))) < 3
    deep = COSTLY["100,000 levels"](MIB)
    assert _peak(lambda: read(deep, CATALOGUE)) < 3
    many = b'{"a":[' + b",".join([b"{}"] * 200_000) + b"]}"
    assert _peak(lambda: read(many, Limits(MIB, 4, 64, 16))) < 3
