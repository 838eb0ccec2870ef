"""What each accessor of a member takes, what it refuses, and in which words (2.5)."""

from __future__ import annotations

from typing import Any

import pytest

from muster.core import grammar
from muster.core.errors import MusterError
from muster.core.keys import KeyId, Kind
from muster.lease.claims import Claims, key_id, version
from muster.lease.strict import MAX_INTEGER

NO_CLAIM = "licence/claims"
ODD: tuple[Any, ...] = (None, True, False, 0, 1, "", "a", [], ["a"], {}, {"a": 1}, 1.0)
"""A value of every type of JSON."""


def of(value: Any) -> Claims:
    """A reader of an object with the one member `m`."""
    return Claims({"m": value}, "lease.muster")


def detail(call: Any, *values: Any, **named: Any) -> str:
    """What is wrong, as the refusal of the member `m` says it."""
    with pytest.raises(MusterError) as caught:
        call("m", *values, **named)
    assert caught.value.code == NO_CLAIM
    first, _, said = caught.value.what.partition(": ")
    assert first == "The lease.muster.m is wrong"
    return said.rstrip(".")


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_each_type_is_taken_by_its_own_accessors(value: Any) -> None:
    reader = of(value)
    ways: dict[str, tuple[Any, tuple[Any, ...], bool, str]] = {
        "text": (reader.text, (grammar.NAME,), value == "a", "not of its grammar"),
        "choice": (reader.choice, (("a", "b"),), value == "a", "not one of a, b"),
        "flag": (reader.flag, (), isinstance(value, bool), "not true or false"),
        "raw": (reader.raw, (), isinstance(value, dict), "not an object"),
        "integer": (
            *(reader.integer, (0, 5), type(value) is int),
            "not an integer from 0 to 5",
        ),
        "texts": (
            *(reader.texts, (grammar.NAME, 9), isinstance(value, list)),
            "not an array of at most 9 items",
        ),
    }
    for call, arguments, taken, words in ways.values():
        if taken:
            found = call("m", *arguments)
            assert (list(found) if isinstance(found, tuple) else found) == value
        else:
            assert detail(call, *arguments) == words
    if isinstance(value, dict):
        assert reader.object("m").value == value
    else:
        with pytest.raises(MusterError, match=r"The lease\.muster\.m is wrong: not an object"):
            reader.object("m")
        with pytest.raises(MusterError, match=r"The lease is wrong: not an object"):
            Claims(value, "lease")


def test_a_missing_member() -> None:
    reader = Claims({}, "lease.muster")
    for call, arguments in (
        (reader.text, (grammar.NAME,)),
        (reader.choice, (("a",),)),
        (reader.integer, ()),
        (reader.flag, ()),
        (reader.raw, ()),
        (reader.object, ()),
        (reader.texts, (grammar.NAME, 1)),
        (reader.objects, (1,)),
    ):
        assert detail(call, *arguments) == "missing"


def test_absence() -> None:
    """In messages null is absence, in signed objects it is a value."""
    nothing, null, some = Claims({}, "lease.muster"), of(None), of("a")
    assert [one.has("m") for one in (nothing, null, some)] == [False, True, True]
    assert [one.given("m") for one in (nothing, null, some)] == [False, False, True]
    assert [one.optional_text("m", grammar.NAME) for one in (nothing, null, some)] == [
        None,
        None,
        "a",
    ]
    assert nothing.optional_integer("m") is None
    assert of(0).optional_integer("m") == 0
    assert detail(null.optional_integer, 1, 2) == "not an integer from 1 to 2"
    nothing.absent("m", "n")
    some.absent("n")
    assert detail(null.absent) == "has no place here"
    with pytest.raises(MusterError):
        some.absent("n", "m")


@pytest.mark.parametrize(("low", "high"), [(0, MAX_INTEGER), (1, 3), (3, 3)])
def test_bounds_of_integers_are_included(low: int, high: int) -> None:
    for value in (low, high):
        assert of(value).integer("m", low, high) == value
        assert of(value).optional_integer("m", low, high) == value
    for value in (low - 1, high + 1):
        words = f"not an integer from {low} to {high}"
        assert detail(of(value).integer, low, high) == words
        assert detail(of(value).optional_integer, low, high) == words


def test_bounds_where_none_are_given() -> None:
    for value in (0, MAX_INTEGER):
        assert of(value).integer("m") == of(value).optional_integer("m") == value
    assert detail(of(MAX_INTEGER + 1).integer) == f"not an integer from 0 to {MAX_INTEGER}"


def test_arrays_of_texts() -> None:
    assert of([]).texts("m", grammar.NAME, 0) == ()
    assert of(["b", "a"]).texts("m", grammar.NAME, 2) == ("b", "a")
    assert detail(of(["b", "a"]).texts, grammar.NAME, 1) == "not an array of at most 1 items"
    for odd in (1, None, ["a"], "A", ""):
        words = "an item that is not of its grammar"
        assert detail(of(["a", odd]).texts, grammar.NAME, 9) == words
    assert of(["a", "b"]).texts("m", grammar.NAME, 2, ordered=True) == ("a", "b")
    assert detail(of(["b", "a"]).texts, grammar.NAME, 2, ordered=True) == "not sorted"
    assert detail(of(["a", "a"]).texts, grammar.NAME, 2) == "an item that appears twice"
    assert of(["a", "a"]).texts("m", grammar.NAME, 2, distinct=False) == ("a", "a")


def test_arrays_of_objects() -> None:
    found = of([{"a": 1}, {}]).objects("m", 2)
    assert [(one.where, one.value, one.code) for one in found] == [
        ("lease.muster.m[0]", {"a": 1}, NO_CLAIM),
        ("lease.muster.m[1]", {}, NO_CLAIM),
    ]
    assert detail(of([{}, {}]).objects, 1) == "not an array of at most 1 items"
    with pytest.raises(MusterError, match=r"The lease\.muster\.m\[1\] is wrong: not an object"):
        of([{}, 1]).objects("m", 2)


def test_the_path_begins_the_detail_of_rows_without_a_where() -> None:
    reader = Claims({"a": {"m": 1}}, "message", "wire/bad-request")
    with pytest.raises(MusterError, match=r"message\.a\.m: not of its grammar") as caught:
        reader.object("a").text("m", grammar.NAME)
    assert caught.value.code == "wire/bad-request"


def test_key_ids() -> None:
    assert key_id(of("0-1023-16777215"), "m") == KeyId(Kind.HOST, 1023, 2**24 - 1)
    assert key_id(Claims({"key": "1-0-0"}, "grant")) == KeyId(Kind.MAK, 0, 0)
    for text in ("0-1024-1", "0-7-16777216"):
        assert detail(lambda name, text=text: key_id(of(text), name)) == "not a key id"
    assert detail(lambda name: key_id(of("0-07-1"), name)) == "not of its grammar"


@pytest.mark.parametrize(
    ("number", "code"),
    [(1, None), (2, "licence/version"), (MAX_INTEGER, "licence/version"), (0, NO_CLAIM)],
)
def test_the_version_of_the_format(number: int, code: str | None) -> None:
    reader = Claims({"v": number}, "lease.muster")
    if code is None:
        version(reader, "lease")
        return
    with pytest.raises(MusterError) as caught:
        version(reader, "lease")
    assert caught.value.code == code
    if code == "licence/version":
        assert f"{number}" in caught.value.what
        assert "lease" in caught.value.what
