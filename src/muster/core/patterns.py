"""Regular expressions that are compiled when a text is first held against them.

A program that asks one question uses a dozen of the sixty grammars; compiling all costs more than
verifying its licence. Refuses to know any grammar (`muster.core.grammar`).
"""

from __future__ import annotations

import re
from typing import Any, cast

_METHODS = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub")


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`. A text that is no pattern is told at its first use: a test uses each."""
    return cast("re.Pattern[str]", _Pattern(text, flags))


class _Pattern:
    """What is used of a compiled pattern; its methods are the compiled one's own, once it is."""

    __slots__ = ("flags", "pattern", *_METHODS)

    def __init__(self, text: str, flags: int) -> None:
        self.pattern = text
        self.flags = flags

    def __getattr__(self, name: str) -> Any:
        """Called for a method that is not there yet."""
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self.flags)
        for each in _METHODS:
            setattr(self, each, getattr(compiled, each))
        return getattr(self, name)
