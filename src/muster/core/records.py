"""Records as JSON: the one encoder of what acts and looks return, and the shapes that it makes.

A record is a frozen dataclass. Its JSON is an object with a member for each field, by the same
name, so that the shape can be published from the types alone. The same encoder
makes the JSON of `--json`, of the APIs for administrators and of consoles. Refuses to know which
records there are.

A member whose name Python keeps for itself is a field with an underscore behind: `for_` is `for`.

| field | JSON |
|---|---|
| another record | its object |
| `str`, `bool`, `int`, `float`, `None` | the same |
| an enumeration | its value |
| `tuple[X, ...]` | an array |
| `Mapping[str, X]` | an object; an enumeration as key stands for its value |
| `MusterError` | an `ErrorRecord` |
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import (
    Annotated,
    Any,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from muster.core.errors import MusterError, Retry
from muster.core.keys import mask_typed
from muster.core.values import dataclass, field_names

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
"""What JSON can say."""
_Record = TypeVar("_Record")


def record_of(kind: type[_Record], members: Mapping[str, Any], **more: object) -> _Record:
    """A record of the members that it has; others are a newer version's. Raises: TypeError."""
    names = field_names(kind) or ()
    return kind(**{**{name: members[name] for name in names if name in members}, **more})


def extended(kind: type[_Record], record: object, **more: object) -> _Record:
    """A record of what another one has, and of what it has more."""
    return kind(**{name: getattr(record, name) for name in field_names(record) or ()}, **more)


@dataclass(frozen=True, slots=True)
class About:
    """What a field's schema says beside its type; is in `Annotated`."""

    description: str


Instant = Annotated[int, About("Unix seconds")]
"""An instant of the clock of whoever tells it."""
Seconds = Annotated[int, About("seconds")]
"""A span of time."""


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """An error of the catalogue (docs/errors.md). Codes never change, texts may be reworded.

    `params` are the parameters of the texts; of these, numbers, texts, flags and lists of them.
    No text holds a product key, wherever it was typed.
    """

    code: str
    field_code: str
    what: str
    why: str
    fix: str
    retry: Retry
    params: Mapping[str, Any]


def error_record(fault: MusterError) -> ErrorRecord:
    """An error as programs read it."""
    return ErrorRecord(
        code=fault.code,
        field_code=fault.row.field_code,
        what=mask_typed(fault.what),
        why=mask_typed(fault.why),
        fix=mask_typed(fault.fix),
        retry=fault.row.retry,
        params={
            name: _masked(value)
            for name, value in fault.params.items()
            if isinstance(value, str | int | bool | list | tuple)
        },
    )


def _masked(value: object) -> object:
    """A parameter of an error without a product key that was typed in the wrong place."""
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return mask_typed(value) if isinstance(value, str) else value


def encode(record: object) -> dict[str, JSON]:
    """The JSON object of a record.

    Raises: TypeError for what is no record, or holds what JSON cannot say; that is a bug.
    """
    return {_member(name): _value(getattr(record, name)) for name in _names(record)}


def widened(kind: type[_Record], record: object, /, **more: object) -> _Record:
    """A record of a kind that has the fields of another record, and some more."""
    held = {name: getattr(record, name) for name in _names(record)}
    return kind(**held, **more)


def _member(field: str) -> str:
    return field.removesuffix("_")


def _names(record: object) -> tuple[str, ...]:
    names = field_names(record)
    if names is None or isinstance(record, type):
        raise TypeError(f"{type(record).__name__} is no record")
    return names


def _value(value: object) -> JSON:
    if isinstance(value, enum.Enum):
        return _value(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_value(item) for item in value]
    if isinstance(value, Mapping):
        return {_name(name): _value(item) for name, item in value.items()}
    if isinstance(value, MusterError):
        return encode(error_record(value))
    return encode(value)


def _name(name: object) -> str:
    return str(name.value if isinstance(name, enum.Enum) else name)


_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema(record: type, version: int = 1) -> dict[str, JSON]:
    """The JSON Schema (draft 2020-12) of a record, with those that it holds under `$defs`.

    Members may be added within a version; none is taken away or changes its meaning.

    Args:
        record: the class.
        version: of the shape; a higher one broke it.
    Raises: TypeError for a field that JSON cannot say.
    """
    defs = _Defs()
    top = _object(record, defs)
    return {
        "$schema": _DRAFT,
        "$id": f"{record.__name__}/{version}",
        "title": record.__name__,
        **top,
        **({"$defs": defs.sorted()} if defs.objects else {}),
    }


def any_of(name: str, records: Sequence[type], version: int = 1) -> dict[str, JSON]:
    """The JSON Schema of an object that is one of several records; all are under `$defs`.

    Args:
        name: of the schema, a part of its `$id`.
        records: the classes, at least one.
        version: as of `schema`.
    Raises: TypeError for a field that JSON cannot say.
    """
    defs = _Defs()
    refs = [_type(record, defs) for record in records]
    return {
        "$schema": _DRAFT,
        "$id": f"{name}/{version}",
        "title": name,
        **(refs[0] if len(refs) == 1 else {"anyOf": list(refs)}),
        "$defs": defs.sorted(),
    }


class _Defs:
    """The records of one schema, by name."""

    __slots__ = ("_kinds", "objects")

    def __init__(self) -> None:
        self._kinds: dict[str, type] = {}
        self.objects: dict[str, JSON] = {}

    def put(self, record: type) -> str:
        """The name of a record, which is described once; it may hold its own kind."""
        name = record.__name__
        if self._kinds.setdefault(name, record) is not record:
            raise TypeError(f"two records of one shape are called {name}")
        if name not in self.objects:
            self.objects[name] = None
            self.objects[name] = _object(record, self)
        return name

    def sorted(self) -> dict[str, JSON]:
        return dict(sorted(self.objects.items()))


def _object(record: type, defs: _Defs) -> dict[str, JSON]:
    import inspect  # a shape is published, not printed by commands

    hints = get_type_hints(record, include_extras=True)
    names = field_names(record) or ()
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(record) or "").split()),
        "properties": {_member(name): _type(hints[name], defs) for name in names},
        "required": list(map(_member, names)),
    }


_SIMPLE: Mapping[object, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


def _type(hint: Any, defs: _Defs) -> dict[str, JSON]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        note = next((one.description for one in inner[1:] if isinstance(one, About)), "")
        return {**_type(inner[0], defs), **({"description": note} if note else {})}
    if hint is Any:
        return {}
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin in (types.UnionType, Union):
        return {"anyOf": [_type(one, defs) for one in inner]}
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin is tuple and len(inner) == 2 and inner[1] is ...:
        return {"type": "array", "items": _type(inner[0], defs)}
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(inner[1], defs)}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [_value(value) for value in hint]}
    if isinstance(hint, type) and issubclass(hint, MusterError):
        return _type(ErrorRecord, defs)
    if isinstance(hint, type) and field_names(hint) is not None:
        return {"$ref": f"#/$defs/{defs.put(hint)}"}
    raise TypeError(f"{hint!r} has no shape in JSON")
