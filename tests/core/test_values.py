"""The dataclasses of the house beside those of the standard library: one behaviour."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest

from muster.core import values


def _describe(kind: Any) -> Any:
    """The same classes by either decorator."""
    of: Any = dataclasses if kind is dataclasses else values

    @of.dataclass(frozen=True, slots=True)
    class Point:
        """A point."""

        unit: ClassVar[str] = "m"
        x: int
        y: int = 2
        tags: tuple[str, ...] = of.field(default_factory=tuple)
        note: str = of.field(default="", compare=False, repr=False)
        double: int = of.field(init=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "double", 2 * self.x)

        @property
        def total(self) -> int:
            return self.x + self.y

    @of.dataclass(frozen=True, slots=True, order=True)
    class Wide(Point):
        z: int = 3

    @of.dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    return Point, Wide, Nothing


@pytest.fixture(params=[values, dataclasses], ids=["house", "standard"])
def classes(request: pytest.FixtureRequest) -> Any:
    return _describe(request.param)


def test_objects_are_made_compared_hashed_and_shown_by_their_fields(classes: Any) -> None:
    point, wide, nothing = classes
    one = point(1)
    assert (one.x, one.y, one.tags, one.double, one.total, one.unit) == (1, 2, (), 2, 3, "m")
    assert one == point(1, 2, note="not compared")
    assert hash(one) == hash(point(x=1))
    assert one not in (point(2), wide(1), (1, 2, ()))
    assert repr(point(1, note="not shown")) == f"{point.__qualname__}(x=1, y=2, tags=(), double=2)"
    assert nothing() == nothing()
    assert hash(nothing()) == hash(nothing())
    assert repr(nothing()).endswith("Nothing()")
    assert wide(1, z=4) > wide(1) >= wide(1)
    assert wide(1) < wide(1, 3)
    assert wide(1).double == 2
    assert len({point(1), point(1), point(2)}) == 2


def test_nothing_of_an_object_can_be_changed(classes: Any) -> None:
    one = classes[0](1)
    for name in ("x", "double", "new"):
        # The standard library stumbles over a name that is no field.
        with pytest.raises((AttributeError, TypeError)):
            setattr(one, name, 5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.x
    assert not hasattr(one, "__dict__")


WRONG: list[tuple[tuple[int, ...], dict[str, int], str]] = [
    ((), {}, r"missing 1 required positional argument: 'x'"),
    ((1,), {"w": 1}, r"unexpected keyword argument 'w'"),
    ((1,), {"double": 1}, r"unexpected keyword argument 'double'"),
    ((1,), {"x": 1}, r"multiple values for argument 'x'"),
    ((1, 2, 3, 4, 5), {}, r"takes from 2 to 5 positional arguments but 6 were given"),
]


@pytest.mark.parametrize("made", [0, 1, 2])
@pytest.mark.parametrize(("given", "named", "told"), WRONG)
def test_arguments_that_do_not_fit_are_told(
    classes: Any, made: int, given: tuple[int, ...], named: dict[str, int], told: str
) -> None:
    """Whether it is the first object of a class or a later one."""
    point = classes[0]
    for _ in range(made):
        assert point(1, 2).y == 2
    with pytest.raises(TypeError, match=told):
        point(*given, **named)
    assert point(1) == point(x=1)
    assert list(inspect.signature(point).parameters) == ["x", "y", "tags", "note"]


def test_the_standard_library_takes_them(classes: Any) -> None:
    point, wide, _ = classes
    one: Any = wide(1, z=9)
    names = [each.name for each in dataclasses.fields(one)]
    assert names == ["x", "y", "tags", "note", "double", "z"]
    assert dataclasses.replace(one, x=2) == wide(2, z=9)
    assert dataclasses.asdict(point(1))["tags"] == ()
    assert dataclasses.is_dataclass(point)
    assert copy.deepcopy(one) == copy.copy(one) == one
    assert wide.__match_args__ == ("x", "y", "tags", "note", "z")


def test_replace_changes_what_is_named() -> None:
    point, _, _ = _describe(values)
    one = point(1, note="kept")
    other = values.replace(one, x=5)
    assert (other.x, other.y, other.note, other.double) == (5, 2, "kept", 10)
    with pytest.raises(ValueError, match="double"):
        values.replace(one, double=1)
    with pytest.raises(TypeError):
        values.replace(one, nothing=1)


@values.dataclass(frozen=True, slots=True)
class Kept:
    """At the top of a module, where pickle finds it."""

    name: str


def test_they_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept("a"))) == Kept("a")


def _more(of: Any) -> Any:
    @of.dataclass(frozen=True, slots=True)
    class Made:
        x: int
        later: int = of.field(init=False, default=7)
        tags: tuple[str, ...] = of.field(init=False, default_factory=lambda: ("t",))

    @of.dataclass(frozen=True, slots=True)
    class Again(Made):
        x: int = 5

    @of.dataclass(frozen=True, slots=True, repr=False)
    class Quiet:
        x: int

    return Made, Again, Quiet


BOTH = pytest.mark.parametrize("kind", [values, dataclasses], ids=["house", "standard"])


@BOTH
def test_the_first_object_and_the_later_ones_are_made_alike(kind: Any) -> None:
    point, wide, _ = _describe(kind)
    made, again, quiet = _more(kind)
    for _ in range(3):
        one = point(1, 5, ("a",), note="n")
        assert (one.x, one.y, one.tags, one.note) == (1, 5, ("a",), "n")
        assert [getattr(made(1), name) for name in ("x", "later", "tags")] == [1, 7, ("t",)]
        assert (again().x, again(6).x, again(6).later) == (5, 6, 7)
        assert not wide(1) < wide(1)
        assert wide(1) <= wide(1)
        assert quiet(1) == quiet(1) != quiet(2)
    assert repr(quiet(1)).startswith("<")
    assert not vars(again)["__slots__"]
    assert made.__match_args__ == ("x",)


@BOTH
def test_a_first_object_that_lacks_its_one_field_is_told(kind: Any) -> None:
    for one in _more(kind)[::2]:
        with pytest.raises(TypeError, match="'x'"):
            one()


@BOTH
def test_what_was_not_asked_for_is_not_there(kind: Any) -> None:
    point, _, _ = _describe(kind)
    with pytest.raises(TypeError):
        point(1) < point(2)  # noqa: B015
    assert "__weakref__" not in vars(point)


@BOTH
def test_the_names_of_fields(kind: Any) -> None:
    point, _, nothing = _describe(kind)
    names = ("x", "y", "tags", "note", "double")
    assert values.field_names(point) == values.field_names(point(1)) == names
    assert values.field_names(nothing) == ()
    for other in (5, int, None, "x"):
        assert values.field_names(other) is None


def test_a_thread_that_comes_late_makes_its_object_all_the_same() -> None:
    """Another thread has replaced the `__init__` that this one is about to run."""
    point, wide, _ = _describe(values)
    for kind in (point, wide):
        first = kind.__init__
        assert kind(1) == kind(x=1)
        second = kind.__init__
        for init in (first, second, first):
            late = object.__new__(kind)
            init(late, 1)
            assert late == kind(1)


def test_a_class_may_have_an_init_of_its_own() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Base:
        x: int

    @values.dataclass(frozen=True, slots=True)
    class Own(Base):
        y: int

        def __init__(self, both: int) -> None:
            Base.__init__(self, both)
            object.__setattr__(self, "y", both)

    for _ in range(3):
        assert repr(Own(3)).endswith("Own(x=3, y=3)")
        assert Base(3) == Base(x=3)


def test_only_what_is_frozen_with_slots_is_taken() -> None:
    with pytest.raises(TypeError):
        values.dataclass(frozen=False, slots=True)

    @dataclasses.dataclass(frozen=True)
    class Standard:
        x: int

    with pytest.raises(TypeError, match="Standard"):

        @values.dataclass(frozen=True, slots=True)
        class Own(Standard):
            y: int


def test_a_class_that_nobody_uses_compiles_nothing() -> None:
    """The standard library's machinery is not even imported."""
    code = (
        "import sys\n"
        "from muster.core.values import dataclass\n"
        "@dataclass(frozen=True, slots=True)\n"
        "class A:\n"
        "    x: int\n"
        "assert A(1) == A(1) == A(x=1)\n"
        "assert 'dataclasses' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
