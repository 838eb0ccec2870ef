"""The one encoder of records, and the shapes that it makes."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from muster.core.catalogue import error
from muster.core.errors import MusterError
from muster.core.records import (
    ErrorRecord,
    Instant,
    any_of,
    encode,
    extended,
    record_of,
    schema,
    widened,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Number(enum.IntEnum):
    NONE = 0
    ONE = 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf."""

    at: Instant
    colour: Colour
    number: Number


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree, and the trees
    in it."""

    name: str
    leaf: Leaf | None
    leaves: tuple[Leaf, ...]
    trees: tuple[Tree, ...]
    by_number: Mapping[str, int]
    tall: bool
    weight: float
    why: MusterError | None


leaves = st.builds(Leaf, st.integers(), st.sampled_from(Colour), st.sampled_from(Number))
faults = st.just(error("net/refused", peer="kms1"))


def tree(inner: Any) -> Any:
    return st.builds(
        Tree,
        st.text(),
        st.none() | leaves,
        st.lists(leaves, max_size=3).map(tuple),
        inner,
        st.dictionaries(st.text(), st.integers()),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.none() | faults,
    )


trees = st.recursive(
    st.just(()), lambda inner: st.lists(tree(inner), max_size=2).map(tuple), max_leaves=4
)


@examples(40)
@given(tree(trees))
def test_whatever_is_encoded_has_the_published_shape(one: Tree) -> None:
    shape = schema(Tree)
    jsonschema.Draft202012Validator.check_schema(shape)
    value = json.loads(json.dumps(encode(one)))
    jsonschema.validate(value, shape, jsonschema.Draft202012Validator)
    assert set(value) == set(shape["properties"])  # type: ignore[arg-type]  # an object


def test_the_members_of_an_object_are_the_fields() -> None:
    leaf = Leaf(5, Colour.BLUE, Number.ONE)
    one = Tree("n", leaf, (leaf,), (), {"a": 1}, True, 0.5, None)
    shown = {"at": 5, "colour": "blue", "number": 1}
    assert encode(one) == {
        "name": "n",
        "leaf": shown,
        "leaves": [shown],
        "trees": [],
        "by_number": {"a": 1},
        "tall": True,
        "weight": 0.5,
        "why": None,
    }


def test_a_name_of_a_mapping_may_be_of_an_enumeration() -> None:
    @dataclass(frozen=True)
    class Counted:
        counts: Mapping[Number, int]

    assert encode(Counted({Number.ONE: 3})) == {"counts": {"1": 3}}


def test_an_error_is_told_without_a_product_key() -> None:
    typed = "FSWW4-K3KSV-CF0CK-X5NGE-7T6Q5"
    found = encode(Tree("", None, (), (), {}, False, 0, error("net/refused", peer=typed)))["why"]
    assert isinstance(found, dict)
    assert set(found) == set(schema(ErrorRecord)["properties"])  # type: ignore[arg-type]  # an object
    assert found["code"] == "net/refused"
    assert found["retry"] == "other-host"
    assert typed not in json.dumps(found)


def test_a_shape_says_what_a_number_is() -> None:
    shape = schema(Leaf, 3)
    assert shape["$id"] == "Leaf/3"
    assert shape["properties"] == {
        "at": {"type": "integer", "description": "Unix seconds"},
        "colour": {"enum": ["red", "blue"]},
        "number": {"enum": [0, 1]},
    }
    assert schema(Tree)["description"] == "A tree, and the trees in it."


def test_one_of_several_records_has_a_shape() -> None:
    shape = any_of("garden", (Leaf, Tree), 2)
    assert shape["$id"] == "garden/2"
    valid = jsonschema.Draft202012Validator(shape)
    for good in (Leaf(1, Colour.RED, Number.ONE), Tree("", None, (), (), {}, False, 0, None)):
        valid.validate(encode(good))
    assert not valid.is_valid({"at": 1})
    one = any_of("leaf", (Leaf,))
    assert one["$ref"] == "#/$defs/Leaf"
    assert one["$id"] == "leaf/1"
    assert schema(Leaf)["$id"] == "Leaf/1"
    assert one["$defs"] == {"Leaf": shape["$defs"]["Leaf"]}  # type: ignore[index,call-overload]


def test_a_record_is_widened_by_fields() -> None:
    @dataclass(frozen=True)
    class Fallen(Leaf):
        where: str

    leaf = Leaf(1, Colour.RED, Number.ONE)
    assert widened(Fallen, leaf, where="lawn") == Fallen(1, Colour.RED, Number.ONE, "lawn")


def test_a_name_in_a_shape_is_of_one_record() -> None:
    other: Any = dataclass(type("Leaf", (), {"__annotations__": {"wet": bool}}))
    with pytest.raises(TypeError, match="Leaf"):
        any_of("garden", (Tree, other))


@pytest.mark.parametrize("value", [Leaf, {"a": 1}, None, b"bytes"])
def test_what_is_no_record_is_a_bug(value: object) -> None:
    with pytest.raises(TypeError):
        encode(value)
    with pytest.raises(TypeError):
        widened(Leaf, value)


@pytest.mark.parametrize("kind", [bytes, set[int], tuple[int, str]])
def test_what_json_cannot_say_has_no_shape(kind: Any) -> None:
    held: Any = dataclass(type("Held", (), {"__annotations__": {"one": kind}}))
    with pytest.raises(TypeError):
        schema(held)
    with pytest.raises(TypeError):
        encode(held(object()))


@dataclass(frozen=True)
class Pair:
    left: int
    right: str = "none"


@dataclass(frozen=True)
class Triple:
    left: int
    right: str
    more: bool


def test_a_record_takes_the_members_that_it_has() -> None:
    assert record_of(Pair, {"left": 1, "right": "b", "newer": 3}) == Pair(1, "b")
    assert record_of(Pair, {"left": 1}) == Pair(1)
    assert record_of(Pair, {"left": 1, "right": "b"}, right="c") == Pair(1, "c")
    with pytest.raises(TypeError):
        record_of(Pair, {"right": "b"})


def test_a_record_may_have_more_than_the_one_it_is_made_of() -> None:
    assert extended(Triple, Pair(1, "b"), more=True) == Triple(1, "b", more=True)
    with pytest.raises(TypeError):
        extended(Triple, Pair(1, "b"))
