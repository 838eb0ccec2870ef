"""Typed reading of decoded JSON: each accessor returns the promised type or raises one error.

The one reader of members, in signed objects and in messages (`muster.wire.codec`). Refuses to know
who signed or sent them and what follows from them. Safe on any decoded JSON.
Obeys docs/spec/02-signed-objects.md, section 2.5, and 08-http.md, section 8.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from muster.core import grammar
from muster.core.catalogue import CATALOGUE, error
from muster.core.errors import MusterError
from muster.core.keys import KeyId
from muster.lease.strict import MAX_INTEGER, JSONObject


class Claims:
    """One decoded JSON object with typed accessors.

    `code` is the catalogue code that every accessor raises; its row takes `detail`, and `where`
    (the path of the member, such as "lease.muster.count"). Where a row takes no `where`, the path
    begins its detail. Members that nobody asks for are ignored.
    """

    __slots__ = ("code", "value", "where")

    def __init__(self, value: Any, where: str, code: str = "licence/claims") -> None:
        self.where = where
        self.code = code
        if not isinstance(value, dict):
            self.refuse("", "not an object")
        self.value: Mapping[str, Any] = value

    def refuse(self, name: str, detail: str) -> NoReturn:
        """Raise this reader's error for one member ("" for the object itself)."""
        where = f"{self.where}.{name}" if name else self.where
        if "where" in CATALOGUE[self.code].fields():
            raise error(self.code, where=where, detail=detail)
        raise error(self.code, detail=f"{where}: {detail}")

    def has(self, name: str) -> bool:
        """Whether the member is there, whatever it holds; in signed objects null is no absence."""
        return name in self.value

    def given(self, name: str) -> bool:
        """Whether the member is there and not null, which is absence in messages."""
        return self.value.get(name) is not None

    def absent(self, *names: str) -> None:
        """Refuse members that this kind of object must not hold."""
        for name in names:
            if name in self.value:
                self.refuse(name, "has no place here")

    def object(self, name: str) -> Claims:
        """A member that is an object."""
        return Claims(self._value(name), f"{self.where}.{name}", self.code)

    def text(self, name: str, grammar: re.Pattern[str]) -> str:
        """A string that the grammar matches as a whole."""
        value = self._value(name)
        if not isinstance(value, str) or not grammar.fullmatch(value):
            self.refuse(name, "not of its grammar")
        return value

    def optional_text(self, name: str, grammar: re.Pattern[str]) -> str | None:
        """A string as `text` has it; None where the member is not `given`."""
        return self.text(name, grammar) if self.given(name) else None

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """A string out of a fixed list."""
        value = self._value(name)
        if not isinstance(value, str) or value not in among:
            self.refuse(name, f"not one of {', '.join(among)}")
        return value

    def integer(self, name: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        """An integer within bounds, both included; true and false are no integers."""
        value = self._value(name)
        if type(value) is not int or not low <= value <= high:
            self.refuse(name, f"not an integer from {low} to {high}")
        return value

    def optional_integer(self, name: str, low: int = 0, high: int = MAX_INTEGER) -> int | None:
        """An integer, or None when the member is absent; null is not absent."""
        return self.integer(name, low, high) if name in self.value else None

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._value(name)
        if not isinstance(value, bool):
            self.refuse(name, "not true or false")
        return value

    def texts(
        self,
        name: str,
        grammar: re.Pattern[str],
        limit: int,
        *,
        ordered: bool = False,
        distinct: bool = True,
    ) -> tuple[str, ...]:
        """An array of at most `limit` strings, no two of them equal unless `distinct` is off; with
        `ordered` sorted ascending."""
        items: list[str] = []
        for item in self._array(name, limit):
            if not isinstance(item, str) or not grammar.fullmatch(item):
                self.refuse(name, "an item that is not of its grammar")
            items.append(item)
        if distinct and len(set(items)) != len(items):
            self.refuse(name, "an item that appears twice")
        if ordered and sorted(items) != items:
            self.refuse(name, "not sorted")
        return tuple(items)

    def raw(self, name: str) -> JSONObject:
        """A member that is an object, as it is, for a reader of its own."""
        value = self._value(name)
        if not isinstance(value, dict):
            self.refuse(name, "not an object")
        return value

    def objects(self, name: str, limit: int) -> list[Claims]:
        """An array of at most `limit` objects."""
        return [
            Claims(item, f"{self.where}.{name}[{index}]", self.code)
            for index, item in enumerate(self._array(name, limit))
        ]

    def _array(self, name: str, limit: int) -> list[Any]:
        value = self._value(name)
        if not isinstance(value, list) or len(value) > limit:
            self.refuse(name, f"not an array of at most {limit} items")
        return value

    def _value(self, name: str) -> Any:
        if name not in self.value:
            self.refuse(name, "missing")
        return self.value[name]


def key_id(reader: Claims, name: str = "key") -> KeyId:
    """A member that is a key id as text (1.5), within its bits; raises the reader's error."""
    text = reader.text(name, grammar.KEY_ID)
    try:
        return KeyId.parse(text)
    except MusterError:
        reader.refuse(name, "not a key id")


def version(muster: Claims, what: str) -> None:
    """Judge the format version `v` of an object.

    Raises:
        MusterError `licence/version`: the object needs a newer program; the claims' own error:
            `v` is missing or no positive integer.
    Source: docs/spec/02-signed-objects.md, section 2.6.
    """
    number = muster.integer("v", 1)
    if number > 1:
        raise error("licence/version", where=what, v=number)
