"""What an error is: a row of the catalogue, and the exception that carries one.

Decides what a row holds and which exception each kind of row is. Refuses to know the rows:
`muster.core.catalogue` joins them and makes an error of a code.
"""

from __future__ import annotations

import enum
import string
from collections.abc import Mapping
from typing import Any

from muster.core.values import dataclass


class Retry(enum.Enum):
    """What a program should do after an error; the `retry` member of a problem document."""

    NEVER = "never"
    LATER = "later"
    OTHER_HOST = "other-host"
    AFTER_FIX = "after-fix"


class Kind(enum.Enum):
    """Whose word it is; decides the exception class and the exit code of a command."""

    REFUSAL = 1
    """A role said no."""
    USAGE = 2
    """The caller asked for something that cannot be asked."""
    FAULT = 3
    """Could not find out: network, disk, another program."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue.

    `code` is `area/name` and never changes. `field_code` is the number that administrators of
    volume activation know (a Windows HRESULT as text), or "". `http` is the status of a problem
    document. `what`, `why` and `fix` are `str.format` templates over the error's parameters.
    """

    code: str
    kind: Kind
    http: int
    retry: Retry
    what: str
    why: str
    fix: str
    field_code: str = ""

    def fields(self) -> frozenset[str]:
        """Names of the parameters that the templates use."""
        names: set[str] = set()
        for template in (self.what, self.why, self.fix):
            for _, name, _, _ in string.Formatter().parse(template):
                if name:
                    names.add(name.split(".")[0].split("[")[0])
        return frozenset(names)


class MusterError(Exception):
    """An error of the catalogue; `muster.core.catalogue.error` makes it."""

    def __init__(self, row: Row, params: Mapping[str, Any]) -> None:
        self.row = row
        self.params = dict(params)
        super().__init__(f"{row.code}: {self.what}")

    @property
    def code(self) -> str:
        """The code of the row, such as `host/insufficient-count`."""
        return self.row.code

    @property
    def what(self) -> str:
        """What happened, in one sentence."""
        return self.row.what.format_map(self.params)

    @property
    def why(self) -> str:
        """Why it happened."""
        return self.row.why.format_map(self.params)

    @property
    def fix(self) -> str:
        """What to do now."""
        return self.row.fix.format_map(self.params)


class Refusal(MusterError):
    """A role said no: the answer is known and is a refusal (exit code 1)."""


class Usage(MusterError):
    """The request itself is wrong (exit code 2)."""


class Fault(MusterError):
    """The answer could not be found out (exit code 3)."""
