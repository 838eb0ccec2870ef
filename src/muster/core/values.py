"""Frozen dataclasses that cost little until an object of them is made.

`dataclasses.dataclass(frozen=True, slots=True)` compiles eight methods for each class when a
program starts, used or not; that was half of the processor time of the first `licence()` of a
program (ADR 0018). Here classes share their methods, and the one that each needs of its own,
`__init__`, is compiled when its second object is made. Type checkers see the decorator of the
standard library, and so do `dataclasses.fields`, `replace` and `is_dataclass`. Refuses whatever is
not frozen with slots: that is the standard library's.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace

__all__ = ["dataclass", "field", "field_names", "replace"]

_MISSING: Any = object()
_set = object.__setattr__


class _Field:
    """What a class says of one of its fields, as the arguments of `dataclasses.field`."""

    __slots__ = ("compare", "default", "default_factory", "init", "repr")

    def __init__(
        self,
        *,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,  # noqa: A002 - the name in the standard library
        compare: bool = True,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare


class _StandardFields:
    """`__dataclass_fields__` of a class, made when somebody asks for it."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, _Field]) -> None:
        self._fields = fields

    def __get__(self, _record: object, cls: type) -> Any:
        import dataclasses

        hints: dict[str, object] = {}
        for base in reversed(cls.__mro__):
            hints.update(vars(base).get("__annotations__", {}))
        body: dict[str, object] = {
            "__annotations__": {name: hints[name] for name in self._fields},
            "__module__": cls.__module__,
        }
        for name, one in self._fields.items():
            given = {each: getattr(one, each) for each in _Field.__slots__}
            body[name] = dataclasses.field(
                **{each: value for each, value in given.items() if value is not _MISSING}
            )
        made: type = dataclasses.dataclass(init=False, repr=False, eq=False)(type("_", (), body))
        found = vars(made)["__dataclass_fields__"]
        cls.__dataclass_fields__ = found  # type: ignore[attr-defined]
        return found


def _own(cls: type) -> tuple[dict[str, _Field], list[str]]:
    """The fields of a class with those of its bases, and the names of its own."""
    fields: dict[str, _Field] = {}
    for base in reversed(cls.__mro__[1:]):
        if "__dataclass_fields__" in vars(base) and "_fields_" not in vars(base):
            raise TypeError(f"{base.__qualname__} is a dataclass of the standard library")
        fields.update(vars(base).get("_fields_", {}))
    own = []
    for name, hint in vars(cls).get("__annotations__", {}).items():
        if str(hint).startswith(("ClassVar", "typing.ClassVar")):
            continue
        given = vars(cls).get(name, _MISSING)
        fields[name] = given if isinstance(given, _Field) else _Field(default=given)
        own.append(name)
    return fields, own


def _made(cls: type, shared: dict[str, object]) -> type:
    """A class with slots for its fields, as `cls` describes it."""
    fields, own = _own(cls)
    body = {name: value for name, value in vars(cls).items() if name not in own}
    body.pop("__dict__", None)
    body.pop("__weakref__", None)
    if body.get("__hash__", ...) is None:  # of a class with an `__eq__` of its own
        del body["__hash__"]
    for name, method in shared.items():
        body.setdefault(name, method)
    body["_made_here_"] = body["__init__"] is _first_init
    compared = [name for name, one in fields.items() if one.compare]
    body["__slots__"] = tuple(name for name in own if name not in _slots_of(cls))
    body["__match_args__"] = tuple(name for name, one in fields.items() if one.init)
    body["_fields_"] = fields
    body["_compared_"] = attrgetter(*compared) if compared else type
    body["__dataclass_fields__"] = _StandardFields(fields)
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def _slots_of(cls: type) -> set[str]:
    return {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}


def _first_init(self: Any, *given: Any, **named: Any) -> None:
    """Make the first object of a class without compiling anything; many classes have but one."""
    cls = _class_of(self)
    cls.__init__ = _second_init
    if not _filled(self, cls, given, named):
        cls.__init__(self, *given, **named)  # tells what is wrong
    elif hasattr(cls, "__post_init__"):
        self.__post_init__()


def _second_init(self: Any, *given: Any, **named: Any) -> None:
    """Compile the `__init__` of a class."""
    cls = _class_of(self)
    cls.__init__ = made = _compiled(cls)
    made(self, *given, **named)


def _class_of(record: object) -> Any:
    """The class whose `__init__` is made here; another thread may be at it."""
    return next(one for one in type(record).__mro__ if vars(one).get("_made_here_"))


def _filled(record: object, cls: Any, given: tuple[object, ...], named: dict[str, object]) -> bool:
    """Whether arguments fit the fields; then the record has them."""
    names = cls.__match_args__
    values = dict(zip(names, given, strict=False)) | named
    if len(values) != len(given) + len(named) or not values.keys() <= set(names):
        return False
    for name, one in cls._fields_.items():
        if name not in values and one.default_factory is not _MISSING:
            values[name] = one.default_factory()
        elif name not in values and one.default is not _MISSING:
            values[name] = one.default
        elif name not in values and one.init:
            return False
    for name, value in values.items():
        _set(record, name, value)
    return True


def _compiled(cls: Any) -> Any:
    parameters, lines = ["self"], []
    scope: dict[str, object] = {"_set": _set, "_missing": _MISSING}
    for name, one in cls._fields_.items():
        value = name
        if one.default_factory is not _MISSING:
            scope[f"_of_{name}"] = one.default_factory
            value = (
                f"_of_{name}() if {name} is _missing else {name}" if one.init else f"_of_{name}()"
            )
            default = "_missing"
        elif one.default is not _MISSING:
            scope[f"_of_{name}"] = one.default
            default = f"_of_{name}"
        else:
            default = ""
        if one.init:
            parameters.append(f"{name}={default}" if default else name)
        elif not default:
            continue
        elif one.default_factory is _MISSING:
            value = default
        lines.append(f" _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    source = f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass")
    exec(compile(source, f"<fields of {cls.__qualname__}>", "exec"), scope)  # noqa: S102
    made: Any = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self is other or self._compared_(self) == self._compared_(other)


def _hash(self: Any) -> int:
    return hash(self._compared_(self))


def _lt(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return bool(self._compared_(self) < self._compared_(other))


def _le(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return bool(self._compared_(self) <= self._compared_(other))


def _repr(self: Any) -> str:
    shown = (f"{name}={getattr(self, name)!r}" for name, one in self._fields_.items() if one.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _frozen(_self: Any, name: str, _value: Any = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self._fields_]


def _setstate(self: Any, state: list[Any]) -> None:
    for name, value in zip(self._fields_, state, strict=True):
        _set(self, name, value)


def field_names(record: object) -> tuple[str, ...] | None:
    """The names of the fields of a dataclass of either kind, or of its object; None for what is
    none."""
    known = getattr(record, "_fields_", None)
    if known is not None:
        return tuple(known)
    if not hasattr(record, "__dataclass_fields__"):
        return None
    import dataclasses

    standard: Any = record
    return tuple(one.name for one in dataclasses.fields(standard))  # without those of the class


_SHARED: dict[str, object] = {
    "__init__": _first_init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _frozen,
    "__delattr__": _frozen,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
_ORDERED: dict[str, object] = {**_SHARED, "__lt__": _lt, "__le__": _le}

if not TYPE_CHECKING:

    def dataclass(*, frozen, slots, order=False, repr=True):  # noqa: A002 - as the standard library
        """As `dataclasses.dataclass`, of classes that are frozen and have slots."""
        if not (frozen and slots):
            raise TypeError("only what is frozen with slots")
        shared = _ORDERED if order else _SHARED
        if not repr:
            shared = {name: method for name, method in shared.items() if name != "__repr__"}
        return lambda cls: _made(cls, shared)

    def field(**given):
        """As `dataclasses.field`."""
        return _Field(**given)

    def replace(record, /, **changes):
        """As `dataclasses.replace`."""
        for name, one in record._fields_.items():
            if not one.init:
                if name in changes:
                    raise ValueError(f"field {name} is not given to __init__")
            elif name not in changes:
                changes[name] = getattr(record, name)
        return record.__class__(**changes)
