"""Strict, bounded reading of messages: the one decoder of clients and servers.

A message is one JSON object read by `muster.lease.strict`; each member is taken by a reader that
checks type and grammar before anybody uses the value. Unknown members are ignored (information
may be added), a higher `v` refuses (docs/spec/08-http.md, section 1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.lease import strict

VERSION = 1
"""Version of every message of this program."""

NAME_POINTS = 64
"""Code points of a name that a machine or a host calls itself by."""


class Reader:
    """Takes typed members out of one decoded object; raises `wire/bad-request` on each fault."""

    def __init__(self, value: Mapping[str, Any], where: str = "message") -> None:
        self._value = value
        self._where = where

    def _fail(self, name: str, detail: str) -> MusterError:
        return error("wire/bad-request", detail=f"{name} in {self._where} {detail}")

    def version(self) -> int:
        """`v`: an integer from 1 to the version of this program; higher refuses."""
        found = self.integer("v", low=1)
        if found > VERSION:
            raise error("wire/version", version=found, known=VERSION)
        return found

    def text(self, name: str, grammar: re.Pattern[str]) -> str:
        """A string that matches the grammar as a whole."""
        value = self._value.get(name)
        if not isinstance(value, str):
            raise self._fail(name, "is missing or not a string")
        if not grammar.fullmatch(value):
            raise self._fail(name, "does not have the form that it must have")
        return value

    def optional_text(self, name: str, grammar: re.Pattern[str]) -> str | None:
        """Like `text`; None where the member is absent or null."""
        return None if self._value.get(name) is None else self.text(name, grammar)

    def shown(self, name: str) -> str:
        """A name for people of at most `NAME_POINTS` code points; "" where it is absent or null.

        Source: docs/spec/02-signed-objects.md, section 2.5.
        """
        if self._value.get(name) is None:
            return ""
        found = self.text(name, grammar.DISPLAY_NAME)
        if len(found) > NAME_POINTS:
            raise self._fail(name, f"has more than {NAME_POINTS} characters")
        return found

    def integer(self, name: str, low: int = 0, high: int = 2**53 - 1) -> int:
        """An integer within low..high."""
        value = self._value.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._fail(name, "is missing or not an integer")
        if not low <= value <= high:
            raise self._fail(name, f"is not within {low} and {high}")
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise self._fail(name, "is missing or not true or false")
        return value

    def texts(self, name: str, grammar: re.Pattern[str], limit: int) -> tuple[str, ...]:
        """A list of at most `limit` strings of the grammar."""
        value = self._value.get(name)
        if not isinstance(value, list):
            raise self._fail(name, "is missing or not a list")
        if len(value) > limit:
            raise self._fail(name, f"has more than {limit} items")
        for item in value:
            if not isinstance(item, str) or not grammar.fullmatch(item):
                raise self._fail(name, "has an item that does not have the form that it must have")
        return tuple(value)

    def object(self, name: str) -> Reader:
        """A nested object."""
        value = self._value.get(name)
        if not isinstance(value, dict):
            raise self._fail(name, "is missing or not an object")
        return Reader(value, f"{self._where}.{name}")

    def objects(self, name: str, limit: int) -> tuple[Reader, ...]:
        """A list of at most `limit` objects."""
        value = self._value.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._fail(name, "is missing or not a list of objects")
        if len(value) > limit:
            raise self._fail(name, f"has more than {limit} items")
        return tuple(Reader(item, f"{self._where}.{name}") for item in value)

    def raw(self, name: str) -> dict[str, Any]:
        """A nested object as it is, for a reader of its own."""
        value = self._value.get(name)
        if not isinstance(value, dict):
            raise self._fail(name, "is missing or not an object")
        return value

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self._value.get(name) is not None


def decode(data: bytes, limits: strict.Limits = strict.SMALL) -> Reader:
    """Read one JSON object within the limits.

    Raises: `wire/bad-request` for anything that is not a strict, bounded JSON object.
    """
    try:
        return Reader(strict.read(data, limits))
    except MusterError as fault:
        raise error(
            "wire/bad-request", detail=str(fault.params.get("detail", fault.what))
        ) from None


def name_for_people(text: str) -> str:
    """As much of a text as may be sent as a name: what has no place there is left out.

    Returns:
        At most `NAME_POINTS` code points, without white space around them; "" where nothing
        is left.
    """
    kept = grammar.HIDDEN_CHARACTER.sub("", text[:1024])
    return kept.strip()[:NAME_POINTS].strip()


def encode(value: Mapping[str, Any]) -> bytes:
    """Write one message: JCS, as everything that Muster writes."""
    return strict.canonical(dict(value))


def as_answer(fault: MusterError, peer: str) -> MusterError:
    """The same reading fault, said of an answer: the peer's mistake, not ours."""
    if fault.code != "wire/bad-request":
        return fault
    return error("wire/bad-answer", peer=peer, detail=fault.params["detail"])
