"""Strict, bounded reading of JSON and base64url, and the one canonical way of writing JSON.

Decides which bytes are a JSON text of Muster at all. Refuses to know what a member means: that
is `muster.lease.claims`. Every limit is judged before the parser sees the text, so that no input
costs more than one linear scan. Obeys docs/spec/02-signed-objects.md, sections 2.1 to 2.3.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from muster.core import grammar
from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.values import dataclass

JSONValue: TypeAlias = "bool | int | str | Sequence[JSONValue] | Mapping[str, JSONValue] | None"
"""What a JSON text of Muster can say."""
JSONObject: TypeAlias = Mapping[str, JSONValue]
"""What `canonical` writes: each member is checked by type where the object is made."""
MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON library reads alike."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one JSON text.

    `bytes` of the text; `levels` of nesting, the top object is level 1; `members` of all objects
    of the text together; `items` of each array.
    """

    bytes: int
    levels: int
    members: int
    items: int


SMALL = Limits(8_192, 4, 64, 16)
"""Headers, requests, payloads of grant, terms, lease and notice."""
TRUST = Limits(32_768, 6, 512, 256)
CATALOGUE = Limits(4 * 1024 * 1024, 8, 262_144, 65_536)
BUNDLE = Limits(16_384, 4, 64, 16)
"""Licence bundles and the answers of a host."""
DESCRIPTOR = Limits(65_536, 6, 4_096, 1_024)
SITE = Limits(65_536, 4, 512, 64)
SITE_FILE = Limits(262_144, 4, 512, 64)

# One string (an unterminated one swallows the rest, so that the scan stays linear) or one mark.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def read(data: bytes, limits: Limits, where: str = "the JSON text") -> dict[str, Any]:
    """Read one JSON object.

    Args:
        data: the whole text, UTF-8 without a byte order mark.
        limits: judged before parsing.
        where: what is read, for the error's text ("lease", "bundle").
    Returns:
        The object. Values are dict, list, str, int (0 to 2^53-1), bool and None only.
    Raises:
        MusterError `licence/malformed`, for any other bytes; nothing else.
    Source: docs/spec/02-signed-objects.md, section 2.1.
    """
    if len(data) > limits.bytes:
        _refuse(where, f"longer than {limits.bytes} bytes")
    _bound(data, limits, where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(where, "not UTF-8")
    try:
        value = _decode(text, where)
    except MusterError:
        raise
    except (ValueError, RecursionError):
        _refuse(where, "not JSON")
    if not isinstance(value, dict):
        _refuse(where, "not an object")
    if _SURROGATE_ESCAPE.search(data) and _has_lone_surrogate(value):
        _refuse(where, "a lone surrogate in a string")
    return value


def canonical(value: JSONObject) -> bytes:
    """Write a value as RFC 8785 (JCS) does: sorted members, no spaces, shortest escapes.

    Args:
        value: dict, list, tuple, str, int, bool and None at any depth; member names are str.
    Returns:
        UTF-8 bytes. `read` takes them back, within its limits.
    Raises:
        ValueError: the value holds something that `read` would refuse (a fraction, a negative or
            too large number, a lone surrogate); a bug of the caller.
    Source: docs/spec/02-signed-objects.md, section 2.3.
    """
    return _ENCODER.encode(_ordered(value)).encode("utf-8")


def b64url_encode(data: bytes) -> str:
    """Base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str, limit: int, where: str = "base64url") -> bytes:
    """Read canonical unpadded base64url.

    Args:
        text: only `A-Z a-z 0-9 - _`; the unused bits of the last symbol are 0.
        limit: the most bytes that may come out.
        where: what is read, for the error's text.
    Raises:
        MusterError `licence/malformed`, for any other text.
    Source: docs/spec/02-signed-objects.md, section 2.2.
    """
    if len(text) > (limit * 4 + 2) // 3:
        _refuse(where, f"longer than {limit} bytes")
    if not grammar.BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        _refuse(where, "not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url_encode(data) != text:
        _refuse(where, "base64url whose unused bits are not 0")
    return data


def _bound(data: bytes, limits: Limits, where: str) -> None:
    """Judge levels, members and items by one scan over the marks that are outside strings."""
    members = 0
    commas = [0]  # of each open bracket; the first entry stands for the top
    arrays = [False]
    for match in _TOKENS.finditer(data):
        mark = data[match.start()]
        if mark == 0x22:  # a string
            continue
        if mark in b"[{":
            commas.append(0)
            arrays.append(mark == 0x5B)
            if len(commas) - 1 > limits.levels:
                _refuse(where, f"deeper than {limits.levels} levels")
        elif mark in b"]}":
            if len(commas) == 1:
                _refuse(where, "not JSON")
            commas.pop()
            arrays.pop()
        elif mark == 0x2C:
            commas[-1] += 1
            if arrays[-1] and commas[-1] >= limits.items:
                _refuse(where, f"an array of more than {limits.items} items")
        else:
            members += 1
            if members > limits.members:
                _refuse(where, f"more than {limits.members} members")


def _decode(text: str, where: str) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            _refuse(where, "a member name that appears twice")
        return value

    def integer(digits: str) -> int:
        if len(digits) > 16 or digits[0] == "-" or int(digits) > MAX_INTEGER:
            _refuse(where, "a number that is not an integer from 0 to 2^53-1")
        return int(digits)

    def number(_: str) -> NoReturn:
        _refuse(where, "a number that is not an integer from 0 to 2^53-1")

    return json.loads(
        text,
        object_pairs_hook=members,
        parse_int=integer,
        parse_float=number,
        parse_constant=number,
    )


def _has_lone_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return _LONE_SURROGATE.search(value) is not None
    if isinstance(value, dict):
        return any(_has_lone_surrogate(k) or _has_lone_surrogate(v) for k, v in value.items())
    if isinstance(value, list):
        return any(_has_lone_surrogate(item) for item in value)
    return False


def _ordered(value: Any) -> Any:
    """The value with members in the order of RFC 8785; refuses what `read` would refuse."""
    kind = type(value)
    if kind is str:
        if not value.isascii() and _LONE_SURROGATE.search(value):
            raise ValueError("a lone surrogate has no UTF-8 form")
        return value
    if kind is int:
        if not 0 <= value <= MAX_INTEGER:
            raise ValueError(f"{value} is not an integer from 0 to 2^53-1")
        return value
    if kind is bool or value is None:
        return value
    if isinstance(value, Mapping):
        return {_ordered(name): _ordered(value[name]) for name in _sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    raise ValueError(f"{kind.__name__} has no place in a JSON text of Muster")


def _sorted(names: Collection[object]) -> list[str]:
    """Member names in the order of RFC 8785, section 3.2.3: by their UTF-16 code units."""
    members = [name for name in names if type(name) is str]
    if len(members) != len(names):
        raise ValueError("a member name is a string")
    if all(map(str.isascii, members)):
        return sorted(members)
    return sorted(members, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _refuse(where: str, detail: str) -> NoReturn:
    raise error("licence/malformed", where=where, detail=detail) from None
