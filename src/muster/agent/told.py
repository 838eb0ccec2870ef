"""Records out of what the processes of an agent tell each other.

Messages between them are JSON of `muster.core.records.encode`; `decode` makes the records of it
again, so that whatever leaves the agent is a record too. Refuses to know which there are.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from muster.core.catalogue import CATALOGUE
from muster.core.errors import MusterError
from muster.core.values import field_names

_Record = TypeVar("_Record")


class ToldError(MusterError):
    """An error that another process told: its texts are those of there [a parameter that JSON
    cannot say is in the texts only]."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._record = record
        super().__init__(CATALOGUE[record["code"]], record["params"])

    @property
    def what(self) -> str:
        return str(self._record["what"])

    @property
    def why(self) -> str:
        return str(self._record["why"])

    @property
    def fix(self) -> str:
        return str(self._record["fix"])


def decode(kind: type[_Record], members: Mapping[str, Any]) -> _Record:
    """The record of which `encode` made an object; errors become `ToldError`.

    Raises: KeyError, TypeError, ValueError for what is no such object; that is a bug.
    """
    hints = get_type_hints(kind, include_extras=True)
    names = field_names(kind) or ()
    return kind(**{name: _value(hints[name], members[name.removesuffix("_")]) for name in names})


def _value(hint: Any, value: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if value is None:
        return None
    if origin is Annotated:
        return _value(inner[0], value)
    if origin in (types.UnionType, Union):
        (one,) = (choice for choice in inner if choice is not type(None))
        return _value(one, value)
    if origin is tuple:
        return tuple(_value(inner[0], item) for item in value)
    if not isinstance(hint, type):
        return value
    if issubclass(hint, MusterError):
        return ToldError(value)
    if issubclass(hint, enum.Enum):
        return hint(value)
    return value if field_names(hint) is None else decode(cast("type[Any]", hint), value)
